"""Spectra of the convolution that a parallel-beam scan and its filtered back-projection amount to.

Projecting an image along straight lines and reconstructing it with the ramp filter is linear and, for a parallel
beam, shift-invariant. So it is one 2-D convolution with the kernel

    h(x, y) = (pi / V) sum_v r(x cos t_v - y sin t_v)

over V view angles t_v, where r is the response of the ramp filter, cut at the Nyquist frequency, times sinc**4 for
the two linear interpolations (one in the projection, one in the back-projection). The central-slice theorem puts the
spectrum of each view on a line through the origin of the Fourier plane, and a kernel cut to the lags that an image can
see has that line in closed form on the padded grid: along the axis that the line is closer to, it is sampled at whole
bins, which only makes the kernel periodic there; along the other it is smeared by the transform of the cut, a windowed
sinc. So a spectrum is a few products for each bin that a line passes, whatever the angle, without a transform.

References
----------
Kak and Slaney, Principles of Computerized Tomographic Imaging, ch. 3 (filtered back-projection, central slice).
Kaiser and Schafer, IEEE Trans. ASSP 28 (1980) 105 (the Kaiser window that ends the sinc).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from cachetools import LRUCache, cached
from numpy.typing import NDArray
from scipy.special import sici

from medq_deg.degradations.arrays import FloatImage, parts

CACHE_BYTES = 96 * 2**20
"""Memory for spectra in one process; one of a 512 x 512 image takes 2.1 MB."""

_REACH = 6  # bins on each side over which a line is smeared
_STEPS = 64  # tabulated positions of a line within a bin
_KAISER = 5.0
_LOW_BINS = 64  # bins of a ramp that the cut of its response to one period changes noticeably


@dataclass(frozen=True)
class Spectrum:
    """Half spectrum of an even, real kernel, and the padded shape that it multiplies.

    Attributes
    ----------
    values : (PH, PW // 2 + 1) float32
    padded : (int, int)
        (PH, PW), at least (2H - 1, 2W - 1).
    """

    values: FloatImage
    padded: tuple[int, int]


@lru_cache(1)
def _smear() -> FloatImage:
    """Weights (2 _REACH, _STEPS) of the bins around a line that lies the given step past a bin."""
    distance = np.arange(1 - _REACH, _REACH + 1)[:, None] - np.arange(_STEPS) / _STEPS
    window = np.i0(_KAISER * np.sqrt(np.maximum(1 - (distance / _REACH) ** 2, 0))) / np.i0(_KAISER)
    return np.asarray(np.sinc(distance) * window * (np.abs(distance) < _REACH), np.float32)


@lru_cache(1)
def _cut_correction() -> NDArray[np.float64]:
    """Return what cutting the ramp's response to one period adds at each bin, in units of 2 / (pi**2 period).

    The response falls as -1 / (2 pi**2 x**2), so that beyond half a period there is missing
    ``integral cos(2 pi s x) / (pi**2 x**2)``. At bin 0 it is the exact zero-frequency gain of the discrete filter.
    """
    phase = np.pi * np.arange(_LOW_BINS)
    return np.asarray(np.cos(phase) - phase * (np.pi / 2 - sici(phase)[0]), np.float64)


def _ramp(bins: NDArray[Any], period: int, lead: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[Any]:
    """Ramp filter times sinc**4 at whole bins of the leading axis, for views with direction (lead, across)."""
    frequency = np.abs(bins) / (period * lead)
    low = np.minimum(np.abs(bins), _LOW_BINS - 1)
    correction = np.where(np.abs(bins) < _LOW_BINS, _cut_correction()[low], 0) * 2 / (np.pi**2 * period * lead)
    ramp = np.where(frequency <= 0.5, frequency, 0) + correction
    # A view along a row or a column meets the pixels in their middles: nothing is interpolated.
    interpolation = np.where(across < 1e-6, 1, np.sinc(np.minimum(frequency, 1)) ** 4)
    return np.where(frequency <= 0.5, ramp * interpolation, 0)


class _Plane:
    """Half Fourier plane in which lines are added up, with margins that take what is smeared beyond its edges."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.columns = height, width // 2 + 1
        self._margin = 2 * _REACH
        self._stride = self.columns + 2 * self._margin
        self._sums = np.zeros((height + 2 * self._margin) * self._stride, np.float32)

    def add(self, row: NDArray[Any], column: NDArray[Any], value: FloatImage, *, along_rows: bool) -> None:
        """Add values at (row, column), one of which is whole and the other is smeared; rows from -height / 2."""
        line = column if along_rows else row
        whole = np.floor(line).astype(np.int32)
        # A line that rounding puts just below a bin is a whole bin past the one before.
        step = np.minimum(((line - whole) * _STEPS).astype(np.int32), _STEPS - 1)
        rows, columns = (row, whole) if along_rows else (whole, column)
        first = (rows + (self.height // 2 + self._margin)) * self._stride + columns + self._margin
        for offset, weights in zip(range(1 - _REACH, _REACH + 1), _smear(), strict=True):
            np.add.at(self._sums, first + offset * (1 if along_rows else self._stride), weights[step] * value)

    def spectrum(self) -> FloatImage:
        """Return the sums as (height, columns) in the order of an unshifted FFT."""
        margin = self._margin
        plane = self._sums.reshape(-1, self._stride)[:, margin : margin + self.columns]
        core = plane[margin:-margin]
        core[:margin] += plane[-margin:]
        core[-margin:] += plane[:margin]
        return np.roll(core, -(self.height // 2), axis=0)


def _spectrum_bytes(spectrum: Spectrum) -> int:
    return spectrum.values.nbytes


@cached(LRUCache(CACHE_BYTES, getsizeof=_spectrum_bytes), lock=threading.Lock())
def spectrum(height: int, width: int, views: int, arc: float, start: float) -> Spectrum:
    """Return the spectrum of projecting and reconstructing images of one size.

    It takes about as long to build as to use, and is kept in a cache of `CACHE_BYTES`.

    Parameters
    ----------
    height, width : int
        Size of the image in px.
    views : int
        Number of view angles, evenly spaced.
    arc, start : float
        The views cover [start, start + arc) degrees.
    """
    rows = scipy.fft.next_fast_len(2 * height - 1, real=True)
    columns = scipy.fft.next_fast_len(2 * width - 1, real=True)
    angles = np.deg2rad(start + np.arange(views) * arc / views)[:, None]
    cos, sin = np.cos(angles), np.sin(angles)
    flat = np.abs(cos) * columns >= np.abs(sin) * rows
    plane = _Plane(rows, columns)

    c, s = cos[flat][:, None], sin[flat][:, None]
    across = np.arange(columns // 2 + 1)
    line = -across * (rows / columns) * (s / c)
    value = _ramp(across, columns, np.abs(c), np.abs(s)) * (np.pi / views * rows) / np.abs(c)
    kept = value != 0
    plane.add(line[kept], np.broadcast_to(across, line.shape)[kept], value[kept].astype(np.float32), along_rows=False)

    c, s = cos[~flat][:, None], sin[~flat][:, None]
    down = np.arange(rows) - rows // 2
    line = -down * (columns / rows) * (c / s)
    value = _ramp(down, rows, np.abs(s), np.abs(c)) * (np.pi / views * columns) / np.abs(s)
    # The left half plane is the right one's mirror image: only what it smears across the axis is needed.
    kept = (value != 0) & (line > -_REACH) & (line < columns // 2 + 1 + _REACH)
    plane.add(np.broadcast_to(down, line.shape)[kept], line[kept], value[kept].astype(np.float32), along_rows=True)
    return Spectrum(plane.spectrum(), (rows, columns))


def convolve(image: FloatImage, kernel: Spectrum) -> FloatImage:
    """Convolve an (H, W) float32 image, zero outside, with the kernel of a spectrum.

    Only the rows that hold the image are transformed along x, on the way in and on the way out, which saves a
    third of the time of a plain rfft2 and irfft2; and the padded plane never exists as a whole.
    """
    height, width = image.shape
    padded_height, padded_width = kernel.padded
    columns = padded_width // 2 + 1
    rows = np.empty((height, columns), np.complex64)
    for part in parts(height, rows.nbytes):
        rows[part] = scipy.fft.rfft(image[part], padded_width, axis=1)
    for part in parts(columns, 2 * rows.nbytes):
        lines = scipy.fft.fft(rows[:, part], padded_height, axis=0)
        lines *= kernel.values[:, part]
        rows[:, part] = scipy.fft.ifft(lines, axis=0, overwrite_x=True)[:height]
    result = np.empty(image.shape, np.float32)
    for part in parts(height, rows.nbytes):
        result[part] = scipy.fft.irfft(rows[part], padded_width, axis=1)[:, :width]
    return result
