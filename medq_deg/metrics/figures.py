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

_DENSE_LEVELS = 400
"""Up to this many levels a matrix (clusters x levels) is smaller and faster than the rows themselves."""


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


@dataclass(frozen=True)
class _DenseLevels:
    """Rows and credit of each (cluster, level)."""

    rows: FloatArray
    credit: FloatArray

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    def weigh(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        return weights @ self.rows, weights @ self.credit


@dataclass(frozen=True)
class _RowLevels:
    """The rows themselves in the order of their levels, for confidences that hardly ever tie."""

    cluster: IntArray
    counted: FloatArray
    credit: FloatArray
    starts: IntArray

    @property
    def width(self) -> int:
        return len(self.cluster)

    def weigh(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        drawn = weights[:, self.cluster]
        return (
            np.add.reduceat(drawn * self.counted, self.starts, axis=1),
            np.add.reduceat(drawn * self.credit, self.starts, axis=1),
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
    """

    def __init__(self, rows: Rows, chosen: IntArray, cluster: IntArray, clusters: int) -> None:
        totals = (rows.counted[chosen], rows.parsed[chosen], rows.asked[chosen], *rows.means[chosen].T)
        self._means = np.stack([np.bincount(cluster, column, clusters) for column in totals], axis=1)
        self._gaps = _table(cluster, rows.bin[chosen], rows.gap[chosen], clusters)
        distinct, level = np.unique(-rows.confidence[chosen], return_inverse=True)
        self._levels: _DenseLevels | _RowLevels
        if distinct.size <= _DENSE_LEVELS:
            self._levels = _DenseLevels(
                _table(cluster, level, rows.counted[chosen], clusters, distinct.size),
                _table(cluster, level, rows.credit[chosen], clusters, distinct.size),
            )
        else:
            order = np.argsort(level, kind="stable")
            self._levels = _RowLevels(
                cluster[order],
                rows.counted[chosen][order],
                rows.credit[chosen][order],
                np.searchsorted(level[order], np.arange(distinct.size)).astype(np.int64),
            )
        self.thresholds: FloatArray = -distinct
        self.clusters = clusters

    @property
    def width(self) -> int:
        """Numbers that `figures` holds for each line of weights."""
        return self._levels.width

    def figures(self, weights: FloatArray | None = None) -> dict[str, FloatArray]:
        """Compute all figures.

        Parameters
        ----------
        weights : (R, C) float, optional
            How often each cluster counts, in each of R resamples; once if not given (R = 1).

        Returns
        -------
        dict of (R,) float
            One entry for each name in `FIGURES`; not a number where a figure is undefined.
        """
        weights = np.ones((1, self.clusters)) if weights is None else weights
        sums = weights @ self._means
        rows, parsed, asked = sums[:, 0], sums[:, 1], sums[:, 2]
        with np.errstate(invalid="ignore"):
            mean = dict(zip(_MEANS, (sums[:, 3:] / rows[:, None]).T, strict=True))
            parse_rate = parsed / asked
        level_rows, level_credit = self._levels.weigh(weights)
        return {
            "accuracy": mean["accuracy"],
            "majority_accuracy": mean["majority_accuracy"],
            "confidence": mean["confidence"],
            "calibration_shift": mean["confidence"] - mean["accuracy"],
            "confidence_corrected": mean["confidence_corrected"],
            "calibration_shift_corrected": mean["confidence_corrected"] - mean["accuracy"],
            "agreement": mean["agreement"],
            "agreement_shift": mean["agreement"] - mean["accuracy"],
            "ece": calibration.expected_calibration_error(weights @ self._gaps, rows),
            "brier": mean["brier"],
            "auroc": calibration.auroc(level_rows, level_credit),
            "aurc": calibration.aurc(level_rows, level_credit),
            "parse_rate": parse_rate,
        }

    def curve(self) -> tuple[FloatArray, FloatArray]:
        """Return coverage and risk down to each of `thresholds`."""
        rows, credit = self._levels.weigh(np.ones((1, self.clusters)))
        return calibration.curve(rows[0], credit[0])


def _table(cluster: IntArray, column: IntArray, value: FloatArray, clusters: int, columns: int = 0) -> FloatArray:
    """Sum `value` into a (clusters, columns) table."""
    columns = columns or int(column.max(initial=0)) + 1
    sums = np.bincount(cluster * columns + column, value, clusters * columns)
    return sums.reshape(clusters, columns).astype(np.float64, copy=False)


def join(parts: Sequence[dict[str, FloatArray]]) -> dict[str, FloatArray]:
    """Put the resamples of several chunks behind each other."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
