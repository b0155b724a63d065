"""MRI against numpy's full transforms, TorchIO's bias field, and the limits of no artefact."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import degrade
from medq_deg.degradations.types import mri
from medq_deg.degradations.types.mri import (
    bias_field,
    cartesian_mask,
    ghosting,
    object_movement,
    polynomial,
    undersampling,
)
from medq_deg.errors import ImageError
from tests.conftest import demo_image


@pytest.fixture(scope="module", params=["mri_liver", "mri_cardiac"])
def image(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    return demo_image(request.param)[:, 10:].astype(np.float32)  # not square


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_undersampling_is_masking_in_the_full_fourier_plane(image: NDArray[np.float32]) -> None:
    mask = cartesian_mask(image.shape[1], 0.08, 5.5, rng())
    expected = np.abs(np.fft.ifft2(np.fft.fft2(image.astype(np.float64)) * mask))
    result = undersampling(image, rng(), center=0.08, acceleration=5.5)
    assert np.abs(result - expected).max() < 1e-2


@pytest.mark.parametrize(("center", "acceleration"), [(0.08, 5.5), (0.08, 6.8), (0.2, 2.0), (0.08, 50.0)])
def test_the_mask_samples_the_centre_and_the_wanted_share(center: float, acceleration: float) -> None:
    columns = 317
    mask = cartesian_mask(columns, center, acceleration, rng())
    kept = round(columns * center)
    nearest = np.argsort(np.abs(np.fft.fftfreq(columns)), kind="stable")[:kept]
    assert mask[nearest].all()
    assert mask.sum() == max(round(columns / acceleration), kept)


def test_a_severe_scan_samples_a_subset_of_the_mild_one() -> None:
    mild, severe = (cartesian_mask(512, 0.08, acceleration, rng(4)) for acceleration in (5.5, 6.8))
    assert (severe <= mild).all()
    assert severe.sum() < mild.sum()


def test_all_lines_give_the_image_back(image: NDArray[np.float32]) -> None:
    assert np.allclose(undersampling(image, rng(), center=1.0, acceleration=1.0), image, atol=1e-3)


def test_a_mask_for_each_channel_colours_a_grey_image() -> None:
    grey = np.repeat(demo_image("mri_liver")[..., None], 3, axis=2)
    shared = degrade(grey, "undersampling", 1, 2)
    authors = degrade(grey, "undersampling", 1, 2, mask="per_channel")
    assert np.array_equal(shared[..., 0], shared[..., 1])
    with pytest.raises(ImageError, match="needs an RGB image"):
        degrade(demo_image("mri_liver"), "undersampling", 1, 2, mask="per_channel")
    assert not np.array_equal(authors[..., 0], authors[..., 1])


@pytest.mark.parametrize("up", [False, True])
def test_ghosts_stand_at_equal_distances(up: bool) -> None:
    seed = next(s for s in range(20) if (np.random.default_rng(s).random() < 0.5) == up)
    point = np.zeros((350, 60), np.float32)
    point[170, 30] = 100
    weights = (0.5, 0.4, 0.3, 0.2)
    result = ghosting(point, rng(seed), weights=weights)
    rows = np.flatnonzero(result[:, 30])
    steps = np.array([0, 70, 140]) * (-1 if up else 1)
    assert set(rows) == set(170 + steps)
    assert result[170 + steps[1:], 30] == pytest.approx([50, 40])


def test_k_space_ghosts_wrap_around_at_the_same_spacing_and_keep_the_light() -> None:
    point = np.zeros((360, 40), np.float32)
    point[300, 20] = 100
    result = ghosting(point, rng(), weights=(0.3,) * 5, model="k_space")
    rows = np.flatnonzero(result[:, 20] > 0.5)
    assert set(rows) == {0, 60, 120, 180, 240, 300}
    # Weakening every sixth line by 30 % takes 5 % from the point and puts 5 % on each ghost; the centre line is kept.
    spectrum = np.fft.fft(point, axis=0)
    spectrum[np.arange(6, 360, 6)] *= 0.7
    assert np.allclose(result, np.abs(np.fft.ifft(spectrum, axis=0)), atol=1e-4)


def test_the_k_space_model_keeps_the_mean(image: NDArray[np.float32]) -> None:
    result = ghosting(image, rng(), weights=(0.1,) * 4, model="k_space")
    assert result.mean() == pytest.approx(image.mean(), rel=0.05)


def test_no_movement_gives_the_image_back(image: NDArray[np.float32]) -> None:
    result = object_movement(image, rng(), segments=5, shift=0.0, degrees=0.0)
    assert np.allclose(result, image, atol=0.02)


def test_a_movement_before_the_scan_is_a_shift_of_the_whole_body(image: NDArray[np.float32]) -> None:
    still = object_movement(image, rng(), segments=1, shift=0.5, degrees=90.0)
    assert np.allclose(still, image, atol=0.02)


def test_movement_reads_each_line_from_the_body_at_its_position(image: NDArray[np.float32]) -> None:
    """With translations alone, each run of lines of the full Fourier plane carries its own phase ramp."""
    height, width = image.shape
    padded = np.zeros((2 * height, 2 * width), np.float32)  # room, so that nothing leaves the image
    padded[height // 2 : height // 2 + height, width // 2 : width // 2 + width] = image
    smooth = np.abs(np.fft.ifft2(np.fft.fft2(padded) * _low_pass(padded.shape))).astype(np.float32)
    result = object_movement(smooth, rng(3), segments=3, shift=0.01, degrees=0.0)

    draws = rng(3)
    table = draws.standard_normal((3, 4))
    middle = np.sort(np.round(smooth.shape[0] / 2 + 30 * table[1:, 3] + 10 * np.sign(table[1:, 3])))
    # Position 0 of the draws is the run's that holds line 0, the next are of the runs nearest to it.
    edges = [-height, *(middle - height), height]
    distance = [max(low, 1 - high, 0) for low, high in pairwise(edges)]
    shifts = table[np.argsort(np.argsort(distance)), :2] * 0.01 * np.array([smooth.shape[1], smooth.shape[0]])
    shifts[np.argmin(distance)] *= 0.35  # the body is nearer to its place while the centre is read
    shifts[0] = 0
    bounds = np.concatenate([[0], middle.astype(int), [smooth.shape[0]]])
    ky, kx = (np.fft.fftshift(np.fft.fftfreq(n)) for n in smooth.shape)
    plane = np.fft.fftshift(np.fft.fft2(smooth))
    for segment, (dx, dy) in enumerate(shifts):
        lines = slice(bounds[segment], bounds[segment + 1])
        plane[lines] *= np.exp(-2j * np.pi * (ky[lines, None] * dy + kx * dx))
    expected = np.abs(np.fft.ifft2(np.fft.ifftshift(plane)))
    error = np.sqrt(np.mean((result - expected) ** 2))
    assert error < 0.02 * smooth.std()


def _low_pass(shape: tuple[int, int]) -> NDArray[np.float64]:
    ky, kx = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    return np.exp(-((ky**2 + kx**2) / (2 * 0.05**2)))


def test_a_bias_field_of_no_strength_gives_the_image_back(image: NDArray[np.float32]) -> None:
    assert np.array_equal(bias_field(image, rng(), lowest=1.0, highest=1.0), image)


def test_the_polynomial_field_is_torchio_s() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchio")
    from torchio.transforms.augmentation.intensity.random_bias_field import BiasField

    order, shape = 3, (40, 56)
    draws = rng(9).uniform(-0.5, 0.5, (order + 1, order + 1))
    # TorchIO lists coefficients of x**i y**j z**k, all i + j + k up to the order; our image is its x, y plane.
    coefficients, listed = np.zeros((order + 1, order + 1)), []
    for i in range(order + 1):
        for j in range(order + 1 - i):
            for k in range(order + 1 - (i + j)):
                listed.append(draws[i, j] if k == 0 else 0.0)
                if k == 0:
                    coefficients[i, j] = draws[i, j]
    theirs = BiasField.generate_bias_field(torch.zeros(1, *shape, 1), order, listed)
    ours = np.exp(polynomial(shape, coefficients))
    assert np.allclose(np.asarray(theirs).squeeze(), ours, rtol=1e-4)


def test_the_field_spans_its_range_and_is_smooth_and_shared() -> None:
    white = np.full((300, 260), 100, np.float32)
    mild = bias_field(white, rng(5), lowest=0.36, highest=0.68) / 100
    severe = bias_field(white, rng(5), lowest=0.28, highest=0.54) / 100
    assert mild.min() == pytest.approx(0.36, abs=1e-3)
    assert mild.max() == pytest.approx(0.68, abs=1e-3)
    assert np.abs(np.diff(mild, axis=0)).max() < 0.02
    assert np.corrcoef(np.log(mild).ravel(), np.log(severe).ravel())[0, 1] == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize("frame", ["background", "body"])
def test_movement_of_a_large_image_is_what_it_is_line_by_line(
    seed: int, frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = demo_image("mri_liver")[40:200, 60:220] if frame == "body" else demo_image("mri_liver")
    large = cv2.resize(small, (600, 2048), interpolation=cv2.INTER_CUBIC)
    made = degrade(np.asarray(large), "object_movement", 2, seed)
    monkeypatch.setattr(mri, "_THIN_FROM", 10**6)
    assert np.abs(made.astype(int) - degrade(np.asarray(large), "object_movement", 2, seed)).max() <= 1
