"""Resolution and blur: what an optical system, a coarse detector or a long exposure loses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ive

from medq_deg.degradations.arrays import ByteImage, FloatImage, side, to_bytes
from medq_deg.degradations.degradation import Severities, published

_FINE_BELOW = 0.7  # px of sigma below which a Gaussian is the discrete one
_FINE_REACH = 4  # px
_COARSE_FROM = 12.0  # px of sigma from which a Gaussian is computed on a coarser grid
_COARSE_SIGMA = 6.0  # px of sigma left there, or more
_DIRECT_CELLS = 130  # of a kernel, from which OpenCV goes by way of a Fourier transform
_SPARSE_CELLS = 200  # that are not zero, from which that is the quicker way for a line too
_TILE = 11  # px
_BAND = 128  # rows that are summed at a time, so that they stay in the cache of a processor


def gaussian(image: FloatImage, sigma: float) -> FloatImage:
    """Blur a grey or RGB image, continued by reflection, with a Gaussian of `sigma` px that ends at 4 of them.

    From 12 px of sigma the image is averaged over blocks first, so that 6 px or more are left, and interpolated
    after: to within half a grey level of the direct sum, in the time of a small kernel. Below 0.7 px, where samples of
    the bell no longer have its variance, the discrete Gaussian is taken, which has it at any strength.

    References
    ----------
    T. Lindeberg, Scale-space for discrete signals, IEEE Trans. Pattern Anal. Mach. Intell. 12, 1990.
    """
    if sigma >= _COARSE_FROM:
        return _coarse_gaussian(image, sigma, int(sigma / _COARSE_SIGMA))
    if sigma < _FINE_BELOW:
        weights = ive(np.abs(np.arange(-_FINE_REACH, _FINE_REACH + 1)), sigma**2)
        kernel = weights / weights.sum()
        return np.asarray(cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT), np.float32)
    radius = int(4 * sigma + 0.5)
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.GaussianBlur(image, size, sigma, borderType=cv2.BORDER_REFLECT), np.float32)


def _coarse_gaussian(image: FloatImage, sigma: float, factor: int) -> FloatImage:
    height, width = image.shape[:2]
    margin = -(-int(4 * sigma + 2 * factor) // factor) * factor
    bottom, right = margin + -height % factor, margin + -width % factor
    wide = cv2.copyMakeBorder(image, margin, bottom, margin, right, cv2.BORDER_REFLECT)
    small = cv2.resize(wide, (wide.shape[1] // factor, wide.shape[0] // factor), interpolation=cv2.INTER_AREA)
    # Averaging over a block has blurred by its variance already, and linear interpolation will by its own.
    place = (np.arange(factor) + 0.5) / factor - 0.5
    variance = (factor**2 - 1) / 12 + factor**2 * float(np.mean(np.abs(place) * (1 - np.abs(place))))
    small = gaussian(np.asarray(small, np.float32), float(np.sqrt(sigma**2 - variance) / factor))
    edge = margin // factor - 2
    part = small[edge : edge + -(-height // factor) + 4, edge : edge + -(-width // factor) + 4]
    size = (part.shape[1] * factor, part.shape[0] * factor)
    back = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    start = 2 * factor
    return np.ascontiguousarray(back[start : start + height, start : start + width])


@published(
    summary="out of focus: every point spread to a round blot",
    clinician="The lens is out of focus: pigment network, vessels and pit patterns run together, large shapes stay.",
    limits={"sigma": (0.0, 0.5)},
    severities=Severities({"sigma": 3 / 499}, {"sigma": 7 / 499}, "reference: exact fit"),
    reference="Goodman, ch. 6",
    random=False,
)
def gaussian_blur(image: FloatImage, rng: Generator, *, sigma: float) -> FloatImage:
    """Blur with a Gaussian: a lens out of focus.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    sigma : float
        Standard deviation as a fraction of sqrt(H W). The kernel ends at 4 standard deviations; the image is
        continued by reflection.

    References
    ----------
    Goodman, Introduction to Fourier Optics, ch. 6. Strengths: severity_reference.csv (3 and 7 px on 516 x 483), an
    exact fit.
    """
    del rng
    return gaussian(image, sigma * side(image))


def line_kernel(length: float, degrees: float) -> FloatImage:
    """Return the (2r+1, 2r+1) kernel of a uniform motion along a straight line, summing to 1.

    The line is sampled 16 times a pixel, and each sample is shared bilinearly among its four neighbours, so that
    length and direction need not be whole. Sharing widens the line by at most a quarter px**2 of variance.

    Parameters
    ----------
    length : float
        Length of the path in px, 0 or more.
    degrees : float
        Direction, anticlockwise from the image's horizontal axis.
    """
    reach = length / 2
    steps = max(round(16 * length), 1)
    along = (np.arange(steps) + 0.5) / steps * 2 * reach - reach
    x, y = along * np.cos(np.deg2rad(degrees)), -along * np.sin(np.deg2rad(degrees))
    radius = int(np.ceil(reach)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_share, bottom_share = x - left, y - top
    for dy, wy in ((0, 1 - bottom_share), (1, bottom_share)):
        for dx, wx in ((0, 1 - right_share), (1, right_share)):
            np.add.at(kernel, (top + radius + dy, left + radius + dx), wy * wx)
    return np.asarray(kernel / kernel.sum(), np.float32)


def filter_line(image: FloatImage, kernel: FloatImage) -> FloatImage:
    """Filter an image, continued by reflection, with a symmetric kernel of few cells that are not zero.

    The kernel is cut into tiles that are small enough for a direct sum, and those that hold a part of the line are
    summed about their own place; a line of very many cells goes to OpenCV as it is.
    """
    middle = kernel.shape[0] // 2
    rows, columns = np.flatnonzero(kernel.any(axis=1)), np.flatnonzero(kernel.any(axis=0))
    down, across = (max(middle - line[0], line[-1] - middle) for line in (rows, columns))
    kernel = np.ascontiguousarray(kernel[middle - down : middle + down + 1, middle - across : middle + across + 1])
    if kernel.size < _DIRECT_CELLS or np.count_nonzero(kernel) > _SPARSE_CELLS:
        return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_REFLECT)
    tiles = list(_tiles(kernel))
    total = np.zeros_like(image)
    for start in range(0, height, _BAND):
        band = total[start : start + _BAND]
        for top, left, tile in tiles:
            first = start + top
            source = padded[first : first + len(band) + tile.shape[0] - 1, left : left + width + tile.shape[1] - 1]
            part = cv2.filter2D(source, -1, tile, anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
            cv2.add(band, part[: len(band), :width], band)
    return total


def _tiles(kernel: FloatImage) -> Iterator[tuple[int, int, FloatImage]]:
    """Yield the first row, the first column and the cells of each part of a kernel that is not zero."""
    for top in range(0, kernel.shape[0], _TILE):
        for left in range(0, kernel.shape[1], _TILE):
            tile = kernel[top : top + _TILE, left : left + _TILE]
            rows, columns = np.flatnonzero(tile.any(axis=1)), np.flatnonzero(tile.any(axis=0))
            if rows.size:
                tile = tile[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                yield top + rows[0], left + columns[0], np.ascontiguousarray(tile)


_ANY = (0.0, 180.0)


@published(
    summary="blurred along a line by even motion during the exposure",
    clinician="The patient, the probe or the camera moved: edges across the motion blur, edges along it stay sharp.",
    limits={"length": (0.0, 1.0), "angles": (-360.0, 360.0)},
    severities=Severities(
        {"length": 8 / 513, "angles": _ANY},
        {"length": 11 / 513, "angles": _ANY},
        "reference: good fit; any direction (ours)",
    ),
    by_modality={
        "CT": Severities({"length": 0.0125, "angles": _ANY}, {"length": 0.0185, "angles": _ANY}, "by modality"),
        "MRI": Severities({"length": 0.024, "angles": _ANY}, {"length": 0.036, "angles": _ANY}, "by modality"),
        "ultrasound": Severities({"length": 0.022, "angles": _ANY}, {"length": 0.032, "angles": _ANY}, "by modality"),
        "X-ray": Severities(
            {"length": 13 / 1024, "angles": (-20.0, 20.0)},
            {"length": 41 / 1024, "angles": (-20.0, 20.0)},
            "reference (xray_motion_blur_artifact): good fit; the range of directions is ours",
        ),
    },
    reference="Gonzalez and Woods, sec. 5.6",
)
def motion_blur(image: FloatImage, rng: Generator, *, length: float, angles: tuple[float, float]) -> FloatImage:
    """Blur along a line: the patient, the probe or the camera moved evenly during the exposure.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the direction, uniform over `angles`; both severities of a row share it.
    length : float
        Length of the path as a fraction of sqrt(H W).
    angles : (float, float)
        Least and greatest direction in degrees, anticlockwise from the horizontal.

    References
    ----------
    Gonzalez and Woods, Digital Image Processing, sec. 5.6. Lengths and the X-ray kernel's direction:
    severity_reference.csv, a good fit.
    """
    # A symmetric kernel: correlation, which a filter computes, is convolution.
    return filter_line(image, line_kernel(length * side(image), rng.uniform(*angles)))


def _low_resolution_on_bytes(image: ByteImage, rng: Generator, *, truncate: bool, scale: float) -> ByteImage:
    del rng
    coarse = to_bytes(_coarse(image.astype(np.float32), scale), truncate=truncate)
    return np.asarray(_blown_up(coarse, image.shape), np.uint8)


@published(
    summary="a coarse grid: fewer and larger pixels",
    clinician="A thumbnail, a fax or a monitor's photograph blown up: anything smaller than a coarse pixel is gone.",
    limits={"scale": (0.001, 1.0)},
    severities=Severities(
        {"scale": 0.7}, {"scale": 0.4}, "by modality (MRI, endoscopy); one X-ray in the reference: 0.597, 0.06"
    ),
    by_modality={
        "CT": Severities({"scale": 0.7}, {"scale": 0.19}, "fitted on the authors' own image"),
        "ultrasound": Severities({"scale": 0.8}, {"scale": 0.55}, "by modality"),
        "histopathology": Severities({"scale": 0.7}, {"scale": 0.27}, "by modality"),
        "X-ray": Severities({"scale": 0.7}, {"scale": 0.08}, "reference: 0.06 of the side, a good fit"),
        "dermoscopy": Severities({"scale": 0.7}, {"scale": 0.2}, "by modality"),
    },
    reference="linear interpolation down, nearest neighbour up",
    random=False,
    on_bytes=_low_resolution_on_bytes,
)
def low_resolution(image: FloatImage, rng: Generator, *, scale: float) -> FloatImage:
    """Sample on a coarser grid and show the coarse pixels: linear interpolation down, nearest neighbour up.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    scale : float
        Coarse size as a fraction of the image's, in (0, 1]. Each side keeps at least 4 px.

    References
    ----------
    Model: severity_reference.csv, a good fit. The linear interpolation has no low-pass filter, so it aliases, as
    the authors' does.
    """
    del rng
    return np.asarray(_blown_up(_coarse(image, scale), image.shape), np.float32)


def _coarse(image: FloatImage, scale: float) -> FloatImage:
    height, width = image.shape[:2]
    size = (max(round(width * scale), 4), max(round(height * scale), 4))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _blown_up(coarse: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST_EXACT))
