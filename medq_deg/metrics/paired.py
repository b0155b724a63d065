"""Two models on the same rows: how far each figure differs, with intervals and p-values that know the pairing.

Only figures that are means over rows are compared. Rows of the same clean question share their difficulty, so
questions, not rows, are drawn for the intervals and flipped for the p-values.

References
----------
- Test by flipping signs: R. A. Fisher, The Design of Experiments, 1935, section 21; of clusters: I. A. Canay, J. P.
  Romano and A. M. Shaikh, Randomization tests under an approximate symmetry assumption, Econometrica 85, 2017. With
  one row to a question and differences of 1, 0 and -1 it is McNemar's exact test (Psychometrika 12, 1947).
- Many hypotheses: S. Holm, Scand. J. Statist. 6, 1979.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, draws, interval, partition
from medq_deg.metrics.cells import check_severities
from medq_deg.metrics.dunning_kruger import holm
from medq_deg.metrics.rows import RunRows, Source
from medq_deg.metrics.scores import score_rows
from medq_deg.metrics.votes import FloatArray, IntArray, VoteTable, encode
from medq_deg.taxonomy import SEVERITY_NAMES

COMPARED: Final = ("accuracy", "calibration_shift", "agreement_shift")
"""The figures that are compared; each is the mean of one value for each row."""

EXACT_UPTO: Final = 18
"""With so many questions that differ, all sign patterns are tried (131,072 of them); with more, the normal
distribution is close."""

_SAME = 1e-9
"""Differences of sums that are rounding."""


def compare(
    first: Iterable[Mapping[str, Any]],
    second: Iterable[Mapping[str, Any]],
    by: Sequence[str | Sequence[str]] = ("severity",),
    *,
    figures: Sequence[str] = COMPARED,
    source: Source = "votes",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two models on the same rows, as a whole and broken down by columns.

    Parameters
    ----------
    first, second : iterables of N mappings
        The rows of two runs as `summarize` takes them, with the same ids in the same order.
    by, source, confidence_level, n_resamples, seed
        As in `summarize`.
    figures : sequence of names in `COMPARED`
        Leave ``calibration_shift`` out where the runs have different numbers of votes: the paper's confidence depends
        on it.

    Returns
    -------
    dict
        ``overall``: ``n``, ``clusters``, ``few_clusters`` and, for each figure, ``first``, ``second``, ``difference``
        (second - first), ``difference_ci`` (None for one question only), ``p``: two-sided, of the hypothesis that the
        models do not differ, and ``p_holm``: adjusted by Holm's method over the cells of its breakdown, each figure
        by itself. ``by``: the same for each cell of each breakdown. ``change_from_l0``: the same of the change that
        degradation makes, L1 and L2 each against the clean row of its question (``n`` counts such pairs); empty
        without clean rows. Then ``figures``, ``source``, ``confidence_level``, ``n_resamples`` and ``seed``.

    Raises
    ------
    MedqDegError
        If the rows are not the same questions, or as in `summarize`.
    """
    check_settings(confidence_level, n_resamples, seed)
    unknown = [name for name in figures if name not in COMPARED]
    if unknown or not figures:
        raise MedqDegError(f"figures must be some of {', '.join(COMPARED)}, got {list(figures)!r}.")
    runs = RunRows(first), RunRows(second)
    _check_same(*runs)
    breakdowns = runs[0].breakdowns(by)
    cluster = partition(runs[0].column("question_id"), len(runs[0]))
    one, two = (_values(encode(**run.encoded(source)), figures) for run in runs)

    def cells(chosen: Mapping[str, IntArray], values: tuple[FloatArray, FloatArray]) -> dict[str, dict[str, Any]]:
        told = {
            key: _cell(values[0][at], values[1][at], cluster[at], figures, confidence_level, n_resamples, seed)
            for key, at in chosen.items()
        }
        for figure in figures:
            tested = [cell[figure] for cell in told.values()]
            for part, p in zip(tested, holm([part["p"] for part in tested]), strict=True):
                part["p_holm"] = p
        return told

    severities = runs[0].severities()
    severity = None if severities is None else check_severities(severities, len(cluster))
    clean = _clean_rows(severity, cluster)
    degraded = {
        name: np.flatnonzero((clean >= 0) & (severity == level)) for level, name in enumerate(SEVERITY_NAMES) if level
    }
    return {
        "overall": cells({"all": np.arange(len(cluster))}, (one, two))["all"],
        "by": {name: cells(chosen, (one, two)) for name, chosen in breakdowns.items()},
        "change_from_l0": cells(
            {name: at for name, at in degraded.items() if at.size}, (one - one[clean], two - two[clean])
        ),
        "figures": list(figures),
        "source": source,
        "confidence_level": confidence_level,
        "n_resamples": int(n_resamples),
        "seed": int(seed),
    }


