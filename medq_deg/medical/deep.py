"""PNG, TIFF and other images of more than 8 bits a channel, or of floats: shown by a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medq_deg.errors import ImageError
from medq_deg.medical.image import MedicalImage
from medq_deg.medical.scalars import check_preset, show_scalars
from medq_deg.medical.windows import Window

_ORIENTATION: Final = 274
_PHOTOMETRIC: Final = 262
_WHITE_IS_ZERO: Final = 0
_TOP: Final = 65535

_UPRIGHT: Final[dict[int, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    2: np.fliplr,
    3: lambda array: np.rot90(array, 2),
    4: np.flipud,
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: np.rot90(array, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""What turns a stored image upright, by its EXIF orientation."""


def show_deep(data: bytes, image: Image.Image, window: Window, known: dict[str, Any]) -> MedicalImage:
    """Return the frame that an opened file of more than 8 bits a channel stands at.

    Parameters
    ----------
    data : bytes
        The file; Pillow cuts the colour of 16 bits to 8, so colour is decoded from here by OpenCV.
    image : PIL.Image.Image
        The file, opened by Pillow, at the frame that is wanted.
    window : Window
    known : dict
        Fields of the result that the caller knows.
    """
    image.load()  # which turns TIFF upright
    turn = _UPRIGHT.get(int(image.getexif().get(_ORIENTATION) or 1), np.asarray)
    inverted = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    if image.mode.startswith(("I", "F")):
        shown = show_scalars(np.ascontiguousarray(turn(np.asarray(image))), window, inverted=inverted)
        return MedicalImage(
            Image.fromarray(shown.display.show(shown.values)),
            modality="CT" if shown.unit else None,
            window=shown.window,
            shown_by=shown.shown_by,
            unit=shown.unit,
            values=shown.values,
            display=shown.display,
            notes=shown.notes,
            **known,
        )
    check_preset(window, "")
    colour = _in_colour(data, image.tell())
    levels = np.rint(colour * (255 / _TOP)).astype(np.uint8)
    # OpenCV turns TIFF upright itself.
    upright = levels if image.format == "TIFF" else turn(levels)
    return MedicalImage(
        Image.fromarray(np.ascontiguousarray(upright)), shown_by="full range of the bits", notes=(), **known
    )


def _in_colour(data: bytes, frame: int) -> NDArray[Any]:
    """Return a frame of a file of 16 bits a channel as RGB."""
    encoded = np.frombuffer(data, np.uint8)
    if frame:
        done, pages = cv2.imdecodemulti(encoded, cv2.IMREAD_UNCHANGED)
        decoded = pages[frame] if done and frame < len(pages) else None
    else:
        decoded = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise ImageError("an image in colour of more than 8 bits a channel that cannot be decoded")
    array = np.asarray(decoded)
    if array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=2)
    if array.shape[2] == 4 and array[..., 3].min() < _TOP:
        raise ImageError("an image must be opaque, this one is transparent: flatten it first")
    return array[..., 2::-1]
