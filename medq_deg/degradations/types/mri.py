"""MRI: what happens in k-space, or in the receive field, before the image is shown.

The phase-encoding axis is the image's horizontal axis for undersampling and its vertical axis for ghosting and
movement, as in the published images.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Literal

import cv2
import numpy as np
import scipy.fft
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import ByteImage, FloatImage, broadcast_plane, bytes_by_rows, each_channel, parts
from medq_deg.degradations.degradation import Severities, published
from medq_deg.errors import ImageError, MedqDegError

_MOVES_SPREAD, _REST = 30.0, 10.0
"""Times of movement, in k-space lines from the middle of the scan: a half-normal law beyond a core of rest."""

_NEAR = 0.35
"""How far off the body is while the centre is read, over how far it is else: it comes to rest near its place."""

_SAME_LEVEL, _FRAME_SHARE = 6, 0.9  # grey levels, and share of the frame, that make it background
_FEW_LINES = 48
_PASSED: Final = {4: 0.07, 2: 0.17}
"""By how much rows are thinned out, and the frequencies in cycles per px that pass."""
_THIN_FROM = 2048  # rows from which that changes less than rounding does
_REACH = 8  # thinned rows on either side that make one


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


def _ghosting_on_bytes(
    image: ByteImage,
    rng: Generator,
    *,
    truncate: bool,
    weights: tuple[float, ...],
    model: Literal["shifted_copies", "k_space"] = "shifted_copies",
) -> ByteImage | None:
    if model != "shifted_copies":
        return None
    up = rng.random() < 0.5
    return bytes_by_rows(image, lambda rows: _add_copies(image, weights, up=up, rows=rows), truncate=truncate)


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
    on_bytes=_ghosting_on_bytes,
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
    if model == "k_space":
        strength = float(np.mean(weights))
        return each_channel(lambda plane: _modulate_lines(plane, len(weights) + 1, strength), image)
    return _add_copies(image, weights, up=up, rows=slice(0, len(image)))


def _add_copies(image: NDArray[Any], weights: tuple[float, ...], *, up: bool, rows: slice) -> FloatImage:
    """Return some rows of an image with displaced copies of it, as floats."""
    height = len(image)
    result = image[rows].astype(np.float32)
    for number, weight in enumerate(weights, 1):
        shift = round(number * height / (len(weights) + 1)) * (1 if up else -1)
        start, stop = max(rows.start + shift, 0), min(rows.stop + shift, height)
        if start < stop:
            part = result[start - shift - rows.start : stop - shift - rows.start]
            cv2.scaleAdd(image[start:stop].astype(np.float32, copy=False), weight, part, part)
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

    matrices = [_position(height, width, *move) for move in moves]
    return each_channel(lambda plane: _read_runs(plane, runs, matrices), image)


def _distance(run: tuple[int, int]) -> int:
    """Return how far a run of lines is from the centre of k-space, line 0; a run of no lines is furthest."""
    first, end = run
    return 2**31 if first == end else max(first, 1 - end, 0)


def _position(height: int, width: int, dx: float, dy: float, degrees: float) -> NDArray[np.float64] | None:
    """Return the 2 x 3 matrix of a turn about the centre and a displacement in px; None where nothing moves."""
    if np.allclose((dx, dy, degrees), 0):
        return None
    matrix = np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0), np.float64)
    matrix[:, 2] += np.array([dx, dy])
    return matrix


def _read_runs(
    plane: FloatImage, runs: list[tuple[int, int]], matrices: list[NDArray[np.float64] | None]
) -> FloatImage:
    """Read each run of k-space lines from the plane at its position, and return the magnitude of the whole.

    Lines are numbered from the centre of k-space. Few of them are a product, part by part; many are a transform. The
    spectrum is put together and transformed back a few columns at a time, so that it never exists as a whole.
    """
    height, width = plane.shape
    level = surround(plane)
    thinned: dict[int, FloatImage] = {1: plane}
    few: list[tuple[NDArray[np.intp], NDArray[np.complex64]]] = []
    many: list[tuple[int, int, FloatImage]] = []
    for (first, end), matrix in zip(runs, matrices, strict=True):
        if end - first > _FEW_LINES:
            many.append((first, end, plane if matrix is None else _moved(plane, matrix, level, height)))
        elif first < end:
            lines = np.arange(first, end)
            step = 1 if matrix is None else _thinning(height, lines, matrix)
            if step not in thinned:
                thinned[step] = _thin(plane, step, level)
            few.append((lines, _few_lines(thinned[step], lines, matrix, level, step, height)))
    result = np.empty_like(plane)
    for part in parts(width, plane.nbytes):
        spectrum = np.empty((height, part.stop - part.start), np.complex64)
        for first, end, moved in many:
            half = scipy.fft.rfft(moved[:, part], axis=0)  # a real image: the other half is its mirror image
            if end > 0:
                spectrum[max(first, 0) : end] = half[max(first, 0) : end]
            if first < 0:
                below = min(end, 0)
                np.conj(half[-first:-below:-1], out=spectrum[height + first : height + below])
        for lines, values in few:
            spectrum[lines] = values[:, part]
        np.abs(scipy.fft.ifft(spectrum, axis=0, overwrite_x=True), out=result[:, part])
    return result


def _moved(plane: FloatImage, matrix: NDArray[np.float64], level: float | None, rows: int) -> FloatImage:
    """Return the first rows of a plane that is moved by a matrix.

    What comes into view is the background, or, where the body fills the frame, more of the body.
    """
    return np.asarray(
        cv2.warpAffine(
            plane,
            matrix,
            (plane.shape[1], rows),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE if level is None else cv2.BORDER_CONSTANT,
            borderValue=level or 0.0,
        ),
        np.float32,
    )


def _thinning(height: int, lines: NDArray[np.intp], matrix: NDArray[np.float64]) -> int:
    """Return by how much a plane's rows may be thinned out if only some lines near the centre are read of it."""
    if height < _THIN_FROM:
        return 1
    # What is turned onto a line comes from further out, the finer it is along the line.
    highest = np.abs(lines).max() / height + abs(matrix[1, 0]) / 2
    return next((step for step, passed in _PASSED.items() if highest <= passed and height % step == 0), 1)


