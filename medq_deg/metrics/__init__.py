"""Accuracy, confidence and Calibration Shift from sampled answers, with what makes them trustworthy.

The public names of the statistics; nothing beyond numpy is imported. `calibration_shift` reports on one set
of rows, `summarize` breaks a run down by columns, `compare` compares two models row by row, `inter_model` asks of
several models whether the weaker is the surer.
"""

from medq_deg.metrics.caveats import (
    ClusterWarning,
    FewTrialsWarning,
    MetricWarning,
    PairingWarning,
    UnparsableWarning,
)
from medq_deg.metrics.comparison import inter_model
from medq_deg.metrics.dunning_kruger import holm, inter_model_rule, intra_model_rule
from medq_deg.metrics.figures import FIGURES, SHIFTS
from medq_deg.metrics.paired import COMPARED, compare
from medq_deg.metrics.shift import accuracy, calibration_shift, confidence, reliability, risk_coverage, shift
from medq_deg.metrics.summary import summarize

__all__ = [
    "COMPARED",
    "FIGURES",
    "SHIFTS",
    "ClusterWarning",
    "FewTrialsWarning",
    "MetricWarning",
    "PairingWarning",
    "UnparsableWarning",
    "accuracy",
    "calibration_shift",
    "compare",
    "confidence",
    "holm",
    "inter_model",
    "inter_model_rule",
    "intra_model_rule",
    "reliability",
    "risk_coverage",
    "shift",
    "summarize",
]
