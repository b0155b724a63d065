"""A run of the demo made without any harness, to be answered again through one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medq_deg import open_data
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.run import evaluate
from medq_deg.models.base import Queries, Reply
from medq_deg.results.score import score_run

SUBSET, VOTES = 60, 5

FIGURES = ("accuracy", "confidence", "calibration_shift")


class Speaker:
    """Answers in words, letters and refusals, and more often rightly on clean images."""

    def describe(self) -> dict[str, Any]:
        return {"name": "org/speaker"}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            draw = random.Random(f"speaker {query.seed}")
            letters = "ABCDEFGH"[: len(query.options)]
            favourite = draw.choice(letters)
            said = []
            for _ in range(trials):
                letter = favourite if draw.random() < 0.6 else draw.choice(letters)
                text = query.options[letters.index(letter)]
                said.append(
                    draw.choice([letter, f"Answer: {letter}", f"{letter}. {text}", "I cannot see,\nsorry.\t", ""])
                )
            yield Reply(query.id, tuple(said))


def make_direct(out: Path) -> Path:
    data = open_data("demo")
    evaluate(
        Speaker(),
        data,
        out,
        data_name=data.name,
        data_version=data.fingerprint,
        trials=VOTES,
        controls=Controls(subset=SUBSET),
    )
    return out


def texts_of(run: Path) -> dict[str, list[str]]:
    """Return what was said to each row."""
    lines = (run / "answers.jsonl").read_text().splitlines()
    return {record["id"]: record["texts"] for record in map(json.loads, lines)}


def same_as_direct(run: Path, direct: Path) -> None:
    """Check that an imported run has the texts of the direct one, and its figures with their intervals."""
    assert texts_of(run) == texts_of(direct)
    found, wanted = score_run(run), score_run(direct)
    for name in FIGURES:
        assert found[name] == wanted[name]
        assert found[f"{name}_ci"] == wanted[f"{name}_ci"]
    assert found["by_severity"] == wanted["by_severity"]
    assert found["data"] == wanted["data"]
