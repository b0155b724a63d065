"""The rows of a run as columns, and which rows each cell of a breakdown holds; errors name a row by its id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.metrics.votes import IntArray
from medq_deg.taxonomy import SEVERITIES, SEVERITY_NAMES

Source = Literal["votes", "probabilities"]

MISSING = "(missing)"
"""The cell of rows that have no value, or an empty list, in the column of a breakdown."""

SEPARATOR = " x "
"""Between the columns, and between the values, of a crossed breakdown."""


class RunRows:
    """The rows of a run.

    Parameters
    ----------
    rows : iterable of N mappings from column to value
        See `medq_deg.metrics.summarize`.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = list(rows)
        for position, row in enumerate(self._rows):
            if not isinstance(row, Mapping):
                raise MedqDegError(f"row {position} must be a mapping from column to value, got {row!r}.")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int) -> Mapping[str, Any]:
        return self._rows[position]

    def name(self, position: int) -> str:
        """Return what an error calls a row."""
        return f"row {self._rows[position].get('id', position)!r}"

    def column(self, key: str) -> list[Any]:
        """Return a column that every row must have."""
        values = []
        for position, row in enumerate(self._rows):
            if key not in row:
                raise UnknownNameError(f"column of {self.name(position)}", key, row)
            values.append(row[key])
        return values

    def severities(self) -> list[int | str] | None:
        """Return the severity of each row, a number or a name, None where no row has one."""
        return self.column("severity") if any("severity" in row for row in self._rows) else None

    def choices(self) -> list[int]:
        """Return the number of options of each row."""
        return [
            row["num_choices"] if "num_choices" in row else self._count(position)
            for position, row in enumerate(self._rows)
        ]

    def encoded(self, source: Source) -> dict[str, Any]:
        """Return the arguments of `medq_deg.metrics.votes.encode` that the rows hold."""
        if source not in ("votes", "probabilities"):
            raise MedqDegError(f"source must be 'votes' or 'probabilities', got {source!r}.")
        choices, values = self.choices(), self.column(source)
        for position, value in enumerate(values):
            if value is None:
                raise MedqDegError(f"the {source} of {self.name(position)} are missing.")
        several = [self._several(position) for position in range(len(self._rows))]
        by_order: list[Any] | None = None
        if any(several):
            key = "order" if source == "votes" else "probabilities_by_order"
            by_order = [row.get(key) if more else None for row, more in zip(self._rows, several, strict=True)]
        return {
            "by_order": by_order,
            "votes": values if source == "votes" else None,
            "probabilities": values if source == "probabilities" else None,
            "answers": self.column("answer"),
            "num_choices": choices,
            "name": self.name,
        }

    def orders(self) -> int:
        """Return the largest number of orders of the options that a row was asked in, at least 1."""
        return max((len(row.get("orders") or ()) for row in self._rows), default=1) or 1

    def _several(self, position: int) -> bool:
        """Say whether a row was asked in several orders of its options, after checking the order of each vote."""
        row = self._rows[position]
        orders, order = row.get("orders"), row.get("order")
        if not isinstance(orders, (list, tuple)) or len(orders) < 2:
            return False
        votes = row.get("votes")
        if isinstance(votes, (list, tuple)) and row.get("probabilities_by_order") is None:
            numbers = order if isinstance(order, (list, tuple)) else ()
            if len(numbers) != len(votes) or not set(numbers) <= set(range(len(orders))):
                raise MedqDegError(
                    f"the order of {self.name(position)} must hold a number from 0 to {len(orders) - 1} for each of"
                    f" its {len(votes)} votes, got {order!r}."
                )
        return True

    def breakdowns(self, by: Sequence[str | Sequence[str]]) -> dict[str, dict[str, IntArray]]:
        """Return, for each breakdown, the positions of the rows of each cell, cells in the order of their names."""
        if isinstance(by, str):
            raise MedqDegError(f"by must be a list of columns, such as [{by!r}], got {by!r}.")
        chosen = [(entry,) if isinstance(entry, str) else tuple(entry) for entry in by]
        if len(set(chosen)) < len(chosen) or not all(chosen):
            raise MedqDegError(f"by must name each breakdown once, got {list(by)!r}.")
        return {SEPARATOR.join(names): self._cells(names) for names in chosen}

    def _cells(self, names: tuple[str, ...]) -> dict[str, IntArray]:
        positions: dict[str, list[int]] = {}
        for position, values in enumerate(zip(*(self.column(name) for name in names), strict=True)):
            keys = [""]
            for name, value in zip(names, values, strict=True):
                texts = _texts(name, value)
                keys = [f"{key}{SEPARATOR}{text}" if key else text for key in keys for text in texts]
            for key in dict.fromkeys(keys):
                positions.setdefault(key, []).append(position)
        return {key: np.array(positions[key], np.int64) for key in sorted(positions)}

    def _count(self, position: int) -> int:
        options = self._rows[position].get("options")
        if options is None or isinstance(options, str) or not hasattr(options, "__len__"):
            raise MedqDegError(f"{self.name(position)} needs num_choices or a list of options, got {options!r}.")
        return len(options)


def _texts(name: str, value: Any) -> list[str]:
    """Return the names of the cells that a value belongs to."""
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [text for item in value for text in _texts(name, item)] or [MISSING]
    if value is None or str(value) in ("", "nan"):
        return [MISSING]
    if name == "severity" and value in SEVERITIES:
        return [SEVERITY_NAMES[value]]
    return [str(value)]
