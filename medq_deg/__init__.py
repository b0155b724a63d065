"""MedQ-Deg measures whether a vision-language model can still be trusted when the medical image is bad.

The public names of the package. They are loaded when first used, so that `import medq_deg` is cheap. Importing it also
makes `evaluate.load("calibration_shift")` work, see `medq_deg.registration`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from medq_deg import registration

if TYPE_CHECKING:
    from medq_deg import metrics as metrics
    from medq_deg import taxonomy as taxonomy
    from medq_deg.api import compare as compare
    from medq_deg.api import evaluate as evaluate
    from medq_deg.api import report as report
    from medq_deg.api import score as score
    from medq_deg.data.build import build as build
    from medq_deg.data.fly import OnTheFly as OnTheFly
    from medq_deg.data.fly import apply_plan as apply_plan
    from medq_deg.data.load import open_data as open_data
    from medq_deg.data.plan import make_plan as make_plan
    from medq_deg.degradations import DEGRADATIONS as DEGRADATIONS
    from medq_deg.degradations import degrade as degrade
    from medq_deg.degradations import register as register
    from medq_deg.degradations.transform import Degrade as Degrade
    from medq_deg.errors import MedqDegError as MedqDegError
    from medq_deg.medical import read_image as read_image
    from medq_deg.models.options import ServerOptions as ServerOptions
    from medq_deg.models.options import TransformersOptions as TransformersOptions
    from medq_deg.models.parsing import parse_answer as parse_answer
    from medq_deg.taxonomy import applicable as applicable

__version__ = "0.1.0"

_HOME = {
    "DEGRADATIONS": "medq_deg.degradations",
    "degrade": "medq_deg.degradations",
    "Degrade": "medq_deg.degradations.transform",
    "register": "medq_deg.degradations",
    "applicable": "medq_deg.taxonomy",
    "parse_answer": "medq_deg.models.parsing",
    "read_image": "medq_deg.medical",
    "make_plan": "medq_deg.data.plan",
    "apply_plan": "medq_deg.data.fly",
    "OnTheFly": "medq_deg.data.fly",
    "open_data": "medq_deg.data.load",
    "build": "medq_deg.data.build",
    "evaluate": "medq_deg.api",
    "score": "medq_deg.api",
    "report": "medq_deg.api",
    "compare": "medq_deg.api",
    "MedqDegError": "medq_deg.errors",
    "ServerOptions": "medq_deg.models.options",
    "TransformersOptions": "medq_deg.models.options",
}
_MODULES = ("metrics", "taxonomy")

__all__ = [
    "DEGRADATIONS",
    "Degrade",
    "MedqDegError",
    "OnTheFly",
    "ServerOptions",
    "TransformersOptions",
    "__version__",
    "applicable",
    "apply_plan",
    "build",
    "compare",
    "degrade",
    "evaluate",
    "make_plan",
    "metrics",
    "open_data",
    "parse_answer",
    "read_image",
    "register",
    "report",
    "score",
    "taxonomy",
]


registration.register()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"medq_deg.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'medq_deg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
