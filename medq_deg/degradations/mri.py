"""MRI: what happens in k-space, or in the receive field, before the picture is shown.

The phase-encoding axis is the picture's horizontal axis for undersampling and its vertical axis for ghosting and
movement, as in the published pictures.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import scipy.fft
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import FloatImage, broadcast_plane, each_channel
from medq_deg.errors import ImageError, MedqDegError

_MOVES_SPREAD = 30.0
"""Standard deviation of the times of movement about the middle of the scan, in k-space lines."""


def polynomial(shape: tuple[int, int], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a polynomial of x and y over a picture, both axes running from -1 to 1.

    Parameters
    ----------
    shape : (H, W)
    coefficients : (order + 1, order + 1) array
        Entry [i, j] multiplies ``y**i x**j``.

    Returns
    -------
    (H, W) float64
    """
    y, x = (np.linspace(-1, 1, length) for length in shape)
    return np.asarray(np.polynomial.polynomial.polygrid2d(y, x, coefficients))


def bias_field(image: FloatImage, rng: Generator, *, lowest: float, highest: float, order: int = 3) -> FloatImage:
    """Multiply by a smooth field: the coil's sensitivity falls with the distance.

    The field is the exponential of a polynomial with random coefficients (Van Leemput et al. 1999), scaled so that it
    spans ``[lowest, highest]`` over the picture.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the coefficients; both severities of a row share the field's shape.
    lowest, highest : float
        Range of the field over the picture, fractions above 0; both 1 returns the picture.
    order : int
        Total order of the polynomial.

    References
    ----------
    Van Leemput et al., IEEE TMI 18 (1999) 885; Sudre et al., SASHIMI 2017. Strength: severity_reference.csv (cubic, .36
    to .68 and .28 to .54 in tissue), a good fit.
    """
    rows, columns = np.indices((order + 1, order + 1))
    total = rows + columns
    # A constant would only shift the scale; higher orders weigh less, so that the field stays smooth.
    weights = np.where((total >= 1) & (total <= order), 1.0 / np.maximum(total, 1), 0.0)
    log_field = polynomial(image.shape[:2], weights * rng.uniform(-1, 1, weights.shape))
    least, most = log_field.min(), log_field.max()
    unit = (log_field - least) / (most - least) if most > least else np.zeros_like(log_field)
    field = np.exp(np.log(lowest) + unit * (np.log(highest) - np.log(lowest))).astype(np.float32)
    return np.asarray(image * broadcast_plane(field, image), np.float32)


def _magnitude(spectrum: NDArray[np.complexfloating], axis: int) -> FloatImage:
    """Transform back along one axis, in place, and return the magnitude."""
    return np.asarray(np.abs(scipy.fft.ifft(spectrum, axis=axis, overwrite_x=True)), np.float32)


def cartesian_mask(columns: int, center: float, acceleration: float, rng: Generator) -> NDArray[np.bool_]:
    """Choose the k-space lines that a Cartesian scan samples: all in the centre, random ones outside.

    Parameters
    ----------
    columns : int
        Number of lines; the zero frequency is at index 0, as in an unshifted FFT.
    center : float
        Share of the lines in the fully sampled centre.
    acceleration : float
        All lines over sampled lines.
    rng : numpy.random.Generator
        Draws the order in which outer lines are taken, so that a higher acceleration samples a subset.

    Returns
    -------
    (columns,) bool
    """
    frequency = np.abs(scipy.fft.fftfreq(columns))
    by_frequency = np.argsort(frequency, kind="stable")
    kept = max(round(columns * center), 1)
    outer = rng.permutation(by_frequency[kept:])
    mask = np.zeros(columns, bool)
    mask[by_frequency[:kept]] = True
    mask[outer[: max(round(columns / acceleration) - kept, 0)]] = True
    return mask


def undersampling(
    image: FloatImage,
    rng: Generator,
    *,
    center: float,
    acceleration: float,
    mask: Literal["shared", "per_channel"] = "shared",
) -> FloatImage:
    """Leave out k-space lines and fill them with zero: blur and incoherent aliasing along one axis.

    Only the axis of the missing lines has to be transformed. The magnitude is shown.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the lines; those of the severe scan are a subset of the mild one's.
    center : float
        Fully sampled share of the lines.
    acceleration : float
        All lines over sampled lines, 1 or more.
    mask : {"shared", "per_channel"}
        One mask for all channels, or the authors' mask of its own for each, which gives coloured aliasing on an RGB
        picture.

    References
    ----------
    Lustig, Donoho and Pauly, Magn. Reson. Med. 58 (2007) 1182; mask as in Zbontar et al., fastMRI, arXiv 1811.08839.
    Strength: severity_reference.csv (centre .08, accelerations 5.2 to 5.9 and 6.1 to 6.8), a good fit.
    """
    if mask not in ("shared", "per_channel"):
        raise MedqDegError(f"mask must be 'shared' or 'per_channel', got {mask!r}")
    if mask == "per_channel" and image.ndim == 2:
        raise ImageError("a mask per channel needs an RGB picture, this one has a single channel")
    width = image.shape[1]
    shared = cartesian_mask(width, center, acceleration, rng) if mask == "shared" else None

    def one_channel(plane: FloatImage) -> FloatImage:
        lines = shared if shared is not None else cartesian_mask(width, center, acceleration, rng)
        spectrum = scipy.fft.fft(plane, axis=1)
        spectrum[:, ~lines] = 0
        return _magnitude(spectrum, axis=1)

    return each_channel(one_channel, image)


