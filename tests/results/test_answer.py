"""The answer in words: which class is given, that it says what the scores say, and what keeps a verdict back."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg import demo
from medq_deg.results.answer import CLASSES, answer, questions_needed, sureness
from medq_deg.results.sampling import sampling_note
from medq_deg.results.score import read_answered, score_run
from tests.reporting.outcomes import SCRIPTS, run_of


def scores(**changes: Any) -> dict[str, Any]:
    """Return scores of a model that loses 7 of 100 and stays about as sure; `changes` name paths."""
    base: dict[str, Any] = {
        "rows": 300,
        "unanswered": 0,
        "chance": 0.25,
        "accuracy": 0.76,
        "parse_rate": 0.99,
        "confidence_level": 0.95,
        "by_severity": {
            "L0": {
                "accuracy": 0.8,
                "accuracy_ci": [0.7, 0.9],
                "parse_rate": 0.99,
                "agreement_shift": 0.0,
                "agreement_shift_ci": [-0.05, 0.05],
            },
            "L1": {
                "accuracy": 0.77,
                "parse_rate": 0.99,
                "change_from_l0": {"accuracy": -0.03, "accuracy_ci": [-0.1, 0.02]},
            },
            "L2": {
                "accuracy": 0.73,
                "parse_rate": 0.99,
                "change_from_l0": {
                    "accuracy": -0.07,
                    "accuracy_ci": [-0.14, -0.02],
                    "agreement": -0.01,
                    "agreement_ci": [-0.06, 0.04],
                    "agreement_shift": 0.06,
                    "agreement_shift_ci": [0.01, 0.12],
                },
            },
        },
        "dunning_kruger": {
            "clusters": 100,
            "accuracy_drop": 0.07,
            "accuracy_drop_ci": [0.02, 0.14],
            "agreement_shift": {"verdict": "supported", "change": 0.06, "change_ci": [0.01, 0.12]},
        },
    }
    result = copy.deepcopy(base)
    for path, value in changes.items():
        place: Any = result
        *folders, last = path.split("__")
        for name in folders:
            place = place.setdefault(name, {})
        place[last] = value
    return result


CASES: list[tuple[str, dict[str, Any]]] = [
    ("falls_unnoticed", {}),
    ("incomplete", {"unanswered": 3}),
    ("no_clean", {"dunning_kruger__accuracy_drop": None}),
    ("unreadable", {"by_severity__L2__parse_rate": 0.89}),
    ("unreadable", {"by_severity__L1__parse_rate": 0.935}),
    ("few", {"dunning_kruger__clusters": 29}),
    ("guessing", {"chance": 0.7}),
    ("blind", {"blind": {"visual_gain": 0.01, "visual_gain_ci": [-0.02, 0.04], "blind_accuracy": 0.79}}),
    ("gained", {"dunning_kruger__accuracy_drop": -0.05, "dunning_kruger__accuracy_drop_ci": [-0.08, -0.01]}),
    ("kept", {"dunning_kruger__accuracy_drop": 0.0, "dunning_kruger__accuracy_drop_ci": [-0.02, 0.029]}),
    ("undecided", {"dunning_kruger__accuracy_drop_ci": [-0.01, 0.031]}),
    ("undecided", {"dunning_kruger__accuracy_drop_ci": [0.0, 0.05]}),
    ("falls_noticed", {"dunning_kruger__agreement_shift__verdict": "refuted"}),
    (
        "falls_noticed",
        {"dunning_kruger__agreement_shift": {"verdict": "undecided", "change": 0.0, "change_ci": [-0.02, 0.029]}},
    ),
    (
        "falls_unclear",
        {"dunning_kruger__agreement_shift": {"verdict": "undecided", "change": 0.02, "change_ci": [-0.02, 0.06]}},
    ),
    ("falls_unclear", {"sampling": {"neutral": False}}),
    ("falls_unclear", {"sampling": {"neutral": True, "identical": True}}),
    # What comes first in the table of classes is given, whatever else holds.
    ("incomplete", {"unanswered": 1, "dunning_kruger__accuracy_drop": None, "by_severity__L2__parse_rate": 0.1}),
    ("unreadable", {"by_severity__L2__parse_rate": 0.1, "dunning_kruger__clusters": 3, "chance": 0.9}),
    ("few", {"dunning_kruger__clusters": 3, "chance": 0.9}),
]


@pytest.mark.parametrize(("key", "changes"), CASES)
def test_the_first_class_that_holds_is_given(key: str, changes: dict[str, Any]) -> None:
    assert answer(scores(**changes)).key == key


def test_every_class_has_a_case() -> None:
    assert {key for key, _ in CASES} == set(CLASSES)


def test_a_loss_is_told_as_a_number_of_100_with_its_range() -> None:
    told = answer(scores())
    assert str(told) == "No. On severely degraded images it is wrong 7 more times in 100, and stays about as sure."
    assert told.evidence == "95 % range: 2 to 14 more."


def test_other_levels_of_confidence_are_named() -> None:
    assert answer(scores(confidence_level=0.9)).evidence.startswith("90 % range")


@pytest.mark.parametrize(
    ("change", "interval", "words"),
    [
        (0.04, [0.01, 0.07], "and is even surer"),
        (0.0, [-0.02, 0.02], "and is just as sure"),
        (-0.01, [-0.06, 0.04], "and stays about as sure"),
        (-0.05, [-0.08, -0.02], "and is only 5 less sure"),
    ],
)
def test_sureness_is_told_from_its_paired_change(change: float, interval: list[float], words: str) -> None:
    made = scores(
        by_severity__L2__change_from_l0__agreement=change, by_severity__L2__change_from_l0__agreement_ci=interval
    )
    assert sureness(made) == words


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sampling": {"neutral": False}}, "Sampling was not the model's own distribution"),
        ({"sampling": {"neutral": True, "identical": True}}, "The votes of every row are identical"),
        (
            {
                "dunning_kruger__agreement_shift__verdict": "undecided",
                "dunning_kruger__agreement_shift__reason": "answers are missing at L2 in 9 % of votes against 1 %",
            },
            "Answers are missing at L2 in 9 % of votes against 1 %",
        ),
    ],
)
def test_what_withholds_a_verdict_is_said(changes: dict[str, Any], reason: str) -> None:
    told = answer(scores(**changes))
    assert told.key == "falls_unclear"
    assert reason in told.evidence
    assert reason not in " ".join(told.notes)
    kept = answer(scores(**changes, dunning_kruger__accuracy_drop_ci=[-0.02, 0.02]))
    assert kept.key == "kept"
    assert " ".join(kept.notes).count(reason) == 1


def test_a_server_that_nobody_knows_is_mentioned_but_does_not_decide() -> None:
    told = answer(scores(sampling={"neutral": "unknown"}))
    assert told.key == "falls_unnoticed"
    assert "is not known" in " ".join(told.notes)


@pytest.mark.parametrize("changes", [case[1] for case in CASES])
@pytest.mark.parametrize(
    "sampling",
    [
        {"neutral": "unknown", "how": "nobody knows the server"},
        {"neutral": False, "how": "the server says so"},
        {"neutral": True, "identical": True},
    ],
)
def test_whatever_the_answer_it_says_once_how_votes_were_sampled(
    changes: dict[str, Any], sampling: dict[str, Any]
) -> None:
    told = answer(scores(**{**changes, "sampling": sampling}))
    note = sampling_note(sampling)
    assert note is not None
    assert f"{told.evidence} {' '.join(told.notes)}".count(note) == 1


def test_the_margin_is_an_option() -> None:
    made = scores(dunning_kruger__accuracy_drop_ci=[-0.02, 0.04])
    assert answer(made).key == "undecided"
    assert answer(made, margin=0.05).key == "kept"


def test_the_questions_needed_make_the_interval_short_enough() -> None:
    for loss, half, questions, margin in ((0.01, 0.04, 60, 0.03), (0.02, 0.05, 100, 0.03), (0.0, 0.04, 50, 0.03)):
        needed = questions_needed(loss, (loss - half, loss + half), questions, margin)
        shorter = half * (questions / needed) ** 0.5
        assert loss - shorter > 0 or loss + shorter <= margin + 1e-9


share = st.floats(0, 1)
interval = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)


@given(
    drop=st.floats(-1, 1),
    ends=interval,
    sure=interval,
    gap=interval,
    clusters=st.integers(1, 500),
    chance=share,
    parse=share,
    verdict=st.sampled_from(["supported", "refuted", "undecided"]),
    missing=st.integers(0, 5),
)
def test_any_scores_have_an_answer_in_plain_sentences(
    drop: float,
    ends: list[float],
    sure: list[float],
    gap: list[float],
    clusters: int,
    chance: float,
    parse: float,
    verdict: str,
    missing: int,
) -> None:
    told = answer(
        scores(
            unanswered=missing,
            chance=chance,
            by_severity__L2__parse_rate=parse,
            by_severity__L2__change_from_l0__agreement_ci=sure,
            dunning_kruger={
                "clusters": clusters,
                "accuracy_drop": drop,
                "accuracy_drop_ci": ends,
                "agreement_shift": {"verdict": verdict, "change": sum(gap) / 2, "change_ci": gap},
            },
        )
    )
    assert told.key in CLASSES
    for sentence in (told.headline, told.advice, *filter(None, (told.evidence, *told.notes))):
        assert sentence.endswith("."), sentence
        assert not re.search(r"\d\.\d{2}|None|\bnan\b|Dunning", sentence)
    json.dumps(told.as_json())


@pytest.mark.parametrize("key", list(SCRIPTS))
def test_constructed_runs_get_their_answer(key: str, tmp_path: Path) -> None:
    run = run_of(key, tmp_path / "run", list(demo.rows().columns()))
    result = score_run(run, coverage=0.1, n_resamples=300)
    assert result["answer"]["key"] == key
    assert json.loads((run / "metrics.json").read_text())["answer"] == result["answer"]
    assert result["chance"] == pytest.approx(
        sum(1 / len(row["options"]) for row in clean) / len(clean)
        if (clean := [row for row in read_answered(run, 0.1).rows if row["severity"] == 0])
        else result["chance"]
    )
