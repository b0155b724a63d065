"""Odd image files of every kind that the world sends, as bytes by a name that says what is odd."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

SIDE = 48


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(array: NDArray[Any], depth: int, colour: int, *, before: bytes = b"", wide: int = 0) -> bytes:
    """A PNG made by hand, of any depth and colour type, with further chunks before the pixels."""
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    head = struct.pack(">IIBBBBB", wide or array.shape[1], array.shape[0], depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def exif(**tags: Any) -> Image.Exif:
    made = Image.Exif()
    for tag, value in tags.items():
        made[int(tag[1:])] = value
    return made


def flipped(data: bytes, needle: bytes, place: int, value: int) -> bytes:
    at = data.index(needle) + place
    return data[:at] + bytes([value]) + data[at + 1 :]


def odd_files() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (SIDE, SIDE + 8)).astype(np.uint8)
    colour = rng.integers(0, 255, (SIDE, SIDE + 8, 3)).astype(np.uint8)
    deep = rng.integers(0, 65536, (SIDE, SIDE + 8, 3)).astype(np.uint16)
    L, RGB = Image.fromarray(grey), Image.fromarray(colour)
    frames = [Image.fromarray(np.roll(grey, k, 0)) for k in range(3)]
    plain_jpeg, plain_png, plain_tiff = encoded(RGB, "JPEG"), encoded(RGB, "PNG"), encoded(L, "TIFF")

    # What is good
    for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"):
        yield f"grey.{kind.lower()}", encoded(L, kind)
        yield f"colour.{kind.lower()}", encoded(RGB, kind, **({"lossless": True} if kind == "WEBP" else {}))
    yield "grey.jp2", encoded(L, "JPEG2000")
    yield "grey.pgm", encoded(L, "PPM")
    yield "one_bit.png", encoded(L.convert("1"), "PNG")
    yield "one_bit.tif", encoded(L.convert("1"), "TIFF")
    yield "one_bit.pbm", encoded(L.convert("1"), "PPM")
    yield "two_bits.png", png(grey[:, :12], 2, 0, wide=48)
    yield "palette.png", encoded(RGB.convert("P"), "PNG")
    yield "opaque_alpha.png", encoded(RGB.convert("RGBA"), "PNG")
    yield "opaque_grey_alpha.png", encoded(L.convert("LA"), "PNG")
    yield "cmyk.jpg", encoded(RGB.convert("CMYK"), "JPEG")
    yield "cmyk.tif", encoded(RGB.convert("CMYK"), "TIFF")
    yield "adobe_cmyk.jpg", adobe(encoded(RGB.convert("CMYK"), "JPEG"))
    yield "progressive.jpg", encoded(RGB, "JPEG", progressive=True)
    yield "interlaced_and_text.png", encoded(RGB, "PNG", pnginfo=text("Erika Testperson"))
    yield "smallest.png", encoded(Image.new("L", (32, 32), 7), "PNG")
    yield "longest.png", encoded(Image.new("L", (4096, 32), 7), "PNG")
    yield "turned.jpg", encoded(RGB, "JPEG", exif=exif(_274=6))
    yield "turned.png", encoded(RGB, "PNG", exif=exif(_274=8))
    yield "turned.tif", encoded(L, "TIFF", tiffinfo={274: 3})
    yield "upright_by_tag.tif", encoded(L, "TIFF", tiffinfo={274: 1})
    yield "exif_of_a_person.jpg", encoded(RGB, "JPEG", exif=exif(_270="Erika Testperson"), comment=b"Erika Testperson")
    yield "unknown_orientation.jpg", encoded(RGB, "JPEG", exif=exif(_274=99))
    yield "icc.png", encoded(RGB, "PNG", icc_profile=b"Erika Testperson" * 20)
    yield "white_is_zero.tif", encoded(L, "TIFF", tiffinfo={262: 0})
    yield "jpeg_named.png", plain_jpeg
    yield "junk_at_the_end.jpg", plain_jpeg + b"Erika Testperson"
    yield "deflated.tif", encoded(RGB, "TIFF", compression="tiff_deflate")

    # What is not
    yield "deep_grey.png", png(deep[..., 0].astype(">u2"), 16, 0)
    yield "deep_colour.png", png(deep.astype(">u2"), 16, 2)
    yield "deep_grey_alpha.png", png(deep[..., :2].astype(">u2"), 16, 4)
    yield "deep_grey.tif", encoded(Image.fromarray(deep[..., 0]), "TIFF")
    yield "deep_colour.tif", cv2.imencode(".tiff", deep)[1].tobytes()
    yield "deep_grey.jp2", encoded(Image.fromarray(deep[..., 0]), "JPEG2000")
    yield "deep_colour.jp2", cv2.imencode(".jp2", deep)[1].tobytes()
    yield "colour.jp2", encoded(RGB, "JPEG2000")
    yield "deep_grey.pgm", b"P5 56 48 65535\n" + deep[..., 0].astype(">u2").tobytes()
    yield "deep_colour.ppm", b"P6 56 48 65535\n" + deep.astype(">u2").tobytes()
    yield "colour.ppm", encoded(RGB, "PPM")
    yield "floats.tif", encoded(Image.fromarray(grey.astype(np.float32)), "TIFF")
    yield "whole_numbers.tif", encoded(Image.fromarray(grey.astype(np.int32)), "TIFF")
    yield "transparent.png", encoded(Image.fromarray(np.dstack([colour, grey])), "PNG")
    yield "transparent_palette.png", encoded(RGB.convert("P"), "PNG", transparency=bytes(range(256)))
    yield "transparent_colour.png", encoded(Image.new("RGB", (40, 40), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    yield "transparent.gif", encoded(RGB.convert("P"), "GIF", transparency=int(np.asarray(RGB.convert("P"))[0, 0]))
    yield "transparent.webp", encoded(Image.fromarray(np.dstack([colour, grey])), "WEBP", lossless=True)
    yield "frames.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "frames.tif", encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    yield "frames.png", encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield "frames.webp", encoded(frames[0].convert("RGB"), "WEBP", save_all=True, append_images=frames[1:])
    yield "frames.jpg", encoded(RGB, "MPO", save_all=True, append_images=[RGB.transpose(Image.Transpose.ROTATE_180)])
    yield "cut_off.jpg", plain_jpeg[: len(plain_jpeg) // 2]
    yield "cut_off.png", plain_png[: len(plain_png) // 2]
    yield "cut_off.tif", plain_tiff[: len(plain_tiff) // 2]
    yield "cut_off.gif", encoded(L, "GIF")[:-700]
    yield "cut_off.bmp", encoded(RGB, "BMP")[:-500]
    yield "cut_off.webp", encoded(RGB, "WEBP", lossless=True)[:-500]
    yield "broken_exif.jpg", broken_exif(encoded(RGB, "JPEG", exif=exif(_274=6, _34665={36867: "x"})))
    yield "broken_exif.png", broken_exif(encoded(RGB, "PNG", exif=exif(_274=6, _34665={36867: "x"})), crc=True)
    yield "wrong_checksum.png", flipped(plain_png, b"IDAT", 40, plain_png[plain_png.index(b"IDAT") + 40] ^ 255)
    yield "bomb_of_text.png", png(grey, 8, 0, before=chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * (2 << 20))))
    yield (
        "bomb.png",
        png(np.zeros((1, 1), np.uint8), 8, 0).replace(
            chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
            chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)),
        ),
    )
    yield "one_row.png", encoded(Image.new("L", (4096, 1), 7), "PNG")
    yield "one_column.png", encoded(Image.new("RGB", (1, 4096), 7), "PNG")
    yield "too_small.png", encoded(Image.new("L", (31, 64), 7), "PNG")
    yield "too_long.png", encoded(Image.new("L", (4097, 32), 7), "PNG")
    yield "lab.tif", encoded(Image.new("LAB", (SIDE, SIDE)), "TIFF")
    yield "postscript.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"
    yield "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'></svg>"
    yield "document.pdf", encoded(RGB, "PDF")
    yield "phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    yield "icon.ico", encoded(RGB.resize((SIDE, SIDE)), "ICO")
    yield "targa.png", encoded(RGB, "TGA")
    yield "silicon.png", encoded(RGB, "SGI")
    yield "text.png", b"hello"
    yield "empty.png", b""
    yield "zeros.jpg", bytes(1000)


def text(of: str) -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    made.add_text("PatientName", of)
    made.add_itxt("Comment", of)
    return made


def adobe(data: bytes) -> bytes:
    """Mark a JPEG as Adobe's programs do, whose CMYK is inverted."""
    marker = b"\xff\xee" + struct.pack(">H", 14) + b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)
    return data[:2] + marker + data[2:]


def broken_exif(data: bytes, *, crc: bool = False) -> bytes:
    """Flip the byte order mark of the TIFF header in an EXIF block."""
    at = data.index(b"MM\0*") if b"MM\0*" in data else data.index(b"II*\0")
    broken = data[:at] + b"??" + data[at + 2 :]
    if crc:
        start = broken.index(b"eXIf")
        length = struct.unpack(">I", broken[start - 4 : start])[0]
        end = start + 4 + length
        broken = broken[:end] + struct.pack(">I", zlib.crc32(broken[start:end])) + broken[end + 4 :]
    return broken


def patient_files() -> Iterator[tuple[str, bytes]]:
    """Good images whose headers or tails name a person, each with pixels of its own."""
    names = [name for name, data in odd_files() if b"Erika Testperson" in data]
    files = dict(odd_files())
    for name in names:
        yield name, files[name]
