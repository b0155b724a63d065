"""What is damaged: runs of every kind, and a build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from medq_deg.data.build import build
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.run import evaluate
from tests.data.sources_of_demo import write_folder
from tests.hub.runs import Guesser, benchmark_rows

QUESTIONS = 3
TRIALS = 4

Whole = dict[str, Any]
"""The files of a run, read: `run.json` and the lists of the others."""


class Sure(Guesser):
    """Also gives probabilities, and how its answers ended."""

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "votes": "exact", "parameters": 7_000_000_000}


def read_run(folder: Path) -> Whole:
    """Return the documents of a run."""
    lines = {
        name: [json.loads(line) for line in (folder / name).read_text().splitlines()]
        for name in ("rows.jsonl", "answers.jsonl")
    }
    return {"run.json": json.loads((folder / "run.json").read_text()), **lines}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs by kind: votes, exact probabilities, several orders, without images, a subset, some rows failed."""
    every = benchmark_rows()
    names = list(dict.fromkeys(row["question_id"] for row in every))[:QUESTIONS]
    rows = [row for row in every if row["question_id"] in names]
    folder = tmp_path_factory.mktemp("runs")
    kinds: dict[str, tuple[Guesser, Controls]] = {
        "votes": (Guesser("org/guesser"), Controls()),
        "orders": (Guesser("org/guesser"), Controls(orders=2)),
        "blind": (Guesser("org/guesser"), Controls(image="none")),
        "subset": (Guesser("org/guesser", fails=1), Controls()),
        "exact": (Sure("org/sure"), Controls()),
    }
    for kind, (model, controls) in kinds.items():
        evaluate(model, rows, folder / kind, data_name="medq-deg-data", trials=TRIALS, controls=controls)
    _give_probabilities(folder / "exact")
    _call_subset(folder / "subset", len(rows))
    return {kind: folder / kind for kind in kinds}


def _give_probabilities(run: Path) -> None:
    """Write what a model of exact votes says beside its texts."""
    records = [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]
    for record in records:
        record["probabilities"] = {letter: record["votes"].count(letter) / TRIALS for letter in set(record["votes"])}
        record["finish"] = ["stop"] * TRIALS
    (run / "answers.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def _call_subset(run: Path, rows: int) -> None:
    """Write what a subset has in its settings: one of so few questions is refused when it is asked."""
    held = json.loads((run / "run.json").read_text())
    held["settings"]["subset"] = {"rows": rows, "of": 10 * rows, "seed": 0}
    (run / "run.json").write_text(json.dumps(held))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small build."""
    folder = tmp_path_factory.mktemp("built")
    build({"folder": write_folder(folder / "mine", count=2)}, folder / "data")
    return folder / "data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


WriteRun = Callable[[Path, Whole], None]
