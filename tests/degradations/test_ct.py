"""CT against scikit-image's projection and reconstruction, and against the physics of counting photons."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import shepp_logan_phantom
from skimage.transform import iradon, radon

from medq_deg.degradations.types.ct import limited_angle, low_dose, sparse_view
from medq_deg.degradations.types.ct_kernels import convolve, spectrum
from medq_deg.degradations.types.ct_low_dose import (
    FIELD_MM,
    LARGEST_INTEGRAL,
    WATER_GREY,
    WATER_PER_MM,
    noise_image,
    ray_noise,
)
from tests.conftest import demo_image

SIDE = 256
IMAGES = ("ct_abdomen", "ct_chest_mediastinum", "ct_vertebra", "phantom")


def scan(name: str, height: int = SIDE, width: int = SIDE) -> NDArray[np.float32]:
    """An image on an odd or even grid, zero outside its inscribed circle, in [0, 1]."""
    source = (
        shepp_logan_phantom().astype(np.float32) if name == "phantom" else demo_image(name).astype(np.float32) / 255
    )
    image = cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA)
    image[~circle(height, width)] = 0
    return image


def circle(height: int, width: int) -> NDArray[np.bool_]:
    """The circle inside which scikit-image reconstructs."""
    y, x = np.mgrid[:height, :width]
    radius = min(height, width) / 2 - 2
    return (y - height // 2) ** 2 + (x - width // 2) ** 2 < radius**2


def psnr(a: NDArray[np.floating], b: NDArray[np.floating], where: NDArray[np.bool_]) -> float:
    return float(-10 * np.log10(np.mean((a - b)[where] ** 2)))


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize(
    ("views", "arc", "start", "decibels"),
    [
        (28, 180.0, 1.25, 32),
        (36, 180.0, 1.25, 33),
        (54, 180.0, 0.8, 34.5),
        (72, 180.0, 0.0, 35),
        (115, 115.0, 62.0, 37),
        (132, 132.0, 11.0, 37),
        (290, 145.0, 95.0, 37),
    ],
)
def test_one_convolution_equals_projection_and_reconstruction(
    name: str, views: int, arc: float, start: float, decibels: float
) -> None:
    image = scan(name)
    angles = start + np.arange(views) * arc / views
    slow = iradon(radon(image, theta=angles), theta=angles)
    fast = convolve(image, spectrum(SIDE, SIDE, views, arc, start))
    assert psnr(fast, slow, circle(SIDE, SIDE)) > decibels


@pytest.mark.parametrize(("height", "width"), [(200, 280), (281, 199)])
def test_a_image_that_is_not_square_is_reconstructed_as_inside_a_square(height: int, width: int) -> None:
    image = scan("ct_abdomen", height, width)
    side = 2 * max(height, width)
    square = np.zeros((side, side), np.float32)
    top, left = side // 2 - height // 2, side // 2 - width // 2
    square[top : top + height, left : left + width] = image
    angles = np.arange(60) * 3.0
    slow = iradon(radon(square, theta=angles), theta=angles)[top : top + height, left : left + width]
    fast = convolve(image, spectrum(height, width, 60, 180.0, 0.0))
    assert psnr(fast, slow, np.ones((height, width), bool)) > 35


@pytest.mark.parametrize("function", [
    lambda image, seed: sparse_view(image, np.random.default_rng(seed), views=36),
    lambda image, seed: limited_angle(image, np.random.default_rng(seed), arc=115.0),
])  # fmt: skip
def test_the_reconstruction_is_linear_and_shift_invariant(function) -> None:
    a, b = scan("ct_abdomen") * 255, scan("phantom") * 255
    assert np.allclose(function(2 * a - b, 5), 2 * function(a, 5) - function(b, 5), atol=0.05)
    point = np.zeros((SIDE, SIDE), np.float32)
    point[100, 90] = 255
    moved = np.roll(point, (20, -15), axis=(0, 1))
    assert np.allclose(
        function(moved, 5)[40:200, 40:200], np.roll(function(point, 5), (20, -15), (0, 1))[40:200, 40:200], atol=0.01
    )


def test_the_mean_of_a_full_scan_is_kept() -> None:
    image = scan("phantom")
    full = convolve(image, spectrum(SIDE, SIDE, 360, 180.0, 0.0))
    inside = circle(SIDE, SIDE)
    assert full[inside].mean() == pytest.approx(image[inside].mean(), rel=0.01)


def test_both_severities_lose_the_same_wedge() -> None:
    image = scan("phantom") * 255
    spectra = [np.abs(np.fft.fft2(limited_angle(image, np.random.default_rng(3), arc=arc))) for arc in (145.0, 115.0)]
    angle = np.rad2deg(np.arctan2(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij"))) % 180
    clean = np.abs(np.fft.fft2(image))
    kept = [
        [s[np.abs(angle - a) < 4].sum() / clean[np.abs(angle - a) < 4].sum() for a in range(5, 180, 10)]
        for s in spectra
    ]
    assert np.argmin(kept[0]) == pytest.approx(np.argmin(kept[1]), abs=1)
    assert min(kept[0]) < 0.3
    assert max(kept[0]) > 0.9


@pytest.mark.parametrize("side", [512, 1024])
def test_kernels_are_built_once_and_kept(side: int) -> None:
    spectrum.cache.clear()
    assert spectrum(side, side, 36, 180.0, 0.0) is spectrum(side, side, 36, 180.0, 0.0)


def test_the_cache_of_kernels_is_bounded_in_bytes() -> None:
    for height in range(400, 480, 2):
        spectrum(height, 512, 36, 180.0, 0.0)
    cache = spectrum.cache
    assert cache.currsize <= cache.maxsize
    assert cache.currsize == sum(entry.values.nbytes for entry in cache.values())


UNIT = WATER_PER_MM / WATER_GREY * FIELD_MM / SIDE
"""Attenuation of one grey level over one pixel."""


def full_simulation(image: NDArray[np.float32], photons: float, electronic: float, scans: int) -> NDArray[np.float64]:
    """Noise of whole scans: project, count photons, take the logarithm, reconstruct."""
    theta = np.arange(360) / 2
    integrals = radon(image.astype(float), theta, circle=False) * UNIT
    assert integrals.max() < LARGEST_INTEGRAL, "the image must not be dense enough to be rescaled"
    rng = np.random.default_rng(0)

    def reconstruct(sinogram: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(iradon(sinogram, theta, output_size=SIDE, circle=False) / UNIT)

    clean = reconstruct(integrals)
    noisy = []
    for _ in range(scans):
        counts = rng.poisson(photons * np.exp(-integrals)) + rng.normal(0, electronic, integrals.shape)
        noisy.append(reconstruct(-np.log(np.maximum(counts, 1) / photons)) - clean)
    return np.array(noisy)


@pytest.mark.slow
@pytest.mark.parametrize(("photons", "name"), [(1e5, "ct_abdomen"), (2.5e4, "ct_chest_mediastinum")])
def test_low_dose_noise_is_that_of_the_full_simulation(photons: float, name: str) -> None:
    image = scan(name) * 230
    truth = full_simulation(image, photons, 5.0, scans=20)
    fast = np.array([noise_image(image, np.random.default_rng(s), photons, 5.0) for s in range(48)])

    overall = np.sqrt(fast.var(axis=0, ddof=1).mean() / truth.var(axis=0, ddof=1).mean())
    assert overall == pytest.approx(1, abs=0.03)

    def blocks(stack: NDArray[np.floating]) -> NDArray[np.float64]:
        variance = stack.var(axis=0, ddof=1).reshape(8, SIDE // 8, 8, SIDE // 8).mean(axis=(1, 3))
        return np.sqrt(variance)

    assert np.median(np.abs(blocks(fast) / blocks(truth) - 1)) < 0.05

    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    ring = (radius * 32).astype(int)

    def radial(stack: NDArray[np.floating]) -> NDArray[np.float64]:
        power = np.mean([np.abs(np.fft.fft2(noise * window)) ** 2 for noise in stack], axis=0)
        return np.log10(np.bincount(ring.ravel(), power.ravel())[:16] / np.bincount(ring.ravel())[:16])

    assert np.abs(radial(fast) - radial(truth)).max() < 0.1


def test_streaks_run_along_dense_structures() -> None:
    image = np.zeros((SIDE, SIDE), np.float32)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    image[(x / 80.0) ** 2 + (y / 60.0) ** 2 < 1] = 110
    for centre in (-55, 55):  # two hips: the rays through both are starved
        image[(x - centre) ** 2 + y**2 < 12**2] = 255
    between = (np.abs(x) < 30) & (np.abs(y) < 20)

    def direction(stack: NDArray[np.floating]) -> float:
        """Energy of vertical over horizontal differences between the hips: above 1 for horizontal streaks."""
        down = np.mean([np.diff(noise, axis=0)[:-1][between[1:-1]].var() for noise in stack])
        across = np.mean([np.diff(noise, axis=1)[:, :-1][between[:, 1:-1]].var() for noise in stack])
        return float(down / across)

    truth = direction(full_simulation(image, 1e5, 5.0, scans=3))
    fast = direction(np.array([noise_image(image, np.random.default_rng(s), 1e5, 5.0) for s in range(12)]))
    assert truth > 1.3
    assert fast == pytest.approx(truth, rel=0.15)


def test_the_noise_of_a_ray_obeys_beer_lambert_and_counting() -> None:
    integrals = np.array([0.0, 1.0, 3.0, 6.0])
    bias, deviation = ray_noise(integrals, 1e6, 0.0).T
    assert deviation == pytest.approx(np.exp(integrals / 2) / 1e3, rel=0.02)  # many photons: 1 / sqrt(count)
    assert bias == pytest.approx(np.exp(integrals) / 2e6, rel=0.05, abs=1e-6)
    few = ray_noise(integrals, 1e4, 10.0)
    rng = np.random.default_rng(1)
    for p, (expected_bias, expected_deviation) in zip(integrals, few, strict=True):
        counts = rng.poisson(1e4 * np.exp(-p), 400_000) + rng.normal(0, 10, 400_000)
        measured = -np.log(np.maximum(counts, 1) / 1e4) - p
        assert measured.std() == pytest.approx(expected_deviation, rel=0.02)
        assert measured.mean() == pytest.approx(expected_bias, abs=4 * measured.std() / 400_000**0.5 + 2e-4)


def test_more_photons_mean_less_noise_and_infinitely_many_none() -> None:
    image = scan("ct_abdomen") * 255
    spread = [
        float((low_dose(image, np.random.default_rng(1), photons=n, electronic=0.0) - image).std())
        for n in (1e4, 1e6, 1e12)
    ]
    assert spread[0] > 5 * spread[1]
    assert spread[2] < 0.02


def test_noise_grows_with_the_path_through_the_body() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    levels = []
    for radius in (40, 100):
        body = np.where(x**2 + y**2 < radius**2, 128, 0).astype(np.float32)
        noise = [noise_image(body, np.random.default_rng(seed), 1e6, 0.0) for seed in range(8)]
        levels.append(np.std([sample[x**2 + y**2 < 15**2] for sample in noise]))
    # At the centre every ray crosses the whole body: variance exp(p).
    expected = np.exp(WATER_PER_MM * FIELD_MM / SIDE * 2 * (100 - 40) / 2)
    assert levels[1] / levels[0] == pytest.approx(expected, rel=0.05)
