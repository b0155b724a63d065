"""Windows: which values of a scan become black and which white."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medq_deg.errors import MedqDegError
from medq_deg.images import ByteImage

Interval: TypeAlias = tuple[float, float]

PRESETS: Final[dict[str, Interval]] = {
    "lung": (-600.0, 1500.0),
    "brain": (40.0, 80.0),
    "bone": (400.0, 1800.0),
    "soft": (40.0, 400.0),
}
"""Level and width in Hounsfield units, as radiology departments commonly set them."""

AUTO: Final = "auto"

_ALLOWED: Final = f"{AUTO}, {', '.join(PRESETS)} or LEVEL,WIDTH with a width above 0"


@dataclass(frozen=True)
class Window:
    """A window that was asked for; `interval` is level and width, None for what the file itself says."""

    name: str
    interval: Interval | None

    @property
    def in_hounsfield_units(self) -> bool:
        """Whether it is a preset, which means nothing for values in another unit."""
        return self.name in PRESETS


def parse_window(window: str | Sequence[float] | None) -> Window:
    """Return the window that None, a name, ``"LEVEL,WIDTH"`` or (level, width) asks for, or raise `MedqDegError`."""
    if window is None or window == AUTO:
        return Window(AUTO, None)
    if isinstance(window, str) and window in PRESETS:
        return Window(window, PRESETS[window])
    try:
        level, width = (float(part) for part in (window.split(",") if isinstance(window, str) else window))
    except (TypeError, ValueError):
        raise MedqDegError(f"a window must be {_ALLOWED}, got {window!r}") from None
    if not (math.isfinite(level) and math.isfinite(width) and width > 0):
        raise MedqDegError(f"a window must be {_ALLOWED}, got {window!r}")
    return Window(f"{level:g},{width:g}", (level, width))


@dataclass(frozen=True, eq=False)
class Display:
    """How the values of a scan are shown as grey levels.

    Attributes
    ----------
    low, high : float
        Values that become black and white, before an inversion.
    sigmoid : bool
        The levels between follow a sigmoid (DICOM PS3.3 C.11.2.1.3.1), not a line.
    inverted : bool
        High values are dark (MONOCHROME1).
    table, first : array and int, optional
        A table of bytes and the value of its first entry (a VOI LUT), instead of the line.
    hidden : (H, W) bool array, optional
        Pixels that are padding: always black.
    """

    low: float
    high: float
    sigmoid: bool = False
    inverted: bool = False
    table: ByteImage | None = field(default=None, repr=False)
    first: int = 0
    hidden: NDArray[np.bool_] | None = field(default=None, repr=False)

    def show(self, values: NDArray[Any]) -> ByteImage:
        """Return the grey levels of values, uint8; rounded once."""
        values = np.asarray(values, np.float64)
        if self.table is not None:
            place = np.clip(np.rint(values) - self.first, 0, self.table.size - 1)
            levels: ByteImage = self.table[place.astype(np.int64)]
        elif self.sigmoid:
            middle, width = (self.low + self.high) / 2, self.high - self.low
            steps = np.clip(-4 * (values - middle) / width, -60, 60)
            levels = np.rint(255 / (1 + np.exp(steps))).astype(np.uint8)
        else:
            span = max(self.high - self.low, 1e-12)
            levels = np.rint(np.clip((values - self.low) * (255 / span), 0, 255)).astype(np.uint8)
        if self.inverted:
            levels = 255 - levels
        if self.hidden is not None:
            levels = np.where(self.hidden, np.uint8(0), levels)
        return levels


def around(interval: Interval) -> Interval:
    """Return the lowest and the highest value that a window of level and width shows."""
    level, width = interval
    return level - width / 2, level + width / 2


def spread(values: NDArray[Any], shown: NDArray[np.bool_]) -> Interval:
    """Return the 0.5th percentile of the values that are shown, and the 99.5th of those above a constant background."""
    sample = values[shown]
    floor, top = float(sample.min()), float(sample.max())
    inside = sample[sample > floor]
    low = float(np.percentile(sample, 0.5))
    high = float(np.percentile(inside if inside.size > 0.02 * sample.size else sample, 99.5))
    if high > low:
        return low, high
    return (floor, top) if top > floor else (floor, floor + 1)
