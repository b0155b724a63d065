"""Intensity, noise, blur, resolution and rotation against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi
from numpy.typing import NDArray

from medq_deg import DEGRADATIONS, degrade
from medq_deg.degradations.types.blur import gaussian_blur, line_kernel, low_resolution, motion_blur
from medq_deg.degradations.types.intensity import adjust_brightness, exposure, reduce_contrast
from medq_deg.degradations.types.motion import draw_angle, object_rotation
from medq_deg.degradations.types.noise import LUMINANCE_SHARE, gaussian_noise
from tests.conftest import demo_image


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def image() -> NDArray[np.float32]:
    return demo_image("xray_chest_pa")[:400].astype(np.float32)


@pytest.mark.parametrize("sigma", [3 / 499, 7 / 499, 0.03])
def test_gaussian_blur_is_scipy_s(image: NDArray[np.float32], sigma: float) -> None:
    pixels = sigma * np.sqrt(image.size)
    expected = ndi.gaussian_filter(image, pixels, mode="reflect", truncate=4)
    assert np.abs(gaussian_blur(image, rng(), sigma=sigma) - expected).max() < 0.02


@pytest.mark.parametrize("pixels", [0.1, 0.3, 0.5, 0.69])
def test_a_blur_of_less_than_a_pixel_has_the_stated_variance(pixels: float) -> None:
    point = np.zeros((33, 33), np.float32)
    point[16, 16] = 1.0
    spread = gaussian_blur(point, rng(), sigma=pixels / 33)
    along = np.arange(33) - 16.0
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    assert (spread.sum(axis=0) * along**2).sum() == pytest.approx(pixels**2, rel=1e-3)
    assert (spread.sum(axis=1) * along**2).sum() == pytest.approx(pixels**2, rel=1e-3)


@pytest.mark.parametrize("scale", [0.7, 0.37, 0.21, 0.06])
def test_low_resolution_is_scipy_s_linear_zoom_then_nearest_neighbour(image: NDArray[np.float32], scale: float) -> None:
    height, width = image.shape
    coarse = round(height * scale), round(width * scale)
    y, x = ((np.arange(c) + 0.5) * n / c - 0.5 for c, n in zip(coarse, image.shape, strict=True))
    small = ndi.map_coordinates(image, np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest")
    rows = (np.arange(height) + 0.5) * coarse[0] // height
    columns = (np.arange(width) + 0.5) * coarse[1] // width
    expected = small[np.ix_(rows.astype(int), columns.astype(int))]
    difference = np.abs(low_resolution(image, rng(), scale=scale) - expected)
    assert np.mean(difference > 0.05) < 0.01  # ties of the nearest neighbour may fall either way


@pytest.mark.parametrize("angles", [(18.0, 18.0), (153.0, 153.0), (90.0, 90.0)])
def test_rotation_is_scipy_s(image: NDArray[np.float32], angles: tuple[float, float]) -> None:
    degrees = draw_angle(rng(2), angles)
    expected = ndi.rotate(image, degrees, reshape=False, order=1, mode="constant")
    result = object_rotation(image, rng(2), angles=angles)
    # Interior only: OpenCV blends the border with black, SciPy cuts it.
    inside = ndi.rotate(np.ones_like(image), degrees, reshape=False, order=1) > 0.999
    inside = ndi.binary_erosion(inside, iterations=2)
    assert np.abs(result - expected)[inside].mean() < 0.1
    assert np.percentile(np.abs(result - expected)[inside], 99) < 1.5


@pytest.mark.parametrize(("severity", "least", "most"), [(1, 10, 25), (2, 95, 125)])
def test_rotations_stay_within_the_paper_s_ranges_and_turn_both_ways(severity: int, least: int, most: int) -> None:
    angles = DEGRADATIONS["object_rotation"].parameters[severity]["angles"]
    drawn = np.array([draw_angle(rng(seed), angles) for seed in range(200)])
    assert least <= np.abs(drawn).min()
    assert np.abs(drawn).max() <= most
    assert 60 < (drawn > 0).sum() < 140


def test_a_line_kernel_is_a_probability_with_the_moments_of_a_line() -> None:
    for length in (2.0, 8.0, 13.7, 41.0):
        for degrees in (0.0, 17.0, 45.0, 90.0, 133.0):
            kernel = line_kernel(length, degrees).astype(np.float64)
            assert kernel.sum() == pytest.approx(1, abs=1e-6)
            assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-6), "a line is symmetric about its centre"
            y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
            along = x * np.cos(np.deg2rad(degrees)) - y * np.sin(np.deg2rad(degrees))
            across = x * np.sin(np.deg2rad(degrees)) + y * np.cos(np.deg2rad(degrees))
            # Variance of a uniform line, plus at most 1/4 px**2 from sharing samples bilinearly.
            assert 0 <= (kernel * along**2).sum() - length**2 / 12 < 0.27
            assert (kernel * across**2).sum() < 0.27


def test_a_line_of_no_length_changes_nothing() -> None:
    assert line_kernel(0.0, 30.0)[1, 1] == pytest.approx(1)


def test_motion_blur_of_a_horizontal_line_is_scipy_s_correlation(image: NDArray[np.float32]) -> None:
    length = 21 / np.sqrt(image.size)
    result = motion_blur(image, rng(), length=length, angles=(0.0, 0.0))
    expected = ndi.correlate(image, line_kernel(21.0, 0.0), mode="reflect")
    assert np.abs(result - expected).max() < 0.05


def test_the_x_ray_kernel_is_longer_and_nearly_horizontal() -> None:
    point = np.zeros((513, 513), np.uint8)
    point[256, 256] = 255
    for seed in range(5):
        spread = degrade(point, "motion_blur", 2, seed, modality="X-ray") > 0
        rows, columns = np.flatnonzero(spread.any(axis=1)), np.flatnonzero(spread.any(axis=0))
        assert np.ptp(columns) > 2 * np.ptp(rows)
        assert np.ptp(columns) > np.ptp(np.flatnonzero((degrade(point, "motion_blur", 2, seed) > 0).any(axis=0)))


@pytest.mark.parametrize("function", [
    lambda image: gaussian_blur(image, rng(), sigma=0.01),
    lambda image: motion_blur(image, rng(), length=0.03, angles=(0.0, 180.0)),
    lambda image: low_resolution(image, rng(), scale=0.25),
])  # fmt: skip
def test_blurs_are_linear_and_keep_constants(function, image: NDArray[np.float32]) -> None:
    other = np.ascontiguousarray(image[::-1])
    assert np.allclose(function(2 * image - other), 2 * function(image) - function(other), atol=0.05)
    flat = np.full((64, 90), 77, np.float32)
    assert np.allclose(function(flat), 77, atol=1e-3)


def test_gaussian_noise_has_the_stated_moments_and_is_white() -> None:
    grey, colour = np.full((400, 400), 128, np.float32), np.full((400, 400, 3), (160, 120, 90), np.float32)
    single = gaussian_noise(grey, rng(), sigma=12.2) - 128
    assert single.mean() == pytest.approx(0, abs=0.1)
    assert single.std() == pytest.approx(12.2 * LUMINANCE_SHARE, rel=0.01)
    assert ((single / single.std()) ** 4).mean() == pytest.approx(3, abs=0.1)
    neighbours = np.corrcoef(single[:, 1:].ravel(), single[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.01
    triple = gaussian_noise(colour, rng(), sigma=12.2) - colour
    assert triple.std() == pytest.approx(12.2, rel=0.01)
    assert np.abs(np.corrcoef(triple.reshape(-1, 3).T) - np.eye(3)).max() < 0.01
    # The luminance of the coloured noise is as strong as the grey noise: the published PSNR is that of luminance.
    luminance = triple @ np.array([0.299, 0.587, 0.114])
    assert luminance.std() == pytest.approx(single.std(), rel=0.02)


def test_brightness_and_contrast_are_their_closed_forms(image: NDArray[np.float32]) -> None:
    assert np.array_equal(adjust_brightness(image, rng(), offset=-75.0), image - 75)
    flat = reduce_contrast(image, rng(), contrast=0.3)
    assert flat.mean() == pytest.approx(image.mean(), rel=1e-5)
    assert flat.std() == pytest.approx(0.3 * image.std(), rel=1e-4)
    assert degrade(np.full((40, 40), 100, np.uint8), "adjust_brightness", 2).max() == 0


def test_exposure_errs_in_both_directions_and_keeps_the_order_of_grey_values() -> None:
    ramp = np.arange(256, dtype=np.float32)[None]
    dark = next(s for s in range(20) if rng(s).random() < 0.5)
    bright = next(s for s in range(20) if rng(s).random() >= 0.5)
    low = exposure(ramp, rng(dark), gamma=2.357, fog=27.3)
    high = exposure(ramp, rng(bright), gamma=2.357, fog=27.3)
    assert (low <= ramp).all()
    assert (high >= ramp).all()
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()
    # The bright curve undoes the dark one.
    assert np.allclose(255 * ((low + 27.3) / 255) ** (1 / 2.357), ramp, atol=1e-2)
    assert np.allclose(exposure(ramp, rng(), gamma=1.0, fog=0.0), ramp, atol=1e-3)


@pytest.mark.parametrize("sigma", [12.0, 14.4, 20.0, 25.0])
def test_a_wide_gaussian_on_a_coarse_grid_is_scipy_s_to_within_half_a_grey_level(
    image: NDArray[np.float32], sigma: float
) -> None:
    noisy = image + np.random.default_rng(0).normal(0, 8, image.shape).astype(np.float32)
    expected = ndi.gaussian_filter(noisy, sigma, mode="reflect", truncate=4)
    assert np.abs(gaussian_blur(noisy, rng(), sigma=sigma / np.sqrt(image.size)) - expected).max() < 0.5


@pytest.mark.parametrize("degrees", [30.0, 60.0, 135.0])
@pytest.mark.parametrize("length", [18.0, 60.0, 200.0])
def test_motion_blur_in_tiles_is_scipy_s_correlation(image: NDArray[np.float32], degrees: float, length: float) -> None:
    small = np.ascontiguousarray(image[:300, :300])
    result = motion_blur(small, rng(), length=length / 300, angles=(degrees, degrees))
    expected = ndi.correlate(small, line_kernel(length, degrees), mode="reflect")
    assert np.abs(result - expected).max() < 0.05
