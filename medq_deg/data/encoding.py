"""Encoded images for shards: pixels as PNG, and nothing but pixels."""

from __future__ import annotations

import re
from typing import Final

from medq_deg.encoding import encode_png
from medq_deg.images import open_image

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"sBIT"}
)
# Tables, frames and scans, and what tells the colours: JFIF's own 16 bytes, and Adobe's 14.
_JPEG_PIXELS: Final = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD}) - {0xC8}
_JPEG_HEADS: Final = {0xE0: (b"JFIF\0", 16), 0xEE: (b"Adobe", 14)}
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def pixels_only(data: bytes) -> bytes:
    """Return an encoded image as it is if it surely holds pixels alone, else its pixels as PNG.

    EXIF, comments, text and profiles, and whatever stands behind an image's end, may name a patient.

    Raises
    ------
    ImageError
        If it has to be made anew, and is no image as `medq_deg.images` says.
    """
    return data if _is_bare_png(data) or _is_bare_jpeg(data) else encode_png(open_image(data))


def _is_bare_png(data: bytes) -> bool:
    place, kind = len(_PNG), b""
    if not data.startswith(_PNG):
        return False
    while place + 12 <= len(data) and kind != b"IEND":
        kind = data[place + 4 : place + 8]
        if kind not in _PNG_PIXELS:
            return False
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return kind == b"IEND" and place == len(data)


def _is_bare_jpeg(data: bytes) -> bool:
    place = 2
    if not data.startswith(b"\xff\xd8"):
        return False
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big") + 2
        head, size = _JPEG_HEADS.get(marker, (b"", 0))
        if marker not in _JPEG_PIXELS and not (head and length == size + 2 and data.startswith(head, place + 4)):
            return False
        place += length
        if marker == 0xDA:
            found = _JPEG_MARKER.search(data, place)
            place = found.start() if found else len(data)
    return data[place:] == b"\xff\xd9"
