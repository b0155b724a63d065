"""The lines of `answers.jsonl`: from a model's reply to what is stored of it, and from stored texts to votes again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from medq_deg.models.base import Finish, Reply
from medq_deg.models.parsing import parse_answer

FINISHES: Final[tuple[str, ...]] = get_args(Finish)


def record_of(reply: Reply, options: Sequence[str], trials: int, parser: str) -> dict[str, Any]:
    """Return the line of a reply; a reply without exactly `trials` texts, or with odd parts, has failed.

    Parameters
    ----------
    reply : Reply
        What a model said.
    options : sequence of str
        Texts of the row's options.
    trials : int
        Answers that were asked for.
    parser : str
        Name of the parser.
    """
    said: object = reply.texts  # of a third party's making
    error, texts = reply.error, list(reply.texts)
    if isinstance(said, str) or not all(isinstance(text, str) for text in texts):
        error, texts = error or f"answers that are not texts: {reply.texts!r}", []
    if error is None and len(texts) != trials:
        error = f"{len(texts)} answers instead of {trials}"
    finish = list(reply.finish)
    if error is None and finish and (len(finish) != trials or not set(finish) <= set(FINISHES)):
        error = f"ends of answers must be {trials} of {', '.join(FINISHES)}, got {reply.finish!r}"
    probabilities = None if reply.probabilities is None else {k: float(v) for k, v in reply.probabilities.items()}
    if probabilities and not all(math.isfinite(value) for value in probabilities.values()):
        error, probabilities = error or f"probabilities that are not numbers: {probabilities}", None
    return {
        "id": reply.id,
        "votes": read_votes(texts, options, parser) if error is None else [],
        "texts": texts,
        "probabilities": probabilities,
        "status": "ok" if error is None else "failed",
        "error": error,
        **({"finish": finish} if finish and error is None else {}),
        **({"usage": {k: int(v) for k, v in reply.usage.items()}} if reply.usage is not None else {}),
    }


def read_votes(texts: Sequence[str], options: Sequence[str], parser: str) -> list[str | None]:
    """Return the letter that each text names, None where it names none."""
    parsed = {text: parse_answer(text, options, parser) for text in dict.fromkeys(texts)}
    return [parsed[text] for text in texts]


def reread(record: Mapping[str, Any], options: Sequence[str], parser: str) -> dict[str, Any]:
    """Return an answered record with the votes that a parser reads in its texts now."""
    return {**record, "votes": read_votes(record["texts"], options, parser)}
