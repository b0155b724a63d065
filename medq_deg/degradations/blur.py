"""Resolution and blur: what an optical system, a coarse detector or a long exposure loses."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from medq_deg.degradations.arrays import FloatImage, side


def gaussian_blur(image: FloatImage, rng: Generator, *, sigma: float) -> FloatImage:
    """Blur with a Gaussian: a lens out of focus.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    sigma : float
        Standard deviation as a fraction of sqrt(H W). The kernel ends at 4 standard deviations; the picture is
        continued by reflection.

    References
    ----------
    Goodman, Introduction to Fourier Optics, ch. 6. Strengths: severity_reference.csv (3 and 7 px on 516 x 483), an
    exact fit.
    """
    del rng
    pixels = sigma * side(image)
    radius = int(4 * pixels + 0.5)
    if radius == 0:
        return image
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.GaussianBlur(image, size, pixels, borderType=cv2.BORDER_REFLECT), np.float32)


def line_kernel(length: float, degrees: float) -> FloatImage:
    """Return the (2r+1, 2r+1) kernel of a uniform motion along a straight line, summing to 1.

    The line is sampled 16 times a pixel, and each sample is shared bilinearly among its four neighbours, so that
    length and direction need not be whole. Sharing widens the line by at most a quarter px**2 of variance.

    Parameters
    ----------
    length : float
        Length of the path in px, 0 or more.
    degrees : float
        Direction, anticlockwise from the picture's horizontal axis.
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
    kernel = line_kernel(length * side(image), rng.uniform(*angles))
    # A symmetric kernel: correlation, which filter2D computes, is convolution.
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def low_resolution(image: FloatImage, rng: Generator, *, scale: float) -> FloatImage:
    """Sample on a coarser grid and show the coarse pixels: linear interpolation down, nearest neighbour up.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    scale : float
        Coarse size as a fraction of the picture's, in (0, 1]. Each side keeps at least 4 px.

    References
    ----------
    Model: severity_reference.csv, a good fit. The linear interpolation has no low-pass filter, so it aliases, as
    the authors' does.
    """
    del rng
    height, width = image.shape[:2]
    coarse = (max(round(width * scale), 4), max(round(height * scale), 4))
    small = cv2.resize(image, coarse, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
