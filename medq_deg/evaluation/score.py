"""From the answers of a run to its figures: joins rows and votes, refuses what is incomplete, writes metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.store import RunFolder
from medq_deg.files import replace_file
from medq_deg.metrics import summarize

METRICS = "metrics.json"

HEADLINE: Final = ("accuracy", "confidence", "calibration_shift", "agreement_shift", "parse_rate")
"""The figures that a table of a run shows."""

BREAKDOWNS: Final = ("severity", "degradation", "category", "modality", "task", "skills")


def score_run(path: Path, *, coverage: float = 1.0, n_resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Compute the figures of a run with their intervals, and write them to `metrics.json`.

    A run of exact votes is scored by its probabilities, without the noise of sampling.

    Parameters
    ----------
    path : Path
        Folder of the run.
    coverage : float
        Least share of the rows that must be answered, in [0, 1].
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `model`, `data`, `trials`, `coverage`, and the result of `medq_deg.metrics.summarize`.

    Raises
    ------
    MedqDegError
        If `path` is no run, or fewer rows are answered than `coverage` asks for.
    """
    if not 0 <= coverage <= 1:
        raise MedqDegError(f"coverage must be in [0, 1], got {coverage}")
    folder = RunFolder(path)
    settings = folder.read_run()["settings"]
    rows, answers = folder.read_rows(), folder.read_answers()
    names = ("votes", "probabilities")
    joined = [{**row, **{name: answers[row["id"]][name] for name in names}} for row in rows if row["id"] in answers]
    share = len(joined) / len(rows) if rows else 0.0
    if not joined or share < coverage:
        raise MedqDegError(
            f"{path}: {len(rows) - len(joined)} of {len(rows)} rows have no answer (coverage {share:.3f}, wanted "
            f"{coverage:.3f}); finish the run with the `medq-deg evaluate` command that began it, or lower --coverage"
        )
    source: Literal["votes", "probabilities"] = (
        "probabilities" if settings["model"].get("votes") == "exact" else "votes"
    )
    result = {
        "model": settings["model"],
        "data": settings["data"],
        "trials": settings["trials"],
        "coverage": share,
        **summarize(joined, by=BREAKDOWNS, source=source, n_resamples=n_resamples, seed=seed),
    }
    with replace_file(path / METRICS) as file:
        file.write(json.dumps(result, indent=2).encode() + b"\n")
    return result
