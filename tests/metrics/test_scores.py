"""Accuracy, majority, confidence and agreement against exact enumeration and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medq_deg.metrics import FIGURES, accuracy, calibration_shift, confidence, shift
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
    ("options", "trials", "plug_in"),
    [
        (2, 3, 0.3113),
        (2, 10, 0.0765),
        (3, 3, 0.3915),
        (3, 10, 0.1001),
        (4, 3, 0.4445),
        (4, 10, 0.1234),
        (5, 3, 0.4825),
        (5, 10, 0.1454),
    ],
)
def test_the_expected_confidence_of_a_guessing_model_is_as_enumerated(options, trials, plug_in):
    expected = expectations(options, trials, [1 / options] * options)
    assert expected["confidence"] == pytest.approx(plug_in, abs=5e-5)


def jackknifed(votes: list[str | None], options: int) -> float:
    """The jackknife as it is defined: leave out each vote in turn and compute the whole figure again."""

    def sureness(kept: list[str | None]) -> float:
        named = [vote for vote in kept if vote]
        shares = [named.count(letter) / len(named) for letter in set(named)]
        return len(named) / len(kept) * (1 + math.fsum(share * math.log(share) for share in shares) / math.log(options))

    left_out = [sureness(votes[:place] + votes[place + 1 :]) for place in range(len(votes))]
    return len(votes) * sureness(votes) - (len(votes) - 1) * math.fsum(left_out) / len(votes)


@pytest.mark.parametrize("options", [2, 3, 4, 5])
@pytest.mark.parametrize("trials", [5, 10])
def test_the_corrected_confidence_of_every_vote_count_is_the_jackknife(options, trials):
    counts = list(outcomes(trials, options + 1))  # the last outcome is a vote that names no option
    rows = [spelled(count[:-1]) + [None] * count[-1] for count in counts]
    found = score_rows(encode(rows, None, ["A"] * len(rows), options)).confidence_corrected
    for row, value in list(zip(rows, found, strict=True))[:: max(1, len(rows) // 300)]:
        # With one vote that names an option, leaving it out leaves none.
        expected = jackknifed(row, options) if sum(map(bool, row)) > 1 else sum(map(bool, row)) / trials
        read = sum(map(bool, row)) / trials
        assert value == pytest.approx(min(max(expected, 0.0), read), abs=1e-9), row


@pytest.mark.parametrize("options", [2, 3, 4, 5])
@pytest.mark.parametrize("trials", [5, 10])
def test_the_corrected_confidence_is_less_biased_than_the_plain_one_and_right_at_certainty(options, trials):
    bias = {"confidence": [], "confidence_corrected": []}
    for sure in np.linspace(1 / options, 1, 12):
        shares = [sure, *[(1 - sure) / (options - 1)] * (options - 1)]
        truth = 1 + sum(share * math.log(share) for share in shares if share > 0) / math.log(options)
        expected = expectations(options, trials, shares)
        for figure, found in bias.items():
            found.append(expected[figure] - truth)
    assert bias["confidence_corrected"][-1] == pytest.approx(0, abs=1e-12)
    worst = {figure: max(map(abs, found)) for figure, found in bias.items()}
    assert worst["confidence_corrected"] < (0.55 if trials == 10 else 0.8) * worst["confidence"]
    if (options, trials) == (4, 10):
        assert worst["confidence_corrected"] < 0.0425
        # A model that hesitates more on degraded images seems to have got surer by this much less or more.
        spurious = {figure: max(found) - min(found) for figure, found in bias.items()}
        assert spurious["confidence_corrected"] < 0.5 * spurious["confidence"]


def test_the_correction_is_not_made_for_fewer_than_five_votes_and_says_so():
    for trials in (2, 3, 4):
        result = calibration_shift([["A"] * 10, ["A"] * trials], ["A", "A"], 4, confidence_level=0.9, n_resamples=20)
        for figure in ("confidence_corrected", "calibration_shift_corrected"):
            assert result[figure] is None
            assert result[f"{figure}_ci"] is None
            assert "fewer than 5 votes" in result[f"{figure}_reason"]
    result = calibration_shift([["A"] * 5], ["A"], 4)
    assert result["confidence_corrected"] == 1
    assert "confidence_corrected_reason" not in result


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
    for key, figure in FIGURES.items():
        assert result[key] is None or figure.low <= result[key] <= figure.high
        assert (result[key] is None) == (f"{key}_reason" in result)
    assert {key for key in FIGURES if result[key] is None} <= {
        "auroc",
        "confidence_corrected",
        "calibration_shift_corrected",
    }
    if result["confidence_corrected"] is not None:
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
