"""ECE, Brier score, AUROC and AURC against torchmetrics and against counting by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from medq_deg.metrics import calibration_shift, risk_coverage
from medq_deg.metrics.calibration import augrc, aurc, auroc
from tests.metrics.models import LETTERS, questions_and_votes, sampled_votes

torch = pytest.importorskip("torch")
classification = pytest.importorskip("torchmetrics.functional.classification")
regression = pytest.importorskip("torchmetrics.functional.regression")


def rows_without_ties(count: int = 400, trials: int = 10) -> tuple[list[list[str]], np.ndarray, np.ndarray]:
    """Votes whose majority is unique (a library breaks ties its own way), vote shares, answers."""
    rng = np.random.default_rng(5)
    votes = sampled_votes(rng.dirichlet(np.full(4, 0.6), size=count), trials, rng)
    counts = np.array([[row.count(letter) for letter in "ABCD"] for row in votes])
    single = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
    kept = [row for row, unique in zip(votes, single, strict=True) if unique]
    return kept, counts[single] / trials, rng.integers(4, size=len(kept))


def test_ece_at_the_vote_levels_equals_torchmetrics_with_a_bin_for_each_level():
    votes, shares, answer = rows_without_ties()
    expected = classification.multiclass_calibration_error(
        torch.tensor(shares), torch.tensor(answer), num_classes=4, n_bins=1000, norm="l1"
    )
    result = calibration_shift(votes, [LETTERS[code] for code in answer], 4)
    assert result["ece"] == pytest.approx(float(expected), abs=1e-6)


def test_ece_of_probabilities_equals_torchmetrics_with_15_bins():
    rng = np.random.default_rng(6)
    shares = rng.dirichlet(np.full(4, 0.6), size=500)
    answer = rng.integers(4, size=500)
    expected = classification.multiclass_calibration_error(
        torch.tensor(shares), torch.tensor(answer), num_classes=4, n_bins=15, norm="l1"
    )
    result = calibration_shift(None, [LETTERS[code] for code in answer], 4, probabilities=shares)
    assert result["ece"] == pytest.approx(float(expected), abs=1e-6)


def test_brier_equals_the_squared_error_of_torchmetrics_summed_over_options():
    votes, shares, answer = rows_without_ties()
    truth = torch.nn.functional.one_hot(torch.tensor(answer), 4).double()
    expected = 4 * regression.mean_squared_error(torch.tensor(shares), truth)
    result = calibration_shift(votes, [LETTERS[code] for code in answer], 4)
    assert result["brier"] == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("source", ["votes", "probabilities"])
def test_auroc_equals_torchmetrics(source):
    votes, shares, answer = rows_without_ties()
    if source == "probabilities":
        shares = np.random.default_rng(7).dirichlet(np.full(4, 0.6), size=len(answer))
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    right = shares.argmax(axis=1) == answer
    expected = classification.binary_auroc(torch.tensor(1 - entropy / np.log(4)).round(decimals=9), torch.tensor(right))
    given = {"votes": votes} if source == "votes" else {"votes": None, "probabilities": shares}
    result = calibration_shift(answers=[LETTERS[code] for code in answer], num_choices=4, **given)
    assert result["auroc"] == pytest.approx(float(expected), abs=1e-6)


def test_auroc_is_undefined_where_all_rows_are_right_or_all_wrong():
    rows = np.array([[2.0, 3.0]])
    assert np.isnan(auroc(rows, rows)[0])
    assert np.isnan(auroc(rows, 0 * rows)[0])
    result = calibration_shift([["A"] * 10, ["A"] * 9 + ["B"]], ["A", "A"], 2, confidence_level=0.9)
    assert result["auroc"] is None
    assert result["auroc_ci"] is None


def test_aurc_is_the_mean_over_all_orders_of_tied_rows():
    levels = [[1, 0], [1, 1, 0], [0]]  # 1 is right; most confident level first
    areas = []
    for first in set(permutations(levels[0])):
        for second in set(permutations(levels[1])):
            right = np.array([*first, *second, *levels[2]])
            areas.append(np.mean(np.cumsum(1 - right) / np.arange(1, 7)))
    rows = np.array([[2.0, 3.0, 1.0]])
    assert aurc(rows, np.array([[1.0, 2.0, 0.0]]))[0] == pytest.approx(np.mean(areas), abs=1e-12)


def test_augrc_is_the_mean_over_all_orders_of_tied_rows_of_the_wrong_answers_so_far():
    levels = [[1, 0], [1, 1, 0], [0]]
    areas = []
    for first in set(permutations(levels[0])):
        for second in set(permutations(levels[1])):
            right = np.array([*first, *second, *levels[2]])
            areas.append(np.mean(np.cumsum(1 - right) / 6))
    found = augrc(np.array([[2.0, 3.0, 1.0]]), np.array([[1.0, 2.0, 0.0]]))[0]
    assert found == pytest.approx(np.mean(areas), abs=1e-12)


@pytest.mark.parametrize("levels", [2, 3, 40])
def test_augrc_follows_from_auroc_and_the_number_of_wrong_rows(levels):
    rng = np.random.default_rng(levels)
    rows = rng.integers(1, 9, size=(1, levels)).astype(float)
    credit = np.floor(rows * rng.random((1, levels)) + 0.5)
    right, n = credit.sum(), rows.sum()
    wrong = n - right
    expected = ((1 - auroc(rows, credit)[0]) * right * wrong + wrong * (wrong + 1) / 2) / n**2
    assert augrc(rows, credit)[0] == pytest.approx(expected, abs=1e-12)


def test_aurc_without_ties_is_the_mean_of_the_risk_curve():
    rng = np.random.default_rng(8)
    shares = rng.dirichlet(np.full(4, 0.6), size=1000)
    answer = rng.integers(4, size=1000)
    entropy = -(shares * np.log(shares)).sum(axis=1)
    wrong = (shares.argmax(axis=1) != answer)[np.argsort(entropy)]
    risks = np.cumsum(wrong) / np.arange(1, 1001)
    answers = [LETTERS[code] for code in answer]
    curve = risk_coverage(None, answers, 4, probabilities=shares)
    assert curve["risk"] == pytest.approx(risks)
    assert curve["coverage"] == pytest.approx(np.arange(1, 1001) / 1000)
    result = calibration_shift(None, answers, 4, probabilities=shares)
    assert result["aurc"] == pytest.approx(risks.mean(), abs=1e-12)


def test_the_risk_coverage_curve_of_votes_has_one_point_for_each_level_and_ends_at_all_rows():
    votes, answers, _ = questions_and_votes(200, np.random.default_rng(9))
    curve = risk_coverage(votes, answers, 4)
    assert curve["threshold"] == sorted(set(curve["threshold"]), reverse=True)
    assert curve["coverage"][-1] == 1
    result = calibration_shift(votes, answers, 4)
    assert curve["risk"][-1] == pytest.approx(1 - result["majority_accuracy"])


def test_merging_levels_for_the_resamples_leaves_figures_alone_and_hardly_moves_intervals(monkeypatch):
    rng = np.random.default_rng(10)
    shares = rng.dirichlet(np.full(4, 0.6), size=1500)
    truth = (shares.cumsum(axis=1)[:, :-1] < rng.random(1500)[:, None]).sum(axis=1)
    answers = [LETTERS[code] for code in truth]

    def report():
        return calibration_shift(None, answers, 4, probabilities=shares, confidence_level=0.9, n_resamples=100)

    merged = report()
    monkeypatch.setattr("medq_deg.metrics.sums._RESAMPLED_LEVELS", 10**6)
    separate = report()
    for figure in ("auroc", "aurc"):
        assert merged[figure] == separate[figure]
        assert merged[f"{figure}_ci"] == pytest.approx(separate[f"{figure}_ci"], abs=5e-4)
        assert merged[f"{figure}_ci"] != separate[f"{figure}_ci"]
