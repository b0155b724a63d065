"""Histopathology: what lies on the slide or in the mounting medium, overlaid as light passes it.

Everything is drawn procedurally from the seed; no picture of a cell, a spot or a bubble is pasted.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from medq_deg.degradations.arrays import FloatImage, broadcast_plane, luma, side

BLOOD_CELL_COLOUR = np.array([240.0, 124.0, 138.0], np.float32)
"""RGB of the light that an unfocused erythrocyte lets through, grey levels of 255."""

_CELL_RADIUS = (0.062, 0.1)  # fractions of sqrt(H W)
_MOST_CELLS = 400
_SMALLEST_WINDOW = 3  # px


@dataclass(frozen=True)
class _Cell:
    """One erythrocyte: centre, half axes and tilt in px and radians, and the phases of its texture."""

    x: float
    y: float
    half_axes: tuple[float, float]
    tilt: float
    phases: tuple[float, float]


def _draw_cell(rng: Generator, height: int, width: int) -> _Cell:
    size = np.sqrt(height * width)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    radius = rng.uniform(*_CELL_RADIUS) * size
    flatness = rng.uniform(0.82, 1.0)
    tilt = rng.uniform(0, np.pi)
    phases = rng.uniform(0, 2 * np.pi, 2)
    return _Cell(x, y, (radius, radius * flatness), tilt, (float(phases[0]), float(phases[1])))


def _cell_opacity(cell: _Cell, height: int, width: int) -> tuple[tuple[slice, slice], FloatImage] | None:
    """Return the window that a cell covers and its opacity there, in [0, 1]; None if the cell is out of sight."""
    reach = max(cell.half_axes) + 2
    top, bottom = max(int(cell.y - reach), 0), min(int(cell.y + reach) + 2, height)
    left, right = max(int(cell.x - reach), 0), min(int(cell.x + reach) + 2, width)
    if bottom - top < _SMALLEST_WINDOW or right - left < _SMALLEST_WINDOW:
        return None
    y = (np.arange(top, bottom) - cell.y).astype(np.float32)[:, None]
    x = (np.arange(left, right) - cell.x).astype(np.float32)
    along = (x * np.cos(cell.tilt) + y * np.sin(cell.tilt)) / cell.half_axes[0]
    across = (y * np.cos(cell.tilt) - x * np.sin(cell.tilt)) / cell.half_axes[1]
    radius = np.sqrt(along**2 + across**2)
    edge = np.clip((1 - radius) * min(cell.half_axes) / 2 + 0.5, 0, 1)  # soft over two pixels
    # A biconcave disc: thin in the middle, thickest at two thirds of the radius; and a mottled surface.
    thickness = 0.78 + 0.22 * np.exp(-(((radius - 0.7) / 0.28) ** 2))
    mottle = 1 + 0.08 * np.sin(5 * along + cell.phases[0]) * np.sin(6 * across + cell.phases[1])
    return (slice(top, bottom), slice(left, right)), np.asarray(edge * thickness * mottle, np.float32)


def blood_cell(image: FloatImage, rng: Generator, *, coverage: float, opacity: float) -> FloatImage:
    """Lay translucent red blood cells over the section.

    A cell that lies above the plane of focus veils what is under it: ``x (1 - a) + a c``, with the opacity a following
    the thickness of a biconcave disc and c the colour of the cell. Cells overlap.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the cells one after the other; the severe picture has the mild one's cells and more.
    coverage : float
        Share of the area that cells cover, in [0, 1).
    opacity : float
        Greatest opacity of a single cell, in [0, 1].

    References
    ----------
    Alpha compositing: Porter and Duff, SIGGRAPH 1984; shape of the cell: Evans and Fung, Microvasc. Res. 4 (1972) 335.
    Coverage and opacity: severity_reference.csv (20 % at about .25, 47 % at about .33), a rough fit.
    """
    height, width = image.shape[:2]
    passed = np.ones((height, width), np.float32)
    covered = np.zeros((height, width), bool)
    for _ in range(_MOST_CELLS):
        # The area is counted as cells come, so the last one may overshoot by its own.
        if covered.mean() >= coverage:
            break
        drawn = _cell_opacity(_draw_cell(rng, height, width), height, width)
        if drawn is None:
            continue
        window, alpha = drawn
        passed[window] *= 1 - np.float32(opacity) * alpha
        covered[window] |= alpha > 0.5
    colour = luma(BLOOD_CELL_COLOUR[None, None]) if image.ndim == 2 else BLOOD_CELL_COLOUR
    through = broadcast_plane(passed, image)
    return np.asarray(image * through + (1 - through) * colour, np.float32)


def _squared_distance(height: int, width: int, centre: tuple[float, float]) -> FloatImage:
    """Return the (H, W) squared distance in px from a centre given as fractions of height and width."""
    y = np.arange(height, dtype=np.float32) - np.float32(centre[0] * (height - 1))
    x = np.arange(width, dtype=np.float32) - np.float32(centre[1] * (width - 1))
    return np.asarray(y[:, None] ** 2 + x**2, np.float32)


def dark_spots(image: FloatImage, rng: Generator, *, depth: float, radius: float) -> FloatImage:
    """Darken a smooth round area: dirt or a fold out of focus absorbs light there.

    ``x (1 - depth exp(-r**2 / (2 s**2)))``, r the distance from the spot's centre.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the centre, within the middle 40 % of both sides; both severities share it.
    depth : float
        Share of the light that is absorbed at the centre, in [0, 1].
    radius : float
        Standard deviation s of the Gaussian, as a fraction of sqrt(H W).

    References
    ----------
    Multiplicative absorption (Beer-Lambert). Model and strengths: severity_reference.csv, a good fit.
    """
    centre = (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7))
    scale = 1 / (2 * (radius * side(image)) ** 2)
    light = 1 - np.float32(depth) * np.exp(
        _squared_distance(image.shape[0], image.shape[1], centre) * np.float32(-scale)
    )
    return np.asarray(image * broadcast_plane(light, image), np.float32)


def bubble(image: FloatImage, rng: Generator, *, radius: float, sigma: float, rim: float = 0.18) -> FloatImage:
    """Blur a disc and darken its rim: an air bubble under the cover slip defocuses what is under it.

    Inside the bubble the section is out of focus; at its edge the curved surface refracts light out of the objective,
    which leaves a thin dark ring with a bright line inside.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the centre, within the middle 30 % of both sides; both severities share it.
    radius : float
        Radius of the bubble as a fraction of sqrt(H W).
    sigma : float
        Standard deviation of the blur inside, as a fraction of sqrt(H W).
    rim : float
        Share of the light that is lost in the ring, in [0, 1].

    References
    ----------
    Disc and blur: severity_reference.csv, an exact fit (r = 50 and 92, sigma 1.6 and 3.2 of 256). The rim is ours, from
    the refraction at a sphere; it costs about 1 dB at L1.
    """
    height, width = image.shape[:2]
    size = side(image)
    centre = (rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65))
    blurred = cv2.GaussianBlur(image, (0, 0), sigma * size, borderType=cv2.BORDER_REFLECT)
    outside = np.sqrt(_squared_distance(height, width, centre)) - np.float32(radius * size)
    softness = np.float32(max(0.006 * size, 0.75))
    inside = np.clip(0.5 - outside / (2 * softness), 0, 1)
    ring = np.exp(-((outside / softness) ** 2)) - 0.5 * np.exp(-(((outside + 3 * softness) / softness) ** 2))
    result = image + broadcast_plane(inside, image) * (blurred - image)
    return np.asarray(result * broadcast_plane(1 - np.float32(rim) * ring, image), np.float32)
