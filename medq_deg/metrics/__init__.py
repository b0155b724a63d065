"""Accuracy, confidence and Calibration Shift from sampled answers, with what makes them trustworthy.

The public names of the statistics; nothing beyond numpy is imported. `calibration_shift` reports on one set
of rows, `summarize` breaks a run down by columns, `compare` compares two models row by row, `inter_model` asks of
several models whether the weaker is the surer. The controls: `order_figures` for runs that asked in several orders of
the options, `visual_gain` for a run beside its blind baseline, `deferral` for answering only when sure.
"""

from medq_deg.metrics.blind import visual_gain
from medq_deg.metrics.bootstrap import FEW_CLUSTERS
from medq_deg.metrics.caveats import (
    ClusterWarning,
    FewTrialsWarning,
    MetricWarning,
    PairingWarning,
    UnparsableWarning,
)
from medq_deg.metrics.deferral import deferral
from medq_deg.metrics.dunning_kruger import add_page, holm, inter_model_rule, intra_model_rule
from medq_deg.metrics.figures import FIGURES, HEADLINE, SHIFTS, Figure
from medq_deg.metrics.inter_model_effect import inter_model
from medq_deg.metrics.orders import has_orders, order_figures
from medq_deg.metrics.shift import accuracy, calibration_shift, confidence, reliability, risk_coverage, shift
from medq_deg.metrics.summary import summarize
from medq_deg.metrics.two_models import COMPARED, compare

__all__ = [
    "COMPARED",
    "FEW_CLUSTERS",
    "FIGURES",
    "HEADLINE",
    "SHIFTS",
    "ClusterWarning",
    "FewTrialsWarning",
    "Figure",
    "MetricWarning",
    "PairingWarning",
    "UnparsableWarning",
    "accuracy",
    "add_page",
    "calibration_shift",
    "compare",
    "confidence",
    "deferral",
    "has_orders",
    "holm",
    "inter_model",
    "inter_model_rule",
    "intra_model_rule",
    "order_figures",
    "reliability",
    "risk_coverage",
    "shift",
    "summarize",
    "visual_gain",
]
