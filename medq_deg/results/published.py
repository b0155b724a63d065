"""What the paper reports of each model, as data: accuracy by severity, category and task, and calibration.

The numbers lie in `paper/` beside this module and in `medq_deg/models/published.csv`; `paper/SOURCE.md` says which
table or figure each is from. All are fractions here, as in `metrics.json`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from medq_deg.models.published import published_models
from medq_deg.taxonomy import CATEGORIES, TASKS

PAPER_ROWS: Final = (4306, 10294, 10294)
"""Rows at L0, L1 and L2 behind the published figures."""

PAPER_TRIALS: Final = 10
"""Votes per row behind the published Calibration Shift."""


@dataclass(frozen=True)
class DegradedAccuracy:
    """Accuracy over L1 and L2, and what was lost against L0; negative where the model got better."""

    accuracy: float
    drop: float


@dataclass(frozen=True)
class Calibration:
    """Accuracy, confidence and Calibration Shift at one severity; None where the figure hides a marker."""

    accuracy: float | None
    confidence: float | None
    shift: float | None


@dataclass(frozen=True)
class PublishedResult:
    """What the paper reports of a model.

    Attributes
    ----------
    name, group : str
        As in `medq_deg.models.published`.
    accuracy : tuple of float
        At L0, L1 and L2.
    by_category, by_task : mapping from name to DegradedAccuracy
        Names as in `medq_deg.taxonomy`, and "average", the paper's mean over them.
    calibration : tuple of Calibration, optional
        At L0, L1 and L2; None for the models that the figure does not show.
    """

    name: str
    group: str
    accuracy: tuple[float, float, float]
    by_category: Mapping[str, DegradedAccuracy]
    by_task: Mapping[str, DegradedAccuracy]
    calibration: tuple[Calibration, Calibration, Calibration] | None


@cache
def published_results() -> tuple[PublishedResult, ...]:
    """Return the results of the 40 models, in the order of the paper's table by severity."""
    categories, tasks = _by_model("by_category"), _by_model("by_task")
    calibration = published_calibration()
    return tuple(
        PublishedResult(
            name=model.name,
            group=model.group,
            accuracy=(_fraction(model.accuracy[0]), _fraction(model.accuracy[1]), _fraction(model.accuracy[2])),
            by_category=_degraded(categories[model.name], CATEGORIES),
            by_task=_degraded(tasks[model.name], TASKS),
            calibration=calibration.get(model.name),
        )
        for model in published_models()
    )


@cache
def published_calibration() -> Mapping[str, tuple[Calibration, Calibration, Calibration]]:
    """Return the calibration of the 19 models of the paper's figure, at L0, L1 and L2; one is in no other table."""
    return MappingProxyType(
        {
            name: (_calibration(row, "l0"), _calibration(row, "l1"), _calibration(row, "l2"))
            for name, row in _by_model("calibration").items()
        }
    )


def _by_model(table: str) -> dict[str, dict[str, str]]:
    with (Path(__file__).with_name("paper") / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def _degraded(row: Mapping[str, str], names: Sequence[str]) -> Mapping[str, DegradedAccuracy]:
    return MappingProxyType(
        {
            name: DegradedAccuracy(_fraction(float(row[f"{name}_accuracy"])), _fraction(float(row[f"{name}_drop"])))
            for name in ("average", *names)
        }
    )


def _calibration(row: Mapping[str, str], level: str) -> Calibration:
    accuracy, confidence, shift = (
        float(row[f"{level}_{figure}"]) if row[f"{level}_{figure}"] else None
        for figure in ("accuracy", "confidence", "shift")
    )
    return Calibration(accuracy, confidence, shift)


def _fraction(percent: float) -> float:
    return round(percent / 100, 6)
