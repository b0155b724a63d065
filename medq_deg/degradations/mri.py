"""MRI: what happens in k-space, or in the receive field, before the image is shown.

The phase-encoding axis is the image's horizontal axis for undersampling and its vertical axis for ghosting and
movement, as in the published images.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
import scipy.fft
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import FloatImage, broadcast_plane, each_channel, parts
from medq_deg.degradations.degradation import Severities, published
from medq_deg.errors import ImageError, MedqDegError

_MOVES_SPREAD, _REST = 30.0, 10.0
"""Times of movement, in k-space lines from the middle of the scan: a half-normal law beyond a core of rest."""

_NEAR = 0.35
"""How far off the body is while the centre is read, over how far it is else: it comes to rest near its place."""

_SAME_LEVEL, _FRAME_SHARE = 6, 0.9  # grey levels, and share of the frame, that make it background
_FEW_LINES = 24


def polynomial(shape: tuple[int, int], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a polynomial of x and y over an image, both axes running from -1 to 1.

    Parameters
    ----------
    shape : (H, W)
    coefficients : (order + 1, order + 1) array
        Entry [i, j] multiplies ``y**i x**j``.

    Returns
    -------
    (H, W) float64
    """
    down, across = (
        np.polynomial.polynomial.polyvander(np.linspace(-1, 1, length), len(coefficients) - 1) for length in shape
    )
    return np.asarray(down @ coefficients @ across.T)


@published(
    summary="MRI coil sensitivity that falls with the distance: smooth bright and dark regions",
    clinician="Brightness drifts across the slice: signal of one tissue differs from side to side, texture is intact.",
    limits={"lowest": (0.001, 10.0), "highest": (0.001, 10.0), "order": (0, 8)},
    severities=Severities(
        {"lowest": 0.36, "highest": 0.68},
        {"lowest": 0.28, "highest": 0.54},
        "reference: good fit",
    ),
    note="The authors' two levels look alike, and so do these.",
    reference="Van Leemput et al. 1999",
)
def bias_field(image: FloatImage, rng: Generator, *, lowest: float, highest: float, order: int = 3) -> FloatImage:
    """Multiply by a smooth field: the coil's sensitivity falls with the distance.

    The field is the exponential of a polynomial with random coefficients (Van Leemput et al. 1999), scaled so that it
    spans ``[lowest, highest]`` over the image.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the coefficients; both severities of a row share the field's shape.
    lowest, highest : float
        Range of the field over the image, fractions above 0; both 1 returns the image.
    order : int
        Total order of the polynomial.

    References
    ----------
    Van Leemput et al., IEEE TMI 18 (1999) 885; Sudre et al., SASHIMI 2017. Strength: severity_reference.csv (cubic, .36
    to .68 and .28 to .54 in tissue), a good fit.
    """
    if lowest > highest:
        raise MedqDegError(f"bias_field: lowest must not be above highest, got {lowest!r} and {highest!r}")
    rows, columns = np.indices((order + 1, order + 1))
    total = rows + columns
    # A constant would only shift the scale; higher orders weigh less, so that the field stays smooth.
    weights = np.where((total >= 1) & (total <= order), 1.0 / np.maximum(total, 1), 0.0)
    log_field = polynomial(image.shape[:2], weights * rng.uniform(-1, 1, weights.shape))
    least, most = log_field.min(), log_field.max()
    slope = (np.log(highest) - np.log(lowest)) / (most - least) if most > least else 0.0
    field = np.exp((np.log(lowest) + slope * (log_field - least)).astype(np.float32))
    return np.asarray(image * broadcast_plane(field, image), np.float32)


def _magnitude(spectrum: NDArray[np.complexfloating], axis: int) -> FloatImage:
    """Transform back along one axis and return the magnitude."""
    result = np.empty(spectrum.shape, np.float32)
    for part in parts(spectrum.shape[1 - axis], spectrum.nbytes):
        where = (slice(None), part) if axis == 0 else (part, slice(None))
        back = scipy.fft.ifft(spectrum[where], axis=axis)
        result[where] = cv2.magnitude(np.ascontiguousarray(back.real), np.ascontiguousarray(back.imag))
    return result


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


@published(
    summary="MRI with k-space lines left out: blur and aliasing along one axis",
    clinician="A hurried scan: fine structure is soft along one axis, and faint copies of edges lie beside it.",
    limits={"center": (0.0, 1.0), "acceleration": (1.0, 1e4), "mask": ("shared", "per_channel")},
    severities=Severities(
        {"center": 0.05, "acceleration": 5.5},
        {"center": 0.05, "acceleration": 6.8},
        "accelerations reference; centre fitted on the authors' image (their .08 is 3 dB too mild there)",
    ),
    note="The authors' two levels look alike, and so do these.",
    reference="Lustig et al. 2007; Zbontar et al. 2018",
)
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
        image.

    References
    ----------
    Lustig, Donoho and Pauly, Magn. Reson. Med. 58 (2007) 1182; mask as in Zbontar et al., fastMRI, arXiv 1811.08839.
    Accelerations: severity_reference.csv (5.2 to 5.9 and 6.1 to 6.8), a good fit; its centre, .08, is 3 dB too mild.
    """
    if mask == "per_channel" and image.ndim == 2:
        raise ImageError("a mask per channel needs an RGB image, this one has a single channel")
    width = image.shape[1]
    shared = cartesian_mask(width, center, acceleration, rng) if mask == "shared" else None

    def one_channel(plane: FloatImage) -> FloatImage:
        lines = shared if shared is not None else cartesian_mask(width, center, acceleration, rng)
        spectrum = scipy.fft.fft(plane, axis=1)
        spectrum[:, ~lines] = 0
        return _magnitude(spectrum, axis=1)

    return each_channel(one_channel, image)


@published(
    summary="MRI of a body that moves periodically: displaced copies along the phase axis",
    clinician="Breathing or pulsation: copies of the body wall or a vessel at even steps can pass for lesions.",
    limits={"weights": (0.0, 10.0), "model": ("shifted_copies", "k_space")},
    severities=Severities(
        {"weights": (0.12, 0.10, 0.09, 0.06, 0.04)},
        {"weights": (0.56, 0.52, 0.47, 0.43, 0.38, 0.34)},
        "reference: good fit",
    ),
    reference="Wood and Henkelman 1985",
)
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
        "shifted_copies" adds bright copies that leave the image at its edge: what the authors did, and what the
        published images show. "k_space" weakens every (n + 1)-th k-space line by the mean weight, which is what a
        periodic motion does: n equal copies with wrap-around on both sides, and no light is added.

    References
    ----------
    Wood and Henkelman, Med. Phys. 12 (1985) 143 (ghosts of periodic motion). Weights: severity_reference.csv, a good
    fit.
    """
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


