"""Twenty reviewers at two verdicts a second for a minute, against one served database; run as a program.

``python -m tests.review.loading URL SECONDS TOKEN...`` prints what each reviewer was told was saved, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.review.served import Reviewer

EVERY = 0.5
"""Seconds between two verdicts of a reviewer."""


def work(url: str, token: str, seconds: float) -> tuple[list[tuple[int, int]], list[float]]:
    """Review until the time is over; return the pairs that were saved, and how long each verdict took."""
    reviewer = Reviewer(url, token)
    number = reviewer.open()
    given, took = [], []
    begun = turn = time.monotonic()
    while number is not None and time.monotonic() - begun < seconds:
        for pair in range(reviewer.pairs):
            time.sleep(max(0.0, turn - time.monotonic()))
            turn += EVERY
            asked = time.monotonic()
            answer = reviewer.decide(number, pair, "delete" if len(given) % 9 == 0 else "keep", reason="poor_original")
            took.append(time.monotonic() - asked)
            assert answer.status_code == 200, answer.text
            assert "Saved" in answer.text
            given.append((number, pair))
        answer = reviewer.post(f"/q/{number}/done")
        assert answer.status_code == 200, answer.text
        number = reviewer.read(answer)
    return given, took


def load(url: str, tokens: list[str], seconds: float) -> tuple[list[tuple[int, int]], list[float]]:
    """Let all reviewers work at the same time."""
    with ThreadPoolExecutor(len(tokens)) as pool:
        found = list(pool.map(lambda token: work(url, token, seconds), tokens))
    return sorted(pair for given, _ in found for pair in given), sorted(each for _, took in found for each in took)


if __name__ == "__main__":
    given, took = load(sys.argv[1], sys.argv[3:], float(sys.argv[2]))
    print(
        json.dumps(
            {"given": given, "median": took[len(took) // 2], "p99": took[int(0.99 * len(took))], "most": took[-1]}
        )
    )
