"""How far a run is: what a user is told of rows that fail."""

from __future__ import annotations

from typing import Any

from medq_deg.evaluation.progress import Tally


def test_rows_that_fail_in_the_same_words_are_told_once_and_counted_each() -> None:
    tally = Tally([{"severity": 0, "answer": "A"}] * 6, 6)
    told = []
    for number, error in enumerate(["no image", "no image", "too long", "no image", "too long"]):
        record: dict[str, Any] = {"id": f"row{number}", "status": "failed", "error": error}
        tally.add(number, record)
        told.append(tally.progress().error)
    assert told == ["row0: no image", None, "row2: too long", None, None]
    assert tally.progress().failed == 5
