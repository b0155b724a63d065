"""The metric itself, `calibration_shift`, with everything beside it; the paper's equations as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medq_deg.metrics.calibration import curve
from medq_deg.metrics.cells import Study, describe, make_study
from medq_deg.metrics.sums import ClusterSums, Rows
from medq_deg.metrics.votes import PROBABILITY_TOLERANCE, Invalid, Probabilities, Votes, encode


def calibration_shift(
    votes: Votes | None,
    answers: Sequence[str],
    num_choices: int | Sequence[int],
    groups: Sequence[Any] | None = None,
    severities: Sequence[int | str] | None = None,
    *,
    invalid: Invalid = "wrong",
    probabilities: Probabilities | None = None,
    confidence_level: float | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute accuracy, confidence, Calibration Shift and the figures that make them trustworthy.

    Parameters
    ----------
    votes : N sequences of T letters, or None
        T sampled answers for each row; ``None`` or ``""`` is an unparsable one. T may differ between rows and
        is at least 2. None if `probabilities` are given.
    answers : N letters
        The right options, "A" first.
    num_choices : int or N ints
        Number of options K of each row, 2 to 26.
    groups : N labels, optional
        The clean question that each row comes from: the cluster of the bootstrap, and the pair of a degraded
        row. Without it each row is its own cluster.
    severities : N of 0, 1, 2 or "L0", "L1", "L2", optional
        Adds ``by_severity`` and ``dunning_kruger``.
    invalid : {"wrong", "drop"}, default "wrong"
        An unparsable vote stays among the T votes, as one that is never right and agrees with none, or is left
        out (rows with fewer than 2 votes left then count in the parse rate only).
    probabilities : N mappings from letter to probability, or sequences of K floats, optional
        Exact probabilities in place of votes. Their sum is at most 1; mass that is missing is unparsable.
    confidence_level : float, optional
        Level of the intervals, such as 0.95; without it there are none.
    n_resamples : int, default 1000
        Resamples of the bootstrap.
    seed : int, default 0
        Start of its random numbers.

    Returns
    -------
    dict
        Plain numbers, ready for JSON; None stands for a figure that is undefined, such as the AUROC of a
        model that is always right.

        - ``n`` rows, ``clusters``, ``few_clusters`` (fewer than 30), ``trials`` votes per row (the mean if it
          varies; None for probabilities), ``trials_min``, ``trials_max``
        - ``accuracy``: mean vote accuracy; ``majority_accuracy``: of the most frequent answer, m tied answers
          sharing the credit
        - ``confidence``: mean of v (1 - H / log K), v the share of the votes that name an option and H the
          entropy of those votes; ``calibration_shift``: confidence - accuracy (the paper's)
        - ``confidence_corrected``, ``calibration_shift_corrected``: with the jackknife over votes; None where
          a row has fewer than 5
        - ``agreement``: chance that two votes name the same option; ``agreement_shift``: agreement -
          accuracy, 0 in expectation for a calibrated sampler
        - ``ece``: confidence is the share of the most frequent answer, one bin for each value that the votes
          allow (15 equal bins for probabilities); ``brier``: over all options, 0 to 2; ``auroc``, ``aurc``:
          of the confidence as a predictor that the most frequent answer is right; ``augrc``: the same with
          wrong answers as a share of all rows; ``parse_rate``
        - ``<figure>_ci``: [low, high], if asked for; ``<figure>_reason``: why a figure is None
        - ``by_severity``: the same for L0, L1 and L2, and ``change_from_l0`` over pairs of a degraded row and
          its clean row
        - ``dunning_kruger``: the paper's ``rule``, the ``verdict`` (supported, refuted or undecided), and
          both for each of the three shifts; None without rows of L0 and L2. A verdict is given only where both
          treatments of missing answers agree on it, else it is "undecided" and ``reason`` tells how many answers are
          missing. It is None, and ``reason`` "too few questions", below 30 questions that could be paired or 25
          times the squared skewness of their changes. ``missing_l0`` and ``missing_l2``: shares of the votes
        - ``invalid``, ``invalid_votes``, ``rows_with_invalid``: what was done with how many unparsable votes
          in how many rows; ``rows_left_out``: rows that count in the parse rate only
        - ``source`` ("votes" or "probabilities"), ``confidence_level``, ``n_resamples``, ``seed``

    Raises
    ------
    MedqDegError
        If an input is not as described: lengths that differ, a letter beyond K, K below 2, no rows, a row
        with fewer than 2 votes, probabilities that are negative, not numbers or sum to more than 1.

    Warns
    -----
    MetricWarning
        `FewTrialsWarning` for T below 5, `UnparsableWarning` if nothing could be parsed or rows are left out,
        `ClusterWarning` for one cluster only (intervals are None), `PairingWarning` for degraded rows without
        a clean row.

    References
    ----------
    MedQ-Deg (arXiv 2603.07769) for confidence, shift and the rule; see the modules of this package
    for the rest.

    Examples
    --------
    >>> result = calibration_shift([["A"] * 10, ["B"] * 5 + ["C"] * 5], ["A", "B"], 4)
    >>> result["accuracy"], result["confidence"], result["calibration_shift"]
    (0.75, 0.75, 0.0)
    """

    def name(position: int) -> str:
        labelled = groups is not None and hasattr(groups, "__getitem__") and position < len(groups)
        return f"row {position} (group {groups[position]!r})" if labelled and groups is not None else f"row {position}"

    table = encode(votes, probabilities, answers, num_choices, invalid=invalid, name=name)
    study = make_study(
        table,
        groups=groups,
        severities=severities,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        seed=seed,
    )
    return {**describe(study), **settings(study, invalid)}


