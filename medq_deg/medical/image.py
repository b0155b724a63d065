"""What a reader returns: the image as it is shown, its values, and what is known of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medq_deg.medical.windows import Display, Interval

HU: Final = "HU"
_SPACING_MOST: Final = 100.0


def plausible_spacing(row: float, column: float) -> Interval | None:
    """Return a pixel spacing in mm if both numbers are above 0 and at most 100, else None."""
    return (row, column) if 0 < row <= _SPACING_MOST and 0 < column <= _SPACING_MOST else None


@dataclass(frozen=True, eq=False)
class MedicalImage:
    """An 8-bit image of a scan, and what is known of it. Nothing here tells whose scan it is.

    Attributes
    ----------
    image : PIL.Image.Image
        Upright, of mode "L" or "RGB", without metadata.
    format : str
        "DICOM", "NIfTI", or Pillow's name of the format, such as "PNG".
    modality : str, optional
        One of the seven of `medq_deg.taxonomy.MODALITIES`; None where the file does not say, or says another.
    window : (float, float), optional
        Level and width that the image shows, in the unit of the values; None where there is no window.
    shown_by : str
        Where the window comes from, such as "window of the file".
    unit : str
        "HU" where the values are Hounsfield units, else "".
    slope, intercept : float
        What turned stored numbers into values.
    values : (H, W) float32 array, optional
        The values before the window, of a grey image, in the image's orientation; None for colour.
    display : Display, optional
        How those values became the image.
    spacing_mm : (float, float), optional
        Distance of rows and of columns in mm.
    bits : int
        Bits a channel that the file holds.
    frame, frames : int
        Which frame or slice this is, from 0, and how many the file has.
    burned_in : bool, optional
        Whether the file says that text is burned into the pixels; None where it does not say.
    notes : tuple of str
        What a user should know about how the image was made.
    """

    image: Image.Image
    format: str
    modality: str | None = None
    window: Interval | None = None
    shown_by: str = "as it is"
    unit: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    values: NDArray[np.float32] | None = field(default=None, repr=False)
    display: Display | None = field(default=None, repr=False)
    spacing_mm: Interval | None = None
    bits: int = 8
    frame: int = 0
    frames: int = 1
    burned_in: bool | None = None
    notes: tuple[str, ...] = ()

    def show(self, values: NDArray[Any]) -> Image.Image:
        """Return other values of the same scan as an image, through the same window.

        Parameters
        ----------
        values : (H, W) array
            In the unit of `MedicalImage.values`.

        Raises
        ------
        ValueError
            For an image in colour, which has no window.
        """
        if self.display is None:
            raise ValueError("this image has no window: it is in colour, or was of 8 bits from the start")
        return Image.fromarray(self.display.show(values))
