"""The rows that a name on the command line stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from medq_deg import demo
from medq_deg.data.schema import MANIFEST
from medq_deg.demo.crops import held_out_rows
from medq_deg.errors import MedqDegError
from medq_deg.files import read_json
from medq_deg.taxonomy import SEVERITY_NAMES

EMBEDDED: Final = ("demo", "demo-held-out")
"""Names of the data that the package holds."""


def load_rows(name: str) -> Sequence[Mapping[str, Any]]:
    """Return the rows that a name stands for.

    "demo" is the demo set on whole pictures, "demo-held-out" the same questions on the parts of its pictures that the
    demo model was not trained on; anything else is a folder that ``medq-deg build`` wrote, read clean rows first.

    Raises
    ------
    MedqDegError
        If `name` is none of these.
    """
    if name == "demo":
        return demo.rows()
    if name == "demo-held-out":
        return held_out_rows()
    folder = Path(name)
    if not (folder / MANIFEST).exists():
        raise MedqDegError(
            f"unknown data {name!r}; allowed: demo, demo-held-out, or a folder that `medq-deg build` has finished"
        )
    import datasets

    datasets.disable_progress_bars()
    splits = datasets.load_dataset(str(folder))
    rows = datasets.concatenate_datasets([splits[split] for split in SEVERITY_NAMES])
    return cast("Sequence[Mapping[str, Any]]", rows)


def data_version(name: str) -> str | None:
    """Return the fingerprint of a build, which covers its pictures; None for the demo, whose pictures are made."""
    manifest = Path(name) / MANIFEST
    return str(read_json(manifest)["fingerprint"]) if manifest.exists() else None
