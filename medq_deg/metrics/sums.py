"""From rows to sums over clusters, from which every figure follows, for the data and for each resample.

A figure is a function of a handful of sums (rows, right votes, confidence, rows on each level of confidence,
...). Summing per cluster once turns a thousand resamples into matrix products. Which figures there are is said in
`medq_deg.metrics.figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medq_deg.metrics.bootstrap import STUDENTISED_BELOW, draws, interval, ratio_influence, spread, studentised
from medq_deg.metrics.figures import FIGURES, Totals
from medq_deg.metrics.scores import RowScores, score_rows
from medq_deg.metrics.votes import FloatArray, IntArray, VoteTable

SCORES: Final = ("accuracy", "majority", "confidence", "confidence_corrected", "agreement", "brier")
"""The scores of a row whose means are figures, fields of `medq_deg.metrics.scores.RowScores`."""

_COLUMNS: Final = ("rows", "parsed", "asked", *SCORES)

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
    means : (N, S) float
        The scores whose mean is a figure, in the order of `SCORES`; 0 in rows that do not count.
    counted, parsed, asked : (N,) float
        1 if the row counts, and its votes.
    gap : (N,) float
        Share of the most frequent option minus its credit.
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
        columns = np.stack([getattr(scores, name) for name in SCORES], axis=1)
        return cls(
            means=np.where(table.counted[:, None], columns, 0.0),
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
        columns, gaps, *_ = np.split(self.table.sum(axis=0, keepdims=True), self._ends, axis=1)
        return _figures(Totals(self._named(columns), gaps, self.level_rows, self.level_credit))

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
        columns, *rest = np.split(sums, self._ends, axis=1)
        return _figures(Totals(self._named(columns), *rest))

    def columns(self) -> dict[str, FloatArray]:
        """Return what each cluster adds to the columns of `Totals`, (C,) each."""
        return self._named(self.table)

    @staticmethod
    def _named(table: FloatArray) -> dict[str, FloatArray]:
        return dict(zip(_COLUMNS, table.T, strict=False))


@dataclass(frozen=True)
class Drawn:
    """The figures of a set of rows in R resamples.

    Attributes
    ----------
    values : dict of (R,) float
        By key; not a number where a figure is undefined.
    influence : dict of (1 + R, C) float
        How much each cluster moves each figure that is a mean, in the data (first line) and in each resample. Empty
        from `STUDENTISED_BELOW` clusters on, where percentile intervals need none.
    weights : (1 + R, C) float
        How often each cluster was drawn, in the same lines.
    """

    values: dict[str, FloatArray]
    influence: dict[str, FloatArray]
    weights: FloatArray

    def __sub__(self, other: Drawn) -> Drawn:
        """Return the figures of this set minus those of another in the same resamples."""
        return Drawn(
            {key: value - other.values[key] for key, value in self.values.items()},
            {key: value - other.influence[key] for key, value in self.influence.items()},
            self.weights,
        )

    def interval(self, key: str, estimate: float, confidence_level: float) -> list[float] | None:
        """Return the interval of a figure: studentised for a mean of few clusters, else percentile."""
        if key not in self.influence or np.isnan(self.influence[key]).all():
            return interval(self.values[key], confidence_level)
        errors = spread(self.weights, self.influence[key])
        return studentised(estimate, float(errors[0]), self.values[key], errors[1:], confidence_level)


def resample(sets: Sequence[ClusterSums], n_resamples: int, seed: int) -> list[Drawn]:
    """Compute the figures of several sets of rows in the same bootstrap resamples.

    Parameters
    ----------
    sets : sequence of ClusterSums
        Sums over the same C clusters.
    n_resamples, seed : int
        Settings of the bootstrap.

    Returns
    -------
    list of Drawn
        One for each set.
    """
    # One product for all sets: many small ones cost more in waiting for threads than in arithmetic.
    joined = np.concatenate([each.table for each in sets], axis=1)
    ends = np.cumsum([each.table.shape[1] for each in sets])[:-1]
    few = len(joined) < STUDENTISED_BELOW
    parts: list[list[dict[str, FloatArray]]] = [[] for _ in sets]
    kept = [np.ones((1, len(joined)))]
    for weights in draws(len(joined), n_resamples, seed, joined.shape[1]):
        for each, part, sums in zip(sets, parts, np.split(weights @ joined, ends, axis=1), strict=True):
            part.append(each.figures_of(sums))
        if few:
            kept.append(weights)
    drawn = [{key: np.concatenate([chunk[key] for chunk in part]) for key in FIGURES} for part in parts]
    lines = np.concatenate(kept)
    return [
        Drawn(values, _influence(each, values, lines) if few else {}, lines)
        for each, values in zip(sets, drawn, strict=True)
    ]


def _influence(sums: ClusterSums, values: dict[str, FloatArray], weights: FloatArray) -> dict[str, FloatArray]:
    """Return how much each cluster moves each figure that is a mean, (1 + R, C): for the data, then each resample."""
    columns, point = sums.columns(), sums.figures()
    result = {}
    for key, figure in FIGURES.items():
        if figure.curve is None:
            value = np.concatenate([point[key], values[key]])
            result[key] = ratio_influence(figure.weigh(columns), columns[figure.per], weights, value)
    return result


def _figures(totals: Totals) -> dict[str, FloatArray]:
    return {key: figure.compute(totals) for key, figure in FIGURES.items()}


def _table(cluster: IntArray, column: IntArray, value: FloatArray, clusters: int) -> FloatArray:
    """Sum `value` into a (clusters, columns) table."""
    columns = int(column.max(initial=0)) + 1
    sums = np.bincount(cluster * columns + column, value, clusters * columns)
    return sums.reshape(clusters, columns).astype(np.float64, copy=False)


def row_values(rows: Rows, keys: Sequence[str], at: IntArray) -> FloatArray:
    """Return what the rows at the n positions `at` add to figures that are means over rows, (n, F)."""
    columns = dict(zip(SCORES, rows.means[at].T, strict=True))
    return np.stack([FIGURES[key].weigh(columns) for key in keys], axis=1)
