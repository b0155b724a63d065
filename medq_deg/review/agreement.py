"""How far reviewers agree: Cohen's or Fleiss' kappa and Krippendorff's alpha, with intervals over questions.

The coefficients are those of statsmodels and krippendorff. Their intervals are percentiles of a bootstrap that draws
questions, since the pairs of a question are judged together.

References
----------
- J. Cohen, A coefficient of agreement for nominal scales, Educ. Psychol. Meas. 20, 1960.
- J. L. Fleiss, Measuring nominal scale agreement among many raters, Psychol. Bull. 76, 1971.
- K. Krippendorff, Content Analysis, 4th edition, 2018, chapter 12.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from medq_deg.metrics.bootstrap import draws, interval, partition
from medq_deg.metrics.votes import FloatArray
from medq_deg.review.results import Pair
from medq_deg.review.terms import DELETE

RESAMPLES: Final = 1000


@dataclass(frozen=True)
class Agreement:
    """A coefficient, its interval, and on how many pairs it rests.

    Attributes
    ----------
    name : str
    value : float, optional
        None where it is undefined: with fewer than two verdicts on a pair, or where all verdicts are the same.
    interval : [float, float], optional
    pairs : int
    note : str
        Why there is no value, or which pairs are left out.
    """

    name: str
    value: float | None
    interval: list[float] | None
    pairs: int
    note: str = ""


def agreements(pairs: Sequence[Pair], confidence_level: float = 0.95, seed: int = 0) -> list[Agreement]:
    """Return observed agreement, kappa and alpha over the pairs that two or more reviewers have judged.

    Kappa is Cohen's where the same two reviewers judged every such pair, and Fleiss' otherwise, over the pairs with the
    most frequent number of reviewers, since it needs the same number for each. Alpha takes them all.

    Parameters
    ----------
    pairs : sequence of Pair
    confidence_level : float
        Between 0 and 1.
    seed : int
        Of the bootstrap.
    """
    shared = [pair for pair in pairs if len(pair.opinions) > 1]
    if not shared:
        note = "no pair has two reviewers yet"
        return [
            Agreement(name, None, None, 0, note) for name in ("observed agreement", "kappa", "Krippendorff's alpha")
        ]
    counts = np.array([[len(pair.opinions) - pair.deletions, pair.deletions] for pair in shared], dtype=np.int64)
    names = {frozenset(opinion.reviewer for opinion in pair.opinions) for pair in shared}
    judged = _Judged(shared, confidence_level, seed)
    found = [judged.figure("observed agreement", counts, _observed)]
    if len(names) == 1 and len(next(iter(names))) == 2:
        found.append(judged.figure("Cohen's kappa", _codes(shared), _cohen))
    else:
        usual = Counter(len(pair.opinions) for pair in shared).most_common(1)[0][0]
        chosen = counts.sum(axis=1) == usual
        note = "" if chosen.all() else f"over the pairs with {usual} reviewers"
        found.append(judged.figure("Fleiss' kappa", counts, _fleiss, chosen, note))
    found.append(judged.figure("Krippendorff's alpha", counts, _alpha))
    return found


Coefficient = Callable[[Any], float]


class _Judged:
    """Draws the questions of shared pairs."""

    def __init__(self, shared: Sequence[Pair], confidence_level: float, seed: int) -> None:
        self._cluster = partition([pair.question_id for pair in shared], len(shared))
        self._level = confidence_level
        self._seed = seed

    def figure(self, name: str, data: Any, coefficient: Coefficient, chosen: Any = None, note: str = "") -> Agreement:
        cluster = self._cluster
        if chosen is not None:
            data, cluster = data[chosen], cluster[chosen]
        _, cluster = np.unique(cluster, return_inverse=True)
        value = _defined(coefficient, data)
        if value is None:
            return Agreement(name, None, None, len(data), "all verdicts are the same")
        replicates = [
            _defined(coefficient, np.repeat(data, weights[cluster].astype(np.int64), axis=0))
            for chunk in draws(int(cluster.max()) + 1, RESAMPLES, self._seed)
            for weights in chunk
        ]
        drawn: FloatArray = np.array([np.nan if each is None else each for each in replicates])
        return Agreement(name, value, interval(drawn, self._level), len(data), note)


def _defined(coefficient: Coefficient, data: Any) -> float | None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            value = float(coefficient(data))
        except (ValueError, ZeroDivisionError):
            return None
    return value if np.isfinite(value) else None


def _codes(shared: Sequence[Pair]) -> Any:
    """Return the verdicts of two reviewers, (N, 2): 1 where a pair is deleted; each column is one of them."""
    rows = []
    for pair in shared:
        opinions = sorted(pair.opinions, key=lambda opinion: opinion.reviewer)
        rows.append([int(opinion.verdict.verdict == DELETE) for opinion in opinions])
    return np.array(rows, dtype=np.int64)


def _observed(counts: Any) -> float:
    raters = counts.sum(axis=1)
    return float(((counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))).mean())


def _cohen(codes: Any) -> float:
    from statsmodels.stats.inter_rater import cohens_kappa

    table = np.zeros((2, 2))
    np.add.at(table, (codes[:, 0], codes[:, 1]), 1)
    return float(cohens_kappa(table, return_results=False))


def _fleiss(counts: Any) -> float:
    from statsmodels.stats.inter_rater import fleiss_kappa

    return float(fleiss_kappa(counts))


def _alpha(counts: Any) -> float:
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
