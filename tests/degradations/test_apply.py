"""Arguments, modes, rounding and markings: what `degrade` handles for every degradation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medq_deg import degrade
from medq_deg.errors import ImageError, MedqDegError, UnknownNameError


def test_an_unknown_name_lists_what_is_allowed_and_suggests_the_nearest(ct: NDArray[np.uint8]) -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown degradation 'sparse_veiw'; did you mean 'sparse_view'\?.*bubble"
    ):
        degrade(ct, "sparse_veiw", 1)


def test_the_authors_identifiers_are_accepted(ct: NDArray[np.uint8]) -> None:
    assert np.array_equal(degrade(ct, "downsample_artifact", 1), degrade(ct, "low_resolution", 1))
    assert np.array_equal(degrade(ct, "Low Resolution", "severe"), degrade(ct, "low_resolution", 2))


@pytest.mark.parametrize("severity", [3, -1, 1.5, True, "worst", None])
def test_a_severity_outside_0_1_2_is_refused(ct: NDArray[np.uint8], severity: object) -> None:
    with pytest.raises(MedqDegError, match="severity must be 0, 1 or 2"):
        degrade(ct, "bubble", severity)


@pytest.mark.parametrize("seed", [-1, 1.0, "7", True])
def test_a_bad_seed_is_refused(ct: NDArray[np.uint8], seed: object) -> None:
    with pytest.raises(MedqDegError, match="seed must be an integer of 0 or more"):
        degrade(ct, "bubble", 1, seed)


def test_a_parameter_that_the_type_does_not_have_is_refused(ct: NDArray[np.uint8]) -> None:
    with pytest.raises(MedqDegError, match="gaussian_blur has no parameter 'radius'; it has sigma"):
        degrade(ct, "gaussian_blur", 1, radius=3)


def test_a_parameter_replaces_that_of_the_severity(ct: NDArray[np.uint8]) -> None:
    assert np.array_equal(degrade(ct, "reduce_contrast", 1, contrast=1.0), ct)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("gaussian_noise", {"sigma": float("nan")}, "sigma must be a number from 0.0 to 255.0, got nan"),
        ("low_dose", {"photons": 0}, "photons must be a number from 10.0"),
        ("sparse_view", {"views": 0}, "views must be a whole number from 1"),
        ("sparse_view", {"views": 3.5}, "views must be a whole number from 1"),
        ("object_rotation", {"angles": (0.0, 400.0)}, "angles must be a number from -360.0 to 360.0"),
        ("gaussian_blur", {"sigma": 3.0}, "sigma must be a number from 0.0 to 0.5"),
        ("undersampling", {"mask": "sharde"}, "mask must be 'shared' or 'per_channel', got 'sharde'"),
        ("ghosting", {"model": "kspace"}, "model must be 'shifted_copies' or 'k_space', got 'kspace'"),
    ],
)
def test_a_parameter_outside_its_limits_is_refused(
    ct: NDArray[np.uint8], name: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(MedqDegError, match=message):
        degrade(ct, name, 1, **parameters)


def test_a_image_that_exif_turns_comes_back_upright(ct: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ct[:300]).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    result = degrade(Image.open(tmp_path / "turned.jpg"), "gaussian_blur", 1)
    assert result.size == (300, 512)


def test_16_bit_colour_and_hidden_transparency_are_refused(ct: NDArray[np.uint8], tmp_path: Path) -> None:
    deep = np.repeat(ct[..., None].astype(np.uint16) * 257, 3, axis=2)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    with pytest.raises(ImageError, match="this file has 16"):
        degrade(Image.open(tmp_path / "deep.png"), "bubble", 1)
    Image.fromarray(ct).save(tmp_path / "clear.png", transparency=0)
    with pytest.raises(ImageError, match="this one is transparent"):
        degrade(Image.open(tmp_path / "clear.png"), "bubble", 1)


def test_bad_rounding_and_modality_are_refused(ct: NDArray[np.uint8]) -> None:
    with pytest.raises(MedqDegError, match="rounding must be 'nearest' or 'truncate', got 'up'"):
        degrade(ct, "bubble", 1, rounding="up")
    with pytest.raises(UnknownNameError, match=r"unknown modality 'PET'.*CT, MRI"):
        degrade(ct, "bubble", 1, modality="PET")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((64, 64), np.uint16), "must hold uint8 grey levels of 0 to 255, got uint16"),
        (np.zeros((64, 64), np.float32), "got float32"),
        (np.zeros((64, 64, 4), np.uint8), r"must have shape \(H, W\), \(H, W, 1\) or \(H, W, 3\), got \(64, 64, 4\)"),
        (np.zeros((2, 64, 64, 3), np.uint8), r"got \(2, 64, 64, 3\)"),
        (np.zeros((31, 64), np.uint8), "sides of 32 to 4096 px, got 64 x 31 px"),
        (np.zeros((32, 4097), np.uint8), "got 4097 x 32 px"),
        ([[0, 1]], "must be a PIL.Image or a numpy array, got list"),
        (Image.new("I;16", (64, 64)), "must have 8 bits a channel, got mode 'I;16'"),
        (Image.new("F", (64, 64)), "got mode 'F'"),
        (Image.new("RGBA", (64, 64), (9, 9, 9, 128)), "must be opaque"),
        (Image.new("LAB", (64, 64)), "an image of mode 'LAB' cannot be used"),
        (Image.new("L", (1, 1)), "got 1 x 1 px"),
    ],
)
def test_a_image_of_another_kind_is_refused_by_name(image: object, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        degrade(image, "gaussian_blur", 1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "L"),
        ("L", "L"),
        ("P", "RGB"),
        ("RGB", "RGB"),
        ("RGBA", "RGB"),
        ("LA", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
    ],
)
def test_modes_come_back_as_documented(mode: str, expected: str, ct: NDArray[np.uint8]) -> None:
    image = Image.fromarray(ct).convert(mode)
    assert degrade(image, "gaussian_noise", 1, 2).mode == expected
    assert degrade(image, "gaussian_noise", 0, 2).mode == expected


def test_truncating_is_at_most_one_level_darker_and_on_average_half_a_level(ct: NDArray[np.uint8]) -> None:
    nearest = degrade(ct, "gaussian_noise", 1, 1).astype(int)
    truncated = degrade(ct, "gaussian_noise", 1, 1, rounding="truncate").astype(int)
    difference = (nearest - truncated)[(nearest > 5) & (nearest < 250)]
    assert set(np.unique(difference)) == {0, 1}
    assert difference.mean() == pytest.approx(0.5, abs=0.02)
