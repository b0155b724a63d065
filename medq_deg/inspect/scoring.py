"""Votes and figures inside inspect-ai: our parser is the scorer, `medq_deg.metrics.summarize` the metric."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState

from medq_deg.metrics import summarize
from medq_deg.models.parsing import check_parser, parse_answer

LEVEL: Final = 0.95
"""Of the intervals."""

_CI: Final = "_ci"
_CHANGE: Final = "change_from_l0"


@metric(scores="unreduced")
def calibration_shift(expected: int = 0, n_resamples: int = 1000, seed: int = 0) -> Metric:
    """All figures of ``medq-deg score``, with its intervals: equal to the last digit on the same answers.

    They are named as in ``metrics.json``, an interval's ends with ``_lower`` and ``_upper``; those of one severity with
    ``L0_`` and so on in front where there are several.

    Parameters
    ----------
    expected : int
        Votes of the whole run. inspect-ai also computes metrics while samples arrive: before all votes are there, rows
        with a single one are left out and there are no intervals.
    n_resamples, seed : int
        Of the bootstrap.
    """

    def compute(scores: list[SampleScore]) -> Any:
        rows = rows_of(scores)
        whole = sum(len(row["votes"]) for row in rows) >= expected
        rows = [row for row in rows if len(row["votes"]) > 1]
        if not rows:
            return {"accuracy": math.nan}
        with warnings.catch_warnings():
            if not whole:
                warnings.simplefilter("ignore")  # about rows that have yet to come
            found = summarize(
                rows, by=(), confidence_level=LEVEL if whole else None, n_resamples=n_resamples, seed=seed
            )
        by_severity = found["by_severity"]
        told = _figures(found)
        for name, figures in by_severity.items() if len(by_severity) > 1 else ():
            told |= _figures(figures, f"{name}_")
            told |= _figures(figures.get(_CHANGE) or {}, f"{name}_{_CHANGE}_")
        return told

    return compute


def rows_of(scores: Sequence[SampleScore]) -> list[dict[str, Any]]:
    """Gather the scores of each row's samples, one an epoch, as its votes; in the order of the data."""
    rows: dict[str, dict[str, Any]] = {}
    for item in scores:
        row = rows.setdefault(str(item.sample_id), {**(item.sample_metadata or {}), "id": item.sample_id, "votes": []})
        row["votes"] += (item.score.metadata or {})["votes"]
    return sorted(rows.values(), key=lambda row: row["place"])


def _figures(report: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the figures that have, or could have, an interval; undefined ones are left out."""
    told = {}
    for name, value in report.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        told[prefix + name] = float(value)
        if (ends := report.get(name + _CI)) is not None:
            told |= {f"{prefix}{name}_lower": float(ends[0]), f"{prefix}{name}_upper": float(ends[1])}
    return told


@scorer(metrics=[calibration_shift()])
def medq_deg_choice(parser: str = "strict") -> Scorer:
    """Read the letter of each answer of a sample by `medq_deg.parse_answer`; the value is the share that is right.

    Parameters
    ----------
    parser : {"strict", "vlmevalkit", "medqdeg-vlmevalkit"}
        See `medq_deg.parse_answer`. An answer that names no option is a vote for none, and wrong.
    """
    check_parser(parser)

    async def score(state: TaskState, target: Target) -> Score:
        options = [choice.value for choice in state.choices]
        votes = [parse_answer(choice.message.text, options, parser) for choice in state.output.choices]
        return Score(
            value=sum(letter == target.text for letter in votes) / len(votes) if votes else 0.0,
            answer=",".join(letter or "-" for letter in votes),
            reason=None if any(votes) else "invalid_response_format",
            metadata={"votes": votes},
        )

    return score
