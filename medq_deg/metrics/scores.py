"""What one row says by itself: accuracy, majority, confidence, agreement, Brier score.

Everything here is a function of one row of a `VoteTable`; nothing is averaged over rows.

References
----------
- Confidence: MedQ-Deg (arXiv 2603.07769), definition of the confidence of a vote distribution.
- Correction of the entropy: the jackknife, M. H. Quenouille, Notes on bias in estimation, Biometrika 43, 1956; for
  the entropy, S. Zahl, Jackknifing an index of diversity, Ecology 58, 1977.
- Agreement, the unbiased estimate of the repeat rate: E. H. Simpson, Measurement of diversity, Nature 163,
  1949.
- Brier score: G. W. Brier, Verification of forecasts expressed in terms of probability, 1950.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medq_deg.metrics.votes import INTERPRETABLE_TRIALS, FloatArray, IntArray, VoteTable, plain_agreement


@dataclass(frozen=True)
class RowScores:
    """One value for each of N rows, in [0, 1] unless said otherwise.

    Attributes
    ----------
    accuracy : (N,) float
        Share of the votes that are right.
    majority : (N,) float
        Credit of the most frequent outcome: 1 if right, 1/m if it is one of m tied outcomes, else 0. Votes that name
        no option are one outcome, and never right.
    top_share : (N,) float
        Share of the most frequent option.
    confidence : (N,) float
        ``v (1 - H / log K)``: v is the share of the votes that name an option, H the plug-in entropy of those votes.
    confidence_corrected : (N,) float
        The jackknife of it over the T votes; not a number where fewer than `INTERPRETABLE_TRIALS` votes were asked for.
    agreement : (N,) float
        Share of the pairs of votes that name the same option; of votes on one order where a row was asked in several.
    brier : (N,) float
        Sum over options of (share - truth) squared, in [0, 2]; 1 where no vote names an option.
    """

    accuracy: FloatArray
    majority: FloatArray
    top_share: FloatArray
    confidence: FloatArray
    confidence_corrected: FloatArray
    agreement: FloatArray
    brier: FloatArray


def score_rows(table: VoteTable) -> RowScores:
    """Score each row of `table`.

    A vote that names no option is never right, agrees with none, and makes the row less sure.
    """
    # Sorted shares make rows with the same spread the same to the last bit, so that they tie in every
    # ranking.
    options = -np.sort(-table.shares[:, :-1], axis=1)
    accuracy = np.take_along_axis(table.shares, table.answer[:, None], axis=1)[:, 0]
    most = table.shares.max(axis=1)
    tied = (table.shares == most[:, None]).sum(axis=1)
    repeat_rate = (options**2).sum(axis=1)
    named = table.named
    confidence = named * _sureness(options / np.where(named > 0, named, 1.0)[:, None], table.choices)
    return RowScores(
        accuracy=accuracy,
        majority=np.where(accuracy == most, 1.0 / tied, 0.0),
        top_share=options[:, 0],
        confidence=confidence,
        confidence_corrected=_jackknife(options, table),
        agreement=plain_agreement(table) if table.agreement is None else table.agreement,
        brier=1 - 2 * accuracy + repeat_rate,
    )


def _sureness(shares: FloatArray, choices: IntArray) -> FloatArray:
    """Return 1 - H / log K of shares (N, M) that sum to 1; 0 where there are none."""
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return np.where(shares[:, 0] > 0, np.clip(1 - entropy / np.log(choices), 0.0, 1.0), 0.0)


def _jackknife(options: FloatArray, table: VoteTable) -> FloatArray:
    """Return the jackknife of the confidence over the T votes of each row; `options` are shares (N, M).

    Leaving out a vote that names no option only changes v, so the jackknife of v C is v times that of C over the n
    votes that name one: ``n C - (n - 1) mean(C without one vote)``.
    """
    if table.exact:
        return table.named * _sureness(options / np.where(table.named > 0, table.named, 1.0)[:, None], table.choices)
    counts = options * table.trials[:, None]
    votes = counts.sum(axis=1)
    enough = votes > 1.5
    n = np.where(enough, votes, 2.0)
    whole = _times_log(counts)
    total = whole.sum(axis=1)
    entropy = np.log(n) - total / n
    # Without one vote for an option: log(n - 1) - (sum of m log m over the counts m that remain) / (n - 1), averaged
    # over the n votes.
    lost = (counts * (whole - _times_log(np.maximum(counts - 1, 0.0)))).sum(axis=1)
    without = np.log(n - 1) - (total - lost / n) / (n - 1)
    corrected = 1 - (n * entropy - (n - 1) * without) / np.log(table.choices)
    corrected = table.named * np.where(enough, np.clip(corrected, 0.0, 1.0), votes > 0.5)
    return np.where(table.asked < INTERPRETABLE_TRIALS, np.nan, corrected)


def _times_log(counts: FloatArray) -> FloatArray:
    return counts * np.log(np.where(counts > 0, counts, 1.0))
