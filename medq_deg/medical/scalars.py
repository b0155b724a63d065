"""Grey values of files that do not say what they mean (NIfTI, PNG and TIFF of 16 bits or floats), shown by a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medq_deg.errors import ImageError
from medq_deg.medical.image import HU
from medq_deg.medical.windows import PRESETS, Display, Interval, Window, around, spread

GUESSED: Final = "the values look like Hounsfield units and are taken for them"
SPREAD: Final = "0.5 to 99.5 % of the pixels, the file has no window"

_AIR: Final = (-1100.0, -900.0)
_OUTSIDE: Final = (-2048.0, -3024.0)  # what scanners write outside the circle that they scan


@dataclass(frozen=True, eq=False)
class Shown:
    """Values with the display that was chosen for them."""

    values: NDArray[np.float32]
    display: Display
    window: Interval | None
    shown_by: str
    unit: str
    notes: tuple[str, ...]


def show_scalars(plane: NDArray[Any], window: Window, *, inverted: bool = False) -> Shown:
    """Choose what is black and white in an (H, W) array of any real or complex numbers.

    Raises
    ------
    ImageError
        For truth values, for a plane without a finite number, or for a preset where the values are not Hounsfield
        units.
    """
    if plane.dtype == bool:
        raise ImageError("holds truth values: a mask, not an image")
    raw = np.abs(plane) if np.iscomplexobj(plane) else plane
    values = raw.astype(np.float32)
    good = np.isfinite(values)
    if not good.any():
        raise ImageError("holds no finite value")
    values = np.where(good, values, values[good].min())
    unit = HU if plane.dtype.kind in "if" and _looks_hounsfield(values) else ""
    notes = (GUESSED,) if unit else ()
    check_preset(window, unit)
    if window.interval is not None:
        chosen, (low, high), by = window.interval, around(window.interval), window.name
    elif plane.dtype == np.uint8:
        chosen, low, high, by = None, 0.0, 255.0, "as it is"
    elif unit:
        chosen, (low, high), by = PRESETS["soft"], around(PRESETS["soft"]), "soft, the file has no window"
    else:
        low, high = spread(values, good)
        chosen, by = ((low + high) / 2, high - low), SPREAD
    return Shown(values, Display(low, high, inverted=inverted), chosen, by, unit, notes)


def check_preset(window: Window, unit: str) -> None:
    """Raise `ImageError` for a preset where values are not in Hounsfield units."""
    if window.in_hounsfield_units and unit != HU:
        raise ImageError(
            f"the window {window.name!r} is in Hounsfield units, which the values are not known to be: give auto, or "
            "LEVEL,WIDTH in the file's own values"
        )


def _looks_hounsfield(values: NDArray[np.float32]) -> bool:
    lowest = float(values.min())
    return bool(values.max() > 0 and (_AIR[0] <= lowest <= _AIR[1] or lowest in _OUTSIDE))