def settings(study: Study, invalid: Invalid) -> dict[str, Any]:
    """Say how a result came about, beside its figures."""
    table = study.table
    missing = table.asked - table.parsed
    return {
        "invalid": invalid,
        "invalid_votes": None if table.exact else int(missing.sum()),
        "rows_with_invalid": int((missing > PROBABILITY_TOLERANCE).sum()),
        "rows_left_out": int((~table.counted).sum()),
        "source": "probabilities" if table.exact else "votes",
        "confidence_level": study.confidence_level,
        "n_resamples": int(study.n_resamples),
        "seed": int(study.seed),
    }


def accuracy(votes: Votes, answers: Sequence[str], num_choices: int | Sequence[int]) -> float:
    """Return the share of the votes that are right, averaged over rows (the paper's Acc over T trials).

    Parameters and errors as in `calibration_shift`.
    """
    return _one_figure("accuracy", votes, answers, num_choices)


def confidence(votes: Votes, num_choices: int | Sequence[int]) -> float:
    """Return the paper's confidence, ``C = 1 - H(p) / log K`` of the vote shares p, averaged over rows.

    Parameters and errors as in `calibration_shift`.
    """
    return _one_figure("confidence", votes, ["A"] * len(votes), num_choices)


def shift(votes: Votes, answers: Sequence[str], num_choices: int | Sequence[int]) -> float:
    """Return the paper's calibration shift, ``mean(C) - Acc``; positive is overconfident.

    Parameters and errors as in `calibration_shift`.
    """
    return _one_figure("calibration_shift", votes, answers, num_choices)


def risk_coverage(
    votes: Votes | None,
    answers: Sequence[str],
    num_choices: int | Sequence[int],
    *,
    invalid: Invalid = "wrong",
    probabilities: Probabilities | None = None,
) -> dict[str, list[float]]:
    """Trace how many majority answers are wrong when only the most confident rows are answered.

    Parameters and errors as in `calibration_shift`.

    Returns
    -------
    dict
        Three lists of equal length, from the most confident rows to all: ``threshold`` (confidence of at
        least), ``coverage`` (share of rows answered), ``risk`` (share of these that are wrong).

    References
    ----------
    Geifman and El-Yaniv, NeurIPS 2017.
    """
    table = encode(votes, probabilities, answers, num_choices, invalid=invalid)
    chosen = np.flatnonzero(table.counted)
    sums = ClusterSums(Rows.of(table), chosen, np.zeros(chosen.size, np.int64), 1)
    coverage, risk = curve(sums.level_rows[0], sums.level_credit[0])
    return {"threshold": sums.thresholds.tolist(), "coverage": coverage.tolist(), "risk": risk.tolist()}


def reliability(
    votes: Votes | None,
    answers: Sequence[str],
    num_choices: int | Sequence[int],
    *,
    invalid: Invalid = "wrong",
    probabilities: Probabilities | None = None,
) -> dict[str, list[float]]:
    """Compare how sure a model is of its most frequent answers with how often they are right.

    Parameters and errors as in `calibration_shift`.

    Returns
    -------
    dict
        Three lists of equal length, one entry for each bin of the ``ece`` of `calibration_shift` that has rows, least
        sure first: ``confidence`` (mean share of the most frequent answer), ``accuracy`` (share of these answers that
        are right, tied answers sharing the credit), ``n`` (rows).
    """
    table = encode(votes, probabilities, answers, num_choices, invalid=invalid)
    rows = Rows.of(table)
    counts, gaps, credit = (np.bincount(rows.bin, each) for each in (rows.counted, rows.gap, rows.credit))
    filled = counts > 0
    right = credit[filled] / counts[filled]
    sure = right + gaps[filled] / counts[filled]
    return {"confidence": sure.tolist(), "accuracy": right.tolist(), "n": counts[filled].tolist()}


def _one_figure(figure: str, votes: Votes, answers: Sequence[str], num_choices: int | Sequence[int]) -> float:
    table = encode(votes, None, answers, num_choices)
    rows = np.arange(len(table.choices))
    return float(ClusterSums(Rows.of(table), rows, np.zeros(rows.size, np.int64), 1).figures()[figure][0])
