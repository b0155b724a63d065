"""Ordinary images of more than 8 bits: nothing is cut in silence, and a window says what is shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medq_deg import read_image
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.medical import read_chosen
from tests.odd_files import chunk, png


@pytest.fixture
def deep() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 4096, (40, 50, 3)).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_a_window_in_the_file_s_values_is_a_line(suffix: str, deep: NDArray[np.uint16], tmp_path: Path) -> None:
    path = tmp_path / f"deep.{suffix}"
    cv2.imwrite(str(path), deep[..., 0])
    image = read_image(path, window=(1000, 500))
    expected = np.clip((deep[..., 0] - 750.0) * 255 / 500, 0, 255)
    assert np.abs(np.asarray(image.image) - expected).max() <= 0.5 + 1e-9
    assert (image.bits, image.window, image.unit) == (16, (1000, 500), "")
    assert image.values is not None
    assert np.array_equal(image.values, deep[..., 0])
    assert np.array_equal(np.asarray(image.show(image.values)), np.asarray(image.image))


def test_without_a_window_nearly_all_values_are_told_apart(deep: NDArray[np.uint16], tmp_path: Path) -> None:
    Image.fromarray(deep[..., 0]).save(tmp_path / "deep.png")
    image = read_image(tmp_path / "deep.png")
    low, high = np.percentile(deep[..., 0], (0.5, 99.5))
    assert image.window == pytest.approx(((low + high) / 2, high - low), rel=0.01)
    assert np.unique(np.asarray(image.image)).size > 240


def test_floats_are_read_in_their_own_values(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 1600, dtype=np.float32).reshape(40, 40)
    values[0, 0] = np.nan
    Image.fromarray(values).save(tmp_path / "f.tif")
    image = read_image(tmp_path / "f.tif", window="0,2")
    assert image.bits == 32
    assert np.abs(np.asarray(image.image).reshape(-1)[1:] - (values.reshape(-1)[1:] + 1) * 127.5).max() <= 0.501


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colour_of_16_bits_spans_its_bits(suffix: str, deep: NDArray[np.uint16], tmp_path: Path) -> None:
    full = deep * 16
    path = tmp_path / f"c.{suffix}"
    cv2.imwrite(str(path), full[..., ::-1])
    image = read_image(path)
    assert np.array_equal(np.asarray(image.image), np.rint(full / 257))
    assert (image.bits, image.values) == (16, None)
    with pytest.raises(ImageError, match="'lung' is in Hounsfield units"):
        read_image(path, window="lung")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_comes_upright(orientation: int, deep: NDArray[np.uint16], tmp_path: Path) -> None:
    """Held against Pillow's own turning of the same image in 8 bits."""
    exif = Image.Exif()
    exif[274] = orientation
    for array, kind in ((deep[..., 0] // 16, "L"), (deep // 16, "RGB")):
        shallow = Image.fromarray(array.astype(np.uint8), kind)
        shallow.save(tmp_path / "shallow.png", exif=exif)
        expected = np.asarray(read_image(tmp_path / "shallow.png").image)
        block = exif.tobytes()[6:]
        turned = chunk(b"eXIf", block)
        data = png((array * 257).astype(">u2"), 16, 0 if kind == "L" else 2, before=turned)
        (tmp_path / "deep.png").write_bytes(data)
        window = "32767.5,65535" if kind == "L" else None
        assert np.array_equal(np.asarray(read_image(tmp_path / "deep.png", window=window).image), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_comes_upright_in_grey_and_colour(
    orientation: int, deep: NDArray[np.uint16], tmp_path: Path
) -> None:
    tifffile = pytest.importorskip("tifffile")
    Image.fromarray((deep[..., 0] // 16).astype(np.uint8)).save(tmp_path / "s.tif", tiffinfo={274: orientation})
    expected = np.asarray(read_image(tmp_path / "s.tif").image)
    grey = deep[..., 0] // 16 * 257
    tag = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "g.tif", grey, extratags=tag)
    assert np.array_equal(np.asarray(read_image(tmp_path / "g.tif", window="32767.5,65535").image), expected)
    tifffile.imwrite(tmp_path / "c.tif", np.stack([grey] * 3, -1), photometric="rgb", extratags=tag)
    assert np.array_equal(np.asarray(read_image(tmp_path / "c.tif").image)[..., 0], expected)


def test_white_is_zero_is_turned_like_in_8_bits(deep: NDArray[np.uint16], tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    grey = deep[..., 0] // 16
    tifffile.imwrite(tmp_path / "s.tif", grey.astype(np.uint8), photometric="miniswhite")
    tifffile.imwrite(tmp_path / "d.tif", grey * 257, photometric="miniswhite")
    shallow = np.asarray(read_image(tmp_path / "s.tif").image)
    assert np.array_equal(shallow, 255 - grey)
    assert np.array_equal(np.asarray(read_image(tmp_path / "d.tif", window="32767.5,65535").image), shallow)


def test_a_frame_of_a_deep_stack_is_chosen(deep: NDArray[np.uint16], tmp_path: Path) -> None:
    first, *rest = (Image.fromarray(np.ascontiguousarray(deep[..., k])) for k in range(3))
    first.save(tmp_path / "s.tif", save_all=True, append_images=rest)
    for k in range(3):
        image = read_image(tmp_path / "s.tif", frame=k)
        assert image.values is not None
        assert np.array_equal(image.values, deep[..., k])
    with pytest.raises(ImageError, match="this one has 3"):
        read_image(tmp_path / "s.tif")


def test_work_on_many_files_needs_a_window_that_someone_chose(deep: NDArray[np.uint16], tmp_path: Path) -> None:
    Image.fromarray(deep[..., 0]).save(tmp_path / "deep.png")
    with pytest.raises(ImageError, match=r"8 bits a channel, this file has 16: choose a window \(auto, or LEVEL,WIDTH"):
        read_chosen(tmp_path / "deep.png")
    assert read_chosen(tmp_path / "deep.png", "auto").bits == 16


@pytest.mark.parametrize("window", ["lungs", "40", "40,0", "40,-5", "nan,5", "1,2,3", (1,), 7])
def test_a_window_that_is_none_is_refused(window: object, tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="a window must be auto, lung, brain, bone, soft or LEVEL,WIDTH"):
        read_image(tmp_path / "x.png", window=window)


@pytest.mark.parametrize("frame", [1.0, "1", True])
def test_a_frame_that_is_none_is_refused(frame: object, tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="a frame must be a whole number from 0"):
        read_image(tmp_path / "x.png", frame=frame)
