"""Reading DICOM attributes that may be missing, broken, or hidden in the functional groups of an enhanced object."""

from __future__ import annotations

import math
from typing import Any, Final

from medq_deg.medical.image import plausible_spacing

_OF_FRAME: Final = (
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "WindowCenter", "WindowWidth"),
    *("VOILUTFunction", "VOILUTSequence", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"),
)
_GROUPS: Final = ("PixelMeasuresSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence")
_SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def attributes_of_frame(data: Any, index: int) -> Any:
    """Return what holds for one frame: the top level, over it the shared groups, over them the frame's own."""
    from pydicom.dataset import Dataset

    flat = Dataset()
    shared = [*(data.get("SharedFunctionalGroupsSequence") or [])][:1]
    own = [*(data.get("PerFrameFunctionalGroupsSequence") or [])][index : index + 1]
    parts = [data]
    for group in [*shared, *own]:
        parts += [part for name in _GROUPS for part in [*(group.get(name) or [])][:1]]
    for part in parts:
        for name in _OF_FRAME:
            if name in part:
                flat[name] = part[name]
    return flat


def number_of(item: Any, name: str) -> float | None:
    """Return an attribute's first value as a finite number, or None."""
    value = item.get(name)
    try:
        first = value if isinstance(value, (str, int, float)) else value[0]
        number = float(first)
    except (TypeError, ValueError, IndexError):
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
    return number if math.isfinite(number) else None


def spacing_of(item: Any) -> tuple[float, float] | None:
    """Return the distance of rows and of columns in mm, or None."""
    for name in _SPACINGS:
        try:
            row, column = (float(value) for value in item.get(name))
        except (TypeError, ValueError):
            continue
        spacing = plausible_spacing(row, column)
        if spacing is not None:
            return spacing
    return None


def is_yes(value: Any) -> bool | None:
    """Return what YES or NO says, None for anything else."""
    return {"YES": True, "NO": False}.get(str(value or "").strip().upper())
