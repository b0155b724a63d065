"""Figures that compare confidence with correctness over many rows: ECE, AUROC, risk-coverage curve, AURC, AUGRC.

All work on sums for each level of confidence and have a leading axis, so that one call serves a thousand
bootstrap resamples. A level is one value that the confidence takes, highest first; rows on one level are
tied, and a figure is its expectation over all orders of the tied rows.

References
----------
- Expected calibration error: M. P. Naeini et al., Obtaining well calibrated probabilities using Bayesian
  binning, AAAI 2015.
- AUROC as a count of ordered pairs: J. A. Hanley and B. J. McNeil, Radiology 143, 1982.
- Risk and coverage: Y. Geifman and R. El-Yaniv, Selective classification for deep neural networks, NeurIPS
  2017.
- Generalised risk: J. Traub et al., Overcoming common flaws in the evaluation of selective classification systems,
  NeurIPS 2024.
"""

from __future__ import annotations

import numpy as np

from medq_deg.metrics.votes import FloatArray


def expected_calibration_error(gaps: FloatArray, rows: FloatArray) -> FloatArray:
    """Return the mean absolute gap between confidence and credit.

    Parameters
    ----------
    gaps : (R, B) float
        Sum over the rows of each bin of (confidence - credit).
    rows : (R,) float
        Number of rows.

    Returns
    -------
    (R,) float in [0, 1]
        Not a number where there is no row.
    """
    with np.errstate(invalid="ignore"):
        result: FloatArray = np.abs(gaps).sum(axis=1) / rows
    return result


def auroc(rows: FloatArray, credit: FloatArray) -> FloatArray:
    """Return the chance that a right row has a higher confidence than a wrong one, ties counting half.

    Parameters
    ----------
    rows, credit : (R, L) float
        Rows and summed credit (how many of them are right) at each level, highest confidence first.

    Returns
    -------
    (R,) float in [0, 1]
        Not a number where all rows are right or all are wrong.
    """
    wrong = rows - credit
    right_above = np.cumsum(credit, axis=1) - credit / 2
    pairs = credit.sum(axis=1) * wrong.sum(axis=1)
    # Sums of shared credits are not whole, so "no wrong row" can come out as 1e-16.
    defined = pairs > 1e-9
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = np.where(defined, (wrong * right_above).sum(axis=1) / pairs, np.nan)
    return result


def aurc(rows: FloatArray, credit: FloatArray) -> FloatArray:
    """Return the error rate of the k most confident rows, averaged over k = 1 ... n.

    Parameters
    ----------
    rows, credit : (R, L) float
        As in `auroc`; `rows` holds whole numbers.

    Returns
    -------
    (R,) float in [0, 1]
        Not a number where there is no row.
    """
    wrong = rows - credit
    upto = np.cumsum(rows, axis=1)
    before = upto - rows
    wrong_before = np.cumsum(wrong, axis=1) - wrong
    # Inside a level of m tied rows with e errors the expected risk after j of them is (E + e j / m) / (k + j)
    # = e / m + (E - e k / m) / (k + j); summed over j this needs harmonic numbers only.
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(upto[:, -1].max()) + 1))])
    steps = harmonic[upto.astype(np.int64)] - harmonic[before.astype(np.int64)]
    rate = wrong / np.maximum(rows, 1.0)
    with np.errstate(invalid="ignore"):
        result: FloatArray = (wrong + (wrong_before - rate * before) * steps).sum(axis=1) / upto[:, -1]
    return result


def augrc(rows: FloatArray, credit: FloatArray) -> FloatArray:
    """Return the wrong answers among the k most confident rows, as a share of all n rows, averaged over k = 1 ... n.

    Unlike `aurc`, a wrong answer counts the same at every k, so the figure is not ruled by the few surest rows: it is
    ``((1 - auroc) r w + w (w + 1) / 2) / n ** 2`` for r right and w wrong rows.

    Parameters
    ----------
    rows, credit : (R, L) float
        As in `auroc`.

    Returns
    -------
    (R,) float in [0, 1]
        Not a number where there is no row.
    """
    wrong = rows - credit
    wrong_before = np.cumsum(wrong, axis=1) - wrong
    # After j of m tied rows with e wrong ones, E + e j / m are expected; summed over j.
    with np.errstate(invalid="ignore"):
        result: FloatArray = (rows * wrong_before + wrong * (rows + 1) / 2).sum(axis=1) / rows.sum(axis=1) ** 2
    return result


def curve(rows: FloatArray, credit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return coverage and risk when all rows down to each level are answered.

    Parameters
    ----------
    rows, credit : (L,) float
        As in `auroc`, for one resample.

    Returns
    -------
    coverage, risk : (L,) float in [0, 1]
    """
    upto = np.cumsum(rows)
    return upto / upto[-1], np.cumsum(rows - credit) / upto