def ghosting(
    image: FloatImage,
    rng: Generator,
    *,
    weights: tuple[float, ...],
    model: Literal["shifted_copies", "k_space"] = "shifted_copies",
) -> FloatImage:
    """Add displaced copies along the phase axis: the body moved periodically during the scan.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the side to which the copies are displaced, up or down; both severities share it.
    weights : tuple of float
        Brightness of each copy, the least displaced first. With n copies they stand H / (n + 1) apart.
    model : {"shifted_copies", "k_space"}
        "shifted_copies" adds bright copies that leave the picture at its edge: what the authors did, and what the
        published pictures show. "k_space" weakens every (n + 1)-th k-space line by the mean weight, which is what a
        periodic motion does: n equal copies with wrap-around on both sides, and no light is added.

    References
    ----------
    Wood and Henkelman, Med. Phys. 12 (1985) 143 (ghosts of periodic motion). Weights: severity_reference.csv, a good
    fit.
    """
    if model not in ("shifted_copies", "k_space"):
        raise MedqDegError(f"model must be 'shifted_copies' or 'k_space', got {model!r}")
    up = rng.random() < 0.5
    parts = len(weights) + 1
    if model == "k_space":
        strength = float(np.mean(weights))
        return each_channel(lambda plane: _modulate_lines(plane, parts, strength), image)
    height = image.shape[0]
    result = image.copy()
    for number, weight in enumerate(weights, 1):
        shift = round(number * height / parts)
        if up:
            result[: height - shift] += np.float32(weight) * image[shift:]
        else:
            result[shift:] += np.float32(weight) * image[: height - shift]
    return result


def _modulate_lines(plane: FloatImage, every: int, strength: float) -> FloatImage:
    spectrum = scipy.fft.fft(plane, axis=0)
    lines = np.arange(every, plane.shape[0], every)
    spectrum[lines] *= 1 - strength
    return _magnitude(spectrum, axis=0)


def object_movement(image: FloatImage, rng: Generator, *, segments: int, shift: float, degrees: float) -> FloatImage:
    """Move the body between k-space segments: edges double and ring.

    k-space is filled line by line along the phase axis. The scan falls into `segments` runs of lines; before each but
    the first the body takes a new position, and each run is read from the body at its position. The run that holds the
    centre of k-space decides where the body is seen, so it may appear displaced.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws when the body moves and where to; both severities share both up to their size.
    segments : int
        Number of positions, 1 or more.
    shift : float
        Standard deviation of the displacement along each axis, as a fraction of that side.
    degrees : float
        Standard deviation of the rotation about the centre, in degrees.

    References
    ----------
    Wood and Henkelman, Med. Phys. 12 (1985) 143; Shaw et al., MIDL 2019 (segments of k-space from moved copies).
    Strength: chosen by the figures of severity_by_modality.csv and by eye, since severity_reference.csv could not
    identify it.
    """
    height, width = image.shape[:2]
    # The body moves near the middle of the scan, where k-space holds what the eye sees: a move among the outer lines
    # leaves hardly a trace. Counted in lines, that is in cycles per picture, it means the same at any resolution.
    middle = height / 2 + _MOVES_SPREAD * rng.standard_normal(segments - 1)
    moves = rng.standard_normal((segments, 3)) * (shift * width, shift * height, degrees)
    moves[0] = 0
    bounds = np.concatenate([[0], np.sort(np.clip(np.round(middle), 0, height)).astype(int), [height]])

    def one_channel(plane: FloatImage) -> FloatImage:
        rows = np.empty((height, width), np.complex64)
        for segment, (dx, dy, angle) in enumerate(moves):
            lines = np.arange(bounds[segment], bounds[segment + 1])
            if lines.size == 0:
                continue
            matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
            matrix[:, 2] += dx, dy
            moved = cv2.warpAffine(plane, matrix, (width, height), flags=cv2.INTER_LINEAR) if segment else plane
            rows[lines] = scipy.fft.fftshift(scipy.fft.fft(moved, axis=0), axes=0)[lines]
        return _magnitude(scipy.fft.ifftshift(rows, axes=0), axis=0)

    return each_channel(one_channel, image)
