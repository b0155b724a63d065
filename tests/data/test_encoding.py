"""Encoded images that hold pixels and nothing else."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from medq_deg.data.encoding import pixels_only

NAME = "Testperson^Erika"
PIXELS = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)


def saved(kind: str, array: Any = PIXELS, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[0x010E], made[0x0112] = NAME, orientation
    return made


def text(**chunk: Any) -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    made.add_text("PatientName", NAME, **chunk)
    return made


def after_the_pixels() -> bytes:
    made = PngImagePlugin.PngInfo()
    made.add(b"prVt", NAME.encode(), after_idat=True)
    return saved("PNG", pnginfo=made)


NAMED = {
    "EXIF in a JPEG": saved("JPEG", exif=exif()),
    "EXIF of a turned JPEG": saved("JPEG", exif=exif(6)),
    "comment": saved("JPEG", comment=NAME.encode()),
    "XMP": saved("JPEG", xmp=NAME.encode()),
    "profile": saved("JPEG", icc_profile=NAME.encode()),
    "comment in a progressive JPEG": saved("JPEG", progressive=True, comment=NAME.encode()),
    "behind a JPEG": saved("JPEG") + NAME.encode(),
    "text in a PNG": saved("PNG", pnginfo=text()),
    "EXIF in a PNG": saved("PNG", exif=exif()),
    "chunk after the pixels": after_the_pixels(),
    "behind a PNG": saved("PNG") + NAME.encode(),
    "EXIF in a WebP": saved("WEBP", exif=exif(), lossless=True),
    "TIFF": saved("TIFF", description=NAME),
    "comment in a GIF": saved("GIF", comment=NAME.encode()),
}


@pytest.mark.parametrize("how", NAMED)
def test_what_names_a_patient_is_gone_and_the_pixels_stay(how: str) -> None:
    data = NAMED[how]
    assert NAME.encode() in data
    made = pixels_only(data)
    assert NAME.encode() not in made
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(made)) as after:
        assert np.array_equal(
            np.asarray(ImageOps.exif_transpose(before).convert("RGB")), np.asarray(after.convert("RGB"))
        )


@pytest.mark.parametrize(
    "data",
    [
        saved("PNG"),
        saved("PNG", PIXELS[..., 0]),
        saved("JPEG"),
        saved("JPEG", PIXELS[..., 0], progressive=True),
        saved("JPEG", restart_marker_rows=1),
    ],
)
def test_a_image_of_pixels_alone_stays_as_it_is(data: bytes) -> None:
    assert pixels_only(data) is data
