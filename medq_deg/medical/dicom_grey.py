"""From the stored numbers of a grey DICOM frame to values and to the window that shows them.

The order is the standard's: used bits, modality LUT or rescale, VOI LUT or window, inversion, padding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medq_deg.errors import ImageError
from medq_deg.medical.dicom_frame import number_of
from medq_deg.medical.image import HU
from medq_deg.medical.scalars import SPREAD, check_preset
from medq_deg.medical.windows import PRESETS, Display, Interval, Window, around, spread

_LEAST_SHOWN: Final = 0.01
"""Share of the pixels that must lie inside a window of the file, or it is not used."""


@dataclass
class Grey:
    """Values of a frame, and how they are shown."""

    values: NDArray[Any]
    unit: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    window: Interval | None = None
    shown_by: str = ""
    notes: list[str] = field(default_factory=list)
    display: Display = field(default_factory=lambda: Display(0, 255))


def show_grey(data: Any, item: Any, stored: NDArray[Any], code: str, window: Window) -> Grey:
    """Return values and display of a frame.

    Parameters
    ----------
    data, item
        The data set, and the attributes that hold for the frame.
    stored : (H, W) array
    code : str
        The modality code.
    window : Window
    """
    stored = _used_bits(data, stored)
    padding = _padding(data, stored)
    grey = _rescaled(item, stored)
    kinds = [str(kind).upper() for kind in (data.get("ImageType") or [])]
    grey.unit = _unit(item, code, kinds)
    if code == "CT" and not grey.unit:
        grey.notes.append("CT without Hounsfield units")
    check_preset(window, grey.unit)
    shown = np.isfinite(grey.values) & ~padding
    if not shown.any():
        raise ImageError("the image holds no value, only padding")
    if not np.isfinite(grey.values).all():
        grey.values = np.where(np.isfinite(grey.values), grey.values, grey.values[shown].min())
    if window.interval is not None:
        grey.window, grey.shown_by = window.interval, window.name
        grey.display = Display(*around(window.interval))
    elif not (_table_of_file(item, grey) or _window_of_file(item, shown, grey)):
        _window_of_ours(data, shown, grey)
    photometric = str(data.PhotometricInterpretation)
    shape = str(data.get("PresentationLUTShape") or "").upper()
    # Beside MONOCHROME1 the shape INVERSE says the same thing once more.
    inverted = photometric == "MONOCHROME1" or (photometric == "MONOCHROME2" and shape == "INVERSE")
    plan = grey.display
    hidden = padding if padding.any() else None
    grey.display = Display(plan.low, plan.high, plan.sigmoid, inverted, plan.table, plan.first, hidden)
    return grey


def _used_bits(data: Any, stored: NDArray[Any]) -> NDArray[Any]:
    """Drop what lies in bits that are not used (overlays of old files), and extend the sign."""
    allocated = int(data.BitsAllocated)
    bits = int(data.get("BitsStored") or allocated)
    high = int(data.HighBit) if data.get("HighBit") not in (None, "") else bits - 1
    if stored.dtype.kind == "f" or data.file_meta.TransferSyntaxUID.is_encapsulated:
        return stored
    if not (0 < bits < allocated and bits - 1 <= high < allocated):
        return stored
    used = (stored.astype(np.int64) >> (high + 1 - bits)) & ((1 << bits) - 1)
    if int(data.get("PixelRepresentation") or 0) == 1:
        used = np.where(used >> (bits - 1), used - (1 << bits), used)
    return used.astype(np.int32)


def _padding(data: Any, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the mask of padding pixels; nothing where all would be padding."""
    value = number_of(data, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    if int(data.get("PixelRepresentation") or 0) == 1 and value >= 2 ** (int(data.BitsAllocated) - 1):
        value -= 2 ** int(data.BitsAllocated)  # written as if it had no sign
    limit = number_of(data, "PixelPaddingRangeLimit")
    limit = value if limit is None else limit
    mask = (stored >= min(value, limit)) & (stored <= max(value, limit))
    return np.zeros(stored.shape, bool) if mask.all() else mask


def _rescaled(item: Any, stored: NDArray[Any]) -> Grey:
    if item.get("ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return Grey(np.asarray(apply_modality_lut(stored, item), np.float64))
    slope, intercept = number_of(item, "RescaleSlope"), number_of(item, "RescaleIntercept")
    slope, intercept = slope or 1.0, intercept or 0.0
    return Grey(stored.astype(np.float64) * slope + intercept, slope=slope, intercept=intercept)


def _unit(item: Any, code: str, kinds: list[str]) -> str:
    told = str(item.get("RescaleType") or "").strip().upper()
    if told == HU:
        return HU
    # A localizer, and a CT that was captured from a screen, have the code but not the unit.
    plain = code == "CT" and told in ("", "US") and item.get("RescaleIntercept") is not None
    return HU if plain and "LOCALIZER" not in kinds and not item.get("ModalityLUTSequence") else ""


def _table_of_file(item: Any, grey: Grey) -> bool:
    sequence = item.get("VOILUTSequence")
    if not sequence:
        return False
    try:
        count, first, bits = (int(value) for value in sequence[0].LUTDescriptor)
        count = count or 65536
        data = sequence[0]["LUTData"].value
        if isinstance(data, bytes):
            table = np.frombuffer(data, "<u2" if len(data) >= 2 * count else "u1")[:count].astype(np.float64)
        else:
            table = np.asarray(data, np.float64).reshape(-1)[:count]
        if not table.size:
            return False
        if grey.values.min() < 0 and first > 32767:
            first -= 65536
        top = max(2.0**bits - 1, table.max())
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        grey.notes.append("the file's VOI LUT is broken and not used")
        return False
    bytes_of = np.rint(table * (255 / top)).astype(np.uint8)
    grey.display = Display(first, first + table.size - 1, table=bytes_of, first=first)
    grey.shown_by = "VOI LUT of the file"
    return True


def _window_of_file(item: Any, shown: NDArray[np.bool_], grey: Grey) -> bool:
    level, width = number_of(item, "WindowCenter"), number_of(item, "WindowWidth")
    function = str(item.get("VOILUTFunction") or "LINEAR").strip().upper()
    if level is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        return False
    low, high = around((level, width))
    if function not in ("SIGMOID", "LINEAR_EXACT") and width > 1:
        low, high = level - 0.5 - (width - 1) / 2, level - 0.5 + (width - 1) / 2  # PS3.3 C.11.2.1.2.1
    values = grey.values[shown]
    share = float(np.mean((values > low) & (values < high)))
    if share < _LEAST_SHOWN and function != "SIGMOID":
        grey.notes.append("the file's window shows less than 1 % of the pixels as grey and is not used")
        return False
    grey.window, grey.shown_by = (level, width), "window of the file"
    grey.display = Display(low, high, sigmoid=function == "SIGMOID")
    return True


def _window_of_ours(data: Any, shown: NDArray[np.bool_], grey: Grey) -> None:
    bits = int(data.get("BitsStored") or data.BitsAllocated)
    if grey.unit == HU:
        grey.window, grey.shown_by = PRESETS["soft"], "soft, the file has no window"
        grey.display = Display(*around(PRESETS["soft"]))
    elif bits <= 8 and grey.values.min() >= grey.intercept:
        low, high = grey.intercept, (2**bits - 1) * grey.slope + grey.intercept
        grey.display, grey.shown_by = Display(low, high), "full range of the bits"
    else:
        low, high = spread(grey.values, shown)
        grey.window, grey.shown_by = ((low + high) / 2, high - low), SPREAD
        grey.display = Display(low, high)
