"""Real runs over rows of the demo set, by small models whose skill is known."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.evaluation.run import evaluate
from medq_deg.models.base import Queries, Reply

QUESTIONS = 24


class Knows:
    """Gives the right letter with probability `skill`, and any letter else; `lucky` moves the dice."""

    def __init__(self, answers: dict[str, str], skill: float = 0.5, lucky: int = 0, name: Any = "knows") -> None:
        self.answers, self.skill, self.lucky, self.name = answers, skill, lucky, name
        self.fails: set[str] = set()
        self.exact = False

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "skill": self.skill, **({"votes": "exact"} if self.exact else {})}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            if query.id in self.fails:
                yield Reply(query.id, error="the server hung up")
                continue
            dice = random.Random(query.seed + self.lucky)
            letters = "ABCDEFGHIJ"[: len(query.options)]
            right = self.answers[query.id]
            texts = tuple(right if dice.random() < self.skill else dice.choice(letters) for _ in range(trials))
            shares = {letter: (1 - self.skill) / len(letters) + self.skill * (letter == right) for letter in letters}
            yield Reply(query.id, texts=texts, probabilities=shares if self.exact else None)


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    """Every row of the first questions of the demo set, at all severities."""
    planned = demo.rows()
    chosen = list(dict.fromkeys(row["question_id"] for row in planned.columns()))[:QUESTIONS]
    return [planned[at] for at, row in enumerate(planned.columns()) if row["question_id"] in chosen]


@pytest.fixture(scope="session")
def knows(rows: list[dict[str, Any]]) -> Callable[..., Knows]:
    answers = {row["id"]: row["answer"] for row in rows}
    return lambda *arguments, **options: Knows(answers, *arguments, **options)


@pytest.fixture
def run(rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that runs a model over rows and returns the folder."""
    monkeypatch.setattr(
        os, "fsync", lambda handle: None
    )  # a sync for each row takes most of the time, for nothing here
    made = 0

    def make(model: Any, over: list[dict[str, Any]] = rows, name: str = "demo", **options: Any) -> Path:
        nonlocal made
        made += 1
        out = tmp_path / f"run{made}"
        # The answers are single letters, which any parser reads; this one is the quickest.
        evaluate(model, over, out, data_name=name, parser="vlmevalkit", **options)
        return out

    return make
