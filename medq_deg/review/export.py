"""The verdicts of a review as CSV or JSON lines, one for each reviewer and pair of a finished question."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Final

from medq_deg.review.results import Review

COLUMNS: Final = (
    "question_id",
    "degradation",
    "modality",
    "reviewer",
    "verdict",
    "reason",
    "severity_l1",
    "severity_l2",
    "comment",
    "saved_at",
    "question_seconds",
)

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell starts that a spreadsheet would compute."""


def exported(review: Review) -> Iterator[dict[str, Any]]:
    """Yield the verdicts with the columns of `COLUMNS`, in the order of the data."""
    seconds = {(visit.question_id, visit.reviewer): visit.seconds for visit in review.visits}
    for pair in review.pairs:
        for opinion in pair.opinions:
            verdict = opinion.verdict
            took = seconds[(pair.question_id, opinion.reviewer)]
            yield {
                "question_id": pair.question_id,
                "degradation": pair.degradation,
                "modality": pair.modality,
                "reviewer": opinion.reviewer,
                "verdict": verdict.verdict,
                "reason": verdict.reason,
                "severity_l1": verdict.severity_l1,
                "severity_l2": verdict.severity_l2,
                "comment": verdict.comment,
                "saved_at": datetime.fromtimestamp(opinion.saved, timezone.utc).isoformat(timespec="seconds"),
                "question_seconds": None if took is None else round(took, 1),
            }


def as_jsonl(review: Review) -> str:
    """Return the verdicts as one JSON object a line."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in exported(review))


def as_csv(review: Review) -> str:
    """Return the verdicts as CSV with a header; a text that a spreadsheet would compute has an apostrophe before it."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in exported(review):
        writer.writerow({name: _inert(value) for name, value in row.items()})
    return file.getvalue()


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
