"""Rows of a plan whose images are made when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medq_deg.data.plan import PlannedRow
from medq_deg.data.schema import Question, row
from medq_deg.degradations import degrade


class PlannedRows(Sequence[dict[str, Any]]):
    """The rows of a plan over clean questions, as a sequence of dicts with the columns of `medq_deg.data.schema`.

    Parameters
    ----------
    clean : sequence of mappings
        Clean rows; each is read, and its image degraded, on access.
    plan : sequence of PlannedRow
        Rows to show, in this order.
    """

    def __init__(self, clean: Sequence[Mapping[str, Any]], plan: Sequence[PlannedRow]) -> None:
        self._clean = clean
        self._plan = tuple(plan)  # a plan itself cannot be pickled for worker processes
        self._place = {each["question_id"]: index for index, each in enumerate(clean)}

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return PlannedRows(self._clean, self._plan[index])
        planned = self._plan[index]
        clean = self._clean[self._place[planned.question_id]]
        image = clean["image"]
        if planned.severity:
            image = degrade(
                image,
                planned.degradation,
                planned.severity,
                planned.seed,
                modality=clean["modality"],
                keep_marking=planned.keep_marking,
            )
        return {**self._columns(clean, planned), "image": image}

    def columns(self) -> Iterator[dict[str, Any]]:
        """Yield the rows without their images, which are not degraded."""
        for planned in self._plan:
            yield self._columns(self._clean[self._place[planned.question_id]], planned)

    @staticmethod
    def _columns(clean: Mapping[str, Any], planned: PlannedRow) -> dict[str, Any]:
        return row(Question.of_row(clean), planned.degradation, planned.severity, planned.seed)
