"""Runs of invented models whose accuracy falls with the severity of the image and whose sureness does not."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medq_deg.evaluation.run import fingerprint
from medq_deg.evaluation.store import RunFolder

LETTERS = "ABCDEFGH"
TRIALS = 10


@dataclass(frozen=True)
class Faltering:
    """Picks a favourite, right as often as `accuracy` says at the row's severity, and votes for it at `sureness`.

    `say` words a vote; `exact` gives probabilities too; `fails` is the share of failed requests.
    """

    name: str
    accuracy: tuple[float, float, float] = (0.9, 0.75, 0.4)
    sureness: tuple[float, float, float] = (0.97, 0.97, 0.97)
    say: str = "Answer: {}"
    exact: bool = False
    fails: float = 0.0

    def record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row's line in answers.jsonl."""
        record = {"id": row["id"], "votes": [], "texts": [], "probabilities": None, "status": "ok", "error": None}
        draw = random.Random(f"{self.name} {row['id']}")
        if draw.random() < self.fails:
            return {**record, "status": "failed", "error": "the server said <b>no</b>"}
        letters = LETTERS[: len(row["options"])]
        wrong = draw.choice([letter for letter in letters if letter != row["answer"]])
        favourite = row["answer"] if draw.random() < self.accuracy[row["severity"]] else wrong
        other = draw.choice([letter for letter in letters if letter != favourite])
        sure = self.sureness[row["severity"]]
        votes = [None if (p := draw.random()) < 0.02 else favourite if p < sure else other for _ in range(TRIALS)]
        record["votes"] = votes
        record["texts"] = ["I cannot tell." if vote is None else self.say.format(vote) for vote in votes]
        record["probabilities"] = {favourite: sure, other: round(1 - sure, 6)} if self.exact else None
        return record


def make_run(
    path: Path, model: Any, rows: Sequence[Mapping[str, Any]], *, data_name: str = "demo", **settings: Any
) -> Path:
    """Write the folder that `medq_deg.evaluation.run.evaluate` writes, without its care for power cuts."""
    rows = [{name: value for name, value in row.items() if name != "image"} for row in rows]
    RunFolder(path).start(
        {
            "model": {"name": model.name, "votes": "exact" if getattr(model, "exact", False) else "sampled"},
            "data": {"name": data_name, "rows": len(rows), "fingerprint": fingerprint(rows)},
            "prompt": "Answer with a letter.",
            "parser": "strict",
            "trials": TRIALS,
            "seed": 0,
            **settings,
        },
        {"python": "3.11.7", "packages": {"medq-deg": "0.1.0"}},
        rows,
    )
    write_answers(path, model, rows)
    return path


def write_answers(path: Path, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what a model says to some rows."""
    (path / "answers.jsonl").write_text("".join(json.dumps(model.record(row)) + "\n" for row in rows))
