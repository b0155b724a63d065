"""18 clinical degradations at two severities: pure, seeded functions on images."""

from medq_deg.degradations.apply import degrade
from medq_deg.degradations.degradation import Degradation, Severities, declared
from medq_deg.degradations.registry import DEGRADATIONS, load_plugins, register
from medq_deg.degradations.values import HU_RANGE, RangeWarning
from medq_deg.taxonomy import applicable

__all__ = [
    "DEGRADATIONS",
    "HU_RANGE",
    "Degradation",
    "RangeWarning",
    "Severities",
    "applicable",
    "declared",
    "degrade",
    "register",
]

load_plugins()
