"""NIfTI: however a volume is stored, a slice is shown as a radiologist sees it."""

from __future__ import annotations

import contextlib
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import read_image
from medq_deg.errors import ImageError

nibabel = pytest.importorskip("nibabel")


def volume(shape: tuple[int, int, int] = (40, 50, 6)) -> NDArray[np.int16]:
    """Values, from left, back and feet, that rise to the right, the front and the head by 1, 100 and 10,000."""
    right, front, head = np.indices(shape)
    return (right + 100 * front + 3000 * head).astype(np.int16)


def saved(path: Path, array: NDArray[Any], affine: NDArray[np.float64]) -> Path:
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


AFFINE = np.diag([0.8, 0.9, 5.0, 1.0])


def test_the_right_is_on_the_left_and_the_front_is_up(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "v.nii.gz", volume(), AFFINE))
    assert image.values is not None
    assert image.values.shape == (50, 40)
    assert (image.frame, image.frames, image.spacing_mm) == (3, 6, pytest.approx((0.9, 0.8)))
    assert np.array_equal(image.values, volume()[::-1, ::-1, 3].T)


@pytest.mark.parametrize(("order", "signs"), [*product(permutations(range(3)), product((1, -1), repeat=3))])
def test_the_order_and_direction_of_storage_change_nothing(
    order: tuple[int, int, int], signs: tuple[int, int, int], tmp_path: Path
) -> None:
    plain = nibabel.Nifti1Image(volume(), AFFINE)
    orientation = np.array([[axis, sign] for axis, sign in zip(order, signs, strict=True)])
    turned = plain.as_reoriented(orientation)
    nibabel.save(turned, tmp_path / "t.nii")
    nibabel.save(plain, tmp_path / "p.nii")
    for frame in (None, 0, 4):
        expected, found = (read_image(tmp_path / name, frame=frame) for name in ("p.nii", "t.nii"))
        assert np.array_equal(found.values, expected.values)
        assert found.spacing_mm == pytest.approx(expected.spacing_mm)


@pytest.mark.parametrize(
    ("zooms", "shape", "corner"),
    # A sagittal slice has the front on the left, a coronal one the right; both have the head up.
    [((4.0, 1.0, 1.0), (60, 50), (1, 2)), ((1.0, 4.0, 1.0), (60, 40), (0, 2))],
)
def test_slices_are_counted_along_the_thickest_axis(
    zooms: tuple[float, ...], shape: tuple[int, int], corner: tuple[int, int], tmp_path: Path
) -> None:
    array = np.zeros((40, 50, 60), np.int16)
    where: list[Any] = [slice(None)] * 3
    for axis in corner:
        where[axis] = slice(-5, None)
    array[tuple(where)] = 100
    image = read_image(saved(tmp_path / "v.nii", array, np.diag([*zooms, 1.0])), window="50,100")
    shown = np.asarray(image.image)
    assert shown.shape == shape
    assert (shown[:5, :5] == 255).all()
    assert shown.mean() < 3


def test_of_several_volumes_the_middle_one_is_taken_and_said(tmp_path: Path) -> None:
    array = np.stack([volume() + k for k in range(5)], axis=-1)
    image = read_image(saved(tmp_path / "v.nii", array, AFFINE), frame=0)
    assert image.values is not None
    assert image.values.min() == 2
    assert "the middle one of several volumes" in image.notes


def test_values_that_look_like_hounsfield_units_are_taken_for_them_and_said(tmp_path: Path) -> None:
    array = np.full((40, 40, 3), -1024, np.int16)
    array[10:30, 10:30] = 60
    image = read_image(saved(tmp_path / "ct.nii", array, AFFINE), window="brain")
    assert (image.unit, image.modality, image.window) == ("HU", "CT", (40, 80))
    assert any("taken for them" in note for note in image.notes)
    with pytest.raises(ImageError, match="'brain' is in Hounsfield units"):
        read_image(saved(tmp_path / "mr.nii", volume(), AFFINE), window="brain")


@pytest.mark.parametrize("row", [0.0, float("nan"), float("inf")])
def test_a_volume_whose_affine_means_nothing_is_read_or_refused(row: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "v.nii", volume(), AFFINE)
    data = bytearray(path.read_bytes())
    data[280:328] = np.full(12, row, np.float32).tobytes()
    path.write_bytes(bytes(data))
    with contextlib.suppress(ImageError):
        assert sorted(read_image(path).image.size) in ([6, 40], [6, 50], [40, 50])


def test_a_flat_image_and_colour_are_read(tmp_path: Path) -> None:
    flat = read_image(saved(tmp_path / "flat.nii", volume()[..., 0], AFFINE))
    assert flat.image.size == (40, 50)
    colour = np.zeros((40, 50, 2), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    colour["R"][:, -5:] = 200
    shown = np.asarray(read_image(saved(tmp_path / "c.nii", colour, AFFINE)).image)
    assert shown.shape == (50, 40, 3)
    assert (shown[:5] == (200, 0, 0)).all()
    assert not shown[5:].any()


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"\x5c\x01\0\0" + bytes(400)])
def test_a_broken_file_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    for name in ("b.nii", "b.nii.gz"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=rf"{name}: NIfTI: "):
            read_image(tmp_path / name)


def test_a_frame_outside_the_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="frame must be 0 to 5, the slices of this volume, got 6"):
        read_image(saved(tmp_path / "v.nii", volume(), AFFINE), frame=6)