def surround(image: FloatImage) -> float | None:
    """Return the level of what lies around a body; None if the body fills the image's frame."""
    frame = np.concatenate([image[:2].ravel(), image[-2:].ravel(), image[:, :2].ravel(), image[:, -2:].ravel()])
    level = float(np.median(frame))
    return level if np.mean(np.abs(frame - level) <= _SAME_LEVEL) > _FRAME_SHARE else None


@published(
    summary="MRI of a body that moves during the scan: doubled edges and ringing",
    clinician="A restless patient: contours double and ripple, cartilage and cortex lose their line.",
    limits={"segments": (1, 64), "shift": (0.0, 1.0), "degrees": (0.0, 180.0)},
    severities=Severities(
        {"segments": 5, "shift": 0.012, "degrees": 1.2},
        {"segments": 8, "shift": 0.065, "degrees": 6.5},
        "fitted on the authors' full-size images; the reference could not identify it",
    ),
    reference="Wood and Henkelman 1985; Shaw et al. 2019",
)
def object_movement(image: FloatImage, rng: Generator, *, segments: int, shift: float, degrees: float) -> FloatImage:
    """Move the body between k-space segments: edges double and ring.

    k-space is filled line by line along the phase axis. The scan falls into `segments` runs of lines; before each but
    the first the body takes a new position, and each run is read from the body at its position. The run that holds the
    centre of k-space decides where the body is seen, so it may appear displaced. What moves into view is the background
    where the frame shows one, of whatever level, else the image's edge continued.

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
    # leaves hardly a trace. Counted in lines, that is in cycles per image, it means the same at any resolution.
    draws = rng.standard_normal((segments, 4))
    middle = height / 2 + _MOVES_SPREAD * draws[1:, 3] + _REST * np.sign(draws[1:, 3])
    bounds = [0, *np.sort(np.clip(np.round(middle), 0, height)).astype(int), height]
    runs = [(int(low) - height // 2, int(high) - height // 2) for low, high in pairwise(bounds)]
    # The positions are dealt from the centre of k-space outwards: where the body is seen is the same draw however many
    # moves there are, so that a severe scan shows it further off than a mild one. Before its first move it is at rest.
    rank = np.argsort(np.argsort([_distance(run) for run in runs], kind="stable"))
    moves = draws[rank, :3] * (shift * width, shift * height, degrees)
    moves[rank == 0] *= _NEAR
    moves[0] = 0

    def one_channel(plane: FloatImage) -> FloatImage:
        level = surround(plane)
        spectrum = np.empty((height, width), np.complex64)
        room = np.empty_like(plane)
        for (first, end), (dx, dy, angle) in zip(runs, moves, strict=True):
            if first == end:
                continue
            matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
            matrix[:, 2] += dx, dy
            moved: NDArray[Any] = plane
            if not np.allclose((dx, dy, angle), 0):
                moved = cv2.warpAffine(
                    plane,
                    matrix,
                    (width, height),
                    room,
                    flags=cv2.INTER_LINEAR,
                    # What comes into view is the background, or, where the body fills the frame, more of the body.
                    borderMode=cv2.BORDER_REPLICATE if level is None else cv2.BORDER_CONSTANT,
                    borderValue=level or 0.0,
                )
            _read_lines(np.asarray(moved, np.float32), first, end, spectrum)
        return _magnitude(spectrum, axis=0)

    return each_channel(one_channel, image)


def _distance(run: tuple[int, int]) -> int:
    """Return how far a run of lines is from the centre of k-space, line 0; a run of no lines is furthest."""
    first, end = run
    return 2**31 if first == end else max(first, 1 - end, 0)


def _read_lines(plane: FloatImage, first: int, end: int, spectrum: NDArray[np.complex64]) -> None:
    """Copy the k-space lines [first, end) of a plane, counted from the centre, into an unshifted spectrum."""
    height = plane.shape[0]
    lines = np.arange(first, end)
    if lines.size <= _FEW_LINES:  # a product is quicker than a transform
        phase = np.outer(lines, np.arange(height)) % height * (-2 * np.pi / height)
        spectrum.real[lines] = np.cos(phase).astype(np.float32) @ plane
        spectrum.imag[lines] = np.sin(phase).astype(np.float32) @ plane
        return
    for part in parts(plane.shape[1], 2 * plane.nbytes):
        half = scipy.fft.rfft(plane[:, part], axis=0)  # a real image: the other half is its mirror image
        if end > 0:
            spectrum[max(first, 0) : end, part] = half[max(first, 0) : end]
        if first < 0:
            below = min(end, 0)
            spectrum[height + first : height + below, part] = np.conj(half[-first:-below:-1])
