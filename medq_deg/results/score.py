"""From the answers of a run to its figures: joins rows and votes, refuses what is incomplete, writes metrics.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.checks import check_run
from medq_deg.evaluation.missing import missing_by_severity
from medq_deg.evaluation.sampling import sampling_of, withhold
from medq_deg.evaluation.store import RunFolder
from medq_deg.files import replace_file
from medq_deg.metrics import summarize
from medq_deg.results.answer import Answer, answer
from medq_deg.results.controlled import ControlFigures, control_figures, match_blind
from medq_deg.results.sampling import IDENTICAL

METRICS = "metrics.json"

ANSWERED: Final = ("finish", "order", "shown", "orders", "probabilities_by_order")
"""What a record may hold beside votes, texts and probabilities."""

BREAKDOWNS: Final = ("severity", "degradation", "category", "modality", "task", "skills")


@dataclass(frozen=True)
class AnsweredRun:
    """The rows of a run that are answered, each with what the model said.

    Attributes
    ----------
    path : Path
        Folder of the run.
    settings, environment : dict
        From `run.json`.
    rows : list of dict
        Columns of `medq_deg.data.schema` without the image, and what the answer's record holds of `ANSWERED`.
    wanted : int
        Rows of the run, answered or not.
    source : {"votes", "probabilities"}
        What the run is scored by.
    checks : list of str
        What of the run does not fit together, see `medq_deg.evaluation.checks.check_run`.
    sampling : dict
        See `medq_deg.evaluation.sampling.sampling_of`.
    """

    path: Path
    settings: dict[str, Any]
    environment: dict[str, Any]
    rows: list[dict[str, Any]]
    wanted: int
    source: Literal["votes", "probabilities"]
    checks: list[str]
    sampling: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """What an answer in words needs beside the figures, see `medq_deg.results.answer.answer`."""
        clean = [row for row in self.rows if row["severity"] == 0] or self.rows
        return {
            "sampling": self.sampling,
            "rows": self.wanted,
            "unanswered": self.wanted - len(self.rows),
            "chance": sum(1 / len(row["options"]) for row in clean) / len(clean),
            **({"subset": self.settings["subset"]} if "subset" in self.settings else {}),
        }


def read_answered(path: Path, coverage: float) -> AnsweredRun:
    """Join the rows of a run with their answers.

    Raises
    ------
    MedqDegError
        If `path` is no run, or fewer rows are answered than `coverage` asks for.
    """
    if not 0 <= coverage <= 1:
        raise MedqDegError(f"coverage must be in [0, 1], got {coverage}")
    run, rows, answers = RunFolder(path).read()
    joined = [{**row, **_said(answers[row["id"]])} for row in rows if row["id"] in answers]
    share = len(joined) / len(rows) if rows else 0.0
    if not joined or share < coverage:
        raise MedqDegError(
            f"{path}: {len(rows) - len(joined)} of {len(rows)} rows have no answer (coverage {share:.3f}, wanted "
            f"{coverage:.3f}); finish the run with the `medq-deg evaluate` command that began it, or lower --coverage"
        )
    exact = run["settings"]["model"].get("votes") == "exact"
    return AnsweredRun(
        path,
        run["settings"],
        run["environment"],
        joined,
        len(rows),
        "probabilities" if exact else "votes",
        check_run(path, run, rows, answers),
        sampling_of(run, () if exact else joined),
    )


def _said(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a joined row takes from its answer."""
    return {
        **{name: record.get(name) for name in ("votes", "texts", "probabilities")},
        **{name: record[name] for name in ANSWERED if name in record},
    }


def answer_of(run: AnsweredRun, controls: ControlFigures, *, n_resamples: int = 1000, seed: int = 0) -> Answer:
    """Answer in words whether the model of a run can be trusted when the image is bad."""
    summary = summarize(run.rows, by=(), source=run.source, n_resamples=n_resamples, seed=seed)
    return answer({**run.facts, **controls.as_dict(), **summary})


def read_blind(path: Path, coverage: float) -> AnsweredRun:
    """Read a blind baseline.

    Raises
    ------
    MedqDegError
        If `path` is no run that can be scored, or its images were shown.
    """
    blind = read_answered(path, coverage)
    if blind.settings.get("image", "shown") == "shown":
        raise MedqDegError(
            f"{path}: is no blind run, its images were shown; make one with `medq-deg evaluate --image none`"
        )
    return blind


def score_run(
    path: Path, *, coverage: float = 1.0, blind: Path | None = None, n_resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compute the figures of a run with their intervals, and write them to `metrics.json`.

    A run of exact votes is scored by its probabilities, without the noise of sampling.

    Parameters
    ----------
    path : Path
        Folder of the run.
    coverage : float
        Least share of the rows that must be answered, in [0, 1].
    blind : Path, optional
        Folder of its blind baseline, see `medq_deg.results.controlled`.
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `model`, `data`, `trials`, `coverage`; `missing`: votes that name no option by severity and reason; `checks`:
        sentences about what of the run does not fit together; `sampling`: see `sampling_of`; `rows`, `unanswered` and
        `chance`; what `medq_deg.results.controlled.ControlFigures` has; the result of
        `medq_deg.metrics.summarize`; and `answer`, in words, from `medq_deg.results.answer`.

    Raises
    ------
    MedqDegError
        If `path` is no run, or fewer rows are answered than `coverage` asks for.
    """
    run = read_answered(path, coverage)
    (baseline,) = match_blind([run], [] if blind is None else [read_blind(blind, coverage)])
    figures = control_figures(run, baseline, n_resamples=n_resamples, seed=seed)
    result = {
        "model": run.settings["model"],
        "data": run.settings["data"],
        "trials": run.settings["trials"],
        "coverage": len(run.rows) / run.wanted,
        "missing": {name: count.as_dict() for name, count in missing_by_severity(run.rows).items()},
        "checks": run.checks,
        **run.facts,
        **figures.as_dict(),
        **summarize(run.rows, by=BREAKDOWNS, source=run.source, n_resamples=n_resamples, seed=seed),
    }
    if run.sampling["identical"]:
        withhold(result, IDENTICAL)
    result["answer"] = answer(result).as_json()
    with replace_file(path / METRICS) as file:
        file.write(json.dumps(result, indent=2).encode() + b"\n")
    return result
