"""Breakdowns: the report of `calibration_shift` for a whole run and for each value of chosen columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.metrics.cells import VERDICT_LEVEL, describe, make_study
from medq_deg.metrics.dunning_kruger import add_holm
from medq_deg.metrics.figures import SHIFTS
from medq_deg.metrics.shift import settings
from medq_deg.metrics.votes import IntArray, Invalid, encode
from medq_deg.taxonomy import SEVERITIES, SEVERITY_NAMES

MISSING = "(missing)"
"""The cell of rows that have no value, or an empty list, in the column of a breakdown."""

SEPARATOR = " x "
"""Between the columns, and between the values, of a crossed breakdown."""


def summarize(
    rows: Iterable[Mapping[str, Any]],
    by: Sequence[str | Sequence[str]] = ("severity",),
    *,
    source: Literal["votes", "probabilities"] = "votes",
    invalid: Invalid = "category",
    confidence_level: float | None = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Report on a run as a whole and broken down by columns.

    Parameters
    ----------
    rows : iterable of N mappings
        Each with ``question_id``, ``answer``, ``num_choices`` or ``options``, ``votes`` or ``probabilities``
        as `source` says, ``severity`` (in all rows or in none), the columns in `by`, and ``id`` for error
        messages.
    by : sequence of column names or of tuples of them
        Each name is a breakdown of its own; a tuple crosses its columns. A row whose column holds a list,
        such as ``skills``, belongs to the cell of each of its values.
    source : {"votes", "probabilities"}, default "votes"
        Which column to read.
    invalid, confidence_level, n_resamples, seed
        As in `calibration_shift`; intervals are on by default.

    Returns
    -------
    dict
        The report of `calibration_shift` on all rows, and ``by``: for each breakdown a dict from the value
        (as text; severities as L0, L1, L2; crossed values joined by " x ") to the report of that cell. Rows
        without a value are in the cell "(missing)". A degraded row is paired with its clean row even where
        that row lies in another cell, as it does in a breakdown by degradation. Within one breakdown the
        p-values of ``dunning_kruger`` are also adjusted by Holm's method: ``p_supported_holm``,
        ``p_refuted_holm`` and ``verdict_holm`` for each of the three shifts.

    Raises
    ------
    MedqDegError
        If a row lacks a column, or as in `calibration_shift`; rows are named by their id.
    """
    table_rows = list(rows)
    if source not in ("votes", "probabilities"):
        raise MedqDegError(f"source must be 'votes' or 'probabilities', got {source!r}.")
    if isinstance(by, str):
        raise MedqDegError(f"by must be a list of columns, such as [{by!r}], got {by!r}.")
    breakdowns = [(entry,) if isinstance(entry, str) else tuple(entry) for entry in by]
    if len(set(breakdowns)) < len(breakdowns) or not all(breakdowns):
        raise MedqDegError(f"by must name each breakdown once, got {list(by)!r}.")

    for position, row in enumerate(table_rows):
        if not isinstance(row, Mapping):
            raise MedqDegError(f"row {position} must be a mapping from column to value, got {row!r}.")

    def name(position: int) -> str:
        return f"row {table_rows[position].get('id', position)!r}"

    def column(key: str) -> list[Any]:
        values = []
        for position, row in enumerate(table_rows):
            if key not in row:
                raise UnknownNameError(f"column of {name(position)}", key, row)
            values.append(row[key])
        return values

    counts = [
        row["num_choices"] if "num_choices" in row else _count(row.get("options"), name(position))
        for position, row in enumerate(table_rows)
    ]
    values = column(source)
    for position, value in enumerate(values):
        if value is None:
            raise MedqDegError(f"the {source} of {name(position)} are missing.")
    table = encode(
        values if source == "votes" else None,
        values if source == "probabilities" else None,
        column("answer"),
        counts,
        invalid=invalid,
        name=name,
    )
    severities = column("severity") if any("severity" in row for row in table_rows) else None
    study = make_study(
        table,
        groups=column("question_id"),
        severities=severities,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        seed=seed,
    )

    level = VERDICT_LEVEL if confidence_level is None else confidence_level
    reports: dict[str, dict[str, Any]] = {}
    for columns in breakdowns:
        cells = {key: describe(study, at) for key, at in _cells([column(key) for key in columns], columns).items()}
        verdicts = [cell["dunning_kruger"] for cell in cells.values() if cell.get("dunning_kruger")]
        for shift in SHIFTS:
            add_holm([each[shift] for each in verdicts], level)
        reports[SEPARATOR.join(columns)] = cells
    return {**describe(study), **settings(study, invalid), "by": reports}


def _count(options: Any, name: str) -> int:
    if options is None or isinstance(options, str) or not hasattr(options, "__len__"):
        raise MedqDegError(f"{name} needs num_choices or a list of options, got {options!r}.")
    return len(options)


def _cells(columns: list[list[Any]], names: tuple[str, ...]) -> dict[str, IntArray]:
    """Return the positions of the rows of each cell, cells in the order of their names."""
    positions: dict[str, list[int]] = {}
    for position, values in enumerate(zip(*columns, strict=True)):
        keys = [""]
        for name, value in zip(names, values, strict=True):
            texts = _texts(name, value)
            keys = [f"{key}{SEPARATOR}{text}" if key else text for key in keys for text in texts]
        for key in dict.fromkeys(keys):
            positions.setdefault(key, []).append(position)
    return {key: np.array(positions[key], np.int64) for key in sorted(positions)}


def _texts(name: str, value: Any) -> list[str]:
    """Return the names of the cells that a value belongs to."""
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [text for item in value for text in _texts(name, item)] or [MISSING]
    if value is None or str(value) in ("", "nan"):
        return [MISSING]
    if name == "severity" and value in SEVERITIES:
        return [SEVERITY_NAMES[value]]
    return [str(value)]
