"""How images are written: every bit is kept, and the same pixels give the same bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from PIL import Image

from medq_deg.errors import ImageError, MedqDegError

Format: TypeAlias = Literal["png", "webp-lossless"]

PNG_LEVEL: Final = 1
"""Of zlib. At 512 px level 6, Pillow's own, takes three times as long for files that are 5 % smaller."""


@dataclass(frozen=True)
class Encoding:
    """How images are stored: every bit is kept, and the same pixels give the same bytes.

    Parameters
    ----------
    format : str
        "png", or "webp-lossless": 30 % smaller and six times slower to write.
    png_level : int, optional
        zlib's level of PNG, 0 to 9; 1 without it.

    Raises
    ------
    MedqDegError
        For another format or level, and for a level of another format than PNG.
    """

    format: Format = "png"
    png_level: int | None = None

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise MedqDegError(f"format must be {' or '.join(get_args(Format))}, got {self.format!r}")
        if self.format == "png" and self.png_level is None:
            object.__setattr__(self, "png_level", PNG_LEVEL)
        elif self.format != "png" and self.png_level is not None:
            raise MedqDegError(f"png_level is for the format png, got {self.png_level} with {self.format!r}")
        if self.format == "png" and self.png_level not in range(10):
            raise MedqDegError(f"png_level must be 0 to 9, got {self.png_level}")

    @property
    def suffix(self) -> str:
        """Suffix of a file's name."""
        return ".png" if self.format == "png" else ".webp"

    def encode(self, image: Image.Image) -> bytes:
        """Return the pixels of an image of mode "L" or "RGB", and nothing else, as the content of a file."""
        if self.format == "png":
            return encode_png(image, self.png_level)
        buffer = io.BytesIO()
        Image.fromarray(np.asarray(image)).save(buffer, format="WEBP", lossless=True)
        return buffer.getvalue()


def encode_png(image: Image.Image, level: int | None = None) -> bytes:
    """Return an image of mode "L" or "RGB" as PNG: lossless, and the same bytes for the same pixels.

    Parameters
    ----------
    image : PIL.Image.Image
    level : int, optional
        zlib's level, 0 to 9. Without it repeated bytes alone are shortened, which takes half of the time of level 1
        for files that are a third larger: right for what is decoded again at once.
    """
    import cv2  # a command that only names a format does not wait for it

    array = np.asarray(image)
    options = [] if level is None else [cv2.IMWRITE_PNG_COMPRESSION, level]
    done, data = cv2.imencode(".png", array if array.ndim == 2 else array[..., ::-1], options)
    if not done:
        raise ImageError(f"an image of {image.width} x {image.height} px could not be encoded")
    return bytes(data)
