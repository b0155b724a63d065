"""What an image is: the one gate through which files, encoded bytes, Pillow's images and arrays come in.

An image has 8 bits a channel, one frame, sides of 32 to 4096 px, no pixel that one can see through, and comes in one
of the formats of `FORMATS`. The same is refused with the same sentence whether it is still in its file, was loaded
before, or comes through `datasets`. What leaves the gate holds pixels alone: no EXIF, comment, text or colour profile.

DICOM, NIfTI and images of 16 bits, which need a window first, are the business of `medq_deg.medical`.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from medq_deg.errors import ImageError

ByteImage: TypeAlias = NDArray[np.uint8]

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")
"""Pillow's names of the formats that are read. Others start another program (EPS) or lose bits without a trace."""

SMALLEST_SIDE: Final = 32
LARGEST_SIDE: Final = 4096

LARGEST_FILE: Final = 64 * 2**20
"""Most bytes of a file: the largest image takes 48 MiB uncompressed."""

_KNOWN: Final = (*FORMATS, "MPO", "DIB")  # what Pillow's JPEG and BMP readers may call what they read
_NAMES: Final = "PNG, JPEG, BMP, GIF, TIFF, WebP, JPEG 2000, PGM"
_DEEP: Final = "an image must have 8 bits a channel, {}: window it to 8 bits first"
_UNTOLD: Final = ("PPM", "JPEG2000")
"""Formats whose colour Pillow cuts from 16 bits to 8, and whose depth cannot be told any more once that is done."""


def open_image(source: Path | bytes, frame: int | None = None) -> Image.Image:
    """Read an image from a file or from its encoded bytes.

    Parameters
    ----------
    source : Path or bytes
        A file of up to 64 MiB in a format of `FORMATS`, or its content. The content decides, not the name.
    frame : int, optional
        Which frame of a file of several, from 0; without it such a file is refused.

    Returns
    -------
    PIL.Image.Image
        Upright, of mode "L" or "RGB", without metadata.

    Raises
    ------
    ImageError
        If the file is missing or broken, or is no image as `medq_deg.images` says; the message names the file. Size,
        depth and frames are checked before the pixels are decoded.
    """
    with opened(source) as image:
        if frame is None or frames_of(image) == 1 == frame + 1:
            return Image.fromarray(pixels(image))
        seek_frame(image, frame)
        _check_depth(image)
        return Image.fromarray(pixels(ImageOps.exif_transpose(image)))  # a copy knows nothing of the other frames


def check_image(data: bytes) -> None:
    """Raise `ImageError` unless the header of encoded bytes says that they are an image; no pixel is decoded."""
    with opened(data) as image:
        _check_header(image)


def pixels(image: Image.Image | NDArray[Any]) -> ByteImage:
    """Return an image as an upright uint8 array of shape (H, W), (H, W, 1) or (H, W, 3).

    Parameters
    ----------
    image : PIL.Image.Image or uint8 array
        Loaded or not. Modes "L" and "RGB" stay; "1" becomes "L", and "P", "CMYK", "YCbCr", "LA" and "RGBA" become
        "RGB". An array is returned as it is.

    Raises
    ------
    ImageError
        If it is no image as `medq_deg.images` says; the message names the file that Pillow opened.
    """
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "")
        with _told(Path(os.fsdecode(name)) if name else b""):
            _check_header(image)
            return np.asarray(_plain_mode(ImageOps.exif_transpose(image)))
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image must be a PIL.Image or a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise ImageError(
            f"an array must hold uint8 grey levels of 0 to 255, got {image.dtype}: window it to 8 bits first"
        )
    check_shape(image)
    return image


def without_metadata(image: Image.Image) -> Image.Image:
    """Return a copy that an encoder of Pillow's writes without comment, profile or text."""
    copy = image.copy()
    copy.info = {key: value for key, value in image.info.items() if key == "transparency"}
    return copy


def check_shape(array: NDArray[Any]) -> None:
    """Raise `ImageError` unless an array has the shape and the size of an image."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise ImageError(f"an array must have shape (H, W), (H, W, 1) or (H, W, 3), got {array.shape}")
    check_size(array.shape[1], array.shape[0])


def check_size(width: int, height: int) -> None:
    """Raise `ImageError` unless both sides are within 32 to 4096 px."""
    if not (min(width, height) >= SMALLEST_SIDE and max(width, height) <= LARGEST_SIDE):
        raise ImageError(f"an image must have sides of {SMALLEST_SIDE} to {LARGEST_SIDE} px, got {width} x {height} px")


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file of up to 64 MiB, or raise `ImageError`."""
    with _told(path):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("is a folder, an image is needed")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is not a regular file")
        if status.st_size > LARGEST_FILE:
            raise ImageError(f"an image's file has up to {LARGEST_FILE >> 20} MiB, this one has more")
        return path.read_bytes()


