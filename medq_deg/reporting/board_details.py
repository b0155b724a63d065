"""What the leaderboard's page says of one model: its figures by severity, category, task, degradation and modality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medq_deg.reporting.breaks import PLAIN
from medq_deg.reporting.text import points, words
from medq_deg.results.leaderboard import Entry
from medq_deg.results.numbers import change_of_100
from medq_deg.results.parts import Cell
from medq_deg.taxonomy import DEGRADATION_NAMES, MODALITIES, SEVERITY_NAMES

_SEVERITIES: Final = dict(zip(SEVERITY_NAMES, ("Clean", "Mild", "Severe"), strict=True))
_UNKNOWN: Final = "–"


@dataclass(frozen=True)
class Table:
    """A table of texts; the first of each row is its name."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


def details(entry: Entry) -> list[Table]:
    """Return the tables of a model; shares are written of 100, changes as degraded minus clean."""
    tables = [_by_severity(entry)]
    for title, name, pairs in (
        ("By category of degradations, mild and severe", "Category", entry.categories),
        ("By task, mild and severe", "Task", entry.tasks),
    ):
        if pairs:
            tables.append(Table(title, (name, "Clean", "Degraded", "Change"), _changes(pairs)))
    if entry.cells:
        tables.append(_by(entry.cells, "degradation", DEGRADATION_NAMES, SEVERITY_NAMES[1:]))
        tables.append(_by(entry.cells, "modality", MODALITIES, SEVERITY_NAMES))
    return tables


def _changes(pairs: Mapping[str, tuple[float, float]]) -> list[tuple[str, ...]]:
    return [
        (_word(name), _of_100(clean), _of_100(degraded), points(degraded - clean))
        for name, (clean, degraded) in pairs.items()
    ]


def _by_severity(entry: Entry) -> Table:
    accuracies = (entry.accuracy_l0, entry.accuracy_l1, entry.accuracy_l2)
    shifts = (entry.shift_l0, entry.shift_l1, entry.shift_l2)
    rows = [
        (name, _of_100(right), _UNKNOWN if surer is None else change_of_100(surer))
        for name, right, surer in zip(_SEVERITIES.values(), accuracies, shifts, strict=True)
    ]
    return Table("By severity", ("Images", "Right of 100", "Surer than right"), rows)


def _by(cells: Sequence[Cell], column: str, names: Iterable[str], severities: Sequence[str]) -> Table:
    rows = []
    for name in names:
        mine = [cell for cell in cells if getattr(cell, column) == name]
        if mine:
            shares = (_mean(cell for cell in mine if cell.severity == severity) for severity in severities)
            rows.append((_word(name), *map(_of_100, shares), f"{sum(cell.n for cell in mine):,}"))
    headers = (column.capitalize(), *(_SEVERITIES[severity] for severity in severities), "Rows")
    return Table(f"Right of 100, by {column}", headers, rows)


def _mean(cells: Iterable[Cell]) -> float | None:
    chosen = list(cells)
    rows = sum(cell.n for cell in chosen)
    return sum(cell.n * cell.accuracy for cell in chosen) / rows if rows else None


def _of_100(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.1f}"


def _word(name: str) -> str:
    return words(PLAIN.get(name, name))
