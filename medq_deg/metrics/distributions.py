"""Tails of the distributions that the tests need, by the incomplete beta function; numpy has none of them.

References
----------
- Continued fraction of the incomplete beta function: NIST Digital Library of Mathematical Functions, 8.17.22; evaluated
  as in W. J. Lentz, Applied Optics 15, 1976.
- C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.
"""

from __future__ import annotations

import math

_SMALLEST = 1e-300
_CLOSE = 1e-15
_STEPS = 10_000


def beta_below(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, the chance that a beta variable is at most `x`.

    Parameters
    ----------
    x : float in [0, 1]
    a, b : float
        Above 0.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_below(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Return ``1 + d1 / (1 + d2 / (1 + ...))``."""
    result, upper, lower = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1 / ((1 + term * lower) or _SMALLEST)
        upper = (1 + term / upper) or _SMALLEST
        result *= upper * lower
        if abs(upper * lower - 1) < _CLOSE:
            break
    return result


def student_above(t: float, freedom: int) -> float:
    """Return the chance that Student's t with `freedom` degrees of freedom is above `t`."""
    if math.isinf(t):
        return float(t < 0)
    tail = beta_below(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
    return tail if t > 0 else 1 - tail


def binomial_at_most(successes: int, trials: int, chance: float) -> float:
    """Return the chance of at most `successes` in `trials` independent trials of equal `chance`."""
    if successes >= trials:
        return 1.0
    return beta_below(1 - chance, trials - successes, successes + 1)


def clopper_pearson_upper(successes: int, trials: int, level: float) -> float:
    """Return the one-sided exact upper bound of a chance that gave `successes` in `trials`, at a confidence `level`."""
    if successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if binomial_at_most(successes, trials, middle) > 1 - level:
            low = middle
        else:
            high = middle
    return high
