"""The columns of the leaderboard, in order; a table can be sorted by any of them. Cheap to import."""

from __future__ import annotations

from typing import Final, Literal, get_args

Figure = Literal["accuracy_l0", "accuracy_l1", "accuracy_l2", "change", "shift_l0", "shift_l1", "shift_l2"]
FIGURES: Final[tuple[Figure, ...]] = get_args(Figure)

Column = Literal[
    "rank",
    "rank_low",
    "rank_high",
    "model",
    "group",
    Figure,
    "data",
    "votes",
    "coverage",
    "comparable",
    "run",
    "notes",
]
COLUMNS: Final[tuple[Column, ...]] = get_args(Column)
