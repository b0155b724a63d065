"""Clusters, draws and intervals; whether intervals cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from medq_deg.errors import MedqDegError
from medq_deg.metrics import FIGURES, calibration_shift
from medq_deg.metrics import bootstrap as module
from medq_deg.metrics.bootstrap import draws, interval, partition
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


def test_the_agreement_shift_of_a_calibrated_model_covers_zero_in_95_of_100_samples():
    assert 0.93 <= covered(sharpness=1.0, seed=11)["agreement_shift"] <= 0.97


def test_the_intervals_of_all_figures_cover_the_truth_of_an_overconfident_model():
    shares = covered(sharpness=1.6, seed=12)
    assert shares.pop("parse_rate") == 1
    for figure, share in shares.items():
        assert 0.93 <= share <= 0.97, figure
