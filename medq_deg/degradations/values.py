"""Arrays whose values are not grey levels of 0 to 255: floats, 16-bit images, CT in Hounsfield units, windows.

Every degradation works on grey levels of 255, as floats. What is black and what is white is stated by the caller, never
guessed: `ValueRange` carries values there and back without a detour over 8 bits, and `Window` says which Hounsfield
units an image shows that was windowed before.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from medq_deg.degradations.arrays import FloatImage, broadcast_plane, luma
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.images import check_shape

HU_RANGE: Final = (-1000.0, 992.1875)
"""The `value_range` of a CT in Hounsfield units: black is air, and water (0 HU) is grey level 128, as in `low_dose`."""

_GREY_PER_HU = 0.128
_AIR = -1000.0
_CUT_MOST = 0.01
_SPACING_MOST = 100.0


class RangeWarning(UserWarning):
    """A value range cuts more than 1 % of an image's values."""


@dataclass(frozen=True)
class ValueRange:
    """What is black (low) and white (high) in an array.

    In Hounsfield units (`HU_RANGE`) values below air count as air, and nothing is cut above: dense bone and metal are
    brighter than white. In any other range values outside it are cut to it, as a screen would.
    """

    low: float
    high: float

    @property
    def hounsfield(self) -> bool:
        """Whether this is `HU_RANGE`."""
        return (self.low, self.high) == HU_RANGE

    def to_grey(self, array: NDArray[Any]) -> FloatImage:
        """Return grey levels of 255, float32, of a finite array; warn (`RangeWarning`) if much of it is cut."""
        values = array.astype(np.float64)
        if not np.isfinite(values).all():
            raise ImageError("an array must hold finite numbers, this one has NaN or infinity")
        if not self.hounsfield:
            cut = float(np.mean((values < self.low) | (values > self.high)))
            if cut > _CUT_MOST:
                warnings.warn(
                    f"value_range {self.low:g} to {self.high:g} cuts {100 * cut:.1f} % of the image's values, which "
                    f"run from {values.min():g} to {values.max():g}",
                    RangeWarning,
                    stacklevel=4,
                )
        grey = (values - self.low) * (255 / (self.high - self.low))
        return np.clip(grey, 0, None if self.hounsfield else 255).astype(np.float32)

    def from_grey(self, grey: FloatImage, dtype: np.dtype[Any], *, truncate: bool = False) -> NDArray[Any]:
        """Return grey levels as values of the range: float32 for floats and Hounsfield units, else of `dtype`."""
        values = grey.astype(np.float64) * ((self.high - self.low) / 255) + self.low
        kind = self.dtype_of(dtype)
        if kind.kind == "f":
            return values.astype(np.float32)
        limits = np.iinfo(kind)
        return np.clip(np.floor(values) if truncate else np.rint(values), limits.min, limits.max).astype(kind)

    def dtype_of(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype in which a result of values of this range comes back."""
        return np.dtype(np.float32) if dtype.kind == "f" or self.hounsfield else dtype


def check_range(value_range: Sequence[float]) -> ValueRange:
    """Return a range from (low, high); raise `MedqDegError` unless both are finite and high is above low."""
    low, high = _two_numbers("value_range", "(low, high)", value_range)
    if not high > low:
        raise MedqDegError(f"value_range must be (low, high) with high above low, got {value_range!r}")
    return ValueRange(low, high)


def check_values(array: object) -> NDArray[Any]:
    """Return an array of real numbers of shape (H, W), (H, W, 1) or (H, W, 3), or raise `ImageError`."""
    if not isinstance(array, np.ndarray):
        raise ImageError(f"value_range is for numpy arrays, got {type(array).__name__}: give numpy.asarray(image)")
    if array.dtype.kind not in "uif":
        raise ImageError(f"an array must hold whole or floating-point numbers, got {array.dtype}")
    check_shape(array)
    return array


def check_spacing(spacing_mm: float | Sequence[float]) -> float:
    """Return the side in mm of a square pixel from a pixel spacing in mm, one number or (row, column).

    Raises
    ------
    MedqDegError
        Unless every number is above 0 and at most 100.
    """
    numbers = (spacing_mm, spacing_mm) if np.ndim(spacing_mm) == 0 else spacing_mm
    first, second = _two_numbers("spacing_mm", "a number or (row, column)", numbers)
    if not (0 < first <= _SPACING_MOST and 0 < second <= _SPACING_MOST):
        raise MedqDegError(f"spacing_mm must be above 0 and at most {_SPACING_MOST:g} mm, got {spacing_mm!r}")
    return math.sqrt(first * second)


@dataclass(frozen=True)
class Window:
    """The Hounsfield units that an 8-bit CT image shows: black is level - width / 2, white is level + width / 2."""

    level: float
    width: float

    def change(self, image: NDArray[Any], function: Callable[[FloatImage], FloatImage]) -> FloatImage:
        """Apply a function of grey levels of `HU_RANGE` to what a grey or RGB image of 0 to 255 shows.

        What the window cut off is not known: white is taken as the window's upper end, and black as its lower end,
        except black that touches the image's frame, which is the air around the patient.
        """
        plane = luma(image)
        hounsfield = self.level - self.width / 2 + plane.astype(np.float64) * (self.width / 255)
        hounsfield[_touches_frame(plane <= 0)] = _AIR
        grey = np.maximum((hounsfield - _AIR) * _GREY_PER_HU, 0).astype(np.float32)
        change = (function(grey) - grey) * np.float32(255 / self.width / _GREY_PER_HU)
        return np.asarray(image + broadcast_plane(change, image), np.float32)


def check_window(window: Sequence[float]) -> Window:
    """Return a window from (level, width) in HU; raise `MedqDegError` unless both are finite and the width above 0."""
    level, width = _two_numbers("window", "(level, width) in HU", window)
    if not width > 0:
        raise MedqDegError(f"window must be (level, width) in HU with a width above 0, got {window!r}")
    return Window(level, width)


def check_window_modality(window: Sequence[float] | None, modality: str | None) -> None:
    """Raise `MedqDegError` for a window of an image that is said to be no CT: it has no Hounsfield units."""
    if window is not None and modality not in (None, "CT"):
        raise MedqDegError(f"window is in Hounsfield units, for CT: leave it out for modality {modality!r}")


def _two_numbers(name: str, form: str, value: object) -> tuple[float, float]:
    try:
        first, second = (float(number) for number in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise MedqDegError(f"{name} must be {form}, got {value!r}") from None
    if not (math.isfinite(first) and math.isfinite(second)):
        raise MedqDegError(f"{name} must be {form} of finite numbers, got {value!r}")
    return first, second


def _touches_frame(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the connected parts of a mask that reach the image's frame."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    frame = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, frame[frame > 0])
