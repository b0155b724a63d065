"""Tails against scipy, which the metrics themselves do not import."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from medq_deg.metrics.distributions import beta_below, binomial_at_most, clopper_pearson_upper, student_above


@pytest.mark.parametrize("freedom", [1, 2, 5, 29, 199, 4305, 43_000])
def test_the_tail_of_student_equals_that_of_scipy(freedom):
    for t in (-40, -5, -1.5, 0.0, 0.3, 1, 2, 4, 8, 20, 35):
        expected = stats.t.sf(t, freedom)
        assert student_above(t, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-290), t
    assert (student_above(np.inf, freedom), student_above(-np.inf, freedom)) == (0, 1)


@pytest.mark.parametrize("trials", [1, 10, 59, 300, 4306, 43_000])
@pytest.mark.parametrize("chance", [0.001, 0.05, 0.5, 0.95])
def test_binomial_tails_and_bounds_equal_those_of_scipy(trials, chance):
    for successes in sorted({0, 1, trials // 20, trials // 2, trials - 1, trials}):
        expected = stats.binom.cdf(successes, trials, chance)
        assert binomial_at_most(successes, trials, chance) == pytest.approx(expected, rel=1e-8, abs=1e-290)
        bound = stats.beta.ppf(0.95, successes + 1, trials - successes) if successes < trials else 1.0
        assert clopper_pearson_upper(successes, trials, 0.95) == pytest.approx(bound, abs=1e-9)


def test_the_incomplete_beta_function_equals_that_of_scipy():
    rng = np.random.default_rng(0)
    for a, b, x in zip(*rng.lognormal(1, 2, size=(2, 300)), rng.random(300), strict=True):
        assert beta_below(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-9, abs=1e-200)
    assert (beta_below(0, 2, 3), beta_below(1, 2, 3)) == (0, 1)
