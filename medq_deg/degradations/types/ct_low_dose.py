"""Noise of a low-dose CT scan: the noise sinogram of an image, reconstructed.

A ray with line integral p of the attenuation lets ``I0 exp(-p)`` of I0 photons through on average (Beer-Lambert). The
detector counts a Poisson number of them, adds electronic noise, and the logarithm turns the count into a noisy p.
Filtered back-projection is linear, so the low-dose image is the image plus the reconstruction of the noise alone,
and the noise of each ray needs only its line integral: a coarse projection gives that.

Steps: a coarse Radon transform of the image; bias and standard deviation of each ray's logarithm, tabulated
exactly; a noise sinogram; its ramp-filtered spectrum, gridded to the Cartesian Fourier plane (central-slice theorem);
one inverse FFT. The spectrum is carried to 3/4 of the sampling frequency, beyond Nyquist, for the images that the
linear interpolation of the back-projection leaves, a tenth of the noise.

References
----------
Buzug, Computed Tomography, ch. 2 and 9 (Beer-Lambert, photon statistics, noise of filtered back-projection).
Whiting et al., Med. Phys. 33 (2006) 3290 (compound of Poisson and electronic noise).
Beatty, Nishimura and Pauly, IEEE TMI 24 (2005) 799 (gridding).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.sparse
from cachetools import LRUCache, cached
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import gammaln, i0, ndtri

from medq_deg.degradations.arrays import FloatImage, parts

WATER_GREY = 128.0
WATER_PER_MM = 0.02
"""Grey level 128 attenuates as water does at about 70 keV, 0.02 per mm, and black as air."""

FIELD_MM = 0.7 * 512
"""Side of the field of view where no pixel spacing is known."""

LARGEST_INTEGRAL = 6.0
"""Largest line integral where grey levels are not Hounsfield units.

