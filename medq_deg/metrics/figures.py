"""The figures: each is one object that says what it is called, what it means and how it is computed.

Score, report, the evaluate module, its app and the docs take key, title, unit and order from here. A figure is
computed from sums over rows (`Totals`), so that the same code serves the data and a thousand resamples. A new figure
is one entry in `_ALL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from medq_deg.metrics import calibration
from medq_deg.metrics.votes import INTERPRETABLE_TRIALS, FloatArray

Unit = Literal["share", "shift", "score"]


@dataclass(frozen=True)
class Totals:
    """Sums over rows, one line for the data or for each of R resamples.

    Attributes
    ----------
    columns : mapping to (R,) float
        Sums of ``rows``, ``parsed``, ``asked`` and of the scores in `medq_deg.metrics.sums.SCORES`.
    gaps : (R, B) float
        Sum over the rows of each bin of (share of the most frequent option - its credit).
    level_rows, level_credit : (R, L) float
        Rows and credit on each level of confidence, highest first.
    """

    columns: Mapping[str, FloatArray]
    gaps: FloatArray
    level_rows: FloatArray
    level_credit: FloatArray


@dataclass(frozen=True)
class Figure:
    """One figure of a set of rows.

    Attributes
    ----------
    key : str
        Its name in results and files.
    title : str
        Its name where a person reads.
    unit : {"share", "shift", "score"}
        A share is a number from 0 to 1 that may be written in percent; a shift is a difference of shares with a sign; a
        score has a scale of its own.
    meaning : str
        What it is, in a few words.
    terms : tuple of (column, weight)
        A figure that is a mean over rows: the weighted sum of these columns of `Totals`, divided by `per`.
    per : str
        The column that counts what the mean is over.
    curve : callable, optional
        Computes a figure that is no mean from `Totals`.
    headline : bool
        Whether it stands in the first table of a run.
    plain, gloss : str
        Its name and its small print in the report's table of all numbers, in points of 100; empty if it is not there.
    low, high : float
        Its range.
    undefined : str
        Why it may have no value.
    """

    key: str
    title: str
    unit: Unit
    meaning: str
    terms: tuple[tuple[str, float], ...] = ()
    per: str = "rows"
    curve: Callable[[Totals], FloatArray] | None = None
    headline: bool = False
    plain: str = ""
    gloss: str = ""
    low: float = 0.0
    high: float = 1.0
    undefined: str = "no row counts"

    def compute(self, totals: Totals) -> FloatArray:
        """Return the figure for each line of `totals`, (R,); not a number where it is undefined."""
        if self.curve is not None:
            return self.curve(totals)
        return self.weigh(totals.columns, totals.columns[self.per])

    def weigh(self, columns: Mapping[str, FloatArray], per: FloatArray | float = 1.0) -> FloatArray:
        """Return the weighted sum of the columns of a figure that is a mean, each divided by `per`."""
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = [weight * (columns[name] / per) for name, weight in self.terms]
        result: FloatArray = sum(parts[1:], parts[0])
        return result


def _ece(totals: Totals) -> FloatArray:
    return calibration.expected_calibration_error(totals.gaps, totals.columns["rows"])


def _auroc(totals: Totals) -> FloatArray:
    return calibration.auroc(totals.level_rows, totals.level_credit)


def _aurc(totals: Totals) -> FloatArray:
    return calibration.aurc(totals.level_rows, totals.level_credit)


def _augrc(totals: Totals) -> FloatArray:
    return calibration.augrc(totals.level_rows, totals.level_credit)


_ACCURACY = ("accuracy", -1.0)
_FEW = f"a row has fewer than {INTERPRETABLE_TRIALS} votes, too few for the correction"

_ALL = (
    Figure(
        "accuracy",
        "Accuracy",
        "share",
        "share of the votes that are right",
        terms=(("accuracy", 1.0),),
        headline=True,
        plain="Right",
        gloss="accuracy: share of all answers",
    ),
    Figure(
        "majority_accuracy",
        "Majority accuracy",
        "share",
        "share of the most frequent answers that are right, tied answers sharing the credit",
        terms=(("majority", 1.0),),
        plain="Favourite answer right",
        gloss="majority accuracy",
    ),
    Figure(
        "confidence",
        "Confidence (paper)",
        "share",
        "share of the votes that name an option, times 1 minus the normalised entropy of these votes",
        terms=(("confidence", 1.0),),
        headline=True,
        plain="Confidence, as in the paper",
        gloss="1 − entropy of the votes",
    ),
    Figure(
        "calibration_shift",
        "Calibration Shift (paper)",
        "shift",
        "confidence minus accuracy",
        terms=(("confidence", 1.0), _ACCURACY),
        headline=True,
        low=-1.0,
        plain="Calibration shift, as in the paper",
        gloss="its 0 does not mean calibrated",
    ),
    Figure(
        "confidence_corrected",
        "Confidence, corrected for few votes",
        "share",
        "confidence by the jackknife over votes",
        terms=(("confidence_corrected", 1.0),),
        undefined=_FEW,
    ),
    Figure(
        "calibration_shift_corrected",
        "Calibration Shift, corrected for few votes",
        "shift",
        "corrected confidence minus accuracy",
        terms=(("confidence_corrected", 1.0), _ACCURACY),
        low=-1.0,
        undefined=_FEW,
    ),
    Figure(
        "agreement",
        "Agreement",
        "share",
        "chance that two votes on the same row name the same option",
        terms=(("agreement", 1.0),),
        plain="Sure",
        gloss="agreement: two answers are the same",
    ),
    Figure(
        "agreement_shift",
        "Agreement shift",
        "shift",
        "agreement minus accuracy: 0 for a calibrated model, at any number of votes",
        terms=(("agreement", 1.0), _ACCURACY),
        headline=True,
        low=-1.0,
        plain="Surer than right",
        gloss="agreement shift: sure minus right",
    ),
    Figure(
        "ece",
        "ECE",
        "score",
        "mean distance between the share of the most frequent option and how often it is right; few votes raise it",
        curve=_ece,
        plain="ECE",
        gloss="few votes make it larger",
    ),
    Figure(
        "brier",
        "Brier score",
        "score",
        "squared distance between the votes and the truth, 0 (best) to 2",
        terms=(("brier", 1.0),),
        high=2.0,
        plain="Brier score",
        gloss="0 best, 200 worst",
    ),
    Figure(
        "auroc",
        "AUROC",
        "score",
        "chance that the confidence is higher where the most frequent answer is right than where it is wrong",
        curve=_auroc,
        undefined="all most frequent answers are right, or all are wrong",
        plain="Sureness sorts right from wrong",
        gloss="AUROC; 50 is useless, 100 perfect",
    ),
    Figure(
        "aurc",
        "AURC",
        "score",
        "share of wrong answers among the k surest rows, averaged over k",
        curve=_aurc,
    ),
    Figure(
        "augrc",
        "AUGRC",
        "score",
        "wrong answers among the k surest rows as a share of all rows, averaged over k",
        curve=_augrc,
    ),
    Figure(
        "parse_rate",
        "Readable votes",
        "share",
        "share of the votes that name an option",
        terms=(("parsed", 1.0),),
        per="asked",
        headline=True,
        plain="Readable",
        gloss="parse rate",
    ),
)

FIGURES: Final[Mapping[str, Figure]] = MappingProxyType({figure.key: figure for figure in _ALL})
"""All figures by key, in the order in which they are reported."""

HEADLINE: Final = tuple(figure.key for figure in _ALL if figure.headline)
"""The keys of the figures that the first table of a run shows."""

SHIFTS: Final = ("calibration_shift", "calibration_shift_corrected", "agreement_shift")
"""The keys of the three ways to say how far confidence is from accuracy."""
