"""Invented models whose accuracy falls with the severity of the picture and whose sureness does not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medq_deg.models.base import Queries, Reply

LETTERS = "ABCDE"


class Faltering:
    """Picks a favourite, right as often as `accuracy` says at the row's severity, and votes for it at `sureness`.

    `say` words a vote; `exact` gives probabilities too.
    """

    def __init__(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        accuracy: tuple[float, float, float] = (0.9, 0.75, 0.4),
        sureness: tuple[float, float, float] = (0.97, 0.97, 0.97),
        say: str = "Answer: {}",
        exact: bool = False,
        fails: float = 0.0,
    ) -> None:
        self.name = name
        self.answers = {row["id"]: row["answer"] for row in rows}
        self.accuracy, self.sureness, self.say, self.exact, self.fails = accuracy, sureness, say, exact, fails

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "votes": "exact" if self.exact else "sampled"}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            draw = random.Random(f"{self.name} {query.id}")
            if draw.random() < self.fails:
                yield Reply(query.id, error="the server said <b>no</b>")
                continue
            severity = int(query.id[-1])
            letters = LETTERS[: len(query.options)]
            right = self.answers[query.id]
            wrong = draw.choice([letter for letter in letters if letter != right])
            favourite = right if draw.random() < self.accuracy[severity] else wrong
            other = draw.choice([letter for letter in letters if letter != favourite])
            sure = self.sureness[severity]
            votes = [favourite if draw.random() < sure else other for _ in range(trials)]
            texts = tuple("I cannot tell." if draw.random() < 0.02 else self.say.format(vote) for vote in votes)
            yield Reply(query.id, texts, {favourite: sure, other: round(1 - sure, 6)} if self.exact else None)
