"""Clusters, draws and intervals; whether intervals cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from medq_deg.errors import MedqDegError
from medq_deg.metrics import FIGURES, calibration_shift
from medq_deg.metrics import bootstrap as module
from medq_deg.metrics.bootstrap import draws, interval, partition, ratio_intervals
from tests.metrics.models import questions_and_votes

SIMULATIONS = 1000
QUESTIONS = 300


def test_clusters_are_numbered_by_their_labels_not_by_the_order_of_rows():
    assert partition(["b", "a", "b", "c"], 4).tolist() == [1, 0, 1, 2]
    assert partition([2, 10, 2], 3).tolist() == partition(["2", "10", "2"], 3).tolist()
    assert partition(None, 3).tolist() == [0, 1, 2]


def test_each_resample_draws_as_many_clusters_as_there_are():
    counts = np.concatenate(list(draws(50, 200, seed=1)))
    assert counts.shape == (200, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean() == 1
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.05)


def test_memory_is_bounded_by_chunks_that_do_not_change_the_draws(monkeypatch):
    whole = np.concatenate(list(draws(40, 100, seed=2)))
    monkeypatch.setattr(module, "_CHUNK", 40 * 7)
    parts = list(draws(40, 100, seed=2))
    assert len(parts) == 15
    assert np.array_equal(np.concatenate(parts), whole)


def test_an_interval_leaves_out_resamples_without_a_value():
    assert interval(np.array([np.nan, 1.0, 2.0, 3.0]), 0.5) == [1.0, 3.0]
    assert interval(np.array([np.nan, np.nan]), 0.95) is None


def test_groups_must_be_labels():
    with pytest.raises(MedqDegError, match="groups must hold one label for each row, got 'q'"):
        partition("q", 1)


def test_the_seed_decides_the_intervals():
    votes, answers, groups = questions_and_votes(50, np.random.default_rng(1))

    def ends(seed):
        return calibration_shift(votes, answers, 4, groups, confidence_level=0.95, seed=seed)["accuracy_ci"]

    assert ends(0) == ends(0)
    assert ends(0) != ends(1)


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    votes, answers, _ = questions_and_votes(2000, np.random.default_rng(2), per_question=1)
    result = calibration_shift(votes, answers, 4, confidence_level=0.95, n_resamples=4000)
    shares = [row.count(answer) / 10 for row, answer in zip(votes, answers, strict=True)]
    half = 1.96 * np.std(shares) / np.sqrt(2000)
    low, high = result["accuracy_ci"]
    assert high - low == pytest.approx(2 * half, rel=0.04)
    assert (low + high) / 2 == pytest.approx(result["accuracy"], abs=half / 20)


def test_rows_of_one_question_count_as_one_draw():
    votes, answers, groups = questions_and_votes(300, np.random.default_rng(3), per_question=8)

    def width(groups):
        low, high = calibration_shift(votes, answers, 4, groups, confidence_level=0.95)["accuracy_ci"]
        return high - low

    assert width(groups) > 2 * width(None)


def covered(sharpness: float, seed: int) -> dict[str, float]:
    """How often 95 % intervals cover the value that a very large sample of the same model has."""
    rng = np.random.default_rng(seed)
    votes, answers, _ = questions_and_votes(60_000, rng, sharpness)
    truth = calibration_shift(votes, answers, 4)
    if sharpness == 1:
        truth["agreement_shift"] = 0.0
    hits = dict.fromkeys(FIGURES, 0)
    for simulation in range(SIMULATIONS):
        votes, answers, groups = questions_and_votes(QUESTIONS, rng, sharpness)
        result = calibration_shift(votes, answers, 4, groups, confidence_level=0.95, n_resamples=500, seed=simulation)
        for figure in FIGURES:
            low, high = result[f"{figure}_ci"]
            hits[figure] += low <= truth[figure] <= high
    return {figure: count / SIMULATIONS for figure, count in hits.items()}


@pytest.mark.slow
def test_the_agreement_shift_of_a_calibrated_model_covers_zero_in_95_of_100_samples():
    assert 0.93 <= covered(sharpness=1.0, seed=11)["agreement_shift"] <= 0.97


@pytest.mark.slow
def test_the_intervals_of_all_figures_cover_the_truth_of_an_overconfident_model():
    shares = covered(sharpness=1.6, seed=12)
    assert shares.pop("parse_rate") == 1
    for figure, share in shares.items():
        assert 0.93 <= share <= 0.97, figure


@pytest.mark.parametrize("shape", ["even", "skewed"])
def test_studentised_intervals_of_20_clusters_cover_the_truth_more_often_than_percentile_ones(shape):
    rng = np.random.default_rng(13)
    chance, simulations = (0.5 if shape == "even" else 0.8), 600
    hits = {"studentised": 0, "percentile": 0}
    for simulation in range(simulations):
        # One to three rows of a question share its difficulty.
        rows = rng.integers(1, 4, size=20).astype(float)
        ease = rng.beta(2, 2 * (1 - chance) / chance, size=20)
        right = rng.binomial(10 * rows.astype(int), ease) / 10
        drawn = np.concatenate([(each @ right) / (each @ rows) for each in draws(20, 400, simulation)])
        told = {
            "studentised": ratio_intervals(right[:, None], rows[:, None], 0.95, 400, simulation, (0.0, 1.0))[0],
            "percentile": interval(drawn, 0.95),
        }
        for name, bounds in told.items():
            assert bounds is not None
            hits[name] += bounds[0] <= chance <= bounds[1]
    # 95 %, less two standard errors of the simulation.
    assert hits["studentised"] / simulations >= 0.932
    assert hits["studentised"] > hits["percentile"]


def test_the_figures_of_a_small_run_and_their_changes_have_studentised_intervals():
    rng = np.random.default_rng(14)
    hits = dict.fromkeys(("accuracy", "agreement_shift", "change"), 0)
    for simulation in range(100):
        votes, answers, groups = questions_and_votes(20, rng)
        told = calibration_shift(
            votes, answers, 4, groups, [0, 2] * 20, confidence_level=0.95, n_resamples=150, seed=simulation
        )
        hits["agreement_shift"] += told["agreement_shift_ci"][0] <= 0 <= told["agreement_shift_ci"][1]
        # Belief is a Dirichlet with four parts of 0.7: its squares sum to (0.7 + 1) / (2.8 + 1) on average.
        hits["accuracy"] += told["accuracy_ci"][0] <= 1.7 / 3.8 <= told["accuracy_ci"][1]
        low, high = told["by_severity"]["L2"]["change_from_l0"]["accuracy_ci"]
        hits["change"] += low <= 0 <= high
    for name, count in hits.items():
        assert count / 100 >= 0.9, name


def test_a_studentised_interval_is_the_bootstrap_t_by_its_definition():
    rng = np.random.default_rng(15)
    values = rng.exponential(size=12)
    weights = np.concatenate(list(draws(12, 999, seed=5)))
    scores = []
    for counts in weights:
        sample = np.repeat(values, counts.astype(int))
        error = sample.std(ddof=1) / np.sqrt(12)
        scores.append((sample.mean() - values.mean()) / error)
    low, high = np.quantile(scores, [0.025, 0.975], method="weibull")
    error = values.std(ddof=1) / np.sqrt(12)
    found = ratio_intervals(values[:, None], np.ones((12, 1)), 0.95, 999, 5)[0]
    assert found == pytest.approx([values.mean() - high * error, values.mean() - low * error])


def test_an_interval_of_clusters_that_are_all_alike_is_a_point_and_stays_in_range():
    ones = np.ones((20, 1))
    assert ratio_intervals(ones, ones, 0.95, 100, 0, (0.0, 1.0)) == [[1.0, 1.0]]
    nearly = ones.copy()
    nearly[0] = 0.9
    (bounds,) = ratio_intervals(nearly, ones, 0.95, 400, 0, (0.0, 1.0))
    assert bounds is not None
    assert 0.9 < bounds[0] < 0.995 <= bounds[1] <= 1
    assert ratio_intervals(ones[:1], ones[:1], 0.95, 100, 0) == [None]
