"""From rows to figures: every figure is computed from sums over clusters, for the data and for each resample.

A figure is a function of a handful of sums (rows, right votes, confidence, rows on each level of confidence,
...). Summing per cluster once turns a thousand resamples into matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medq_deg.metrics import calibration
from medq_deg.metrics.bootstrap import draws
from medq_deg.metrics.scores import RowScores, score_rows
from medq_deg.metrics.votes import FloatArray, IntArray, VoteTable

FIGURES: Final = (
    "accuracy",
    "majority_accuracy",
    "confidence",
    "calibration_shift",
    "confidence_corrected",
    "calibration_shift_corrected",
    "agreement",
    "agreement_shift",
    "ece",
    "brier",
    "auroc",
    "aurc",
    "parse_rate",
)
"""The names of all figures, in the order in which they are reported."""

SHIFTS: Final = ("calibration_shift", "calibration_shift_corrected", "agreement_shift")
"""The three ways to say how far confidence is from accuracy."""

_MEANS: Final = ("accuracy", "majority_accuracy", "confidence", "confidence_corrected", "agreement", "brier")

PROBABILITY_BINS: Final = 15
"""Equal bins of the confidence for the ECE of exact probabilities; votes have their own levels."""

_RESAMPLED_LEVELS = 200
"""Neighbouring levels of confidence are merged into at most this many for AUROC and AURC of the resamples, never for
the data themselves. It matters only where confidences hardly ever tie; there it moves an interval by about a
hundredth of its length."""


@dataclass(frozen=True)
class Rows:
    """What the figures need to know of each of N rows, ready to be summed.

    Attributes
    ----------
    means : (N, 6) float
        The scores whose mean is a figure, in the order of `_MEANS`; 0 in rows that do not count.
    counted, parsed, asked : (N,) float
        1 if the row counts, and its votes.
    gap : (N,) float
        Share of the most frequent outcome minus its credit.
    bin : (N,) int
        Bin of that share: one for each value that the votes allow.
    credit : (N,) float
        Credit of the most frequent outcome.
    confidence : (N,) float
        Rounded so that equal spreads tie.
    """

    means: FloatArray
    counted: FloatArray
    parsed: FloatArray
    asked: FloatArray
    gap: FloatArray
    bin: IntArray
    credit: FloatArray
    confidence: FloatArray

    @classmethod
    def of(cls, table: VoteTable) -> Rows:
        """Score the rows of `table`."""
        scores: RowScores = score_rows(table)
        counted = table.counted.astype(np.float64)
        if table.exact:
            place = np.minimum(np.ceil(scores.top_share * PROBABILITY_BINS), PROBABILITY_BINS)
        else:
            place = np.round(scores.top_share, 12)
        columns = (
            scores.accuracy,
            scores.majority,
            scores.confidence,
            scores.confidence_corrected,
            scores.agreement,
            scores.brier,
        )
        return cls(
            means=np.stack(columns, axis=1) * counted[:, None],
            counted=counted,
            parsed=table.parsed,
            asked=table.asked,
            gap=(scores.top_share - scores.majority) * counted,
            bin=np.unique(place, return_inverse=True)[1].astype(np.int64),
            credit=scores.majority * counted,
            confidence=np.round(scores.confidence, 12),
        )


class ClusterSums:
    """Sums over the rows of each cluster, from which the figures of any weighting of the clusters follow.

    Parameters
    ----------
    rows : Rows
        All rows.
    chosen : (n,) int
        Positions of the rows to sum; a position may occur more than once.
    cluster : (n,) int
        The cluster of each chosen row, below `clusters`.
    clusters : int
        C.

    Attributes
    ----------
    table : (C, P) float
        One line of sums for each cluster; `figures_of` reads figures from weighted sums of these lines.
    thresholds : (L,) float
        The levels of confidence, highest first.
    level_rows, level_credit : (1, L) float
        Rows and credit on each level.
    """

    def __init__(self, rows: Rows, chosen: IntArray, cluster: IntArray, clusters: int) -> None:
        counted, credit = rows.counted[chosen], rows.credit[chosen]
        totals = (counted, rows.parsed[chosen], rows.asked[chosen], *rows.means[chosen].T)
        means = np.stack([np.bincount(cluster, column, clusters) for column in totals], axis=1)
        gaps = _table(cluster, rows.bin[chosen], rows.gap[chosen], clusters)
        distinct, level = np.unique(-rows.confidence[chosen], return_inverse=True)
        self.thresholds: FloatArray = -distinct
        alone = np.zeros_like(level)
        self.level_rows = _table(alone, level, counted, 1)
        self.level_credit = _table(alone, level, credit, 1)
        if distinct.size > _RESAMPLED_LEVELS:
            above = np.cumsum(self.level_rows) - self.level_rows[0]
            level = (above * _RESAMPLED_LEVELS // max(above[-1] + 1, 1.0)).astype(np.int64)[level]
        parts = (means, gaps, _table(cluster, level, counted, clusters), _table(cluster, level, credit, clusters))
        self.table: FloatArray = np.concatenate(parts, axis=1)
        self._ends = np.cumsum([part.shape[1] for part in parts])[:-1]

    def figures(self) -> dict[str, FloatArray]:
        """Compute all figures of the data, as arrays of one value; see `figures_of`."""
        means, gaps, *_ = np.split(self.table.sum(axis=0, keepdims=True), self._ends, axis=1)
        return _figures(means, gaps, self.level_rows, self.level_credit)

    def figures_of(self, sums: FloatArray) -> dict[str, FloatArray]:
        """Compute all figures of resamples.

        Parameters
        ----------
        sums : (R, P) float
            The lines of `table`, each as often as its cluster was drawn, summed.

        Returns
        -------
        dict of (R,) float
            One entry for each name in `FIGURES`; not a number where a figure is undefined.
        """
        return _figures(*np.split(sums, self._ends, axis=1))


def resample(sets: Sequence[ClusterSums], n_resamples: int, seed: int) -> list[dict[str, FloatArray]]:
    """Compute the figures of several sets of rows in the same bootstrap resamples.

    Parameters
    ----------
    sets : sequence of ClusterSums
        Sums over the same C clusters.
    n_resamples, seed : int
        Settings of the bootstrap.

    Returns
    -------
    list of dict of (n_resamples,) float
        What `ClusterSums.figures_of` gives, for each set.
    """
    # One product for all sets: many small ones cost more in waiting for threads than in arithmetic.
    joined = np.concatenate([each.table for each in sets], axis=1)
    ends = np.cumsum([each.table.shape[1] for each in sets])[:-1]
    parts: list[list[dict[str, FloatArray]]] = [[] for _ in sets]
    for weights in draws(len(joined), n_resamples, seed, joined.shape[1]):
        for each, part, sums in zip(sets, parts, np.split(weights @ joined, ends, axis=1), strict=True):
            part.append(each.figures_of(sums))
    return [{name: np.concatenate([chunk[name] for chunk in part]) for name in FIGURES} for part in parts]


def _figures(
    means: FloatArray, gaps: FloatArray, level_rows: FloatArray, level_credit: FloatArray
) -> dict[str, FloatArray]:
    rows, parsed, asked = means[:, 0], means[:, 1], means[:, 2]
    with np.errstate(invalid="ignore"):
        mean = dict(zip(_MEANS, (means[:, 3:] / rows[:, None]).T, strict=True))
        parse_rate = parsed / asked
    return {
        "accuracy": mean["accuracy"],
        "majority_accuracy": mean["majority_accuracy"],
        "confidence": mean["confidence"],
        "calibration_shift": mean["confidence"] - mean["accuracy"],
        "confidence_corrected": mean["confidence_corrected"],
        "calibration_shift_corrected": mean["confidence_corrected"] - mean["accuracy"],
        "agreement": mean["agreement"],
        "agreement_shift": mean["agreement"] - mean["accuracy"],
        "ece": calibration.expected_calibration_error(gaps, rows),
        "brier": mean["brier"],
        "auroc": calibration.auroc(level_rows, level_credit),
        "aurc": calibration.aurc(level_rows, level_credit),
        "parse_rate": parse_rate,
    }


def _table(cluster: IntArray, column: IntArray, value: FloatArray, clusters: int) -> FloatArray:
    """Sum `value` into a (clusters, columns) table."""
    columns = int(column.max(initial=0)) + 1
    sums = np.bincount(cluster * columns + column, value, clusters * columns)
    return sums.reshape(clusters, columns).astype(np.float64, copy=False)
