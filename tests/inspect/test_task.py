"""The task in inspect-ai itself, whose mock model repeats a run that was made without it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make test-harnesses")

from inspect_ai import eval as inspect_eval
from inspect_ai.scorer import SampleScore, Score

from medq_deg.errors import MedqDegError
from medq_deg.inspect.scoring import calibration_shift
from medq_deg.inspect.task import medq_deg
from medq_deg.results.score import score_run
from tests.harness.direct import SUBSET, VOTES
from tests.inspect.replay import metrics_of, mock, replay

HEADLINES = ("accuracy", "majority_accuracy", "confidence", "calibration_shift", "agreement_shift", "ece", "parse_rate")


def test_figures_and_intervals_are_those_of_score_to_the_last_digit(direct: Path, tmp_path: Path) -> None:
    found = metrics_of(replay(medq_deg(votes=VOTES, subset=SUBSET), direct, tmp_path))
    wanted = score_run(direct)
    for prefix, figures in (("", wanted), *((f"{name}_", each) for name, each in wanted["by_severity"].items())):
        for name in HEADLINES:
            assert found[prefix + name] == figures[name], prefix + name
            lower, upper = figures[f"{name}_ci"]
            assert (found[f"{prefix}{name}_lower"], found[f"{prefix}{name}_upper"]) == (lower, upper)
    change = wanted["by_severity"]["L2"]["change_from_l0"]
    assert found["L2_change_from_l0_accuracy"] == change["accuracy"]


def test_all_votes_in_one_request_with_images_in_files_give_the_same_figures(direct: Path, tmp_path: Path) -> None:
    task = medq_deg(votes=VOTES, subset=SUBSET, choices=True, images=str(tmp_path / "images"))
    log = replay(task, direct, tmp_path / "logs", log_images=False)
    found, wanted = metrics_of(log), score_run(direct)
    assert found["calibration_shift"] == wanted["calibration_shift"]
    assert found["calibration_shift_lower"] == wanted["calibration_shift_ci"][0]
    assert len(list((tmp_path / "images").iterdir())) == len(task.dataset)
    assert os.path.getsize(log.location) < 3_000 * len(task.dataset)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    medq_deg(votes=VOTES, subset=SUBSET, images=str(tmp_path / "images"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()} == before


def test_inspect_finds_the_task_by_its_name_and_takes_its_arguments(tmp_path: Path) -> None:
    log = inspect_eval(
        "medq_deg/medq_deg",
        model=mock(lambda sample: "A"),
        task_args={"severity": [0, 2], "votes": 2, "subset": 60, "choices": True},
        limit=2,
        display="none",
        log_dir=str(tmp_path),
    )[0]
    assert log.eval.task.endswith("medq_deg")
    assert log.eval.metadata is not None
    assert log.eval.metadata["severities"] == [0, 2]


def test_rows_are_those_of_the_severity_and_of_the_subset(direct: Path) -> None:
    asked = [json.loads(line) for line in (direct / "rows.jsonl").read_text().splitlines()]
    for given, kept in ((2, {2}), ("0,2", {0, 2}), ([1], {1}), ("L1", {1}), (None, {0, 1, 2})):
        task = medq_deg(severity=given, subset=SUBSET)
        assert [sample.id for sample in task.dataset] == [row["id"] for row in asked if row["severity"] in kept]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"severity": 3}, "severity must be 0, 1 or 2"),
        ({"votes": 1}, "votes must be 2 or more, got 1"),
        ({"parser": "guess"}, "unknown parser 'guess'"),
        ({"data": "nowhere"}, "unknown data 'nowhere'"),
        ({"subset": 3}, "whole questions"),
        ({"images": __file__}, "is a file"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(MedqDegError, match=told):
        medq_deg(**arguments)


def _scores(votes: dict[str, list[str | None]]) -> list[SampleScore]:
    return [
        SampleScore(
            score=Score(value=0.0, metadata={"votes": [vote]}),
            sample_id=name,
            sample_metadata={"question_id": name, "answer": "A", "num_choices": 4, "severity": 0, "place": place},
        )
        for place, (name, said) in enumerate(votes.items())
        for vote in said
    ]


def test_while_votes_arrive_there_are_no_intervals_and_rows_of_one_vote_are_left_out() -> None:
    compute = calibration_shift(expected=6)
    assert list(compute(_scores({"a": ["A"]}))) == ["accuracy"]
    found = compute(_scores({"a": ["A", "B"], "b": ["B"]}))
    assert found["n"] == 1
    assert found["accuracy"] == 0.5
    assert not [name for name in found if name.endswith("_lower")]
    whole = compute(_scores({"a": ["A", "B"], "b": ["B", "A"], "c": [None, "A"]}))
    assert "accuracy_lower" in whole


def test_the_order_in_which_samples_finish_changes_nothing() -> None:
    scores = _scores({name: ["A", "B", None] for name in "abcdefghijkl"})
    compute = calibration_shift(expected=36)
    assert compute(scores) == compute(scores[::-1])
