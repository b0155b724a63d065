"""The cluster bootstrap: what a cluster is, how clusters are drawn, and what an interval is.

Rows that come from the same clean question share their difficulty, so questions are drawn, not rows. Nothing
here knows what is computed from a draw.

References
----------
- B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.
- A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (clusters).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.votes import FloatArray, IntArray

FEW_CLUSTERS = 30
"""Below this many clusters a percentile interval is too short to be trusted; results are flagged."""

STUDENTISED_BELOW = 50
"""With fewer clusters than this, intervals of means are studentised."""

_NO_SPREAD = 1e-12

_CHUNK = 2**22
"""Weights held at once: 32 MiB."""


def partition(groups: Sequence[Any] | None, rows: int) -> IntArray:
    """Assign each row to its cluster: the one place that says which rows belong together.

    Parameters
    ----------
    groups : N labels, or None
        Rows with the same label, compared as text, are one cluster; with None each row is its own.
    rows : int
        N.

    Returns
    -------
    (N,) int
        0 ... C - 1 in the order of the labels, so that the order of rows does not change what is drawn.
    """
    if groups is None:
        return np.arange(rows)
    if isinstance(groups, str) or not hasattr(groups, "__len__"):
        raise MedqDegError(f"groups must hold one label for each row, got {groups!r}.")
    if len(groups) != rows:
        raise MedqDegError(f"groups has {len(groups)} labels but there are {rows} rows: one is needed for each row.")
    for position, label in enumerate(groups):
        if label is None or str(label) == "nan":
            raise MedqDegError(f"the group of row {position} must be a label, got {label!r}.")
    _, cluster = np.unique([str(label) for label in groups], return_inverse=True)
    return cluster.astype(np.int64)


def cluster_sums(values: FloatArray, cluster: IntArray) -> FloatArray:
    """Sum the rows of each cluster that occurs.

    Parameters
    ----------
    values : (N, F) float
    cluster : (N,) int

    Returns
    -------
    (C, F) float
    """
    labels, local = np.unique(cluster, return_inverse=True)
    sums: FloatArray = np.zeros((labels.size, values.shape[1]))
    np.add.at(sums, local, values)
    return sums


def check_settings(confidence_level: float | None, n_resamples: int, seed: int) -> None:
    """Refuse settings that no bootstrap can use."""
    number = isinstance(confidence_level, (int, float, np.number))
    if confidence_level is not None and not (number and 0 < confidence_level < 1):
        raise MedqDegError(f"confidence_level must lie between 0 and 1, got {confidence_level!r}.")
    for what, value, least in (("n_resamples", n_resamples, 2), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise MedqDegError(f"{what} must be a whole number of {least} or more, got {value!r}.")


def draws(clusters: int, n_resamples: int, seed: int, width: int = 0) -> Iterator[FloatArray]:
    """Draw `clusters` clusters with replacement, `n_resamples` times.

    Parameters
    ----------
    clusters : int
        C.
    n_resamples : int
        How many resamples.
    seed : int
        Start of the random numbers; the same seed draws the same clusters.
    width : int, default 0
        Numbers per resample that the caller will hold, if more than `clusters`; keeps memory bounded.

    Yields
    ------
    (r, C) float
        How often each cluster was drawn in each of the next r resamples; each line sums to C.
    """
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // max(clusters, width))
    for start in range(0, n_resamples, chunk):
        lines = min(chunk, n_resamples - start)
        drawn = rng.integers(0, clusters, size=(lines, clusters))
        drawn += np.arange(0, lines * clusters, clusters)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=lines * clusters)
        yield counts.reshape(lines, clusters).astype(np.float64)


def interval(replicates: FloatArray, confidence_level: float) -> list[float] | None:
    """Return the percentile interval, or None where no resample has a value.

    Parameters
    ----------
    replicates : (R,) float
        The figure in each resample; not a number where it is undefined, such resamples are left out.
    confidence_level : float
        Share of the replicates between the two bounds.
    """
    defined = replicates[~np.isnan(replicates)]
    if not defined.size:
        return None
    tail = (1 - confidence_level) / 2
    # Davison and Hinkley's order statistics, (R + 1) alpha: the usual ones are a little short.
    low, high = np.quantile(defined, [tail, 1 - tail], method="weibull")
    return [float(low), float(high)]


def spread(weights: FloatArray, influence: FloatArray) -> FloatArray:
    """Return the standard error of a figure in each resample.

    Parameters
    ----------
    weights : (R, C) float
        How often each cluster was drawn.
    influence : (R, C) float
        How much each cluster moves the figure; they sum to 0 when weighted.

    Returns
    -------
    (R,) float
    """
    clusters = weights.shape[1]
    error: FloatArray = np.sqrt(np.einsum("rc,rc->r", weights, influence**2) * clusters / (clusters - 1))
    return error


def studentised(
    estimate: float, error: float, replicates: FloatArray, errors: FloatArray, confidence_level: float
) -> list[float] | None:
    """Return the studentised (bootstrap-t) interval: for few clusters, where the percentile interval is too short.

    Parameters
    ----------
    estimate, error : float
        The figure and its standard error.
    replicates, errors : (R,) float
        The same in each resample. Resamples whose clusters are all alike have no error of their own and are left out.
    confidence_level : float
        Share of samples in which the interval is to cover the truth.

    Returns
    -------
    [low, high], or None where nothing can be said

    References
    ----------
    Davison and Hinkley 1997, section 5.2.1.
    """
    told = ~np.isnan(replicates) & (errors > 1e-9 * max(error, 1e-300))
    if error <= _NO_SPREAD or told.sum() < 2:
        return interval(replicates, confidence_level)
    tail = (1 - confidence_level) / 2
    scores = (replicates[told] - estimate) / errors[told]
    low, high = np.quantile(scores, [tail, 1 - tail], method="weibull")
    return [float(estimate - high * error), float(estimate - low * error)]


def ratio_intervals(
    numerators: FloatArray,
    denominators: FloatArray,
    confidence_level: float,
    n_resamples: int,
    seed: int,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> list[list[float] | None]:
    """Return the interval of each ratio of sums over clusters, such as a mean over their rows.

    Parameters
    ----------
    numerators, denominators : (C, F) float
        What each cluster adds to the F numerators and denominators.
    confidence_level, n_resamples, seed
        As in `calibration_shift`.
    bounds : (float, float)
        The range of the ratios; an interval does not pass it.

    Returns
    -------
    list of F [low, high]
        Studentised below `STUDENTISED_BELOW` clusters, percentile from there on; None for a single cluster or where no
        resample has a value.
    """
    clusters, figures = numerators.shape
    if clusters < 2:
        return [None] * figures
    few = clusters < STUDENTISED_BELOW
    kept, replicates = [], []
    joined = np.concatenate([numerators, denominators], axis=1)
    for weights in draws(clusters, n_resamples, seed, 2 * figures):
        sums = weights @ joined
        with np.errstate(invalid="ignore", divide="ignore"):
            replicates.append(sums[:, :figures] / sums[:, figures:])
        if few:
            kept.append(weights)
    drawn = np.concatenate(replicates)
    result: list[list[float] | None] = []
    for place in range(figures):
        top, bottom = numerators[:, place], denominators[:, place]
        if few and bottom.sum() > 0:
            weights = np.concatenate(kept)
            whole = np.ones((1, clusters))
            ratio = float(top.sum() / bottom.sum())
            errors = [
                spread(each, ratio_influence(top, bottom, each, value))
                for each, value in ((whole, np.array([ratio])), (weights, drawn[:, place]))
            ]
            found = studentised(ratio, float(errors[0][0]), drawn[:, place], errors[1], confidence_level)
        else:
            found = interval(drawn[:, place], confidence_level)
        result.append(found if found is None else [max(found[0], bounds[0]), min(found[1], bounds[1])])
    return result


def ratio_influence(top: FloatArray, bottom: FloatArray, weights: FloatArray, ratio: FloatArray) -> FloatArray:
    """Return how much each cluster moves a ratio in each resample, (R, C)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        influence: FloatArray = (top - ratio[:, None] * bottom) / (weights @ bottom)[:, None]
    return influence