@lru_cache(4)
def _low_pass(step: int) -> FloatImage:
    """Return the weights of the rows that make a thinned one: fitted to pass low frequencies and stop their aliases.

    What linear interpolation between thinned rows takes away more than between all of them is added beforehand.
    """
    places = np.arange(_REACH * step) + 0.5
    frequency = np.linspace(0, 0.5, 1000)
    passed = frequency <= _PASSED[step]
    wanted = np.where(passed, (np.sinc(frequency) / np.sinc(step * frequency)) ** 2, 0)
    weight = np.where(passed, 1 / (frequency + 0.01), 10) * (passed | (frequency >= 1 / step - _PASSED[step]))
    waves = 2 * np.cos(2 * np.pi * np.outer(frequency, places))
    half = np.linalg.lstsq(waves * weight[:, None], wanted * weight, rcond=None)[0]
    return np.asarray(np.concatenate([half[::-1], half]) / (2 * half.sum()), np.float32)


def _thin(plane: FloatImage, step: int, level: float | None) -> FloatImage:
    """Return every `step`-th row of a low-passed plane, with `_REACH` rows more above and below."""
    border = cv2.BORDER_REPLICATE if level is None else cv2.BORDER_CONSTANT
    weights = _low_pass(step)
    thin = np.empty((len(plane) // step + 2 * _REACH, plane.shape[1]), np.float32)
    for rows in parts(len(thin), 4 * plane.nbytes):
        count = rows.stop - rows.start
        band = np.zeros((count, (count - 1) * step + len(weights)), np.float32)
        for row in range(count):
            band[row, row * step : row * step + len(weights)] = weights
        # The row in the middle of `step` rows, in rows of the plane, less half the filter.
        top = (rows.start - _REACH) * step + step // 2 - len(weights) // 2
        bottom = top + band.shape[1]
        inside = plane[max(top, 0) : max(min(bottom, len(plane)), 0)]
        above, below = max(-top, 0), max(bottom - len(plane), 0)
        whole = cv2.copyMakeBorder(inside, above, below, 0, 0, border, value=level or 0.0) if above or below else inside
        thin[rows] = band @ np.asarray(whole, np.float32)
    return thin


def _few_lines(
    plane: FloatImage,
    lines: NDArray[np.intp],
    matrix: NDArray[np.float64] | None,
    level: float | None,
    step: int,
    height: int,
) -> NDArray[np.complex64]:
    """Return k-space lines of a plane of thinned rows that is moved by a matrix: a product with sines and cosines."""
    places = np.arange(height // step) * step + (step - 1) / 2
    phase = np.outer(lines, places) % height * (-2 * np.pi / height)
    waves = np.concatenate([np.cos(phase), np.sin(phase)]).astype(np.float32) * np.float32(step)
    total = np.zeros((len(waves), plane.shape[1]), np.float32)
    for rows in parts(len(places), plane.nbytes):
        part = plane[rows]
        if matrix is not None:
            shifted = matrix.copy()
            if step > 1:
                shifted[:, 2] += matrix[:, 1] * ((step - 1) / 2 - _REACH * step)
                shifted[:, 1] *= step
                shifted[1] /= step
                shifted[1, 2] -= (step - 1) / 2 / step
            shifted[1, 2] -= rows.start
            part = _moved(plane, shifted, level, rows.stop - rows.start)
        total += waves[:, rows] @ part
    return np.asarray(total[: len(lines)] + np.complex64(1j) * total[len(lines) :], np.complex64)
