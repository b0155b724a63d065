"""The blind baseline: what the image adds, when the kept part of it is told, and what a refusal is worth."""

from __future__ import annotations

import numpy as np
import pytest

from medq_deg.errors import MedqDegError
from medq_deg.metrics import visual_gain
from medq_deg.metrics.blind import TOO_LITTLE


def rows_at(severity: int, chances: np.ndarray, rng: np.random.Generator, options: int = 4, trials: int = 10) -> list:
    return [
        {
            "id": f"q{at}/L{severity}",
            "question_id": f"q{at}",
            "answer": "A",
            "num_choices": options,
            "severity": severity,
            "votes": np.where(rng.random(trials) < chance, "A", "B").tolist(),
        }
        for at, chance in enumerate(chances)
    ]


def study(rng: np.random.Generator, questions: int, blind: float, gain: float, kept: float) -> tuple[list, list]:
    """A run and its blind baseline with these true means; difficulties are shared by all."""
    ease = rng.uniform(-0.2, 0.2, size=questions)
    rows = [
        row
        for severity, share in enumerate((1.0, (1 + kept) / 2, kept))
        for row in rows_at(severity, blind + share * gain + ease, rng)
    ]
    return rows, rows_at(0, blind + ease, rng)


def test_gain_and_kept_are_ratios_of_means_over_the_questions_of_both_runs():
    rng = np.random.default_rng(0)
    rows, blind = study(rng, 80, 0.3, 0.4, 0.5)
    told = visual_gain(rows[::-1], blind[10:], n_resamples=200)

    def mean(chosen, severity):
        shares = [
            row["votes"].count("A") / 10
            for row in chosen
            if row["severity"] == severity and int(row["question_id"][1:]) >= 10
        ]
        assert len(shares) == 70
        return np.mean(shares)

    base = mean(blind, 0)
    assert told["questions"] == 70
    assert told["blind_accuracy"] == pytest.approx(base)
    assert told["visual_gain"] == pytest.approx(mean(rows, 0) - base)
    for severity, name in ((1, "L1"), (2, "L2")):
        assert told["accuracy"][name] == pytest.approx(mean(rows, severity))
        assert told["kept"][name] == pytest.approx((mean(rows, severity) - base) / (mean(rows, 0) - base))
        low, high = told["kept_ci"][name]
        assert low < told["kept"][name] < high
    assert told["image_helps"] is True
    assert told["kept_reason"] is None
    assert told["chance"] == 0.25


def test_a_refusal_of_the_blind_question_is_worth_a_guess():
    rows = rows_at(0, np.full(40, 1.0), np.random.default_rng(1), options=4)
    blind = [{**row, "votes": [None] * 5 + ["A"] * 3 + ["B"] * 2} for row in rows]
    told = visual_gain(rows, blind, n_resamples=20)
    assert told["blind_accuracy"] == pytest.approx(0.3 + 0.5 / 4)
    assert told["blind_parse_rate"] == 0.5


def test_kept_is_withheld_where_the_image_adds_too_little():
    rng = np.random.default_rng(2)
    told = visual_gain(*study(rng, 100, 0.4, 0.0, 0.5), n_resamples=200)
    assert told["kept"] == {"L1": None, "L2": None}
    assert told["kept_ci"] == {"L1": None, "L2": None}
    assert told["kept_reason"] == TOO_LITTLE
    assert told["image_helps"] is False
    worse = visual_gain(*study(rng, 100, 0.6, -0.3, 0.5), n_resamples=200)
    assert worse["visual_gain"] < 0
    assert worse["kept_reason"] == TOO_LITTLE


def test_intervals_of_kept_cover_its_true_value():
    rng = np.random.default_rng(3)
    covered = shown = 0
    for simulation in range(200):
        told = visual_gain(*study(rng, 150, 0.3, 0.3, 0.6), n_resamples=200, seed=simulation)
        if told["kept"]["L2"] is not None:
            shown += 1
            low, high = told["kept_ci"]["L2"]
            covered += low <= 0.6 <= high
    assert shown == 200
    # 95 %, and two standard errors of 1.5 % each.
    assert covered / shown >= 0.92


def test_more_than_everything_and_less_than_nothing_are_not_clipped():
    rng = np.random.default_rng(4)
    assert visual_gain(*study(rng, 200, 0.3, 0.3, 1.3), n_resamples=100)["kept"]["L2"] > 1
    assert visual_gain(*study(rng, 200, 0.4, 0.3, -0.5), n_resamples=100)["kept"]["L2"] < 0


def change(rows: list[dict], **columns) -> list[dict]:
    return [{**rows[0], **columns}, *rows[1:]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda rows: (rows, change(rows, severity=1)), "a blind run has clean rows only, but row 'q0/L0'"),
        (lambda rows: (rows, change(rows, answer="B")), "question 'q0' has another answer"),
        (lambda rows: (rows, change(rows, num_choices=3)), "question 'q0' has another answer or number of options"),
        (lambda rows: (rows, [rows[0], *rows]), "question 'q0' has more than one clean row"),
        (lambda rows: (rows[:2], rows[2:]), "no clean question in common"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(make, words):
    rows = rows_at(0, np.full(5, 0.5), np.random.default_rng(5))
    with pytest.raises(MedqDegError, match=words):
        visual_gain(*make(rows))


def test_rows_without_severity_are_refused():
    rows = [
        {key: value for key, value in row.items() if key != "severity"}
        for row in rows_at(0, np.full(5, 0.5), np.random.default_rng(6))
    ]
    with pytest.raises(MedqDegError, match="the run must have a severity in each row"):
        visual_gain(rows, rows)
