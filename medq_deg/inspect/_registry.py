"""What inspect-ai is told of: it imports this module through the entry point group `inspect_ai`."""

from medq_deg.inspect.provider import medq_deg as medq_deg_provider
from medq_deg.inspect.scoring import calibration_shift, medq_deg_choice
from medq_deg.inspect.task import medq_deg

__all__ = ["calibration_shift", "medq_deg", "medq_deg_choice", "medq_deg_provider"]
