"""What one row says by itself: accuracy, majority, confidence, agreement, Brier score.

Everything here is a function of one row of a `VoteTable`; nothing is averaged over rows.

References
----------
- Confidence: MedQ-Deg (arXiv 2603.07769), definition of the confidence of a vote distribution.
- Correction of the entropy: G. A. Miller, Note on the bias of information estimates, in Information Theory in
  Psychology, 1955.
- Agreement, the unbiased estimate of the repeat rate: E. H. Simpson, Measurement of diversity, Nature 163,
  1949.
- Brier score: G. W. Brier, Verification of forecasts expressed in terms of probability, 1950.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medq_deg.metrics.votes import FloatArray, VoteTable


@dataclass(frozen=True)
class RowScores:
    """One value for each of N rows, in [0, 1] unless said otherwise.

    Attributes
    ----------
    accuracy : (N,) float
        Share of the votes that are right.
    majority : (N,) float
        Credit of the most frequent outcome: 1 if right, 1/m if it is one of m tied outcomes, else 0.
    top_share : (N,) float
        Share of the most frequent outcome.
    confidence : (N,) float
        ``1 - H / log K`` with the plug-in entropy H.
    confidence_corrected : (N,) float
        The same with Miller and Madow's entropy, ``min(H + (K - 1) / (2 T), log K)``.
    agreement : (N,) float
        Share of the pairs of votes that agree.
    brier : (N,) float
        Sum over outcomes of (share - truth) squared, in [0, 2].
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

    An unparsable vote that the table keeps is an outcome like the options, and never right.
    """
    # Sorted shares make rows with the same spread the same to the last bit, so that they tie in every
    # ranking.
    shares = -np.sort(-table.shares, axis=1)
    accuracy = np.take_along_axis(table.shares, table.answer[:, None], axis=1)[:, 0]
    top_share = shares[:, 0]
    tied = (shares == top_share[:, None]).sum(axis=1)
    repeat_rate = (shares**2).sum(axis=1)

    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    largest = np.log(table.outcomes)
    corrected = np.minimum(entropy + (table.outcomes - 1) / (2 * table.trials), largest)
    return RowScores(
        accuracy=accuracy,
        majority=np.where(accuracy == top_share, 1.0 / tied, 0.0),
        top_share=top_share,
        confidence=np.clip(1 - entropy / largest, 0.0, 1.0),
        confidence_corrected=np.clip(1 - corrected / largest, 0.0, 1.0),
        # sum n (n - 1) / (T (T - 1)), written so that an infinite T gives its limit, the sum of squared
        # shares.
        agreement=np.clip(repeat_rate - (1 - repeat_rate) / (table.trials - 1), 0.0, 1.0),
        brier=1 - 2 * accuracy + repeat_rate,
    )
