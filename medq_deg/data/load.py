"""The rows that a name on the command line stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import SEVERITY_NAMES


def load_rows(name: str) -> Sequence[Mapping[str, Any]]:
    """Return the rows of "demo", or of a folder that ``medq-deg build`` wrote, clean rows first.

    Raises
    ------
    MedqDegError
        If `name` is neither.
    """
    if name == "demo":
        return demo.rows()
    folder = Path(name)
    if not (folder / "manifest.json").exists():
        raise MedqDegError(f"unknown data {name!r}; allowed: demo, or a folder that `medq-deg build` has finished")
    import datasets

    datasets.disable_progress_bars()
    splits = datasets.load_dataset(str(folder))
    rows = datasets.concatenate_datasets([splits[split] for split in SEVERITY_NAMES])
    return cast("Sequence[Mapping[str, Any]]", rows)
