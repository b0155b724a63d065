"""What the tasks that `medq-deg data export` writes for lmms-eval and lm-evaluation-harness call, row by row.

Both call these functions by name, from the `utils.py` beside their YAML files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from medq_deg.metrics import calibration_shift
from medq_deg.models.parsing import parse_answer
from medq_deg.models.prompts import build_prompt

IMAGE: Final = "<image>"
"""Where lm-evaluation-harness puts the image."""

MEANS: Final = ("accuracy", "parse_rate", "confidence", "agreement")
SHIFTS: Final = ("calibration_shift", "agreement_shift")
METRICS: Final = (*MEANS, *SHIFTS)
"""Metrics of a task, each the mean of its rows."""


def doc_to_visual(doc: Mapping[str, Any]) -> list[Any]:
    """Return the images of a row."""
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: Mapping[str, Any], lmms_eval_specific_kwargs: Any = None) -> str:
    """Return the prompt of a row."""
    return build_prompt(doc["question"], doc["options"])


def doc_to_text_with_image(doc: Mapping[str, Any]) -> str:
    """Return the prompt of a row after a placeholder for its image."""
    return f"{IMAGE}{build_prompt(doc['question'], doc['options'])}"


def doc_to_messages(doc: Mapping[str, Any], lmms_eval_specific_kwargs: Any = None) -> list[dict[str, Any]]:
    """Return the conversation of a row."""
    content = [{"type": "image", "url": image} for image in doc_to_visual(doc)]
    return [{"role": "user", "content": [*content, {"type": "text", "text": doc_to_text(doc)}]}]


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    """Return the metrics of a row.

    Each is a mapping with the number under ``score`` and the question under ``question_id``, from which lmms-eval takes
    errors that are clustered by question; that of the shift also says which row it is, since the logged samples hold no
    row. With one vote, as in lmms-eval's pass over single votes, there are only ``accuracy`` and ``parse_rate``.
    """
    texts = [str(text) for text in leaves(results)]
    votes = [parse_answer(text, doc["options"]) for text in texts]
    found: dict[str, float] = {
        "accuracy": sum(vote == doc["answer"] for vote in votes) / len(votes),
        "parse_rate": sum(vote is not None for vote in votes) / len(votes),
    }
    if len(votes) > 1:
        report = calibration_shift([votes], [doc["answer"]], [len(doc["options"])])
        found |= {name: report[name] for name in METRICS if name not in found}
    row = {"question_id": doc["question_id"], "id": doc["id"]}
    told: dict[str, Any] = {name: {"score": value, **row} for name, value in found.items()}
    told["accuracy"] |= {"answer": doc["answer"], "question": doc["question"], "asked": doc["votes"]}
    return told


def aggregate(items: Iterable[Any]) -> float:
    """Return the mean of a metric over rows."""
    scores = [item["score"] for item in items if isinstance(item, Mapping)]
    return sum(scores) / len(scores) if scores else float("nan")


def leaves(results: Any) -> Iterator[Any]:
    """Yield the votes of a row, however a harness nests them by request and repeat."""
    if isinstance(results, (list, tuple)):
        for item in results:
            yield from leaves(item)
    else:
        yield getattr(results, "text", results)
