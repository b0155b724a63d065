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
