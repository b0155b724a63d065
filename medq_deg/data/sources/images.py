"""Encoded images: from base64, from the row of a table that another row points to, and from files inside a folder."""

from __future__ import annotations

import base64
import binascii
import errno
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medq_deg.data.sources.base import BadRow, Reason, Row
from medq_deg.data.sources.fields import index_of, parsed_list, text_of
from medq_deg.data.sources.readers import Table
from medq_deg.encoding import encode_png
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.images import LARGEST_FILE, check_image
from medq_deg.medical import looks_medical, read_chosen

_LONGEST_INDEX: Final = 64
"""An `image` cell of up to this many characters is the index of another row: the rule of the peers' harness."""


def checked_image(data: bytes) -> bytes:
    """Return the bytes as they are; raise `BadRow` unless their header says that they are an image."""
    try:
        check_image(data)
    except ImageError as error:
        raise BadRow(Reason.NOT_A_IMAGE, str(error)) from None
    return data


def image_from_base64(text: str) -> bytes:
    """Return the image that a text encodes; raise `BadRow` if it is not base64, or not an image."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        try:
            # Some encoders break the lines.
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRow(Reason.NOT_BASE64, str(error)) from None
    return checked_image(data)


def image_from_file(root: Path, relative: Any) -> bytes:
    """Return the image in a file under a folder.

    Raises
    ------
    BadRow
        If the path is absolute, has "..", leaves the folder through a link, runs in a circle, or names no regular
        file of up to 64 MiB that is an image.
    """
    path = path_inside(root, relative)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadRow(Reason.IMAGE_TOO_LARGE, text_of(relative))
        return checked_image(path.read_bytes())
    except OSError:
        raise BadRow(Reason.IMAGE_UNREADABLE, text_of(relative)) from None


@dataclass(frozen=True)
class Scan:
    """An image that had to be windowed or chosen from several, as PNG, and the modality that its file tells."""

    image: bytes
    modality: str | None


def scan_from_file(root: Path, relative: Any, window: Any = None, frame: Any = None) -> Scan | None:
    """Return the image in a DICOM or NIfTI file under a folder, or in any file for which window or frame is given.

    Parameters
    ----------
    root : Path
    relative : str
        Path of the file from `root`.
    window, frame : object
        Cells of a table, as in `medq_deg.read_image`; empty for none.

    Returns
    -------
    Scan or None
        None for an ordinary image, which `image_from_file` reads.

    Raises
    ------
    BadRow
        As `image_from_file`; for a window or a frame that is none; for text that is burned into the pixels.
    """
    path = path_inside(root, relative)
    shown, number = text_of(window) or None, text_of(frame)
    if not (shown or number or looks_medical(path)):
        return None
    try:
        if number and not number.isdecimal():
            raise ImageError(f"a frame must be a whole number from 0, got {number!r}")
        scan = read_chosen(path, shown, int(number) if number else None)
    except MedqDegError as error:
        raise BadRow(Reason.NOT_A_IMAGE, str(error).removeprefix(f"{path}: ")) from None
    if scan.burned_in:
        raise BadRow(Reason.NOT_A_IMAGE, "text is burned into the pixels, says the file")
    return Scan(encode_png(scan.image), scan.modality)


def path_inside(root: Path, relative: Any) -> Path:
    """Return the path of a regular file under a folder, or raise `BadRow`."""
    name = text_of(relative)
    if not name:
        raise BadRow(Reason.NO_IMAGE)
    if _leaves(name):
        raise BadRow(Reason.PATH_OUTSIDE, name)
    try:
        path = (root / name).resolve(strict=True)
        if not path.is_relative_to(root.resolve(strict=True)):
            raise BadRow(Reason.PATH_OUTSIDE, name)
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadRow(Reason.IMAGE_UNREADABLE, f"{name} is not a file")
        return path
    except (FileNotFoundError, NotADirectoryError):
        raise BadRow(Reason.IMAGE_MISSING, name) from None
    except RuntimeError:
        # Path.resolve before Python 3.13.
        raise BadRow(Reason.SYMLINK_LOOP, name) from None
    except ValueError:
        # A zero byte in the name.
        raise BadRow(Reason.IMAGE_MISSING, name) from None
    except OSError as error:
        reason = {errno.ELOOP: Reason.SYMLINK_LOOP, errno.ENAMETOOLONG: Reason.IMAGE_MISSING}
        raise BadRow(reason.get(error.errno or 0, Reason.IMAGE_UNREADABLE), name) from None


def _leaves(name: str) -> bool:
    # Windows paths too: a data set must not mean one thing here and another there.
    parts = re.split(r"[/\\]", name)
    return parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name) is not None


def only_one(value: Any) -> Any:
    """Return the entry of a list of one, given as a list or as the text of one; anything else as it is."""
    listed = value if isinstance(value, list) else parsed_list(text_of(value))
    if listed is None:
        return value
    if not listed:
        raise BadRow(Reason.NO_IMAGE)
    if len(listed) > 1:
        raise BadRow(Reason.SEVERAL_IMAGES, f"{len(listed)}")
    return listed[0]


class TableImages:
    """Images of a table whose column `image` holds base64 or the index of another row.

    Only the place of each row is held. The first index that is met makes the rest of the table be looked through
    once, because it may point ahead, and because an index that two rows have points to neither.

    Parameters
    ----------
    table : Table
        With a column `image`, `image_path` or both.
    root : Path
        Folder that holds the files of `image_path`.
    """

    def __init__(self, table: Table, root: Path) -> None:
        self._table, self._root = table, root
        self._offsets: dict[str, list[int]] = {}
        self._last = -1
        self._complete = False

    def remember(self, row: Row) -> None:
        """Take note of where a row is; to be called for every row in turn."""
        if row.offset <= self._last:
            return
        self._last = row.offset
        try:
            index = index_of(row.cells.get("index"))
        except BadRow:
            return
        self._offsets.setdefault(index, []).append(row.offset)

    def image_of(self, row: Row) -> bytes:
        """Return a row's image; raise `BadRow` if there is none."""
        image = text_of(only_one(row.cells.get("image")))
        if not image:
            return image_from_file(self._root, only_one(row.cells.get("image path")))
        if len(image) <= _LONGEST_INDEX:
            image = self._image_of(index_of(image))
        return image_from_base64(image)

    def _image_of(self, index: str) -> str:
        if not self._complete:
            for row in self._table.rows((self._last, 0)):
                if row.problem is None:
                    self.remember(row)
            self._complete = True
        offsets = self._offsets.get(index, [])
        if len(offsets) > 1:
            raise BadRow(Reason.AMBIGUOUS_REFERENCE, index)
        if not offsets:
            raise BadRow(Reason.BAD_REFERENCE, index)
        image = text_of(only_one(self._table.row_at(offsets[0]).cells.get("image")))
        if len(image) <= _LONGEST_INDEX:
            raise BadRow(Reason.BAD_REFERENCE, index)
        return image