A brighter image is taken as less dense, or hardly a photon would come through.
"""

SCAN_VIEWS = 360
"""Projections of the scan over 180 degrees, I0 photons in each ray of each."""

_NOISE_VIEWS = 180  # drawn and reconstructed, with the noise of two scan views in one
_COARSE_SIDE, _COARSE_VIEWS = 128, 60  # of the projection that gives the line integrals
_THREE_TAPS = np.array([0.25, 0.5, 0.25], np.float32)
_WINDOW = 3
_CACHE_BYTES = 96 * 2**20


def kaiser_bessel_beta(window: int, oversampling: float) -> float:
    """Return the shape parameter of the gridding window (Beatty et al. 2005, eq. 5)."""
    return float(np.pi * np.sqrt((window * (1 - 0.5 / oversampling)) ** 2 - 0.8))


def deapodisation(lags: NDArray[Any], grid: int, window: int, beta: float) -> NDArray[np.float64]:
    """Return 1 over the transform of the gridding window at integer lags (Beatty et al. 2005, eq. 4)."""
    root = np.sqrt((np.pi * window * lags / grid) ** 2 - beta**2 + 0j)
    return np.asarray((root / np.sin(root)).real * grid / window, np.float64)


def ray_noise(line_integrals: NDArray[np.floating], photons: float, electronic: float) -> FloatImage:
    """Return bias and standard deviation of the measured line integral of each ray.

    The measured value is ``-log(max(n, 1) / I0)`` with n = Poisson(I0 exp(-p)) + Normal(0, electronic).

    Parameters
    ----------
    line_integrals : array
        p, from 0 to 16.
    photons : float
        I0, photons of an unattenuated ray.
    electronic : float
        Standard deviation of the electronic noise, in photons.

    Returns
    -------
    array of the input's shape plus (2,), float32
        Bias and standard deviation.
    """
    table, bias, deviation = _noise_table(photons, electronic)
    return np.stack(
        [np.interp(line_integrals, table, column).astype(np.float32) for column in (bias, deviation)], axis=-1
    )


@lru_cache(16)
def _noise_table(
    photons: float, electronic: float, size: int = 256, largest: float = 16.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    integrals = np.linspace(0, largest, size)
    bias, deviation = np.empty(size), np.empty(size)
    normal = ndtri((np.arange(64) + 0.5) / 64)
    normal *= electronic / normal.std()
    for index, mean in enumerate(photons * np.exp(-integrals)):
        if mean > 400:  # second-order expansion of the logarithm; below, the sum over all counts
            relative = (mean + electronic**2) / mean**2
            bias[index], deviation[index] = relative / 2, np.sqrt(relative + 1.5 * relative**2)
        else:
            counts = np.arange(int(mean + 12 * np.sqrt(mean) + 25))
            weight = np.exp(counts * np.log(mean) - mean - gammaln(counts + 1))[:, None] / normal.size
            measured = -np.log(np.maximum(counts[:, None] + normal, 1) / mean)
            bias[index] = (weight * measured).sum()
            deviation[index] = np.sqrt((weight * (measured - bias[index]) ** 2).sum())
    return integrals, bias, deviation


@lru_cache(4)
def _coarse_radon(shift: float) -> scipy.sparse.csr_matrix:
    """Sparse projection of a _COARSE_SIDE square onto (_COARSE_VIEWS, bins), by linear splatting."""
    side, bins = _COARSE_SIDE, 3 * _COARSE_SIDE // 2
    angles = np.arange(_COARSE_VIEWS)[:, None] * np.pi / _COARSE_VIEWS
    axis = np.arange(side) - (side - 1) / 2 + shift
    position = np.tile(axis, side) * np.cos(angles) - np.repeat(axis, side) * np.sin(angles) + bins // 2
    left = np.floor(position).astype(np.int64)
    row = np.stack([left, left + 1]) + np.arange(_COARSE_VIEWS)[:, None] * bins
    weight = np.stack([left + 1 - position, position - left]).astype(np.float32)
    column = np.broadcast_to(np.arange(side * side), row.shape)
    return scipy.sparse.csr_matrix((weight.ravel(), (row.ravel(), column.ravel())), (_COARSE_VIEWS * bins, side * side))


@dataclass(frozen=True)
class _Gridder:
    """From the spectra of noise views to a square image of one size."""

    real: scipy.sparse.csr_matrix
    imaginary: scipy.sparse.csr_matrix
    ramp: NDArray[np.complex64]  # (3/4 detector + 1,)
    deapodisation: FloatImage  # (side,), along either axis
    detector: int
    grid: int

    def bytes(self) -> int:
        sparse = self.real.data.nbytes + self.imaginary.data.nbytes + self.real.indices.nbytes
        return int(sparse)


@cached(LRUCache(_CACHE_BYTES, getsizeof=_Gridder.bytes), lock=threading.Lock())
def _gridder(side: int) -> _Gridder:
    detector = 2 * scipy.fft.next_fast_len(int(np.ceil(side / 2**0.5)) + 1, real=True)
    grid = scipy.fft.next_fast_len(5 * side // 4, real=True)
    k = np.arange(3 * detector // 4 + 1)
    angles = np.arange(_NOISE_VIEWS)[:, None] * np.pi / _NOISE_VIEWS
    centre = np.exp(2j * np.pi * k * (detector // 2) / detector)
    ramp = 2 * np.minimum(k, detector - k) / detector * np.sinc(k / detector) ** 2 * np.pi / (_NOISE_VIEWS * detector)
    ramp = ramp * centre
    ramp[0] /= 2
    u, v = (np.cos(angles) * k * grid / detector).ravel(), (-np.sin(angles) * k * grid / detector).ravel()
    beta = kaiser_bessel_beta(_WINDOW, grid / side)

    def window(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.abs(distance) < _WINDOW / 2
        return np.asarray(i0(beta * np.sqrt(np.maximum(1 - (2 * distance / _WINDOW) ** 2, 0))) * inside)

    offsets = np.arange(_WINDOW, dtype=np.int32)[:, None]
    x, y = (np.ceil(line - _WINDOW / 2).astype(np.int32) + offsets for line in (u, v))
    along, down = window(x - u), window(y - v)
    # The left half plane holds the complex conjugate of the right one.
    x %= grid
    sign = np.where(x > grid // 2, np.int32(-1), np.int32(1))
    x = np.where(sign < 0, grid - x, x)
    along *= np.where((x == 0) | (2 * x == grid), 1, 0.5)
    shape = (grid * (grid // 2 + 1), u.size)
    weight = np.empty((_WINDOW, *x.shape), np.complex64)
    row = np.empty(weight.shape, np.int32)
    for number in range(_WINDOW):
        weight[number].real = along * down[number]
        weight[number].imag = weight[number].real * sign
        row[number] = (sign * y[number]) % grid * (grid // 2 + 1) + x
    column = np.tile(np.arange(u.size, dtype=np.int32), _WINDOW**2)
    matrix = scipy.sparse.csr_matrix((weight.ravel(), (row.ravel(), column)), shape)
    real, imaginary = (  # one pattern: they share its memory
        scipy.sparse.csr_matrix((np.ascontiguousarray(part), matrix.indices, matrix.indptr), shape)
        for part in (matrix.data.real, matrix.data.imag)
    )
    line = deapodisation(np.arange(side) - side // 2, grid, _WINDOW, beta)
    return _Gridder(real, imaginary, ramp.astype(np.complex64), line.astype(np.float32), detector, grid)


def noise_image(
    image: FloatImage,
    rng: Generator,
    photons: float,
    electronic: float,
    field_mm: float = FIELD_MM,
    largest_integral: float = LARGEST_INTEGRAL,
) -> FloatImage:
    """Return the noise that a scan with few photons adds to an (H, W) image, in grey levels, as (H, W) float32.

    Parameters
    ----------
    image : (H, W) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the noise of every ray.
    photons, electronic : float
        As in `ray_noise`.
    field_mm, largest_integral : float
        As in `medq_deg.degradations.types.ct.low_dose`.
    """
    height, width = image.shape
    side = max(height, width)
    plan = _gridder(side)
    top, left = side // 2 - height // 2, side // 2 - width // 2
    square = np.pad(image, ((top, side - height - top), (left, side - width - left)))
    sinogram, scale = _line_integrals(square, field_mm / side, largest_integral)
    bins = sinogram.shape[1]
    statistics = ray_noise(sinogram, photons, electronic)
    statistics[..., 1] *= np.sqrt(_NOISE_VIEWS / SCAN_VIEWS)
    # Beyond the last view comes the first one, mirrored.
    mirrored = statistics[:1, (2 * (bins // 2) - np.arange(bins)) % bins]
    stretch = _COARSE_SIDE / side
    matrix = np.array(
        [[stretch, 0, bins // 2 - plan.detector // 2 * stretch], [0, _COARSE_VIEWS / _NOISE_VIEWS, 0]], np.float32
    )
    per_ray = cv2.warpAffine(
        np.concatenate([statistics, mirrored]),
        matrix,
        (plan.detector, _NOISE_VIEWS),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    rays = rng.standard_normal((_NOISE_VIEWS, plan.detector), dtype=np.float32)
    rays *= per_ray[..., 1]
    rays += per_ray[..., 0]
    noise = _reconstruct(rays, side, plan)
    noise *= plan.deapodisation[:, None] / np.float32(scale)
    noise *= plan.deapodisation
    return noise[top : top + height, left : left + width]


def _line_integrals(square: FloatImage, pixel_mm: float, largest: float) -> tuple[FloatImage, float]:
    """Return coarse line integrals (views, bins), and the attenuation of one grey level over one pixel."""
    side = square.shape[0]
    small = cv2.resize(square, (_COARSE_SIDE, _COARSE_SIDE), interpolation=cv2.INTER_AREA).ravel()
    shift = (side - 1) / 2 * _COARSE_SIDE / side - side // 2 * _COARSE_SIDE / side
    grey_sums = (_coarse_radon(shift) @ small).reshape(_COARSE_VIEWS, -1) * (side / _COARSE_SIDE)
    # Splatting a pixel grid ripples by 9 % along the diagonals: three taps take it down below 1 %.
    grey_sums = scipy.ndimage.convolve1d(grey_sums, _THREE_TAPS, axis=1, mode="constant")
    scale = WATER_PER_MM / WATER_GREY * pixel_mm
    most = float(grey_sums.max()) * scale
    if most > largest:
        scale *= largest / most
    return np.maximum(grey_sums, 0) * np.float32(scale), scale


def _reconstruct(rays: FloatImage, side: int, plan: _Gridder) -> FloatImage:
    spectra = scipy.fft.rfft(rays, axis=1)
    beyond = np.conj(spectra[:, plan.detector // 2 - 1 : plan.detector - plan.ramp.size : -1])
    polar = (np.concatenate([spectra, beyond], axis=1) * plan.ramp).ravel()
    plane = np.empty((plan.grid, plan.grid // 2 + 1), np.complex64)
    plane.real = (plan.real @ np.ascontiguousarray(polar.real)).reshape(plane.shape)
    plane.imag = (plan.imaginary @ np.ascontiguousarray(polar.imag)).reshape(plane.shape)
    for part in parts(plane.shape[1], plane.nbytes):
        plane[:, part] = scipy.fft.ifft(plane[:, part], axis=0)
    half = side // 2
    result = np.empty((side, side), np.float32)
    for part in parts(side, plane.nbytes):
        image = scipy.fft.irfft(plane[np.arange(part.start, part.stop) - half], plan.grid, axis=1)
        result[part, :half], result[part, half:] = image[:, plan.grid - half :], image[:, : side - half]
    return result