@contextmanager
def opened(source: Path | bytes) -> Iterator[Image.Image]:
    """Open an image whose header was not checked yet; whatever goes wrong until the end is an `ImageError`."""
    with _told(source), warnings.catch_warnings():
        # Of sizes that are refused here, and of tags that are not used.
        warnings.simplefilter("ignore")
        data = source if isinstance(source, bytes) else read_bytes(source)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image


def seek_frame(image: Image.Image, frame: int) -> None:
    """Move an opened file to one of its frames, from 0; raise `ImageError` if there is no such frame."""
    check_size(*image.size)
    frames = frames_of(image)
    if not 0 <= frame < frames:
        raise ImageError(f"frame must be 0 to {frames - 1}, the frames that this image has, got {frame}")
    if frames > 1:
        image.seek(frame)
        check_size(*image.size)


def check_one_frame(image: Image.Image) -> None:
    """Raise `ImageError` for an opened file of several frames."""
    frames = frames_of(image)
    if frames > 1:
        raise ImageError(f"an image must have one frame, this one has {frames}: choose one (frame=N, --frame N)")


def frames_of(image: Image.Image) -> int:
    """Return the number of frames of an opened file."""
    return int(getattr(image, "n_frames", 1))


def depth_of(image: Image.Image) -> int:
    """Return the bits a channel of the file that an image came from, as far as it still tells; else those it has."""
    if image.mode.startswith(("I", "F")):
        return 16 if image.mode.startswith("I;16") or image.format in ("PNG", "PPM") else 32
    if any(";16" in str(tile) for tile in getattr(image, "tile", ())):
        return 16
    if image.format == "TIFF":
        told = getattr(image, "tag_v2", {}).get(258, 8)
        return max(told) if isinstance(told, tuple) else int(told)
    if image.format == "PNG":
        header = _png_header(image)
        return header[24] if header[12:16] == b"IHDR" and len(header) > 24 else 8
    return 8


@contextmanager
def _told(source: Path | bytes = b"") -> Iterator[None]:
    """Turn whatever a decoder raises into an `ImageError` of one sentence that names the file, if there is one."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds, and each means that the file is broken
        reason = _reason(error)
        if isinstance(source, bytes) or reason.startswith(f"{source}: "):
            raise ImageError(reason) from None
        raise ImageError(f"{source}: {reason}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"an image must have sides of {SMALLEST_SIDE} to {LARGEST_SIDE} px, this one is far larger"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image that can be read ({_NAMES})"
    if isinstance(error, OSError) and error.errno is not None:
        return "no such file" if isinstance(error, FileNotFoundError) else os.strerror(error.errno)
    told = " ".join(str(error).split())[:120]
    return f"the image is broken ({told or type(error).__name__})"


def _check_header(image: Image.Image) -> None:
    if image.format is not None and image.format not in _KNOWN:
        raise ImageError(f"an image of format {image.format} cannot be used; formats are {_NAMES}")
    check_size(*image.size)
    with _told():
        check_one_frame(image)
        _check_depth(image)
        _check_exif(image.info.get("exif") or b"")


def _check_depth(image: Image.Image) -> None:
    """Refuse more than 8 bits a channel, also where Pillow cut them when it loaded the file."""
    if image.mode.startswith(("I", "F")):
        raise ImageError(_DEEP.format(f"got mode {image.mode!r}"))
    bits = depth_of(image)
    if bits > 8:
        raise ImageError(_DEEP.format(f"this file has {bits}"))
    if image.format in _UNTOLD and image.mode not in ("1", "L"):
        raise ImageError(
            f"an image in colour cannot be a {image.format} file, whose depth is lost on reading: save it as PNG"
        )


def _check_exif(block: bytes) -> None:
    try:
        # Afresh: Pillow may have met the block before, and silently taken it for an empty one.
        Image.Exif().load(block)
    except Exception:  # noqa: BLE001 - struct.error, SyntaxError and others
        raise ImageError("the image's EXIF is broken, so that nothing tells which way up it is") from None


def _png_header(image: Image.Image) -> bytes:
    """First bytes of the file of a PNG image, which Pillow keeps hold of after it has loaded the pixels."""
    file = getattr(image, "_fp", None)
    if isinstance(file, io.BytesIO) and not file.closed:
        return file.getvalue()[:32]  # shares the bytes that it was made from
    path = getattr(image, "filename", "")
    if path and os.path.isfile(path):
        with open(path, "rb") as again:
            return again.read(32)
    return b""


def _plain_mode(image: Image.Image) -> Image.Image:
    mode = image.mode
    may_be_transparent = mode in ("LA", "RGBA", "PA") or "transparency" in image.info
    if may_be_transparent and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        raise ImageError(f"an image of mode {mode!r} must be opaque, this one is transparent: flatten it first")
    if mode in ("L", "RGB"):
        return image
    if mode == "1":
        return image.convert("L")
    if mode in ("P", "CMYK", "YCbCr", "LA", "RGBA", "PA"):
        return image.convert("RGBA").convert("RGB") if "transparency" in image.info else image.convert("RGB")
    raise ImageError(f"an image of mode {mode!r} cannot be used: convert it to 'L' or 'RGB' first")
