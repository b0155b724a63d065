"""Runs that can be submitted: the demo's questions, renamed as if they came from the benchmark's sources."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from medq_deg import demo
from medq_deg.evaluation.run import evaluate
from medq_deg.models.base import Queries, Reply

QUESTIONS = 10


class Guesser:
    """Right with a chance that depends on its name; says nothing but a letter."""

    def __init__(self, name: str, *, fails: int = 0, **described: Any) -> None:
        self.name, self.fails, self.described = name, fails, described

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, **self.described}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for place, query in enumerate(queries):
            draw = random.Random(f"{self.name} {query.seed}")
            letters = "ABCDEFGH"[: len(query.options)]
            error = "the server is gone" if place < self.fails else None
            texts = () if error else tuple(draw.choices(letters, k=trials))
            yield Reply(query.id, texts, error=error)


def benchmark_rows(source: str = "gmai", severities: tuple[int, ...] = (0, 1, 2)) -> list[dict[str, Any]]:
    """Return the rows of some questions, with a gray image: nobody looks at it."""
    rows = list(demo.rows().columns())
    wanted = list(dict.fromkeys(row["question_id"] for row in rows))[:: 20 // QUESTIONS]
    image = Image.new("L", (64, 64), 128)
    return [
        {**row, "image": image, "source": source}
        for row in rows
        if row["question_id"] in wanted and row["severity"] in severities
    ]


def make_run(
    out: Path,
    name: str = "org/guesser",
    *,
    rows: list[dict[str, Any]] | None = None,
    data_name: str = "medq-deg-data",
    parser: str = "strict",
    fails: int = 0,
    **described: Any,
) -> Path:
    rows = benchmark_rows() if rows is None else rows
    evaluate(Guesser(name, fails=fails, **described), rows, out, data_name=data_name, trials=5, parser=parser)
    return out
