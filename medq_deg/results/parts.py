"""A run in parts, as a leaderboard shows it: by severity, degradation and modality, and by category and task."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from medq_deg.metrics import PairingWarning, summarize
from medq_deg.metrics.rows import MISSING, SEPARATOR, Source
from medq_deg.taxonomy import CATEGORIES, SEVERITY_NAMES, TASKS

_CELL: Final = ("severity", "degradation", "modality")


@dataclass(frozen=True)
class Cell:
    """Rows of one severity, degradation and modality: how many, and their mean accuracy and confidence, as shares."""

    severity: str
    degradation: str
    modality: str
    n: int
    accuracy: float
    confidence: float


@dataclass(frozen=True)
class Parts:
    """What a leaderboard shows of a run beside its figures by severity.

    Attributes
    ----------
    cells : tuple of Cell
        Every combination that has rows, so that any choice of them is a weighted mean.
    categories, tasks : mapping from str to (float, float)
        Accuracy on clean images and on those degraded (L1 and L2), by category of degradations and by task of the
        question, where every degraded row is paired with its clean row.
    """

    cells: tuple[Cell, ...]
    categories: Mapping[str, tuple[float, float]]
    tasks: Mapping[str, tuple[float, float]]

    def as_json(self) -> dict[str, Any]:
        """Return them as `leaderboard.json` holds them."""
        return {
            "cells": [asdict(cell) for cell in self.cells],
            "categories": _as_json(self.categories),
            "tasks": _as_json(self.tasks),
        }


def _as_json(pairs: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    return {name: {"clean": clean, "degraded": degraded} for name, (clean, degraded) in pairs.items()}


def parts_of(rows: Sequence[Mapping[str, Any]], source: Source) -> Parts:
    """Break a run down.

    Parameters
    ----------
    rows : sequence of mappings
        Answered rows, as `medq_deg.metrics.summarize` takes them.
    source : {"votes", "probabilities"}
        What they are scored by.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PairingWarning)  # a part with such a row is left out
        by = summarize(rows, by=["category", "task", _CELL], source=source, confidence_level=None)["by"]
    cells = []
    names = {SEPARATOR.join(parts): parts for parts in map(_parts, rows)}  # a name may hold the separator
    for key, found in by[SEPARATOR.join(_CELL)].items():
        cells.append(Cell(*names[key], found["n"], found["accuracy"], found["confidence"]))
    categories, tasks = (
        {name: pair for name in names if (pair := _pair(by[column].get(name)))}
        for column, names in (("category", CATEGORIES), ("task", TASKS))
    )
    return Parts(tuple(cells), categories, tasks)


def _parts(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what `medq_deg.metrics.summarize` calls the severity, degradation and modality of a row."""
    names = (str(row[name]) if str(row[name]) not in ("", "nan") else MISSING for name in _CELL[1:])
    degradation, modality = names
    return SEVERITY_NAMES[row["severity"]], degradation, modality


def _pair(found: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Return clean and degraded accuracy over paired rows; None where there are none, or one has no partner."""
    if not found:
        return None
    levels = [level for name, level in found["by_severity"].items() if name != "L0"]
    if any((level.get("change_from_l0") or {}).get("pairs") != level["n"] for level in levels):
        return None
    rows = sum(level["n"] for level in levels)
    if not rows:
        return None
    degraded = sum(level["n"] * level["accuracy"] for level in levels) / rows
    change = sum(level["n"] * level["change_from_l0"]["accuracy"] for level in levels) / rows
    return degraded - change, degraded
