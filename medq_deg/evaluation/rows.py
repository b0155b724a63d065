"""The rows of some data as a run sees them: their text columns, and those rows that are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medq_deg.data.schema import TEXT_COLUMNS, check_question, columns_of
from medq_deg.errors import MedqDegError


def text_columns(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every row without its image, none of which is read or made.

    Raises
    ------
    MedqDegError
        If a question is invalid, or two rows share an id.
    """
    seen: set[str] = set()
    columns = list(columns_of(rows, TEXT_COLUMNS))
    for row in columns:
        check_question(row["question_id"], row["question"], row["options"], row["answer"])
        if row["id"] in seen:
            raise MedqDegError(f"two rows have the id {row['id']!r}")
        seen.add(row["id"])
    return columns


class Chosen(Sequence[Mapping[str, Any]]):
    """Some of the rows, by their places; each is read on access. It travels to worker processes.

    Parameters
    ----------
    rows : sequence of mappings
        All rows.
    places : sequence of int
        Those that are wanted, in this order.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], places: Sequence[int]) -> None:
        self._rows, self._places = rows, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[self._places[index]]
