"""Reading a dataset of results: `leaderboard.json` of each submitted run, checked as a file that may be anybody's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from medq_deg.models.published import GROUPS
from medq_deg.results.leaderboard import Entry, one_line
from medq_deg.results.parts import Cell
from medq_deg.results.ranking import Finding, findings, read_asked
from medq_deg.storable import visible
from medq_deg.taxonomy import CATEGORIES, DEGRADATION_NAMES, MODALITIES, NO_DEGRADATION, SEVERITY_NAMES, TASKS

OTHER: Final = "other"
"""The group of a model that is not the paper's."""

MOST_BYTES: Final = 2_000_000
MOST_ROWS: Final = 10**7
MOST_BILLIONS: Final = 10**6
LONGEST_NAME: Final = 100
"""What a submitted file may hold: a whole run has some 400 cells and is below 100 kB."""

_UNSAID: Final = Finding("the file does not say what was asked and how; submit the run again")


def read_submitted(folder: Path) -> tuple[list[Entry], int]:
    """Return the runs in a dataset of results, and the number of files that cannot be used.

    Parameters
    ----------
    folder : Path
        With ``results/*/leaderboard.json``, as `medq-deg submit --results-repo` makes them.
    """
    entries, unusable = [], 0
    for path in sorted(folder.glob("results/*/leaderboard.json")):
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError(f"a file of at most {MOST_BYTES} bytes is wanted")
            entries.append(_entry(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, IndexError):
            unusable += 1  # whatever is wrong with one, the others are shown
    return _with_own_names(entries), unusable


def _entry(held: dict[str, Any]) -> Entry:
    cells = tuple(_cell(cell) for cell in held["cells"])
    if len({(cell.severity, cell.degradation, cell.modality) for cell in cells}) < len(cells):
        raise ValueError("a cell is there twice")
    asked = read_asked(held["asked"]) if "asked" in held else None
    rows = tuple(sum(cell.n for cell in cells if cell.severity == name) for name in SEVERITY_NAMES)
    if asked is not None and asked.rows != rows:
        raise ValueError(f"the cells have {rows} rows, and {asked.rows} were asked")
    found = [_UNSAID] if asked is None else findings(asked)
    accuracy = [_mean(cells, name, "accuracy") for name in SEVERITY_NAMES]
    confidence = [_mean(cells, name, "confidence") for name in SEVERITY_NAMES]
    # Over several orders it is another figure than the paper's.
    pooled = asked is not None and asked.orders > 1
    shifts = [None if pooled else sure - right for sure, right in zip(confidence, accuracy, strict=True)]
    size = held.get("parameters_billion")
    return Entry(
        visible(one_line(held["model"]))[:LONGEST_NAME] or "a model without a name",
        held["group"] if held["group"] in GROUPS else OTHER,
        accuracy[0],
        accuracy[1],
        accuracy[2],
        accuracy[2] - accuracy[0],
        shifts[0],
        shifts[1],
        shifts[2],
        data=visible(one_line(held["data"]["fingerprint"]))[:16],
        votes="exact" if asked is None or asked.trials is None else asked.trials,
        source="submitted",
        size=None if size is None else _number(size, 0, MOST_BILLIONS),
        unranked=tuple(finding.text for finding in found if finding.unranked or finding.refused),
        beside=tuple(finding.text for finding in found if not (finding.unranked or finding.refused)),
        # "families" is what older versions called them.
        categories=_pairs(held.get("categories", held.get("families", {})), CATEGORIES),
        tasks=_pairs(held.get("tasks", {}), TASKS),
        cells=cells,
    )


def _pairs(held: Mapping[str, Any], names: Sequence[str]) -> dict[str, tuple[float, float]]:
    return {
        name: (_number(pair["clean"], 0, 1), _number(pair["degraded"], 0, 1))
        for name, pair in held.items()
        if name in names
    }


def _cell(held: Mapping[str, Any]) -> Cell:
    severity, degradation, modality = held["severity"], held["degradation"], held["modality"]
    if severity not in SEVERITY_NAMES or modality not in MODALITIES:
        raise ValueError(f"a cell of {severity!r}, {modality!r}")
    if degradation not in (DEGRADATION_NAMES if severity != "L0" else (NO_DEGRADATION,)):
        raise ValueError(f"no such degradation at {severity}: {degradation!r}")
    n = held["n"]
    if not isinstance(n, int):
        raise TypeError(f"n must be a whole number, got {n!r}")
    return Cell(
        severity,
        degradation,
        modality,
        int(_number(n, 1, MOST_ROWS)),
        _number(held["accuracy"], 0, 1),
        _number(held["confidence"], 0, 1),
    )


def _mean(cells: Iterable[Cell], severity: str, figure: str) -> float:
    chosen = [cell for cell in cells if cell.severity == severity]
    return math.fsum(cell.n * getattr(cell, figure) for cell in chosen) / sum(cell.n for cell in chosen)


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"a number must be in [{low}, {high}], got {value!r}")
    return float(value)


def _with_own_names(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries, those of one model numbered."""
    names: set[str] = set()
    numbered = []
    for entry in entries:
        name, number = entry.model, 1
        while name in names:
            number += 1
            name = f"{entry.model} (run {number})"
        names.add(name)
        numbered.append(replace(entry, model=name))
    return numbered
