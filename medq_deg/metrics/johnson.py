"""The one test behind every verdict: whether the mean of paired differences of clusters is above or below 0.

The ordinary t, and the normal tail of a bootstrap, err where few clusters carry most of the change. Johnson's t
corrects for skewness to the first order; where that is not enough, no verdict is given.

References
----------
- N. J. Johnson, Modified t tests and confidence intervals for asymmetrical populations, J. Am. Stat. Assoc. 73, 1978.
- How many observations a t interval needs, 25 times the squared skewness: W. G. Cochran, Sampling Techniques, 1977,
  section 2.15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from medq_deg.metrics.bootstrap import FEW_CLUSTERS
from medq_deg.metrics.distributions import student_above
from medq_deg.metrics.votes import FloatArray

PER_SQUARED_SKEWNESS: Final = 25
"""Clusters that are needed for each unit of squared skewness."""

TOO_FEW: Final = "too few questions"
"""Why no verdict is given."""

_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class MeanTest:
    """What the differences of C clusters say about their mean.

    Attributes
    ----------
    clusters : int
        C.
    skewness : float
        Of the differences; 0 where they do not vary.
    above, below : float
        One-sided p-values of "the mean is above 0" and "below 0": small where it is. At least ``2 ** -C``, as in a sign
        test.
    """

    clusters: int
    skewness: float
    above: float
    below: float

    @property
    def enough(self) -> bool:
        """Whether there are enough clusters for a verdict: 30, and 25 times the squared skewness."""
        return self.clusters >= FEW_CLUSTERS and self.clusters >= PER_SQUARED_SKEWNESS * self.skewness**2

    @property
    def two_sided(self) -> float:
        """The p-value of "the mean is 0"."""
        return min(1.0, 2 * min(self.above, self.below))


def mean_test(differences: FloatArray) -> MeanTest:
    """Test whether the mean of the differences is 0, by Johnson's skewness-corrected t.

    Parameters
    ----------
    differences : (C,) float
        One for each cluster, such as the summed change of its rows.
    """
    clusters = differences.size
    if clusters < 2:
        return MeanTest(clusters, 0.0, 1.0, 1.0)
    mean = float(differences.mean())
    apart = differences - mean
    error = math.sqrt(float((apart**2).sum()) / (clusters - 1) / clusters)
    if error <= _NO_SPREAD:
        t, skewness = (math.copysign(math.inf, mean) if abs(mean) > _NO_SPREAD else 0.0), 0.0
    else:
        skewness = float((apart**3).mean()) / float((apart**2).mean()) ** 1.5
        t = johnson_t(mean / error, skewness, clusters)
    least = 2.0**-clusters
    above, below = (max(least, student_above(side, clusters - 1)) for side in (t, -t))
    return MeanTest(clusters, skewness, above, below)


def johnson_t(t: float, skewness: float, clusters: int) -> float:
    """Return Student's t with Johnson's correction, ``t + g / 2 + g t ** 2`` with ``g = skewness / (3 sqrt(C))``.

    Johnson's parabola turns back where t has the other sign than the skewness and ``abs(t) > 1 / (2 g)``, beyond what
    it is made for; a line of slope 1 goes on from there.
    """
    g = skewness / (3 * math.sqrt(clusters))
    if g == 0:
        return t
    turn = -1 / (2 * g)
    beyond = t - turn if t * turn > 0 and abs(t) > abs(turn) else 0.0
    within = t - beyond
    return within + g / 2 + g * within**2 + beyond