def sign_flip_p(sums: FloatArray) -> float:
    """Return the two-sided p-value of "the total of `sums` is 0" when each sum may as well have had the other sign.

    Parameters
    ----------
    sums : (C,) float
        Summed differences of each cluster. Zeros say nothing and do not count.

    Returns
    -------
    float in [0, 1]
        Exact for up to `EXACT_UPTO` sums that are not 0; beyond, by the normal distribution with the variance that
        flipping gives, the sum of squares. It needs no seed, and can be small enough to survive Holm's method.
    """
    told = sums[np.abs(sums) > _SAME]
    total = abs(float(told.sum()))
    if total <= _SAME:
        return 1.0
    if told.size <= EXACT_UPTO:
        # The sign of the first is kept: the other half of the patterns mirrors this one.
        reached = told[:1]
        for each in told[1:]:
            reached = np.concatenate([reached + each, reached - each])
        return float(np.mean(np.abs(reached) >= total - _SAME))
    return math.erfc(total / math.sqrt(2 * float((told**2).sum())))


def _check_same(first: RunRows, second: RunRows) -> None:
    if not len(first) or len(first) != len(second):
        raise MedqDegError(f"both runs must have the same rows, got {len(first)} and {len(second)}.")
    for key in ("id", "question_id", "answer"):
        for position, (mine, other) in enumerate(zip(first.column(key), second.column(key), strict=True)):
            if mine != other:
                raise MedqDegError(
                    f"both runs must have the same rows in the same order, but the {key} of row {position} is"
                    f" {mine!r} in the first and {other!r} in the second."
                )


def _values(table: VoteTable, figures: Sequence[str]) -> FloatArray:
    """Return the value of each row for each figure, (N, F); a figure is the mean of its column."""
    scores = score_rows(table)
    values = {
        "accuracy": scores.accuracy,
        "calibration_shift": scores.confidence - scores.accuracy,
        "agreement_shift": scores.agreement - scores.accuracy,
    }
    return np.stack([values[name] for name in figures], axis=1)


def _clean_rows(severity: IntArray | None, cluster: IntArray) -> IntArray:
    """Return the position of the one clean row of each degraded row's question, -1 where there is none."""
    if severity is None:
        return np.full(len(cluster), -1)
    at = np.flatnonzero(severity == 0)
    of_cluster = np.full(int(cluster.max()) + 1, -1)
    of_cluster[cluster[at]] = at
    of_cluster[np.bincount(cluster[at], minlength=of_cluster.size) != 1] = -1
    return np.where(severity > 0, of_cluster[cluster], -1)


def _cell(
    first: FloatArray,
    second: FloatArray,
    cluster: IntArray,
    figures: Sequence[str],
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Compare the values of the rows of one cell, (n, F) each."""
    present, local = np.unique(cluster, return_inverse=True)
    clusters, n = present.size, len(cluster)
    columns = [*(second - first).T, np.ones(n)]
    sums: FloatArray = np.stack([np.bincount(local, column, clusters).astype(np.float64) for column in columns], axis=1)
    drawn = np.empty((0, len(figures)))
    if clusters > 1:
        totals = np.concatenate([weights @ sums for weights in draws(clusters, n_resamples, seed)])
        drawn = totals[:, :-1] / totals[:, -1:]
    cell: dict[str, Any] = {"n": n, "clusters": int(clusters), "few_clusters": bool(clusters < FEW_CLUSTERS)}
    for place, figure in enumerate(figures):
        means = float(first[:, place].mean()), float(second[:, place].mean())
        cell[figure] = {
            "first": means[0],
            "second": means[1],
            "difference": means[1] - means[0],
            "difference_ci": interval(drawn[:, place], confidence_level),
            "p": sign_flip_p(sums[:, place]),
        }
    return cell
