"""Reading pictures and writing files so that nothing is silently wrong and nothing is left half-written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from medq_deg.degradations.apply import check_depth, check_size
from medq_deg.errors import ImageError, MedqDegError


def open_image(path: Path) -> Image.Image:
    """Read a picture of any format that Pillow reads, upright.

    Raises
    ------
    ImageError
        If the file is missing, not a picture, broken, larger than 4096 px or smaller than 32 px a side, or holds
        several frames. The size is checked before the pixels are decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                check_size(*image.size)
                frames = getattr(image, "n_frames", 1)
                if frames > 1:
                    raise ImageError(f"a picture must have one frame, this one has {frames}: split it first")
                check_depth(image)
                image.load()
                return ImageOps.exif_transpose(image)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: the picture is far too large ({error})") from None
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: is a folder, a picture is needed") from None
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow raises all three for broken files.
        reason = "not a picture that can be read" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageError(f"{path}: {reason}") from None


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name only when it is complete.

    What is written goes to a temporary file in the same folder, which takes the name at the end, or is removed
    if anything fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say where
        raise


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or raise `MedqDegError` if it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MedqDegError(f"{path}: is not valid JSON ({error})") from None


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, read a piece at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
