"""Red blood cells on a section: biconcave discs that overlap, turned, tinted and out of focus each in its own way.

A library of opacity tiles is drawn once, from a seed of its own: no image of a cell is pasted. A cell is one tile,
turned, stretched and tinted, laid over what is there as light passes it: ``x (1 - a) + a c``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import LUMA, FloatImage, side
from medq_deg.degradations.degradation import Severities, published

COLOUR = np.array([200.0, 58.0, 84.0], np.float32)
"""RGB of the light that a cell stained with eosin lets through, grey levels of 255."""

WARMTH = np.array([8.0, 11.0, -15.0], np.float32)
"""What the colour may differ by: towards orange, or towards magenta where more haematoxylin went in.

The stain of a slide decides most of it, the age of the single cell the rest.
"""

_RADIUS = (0.064, 0.09)  # fractions of sqrt(H W): one species, of which the largest is 1.4 times the smallest
_TILES, _TILE = 24, 104  # number, px
_REACH = 1.25  # half side of a tile, in radii
_SEED = 20240607
_FOCUS = ((0.8, 1.5, 3.0, 5.5), (0.3, 0.35, 0.2, 0.15))  # px of blur on a tile, and how often
_OUTLINE = ((2, 0.03), (3, 0.02), (4, 0.012), (5, 0.008), (7, 0.005))  # waves around a cell, and their size
_CRENATED_EVERY = 8
_OWN_TINT = 0.4  # of a cell, where 1 is the largest difference between slides
_VISIBLE = 0.03  # opacity of a tile from which a pixel counts as covered
_TYPICAL = 0.6  # mean opacity of the tiles where they are visible
_MOST_CELLS = 400


@cache
def tiles() -> FloatImage:
    """Return the opacity of the cells of the library, (24, 104, 104) float32 in [0, 1]."""
    rng = np.random.Generator(np.random.PCG64(_SEED))
    library = np.stack([_draw_tile(rng, crenated=number % _CRENATED_EVERY == _CRENATED_EVERY - 1)
                        for number in range(_TILES)])  # fmt: skip
    mean = np.mean([tile[tile > _VISIBLE].mean() for tile in library])
    return np.asarray(np.minimum(library * np.float32(_TYPICAL / mean), 1), np.float32)


def _draw_tile(rng: Generator, *, crenated: bool) -> FloatImage:
    axis = ((np.arange(_TILE) + 0.5) / _TILE * 2 - 1) * _REACH
    x, y = np.meshgrid(axis, axis)
    angle = np.arctan2(y, x)
    outline = np.ones_like(angle)
    for waves, size in _OUTLINE:
        outline += rng.normal(0, size) * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    if crenated:
        outline += 0.03 * np.cos(11 * angle + rng.uniform(0, 2 * np.pi))
    radius = np.hypot(x, y) / outline
    # The dimple is off the middle in a cell that lies aslant, and often filled in by the fixation.
    aslant = rng.normal(0, 0.12, 2)
    dimple = np.clip(np.hypot(x - aslant[0], y - aslant[1]) / outline * 0.9, 0, 1)
    depth = rng.uniform(0.45, 1.0)
    disc = np.sqrt(np.maximum(1 - radius**4, 0))
    biconcave = np.minimum(_thickness(dimple) + 0.05, 1) * np.clip(1.6 * disc, 0, 1)
    body = (1 - depth) * disc + depth * biconcave
    body *= 1 + _clumps(rng, 8.0, 0.12) + _clumps(rng, 2.4, 0.05)
    body *= np.clip((1 - radius) * 14 + 0.5, 0, 1)
    blurred = cv2.GaussianBlur(body.astype(np.float32), (0, 0), float(rng.choice(_FOCUS[0], p=_FOCUS[1])))
    return np.asarray(np.maximum(blurred, 0), np.float32)


def _thickness(radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thickness of an erythrocyte at a distance from its middle (Evans and Fung 1972), over its largest value."""
    return np.asarray(np.sqrt(1 - radius**2) * (0.207 + 2.003 * radius**2 - 1.123 * radius**4) / 0.79)


def _clumps(rng: Generator, size: float, strength: float) -> FloatImage:
    """Smooth noise of one size in px: haemoglobin is not spread evenly in a fixed cell."""
    white = rng.standard_normal((_TILE, _TILE)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(white, (0, 0), size) * (strength * size * 2 * np.sqrt(np.pi)), np.float32)


