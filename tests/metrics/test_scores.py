"""Accuracy, majority, confidence and agreement against exact enumeration and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medq_deg.metrics import accuracy, calibration_shift, confidence, shift
from medq_deg.metrics.scores import score_rows
from medq_deg.metrics.votes import encode
from tests.metrics.models import LETTERS, chance, outcomes, sampled_votes, spelled

pytestmark = pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")


def expectations(options: int, trials: int, shares: list[float]) -> dict[str, float]:
    """Exact expectation of each score when the truth is A and votes follow `shares`."""
    counts = list(outcomes(trials, options))
    scores = score_rows(encode([spelled(count) for count in counts], None, ["A"] * len(counts), options))
    weights = np.array([chance(count, shares) for count in counts])
    return {name: float(weights @ getattr(scores, name)) for name in scores.__dataclass_fields__}


@pytest.mark.parametrize(
    ("options", "trials", "plug_in", "corrected"),
    [
        (2, 3, 0.3113, 0.1899),
        (2, 10, 0.0765, 0.0398),
        (3, 3, 0.3915, 0.1555),
        (3, 10, 0.1001, 0.0421),
        (4, 3, 0.4445, 0.1413),
        (4, 10, 0.1234, 0.0463),
        (5, 3, 0.4825, 0.1148),
        (5, 10, 0.1454, 0.0507),
    ],
)
def test_the_expected_confidence_of_a_guessing_model_is_as_enumerated(options, trials, plug_in, corrected):
    expected = expectations(options, trials, [1 / options] * options)
    assert expected["confidence"] == pytest.approx(plug_in, abs=5e-5)
    assert expected["confidence_corrected"] == pytest.approx(corrected, abs=5e-5)


@pytest.mark.parametrize("options", [2, 3, 4, 5])
@pytest.mark.parametrize("trials", [3, 10])
def test_plug_in_confidence_of_every_vote_count_follows_its_formula(options, trials):
    for counts in outcomes(trials, options):
        entropy = math.fsum(-count / trials * math.log(count / trials) for count in counts if count)
        assert confidence([spelled(counts)], options) == pytest.approx(1 - entropy / math.log(options), abs=1e-12)


@pytest.mark.parametrize("trials", [2, 3, 10])
@pytest.mark.parametrize("shares", [[0.25] * 4, [0.7, 0.2, 0.1, 0.0], [1.0, 0.0, 0.0, 0.0], [0.4, 0.35, 0.25]])
def test_agreement_is_unbiased_at_every_number_of_votes(trials, shares):
    expected = expectations(len(shares), trials, shares)
    assert expected["agreement"] == pytest.approx(sum(share**2 for share in shares), abs=1e-12)


@pytest.mark.parametrize("trials", [2, 3, 10])
def test_the_agreement_shift_of_a_calibrated_model_is_zero_in_expectation(trials):
    shares = [0.55, 0.3, 0.1, 0.05]
    gap = 0.0
    for truth in range(4):
        moved = [shares[truth], *(share for option, share in enumerate(shares) if option != truth)]
        expected = expectations(4, trials, moved)
        gap += shares[truth] * (expected["agreement"] - expected["accuracy"])
    assert gap == pytest.approx(0, abs=1e-12)


def test_tied_majorities_share_the_credit_whichever_comes_first():
    votes = [["A", "B", "B", "A"], ["B", "A", "C", "D"], ["B", "B", "A", "C"], ["C", "C", None, None]]
    scores = score_rows(encode(votes, None, ["A", "D", "A", "C"], 4))
    assert scores.majority.tolist() == [0.5, 0.25, 0.0, 0.5]


def test_the_majority_of_a_guessing_model_is_right_as_often_as_its_votes():
    # Sharing the credit of a tie keeps the symmetry; giving it to the first option seen would not.
    expected = expectations(4, 10, [0.25] * 4)
    assert expected["majority"] == pytest.approx(0.25, abs=1e-12)


def test_the_equations_of_the_paper_are_functions_of_their_own():
    votes = [["A"] * 10, ["B"] * 5 + ["C"] * 5]
    assert accuracy(votes, ["A", "B"], 4) == 0.75
    assert confidence(votes, 4) == pytest.approx(0.75)
    assert shift(votes, ["A", "B"], 4) == pytest.approx(0.0)
    assert confidence([["A"] * 10, list("ABABABABAB")], [4, 2]) == pytest.approx(0.5)


def test_unanimous_votes_are_fully_confident_and_even_ones_not_at_all():
    assert confidence([["D"] * 10], 5) == 1.0
    assert confidence([list("ABCDE") * 2], 5) == 0.0


rows_of_votes = st.integers(2, 6).flatmap(
    lambda options: st.tuples(
        st.just(options),
        st.lists(st.sampled_from([*LETTERS[:options], None]), min_size=2, max_size=12),
        st.sampled_from(LETTERS[:options]),
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows_of_votes, min_size=1, max_size=8))
@pytest.mark.filterwarnings("ignore::medq_deg.metrics.MetricWarning")
def test_every_figure_stays_in_its_range(rows):
    result = calibration_shift([row[1] for row in rows], [row[2] for row in rows], [row[0] for row in rows])
    for name in ("accuracy", "majority_accuracy", "confidence", "confidence_corrected", "agreement", "ece", "aurc"):
        assert 0 <= result[name] <= 1
    assert result["auroc"] is None or 0 <= result["auroc"] <= 1
    assert 0 <= result["brier"] <= 2
    assert result["confidence_corrected"] <= result["confidence"] + 1e-12
    exact = sum(Fraction(row[1].count(row[2]), len(row[1])) for row in rows) / len(rows)
    assert result["accuracy"] == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize("what", ["rows", "votes", "options"])
def test_the_order_of_rows_votes_and_options_changes_nothing(what):
    rng = np.random.default_rng(3)
    choices = rng.integers(2, 6, size=120)
    shares = np.zeros((120, 5))
    for row, options in zip(shares, choices, strict=True):
        row[:options] = rng.dirichlet(np.ones(options))
    votes = sampled_votes(shares, 10, rng)
    for row in votes[::7]:
        row[3] = None
    answers = [LETTERS[rng.integers(options)] for options in choices]
    groups = [f"q{number // 3}" for number in range(120)]
    severities = [number % 3 for number in range(120)]

    def report(votes, answers, order=range(120)):
        return calibration_shift(
            [votes[i] for i in order],
            [answers[i] for i in order],
            [int(choices[i]) for i in order],
            [groups[i] for i in order],
            [severities[i] for i in order],
            confidence_level=0.9,
            n_resamples=100,
        )

    before = report(votes, answers)
    if what == "rows":
        after = report(votes, answers, rng.permutation(120))
    elif what == "votes":
        after = report([rng.permutation(np.array(row, object)).tolist() for row in votes], answers)
    else:
        names = [dict(zip(LETTERS, rng.permutation(list(LETTERS[:k])).tolist(), strict=False)) for k in choices]
        renamed = [[vote and name[vote] for vote in row] for row, name in zip(votes, names, strict=True)]
        after = report(renamed, [name[answer] for answer, name in zip(answers, names, strict=True)])
    assert_same(before, after)


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, float)):
        assert one == pytest.approx(other, abs=1e-10)
    else:
        assert one == other
