"""A model for tests of stopping and sharing: its answers follow from the seeds, its speed from the environment."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

from medq_deg.models.base import Queries, Reply


class Slow:
    """Takes SLOW_SECONDS for a row; on the rank SLOW_RANK, ten times as long, and not sampled neutrally."""

    def __init__(self, argument: str) -> None:
        self.name = argument or "slow"
        self.seconds = float(os.environ.get("SLOW_SECONDS", "0"))
        self.slow = os.environ.get("RANK") == os.environ.get("SLOW_RANK", "none")
        if self.slow:
            self.seconds *= 10

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def record(self) -> dict[str, Any]:
        return {"sampling": {"neutral": not self.slow, "sent": {"top_p": 1.0}, "how": "set"}}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        failing = os.environ.get("RANK") == os.environ.get("FAILING_RANK", "none")
        for query in queries:
            time.sleep(self.seconds)
            if failing:
                failing = False
                yield Reply(query.id, error="out of luck")
                continue
            letters = "ABCDE"[: len(query.options)]
            yield Reply(query.id, tuple(random.Random(query.seed).choices(letters, k=trials)))