@dataclass(frozen=True)
class _Cell:
    """One cell: where it lies (px), how it is turned (radians) and stretched, which tile it is, and its tint."""

    x: float
    y: float
    radius: float
    flatness: float
    turn: float
    tile: int
    warmth: float
    density: float

    def opacity(self, height: int, width: int) -> tuple[tuple[slice, slice], FloatImage]:
        """Return the window of an image that the cell covers and its opacity there, relative to `_TYPICAL`."""
        reach = self.radius * _REACH
        left, right = max(int(self.x - reach), 0), min(int(self.x + reach) + 2, width)
        top, bottom = max(int(self.y - reach), 0), min(int(self.y + reach) + 2, height)
        cos, sin, scale = np.cos(self.turn), np.sin(self.turn), _TILE / (2 * reach)
        turned = np.array([[cos, sin], [-sin / self.flatness, cos / self.flatness]]) * scale
        middle = turned @ np.array([left - self.x, top - self.y]) + (_TILE - 1) / 2
        drawn = cv2.warpAffine(
            tiles()[self.tile],
            np.column_stack([turned, middle]),
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        return (slice(top, bottom), slice(left, right)), np.asarray(drawn, np.float32)


def _draw_cell(rng: Generator, height: int, width: int, size: float) -> _Cell:
    u = rng.random(8)
    return _Cell(
        x=u[0] * width,
        y=u[1] * height,
        radius=(_RADIUS[0] + (_RADIUS[1] - _RADIUS[0]) * u[2]) * size,
        flatness=0.78 + 0.22 * np.sqrt(u[3]),
        turn=2 * np.pi * u[4],
        tile=int(u[5] * _TILES),
        warmth=_OWN_TINT * (2 * u[6] - 1),
        density=0.8 + 0.4 * u[7],
    )


@published(
    summary="translucent red blood cells over the section",
    clinician="Blood spilled over the section: nuclei and gland borders under the cells are veiled, not gone.",
    limits={"coverage": (0.0, 0.99), "opacity": (0.0, 1.0)},
    severities=Severities(
        {"coverage": 0.2, "opacity": 0.25}, {"coverage": 0.47, "opacity": 0.33}, "reference: rough fit"
    ),
    reference="Porter and Duff 1984; Evans and Fung 1972",
)
def blood_cell(image: FloatImage, rng: Generator, *, coverage: float, opacity: float) -> FloatImage:
    """Lay translucent red blood cells over the section.

    A cell that lies above the plane of focus veils what is under it: ``x (1 - a) + a c``, with the opacity a following
    the thickness of a biconcave disc and c the colour of the cell. Cells overlap, each with its own size, tilt,
    outline, colour and focus.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the cells one after the other; the severe image has the mild one's cells and more.
    coverage : float
        Share of the area that cells cover, in [0, 1).
    opacity : float
        Mean opacity of a single cell, in [0, 1].

    References
    ----------
    Alpha compositing: Porter and Duff, SIGGRAPH 1984; shape of the cell: Evans and Fung, Microvasc. Res. 4 (1972) 335.
    Coverage and opacity: severity_reference.csv (20 % at about .25, 47 % at about .33), a rough fit.
    """
    height, width = image.shape[:2]
    planes = [image.copy()] if image.ndim == 2 else list(cv2.split(image))
    covered = np.zeros((height, width), bool)
    area, goal = 0, coverage * height * width
    stain = COLOUR + WARMTH * np.float32(2 * rng.random() - 1)
    for _ in range(_MOST_CELLS):
        # The area is counted as cells come, so the last one may overshoot by its own.
        if area >= goal:
            break
        cell = _draw_cell(rng, height, width, side(image))
        window, drawn = cell.opacity(height, width)
        before = int(np.count_nonzero(covered[window]))
        covered[window] |= drawn > _VISIBLE
        area += int(np.count_nonzero(covered[window])) - before
        alpha = np.minimum(drawn * np.float32(opacity * cell.density / _TYPICAL), 1)
        colour = stain + WARMTH * np.float32(cell.warmth)
        for plane, level in zip(planes, [colour @ LUMA] if image.ndim == 2 else colour, strict=True):
            plane[window] += alpha * (np.float32(level) - plane[window])
    return np.asarray(planes[0] if image.ndim == 2 else cv2.merge(planes), np.float32)
