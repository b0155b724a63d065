"""Images as a browser shows them: read from the shards, or made from a plan, with bounded memory."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from medq_deg.data.load import Rows
from medq_deg.data.stored import StoredRows
from medq_deg.encoding import encode_png
from medq_deg.errors import ImageError, MedqDegError, RowError
from medq_deg.images import open_image

HELD_GROUPS: Final = 96 * 2**20
"""Bytes of row groups that are kept; one is kept whatever its size."""

HELD_IMAGES: Final = 32 * 2**20
"""Bytes of encoded images that are kept."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"

Value = TypeVar("Value")


class Bounded(Generic[Value]):
    """What was used last, up to a number of bytes; the newest value stays even if it is larger."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Return what is held under a key."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Hold a value, and let go of the oldest ones if that is too much."""
        _, before = self._held.pop(key, (None, 0))
        self._held[key] = (value, size)
        self._size += size - before
        while self._size > self._limit and len(self._held) > 1:
            _, (_, gone) = self._held.popitem(last=False)
            self._size -= gone


class Images:
    """The image of each row, encoded as PNG or JPEG; may be asked by several threads.

    Parameters
    ----------
    rows : Rows
        Stored ones are read a row group at a time; others are asked for one row, and made by it.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._stored = _Stored(rows) if isinstance(rows, StoredRows) else None
        self._images: Bounded[tuple[bytes, str]] = Bounded(HELD_IMAGES)
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def __call__(self, place: int) -> tuple[bytes, str]:
        """Return the encoded image of a row, and its media type.

        Raises
        ------
        ImageError
            If it cannot be decoded or made; the message says why.
        """
        with self._lock:
            held = self._images.get(place)
        if held is None:
            held = self._read(place)
            with self._lock:
                self._images.put(place, held, len(held[0]))
        return held

    def _read(self, place: int) -> tuple[bytes, str]:
        try:
            if self._stored is not None:
                return _shown(self._stored.encoded(place))
            with self._making:  # one at a time: others would only make the same kernels
                return encode_png(self._rows[place]["image"]), "image/png"
        except RowError as error:
            raise ImageError(error.reason) from None
        except MedqDegError as error:
            raise ImageError(str(error)) from None


class _Stored:
    """The encoded images of stored rows: a row group is read at once, and some stay in memory."""

    def __init__(self, rows: StoredRows) -> None:
        self._groups = list(rows.groups)
        self._starts: list[int] = []
        self._files: dict[Path, pq.ParquetFile] = {}
        start = 0
        for path, group in self._groups:
            self._starts.append(start)
            file = self._file(path)
            start += file.metadata.row_group(group).num_rows
        self._held: Bounded[pa.ChunkedArray] = Bounded(HELD_GROUPS)
        self._lock = threading.Lock()

    def _file(self, path: Path) -> pq.ParquetFile:
        if path not in self._files:
            self._files[path] = pq.ParquetFile(path, pre_buffer=False)
        return self._files[path]

    def encoded(self, place: int) -> bytes:
        """Return the bytes of an image as they are stored."""
        number = bisect_right(self._starts, place) - 1
        with self._lock:
            column = self._held.get(number)
            if column is None:
                path, group = self._groups[number]
                try:
                    column = self._file(path).read_row_group(group, columns=["image"], use_threads=False)["image"]
                except (pa.ArrowException, OSError) as error:
                    raise ImageError(f"{path.name} cannot be read ({' '.join(str(error).split())[:120]})") from None
                self._held.put(number, column, column.nbytes)
        stored: Any = column[place - self._starts[number]].as_py()
        data = (stored or {}).get("bytes")
        if not data:
            raise ImageError("there is no image")
        return bytes(data)


def _shown(data: bytes) -> tuple[bytes, str]:
    """Return an image in a format that every browser shows, having decoded it once: half a file is no image."""
    image = open_image(data)
    for start, kind in ((_PNG, "image/png"), (_JPEG, "image/jpeg")):
        if data.startswith(start):
            return data, kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return data, "image/webp"
    return encode_png(image), "image/png"
