"""Coloured markings on grey images: a box, a contour, an arrow, lifted off before a degradation and put back after.

A pixel at the edge of a line is ``(1 - a) g + a c``: g the grey of the image, c the colour of the line. The colour's
chroma is known from the line's core and grey has none, so a pixel's chroma tells its share a. A JPEG spreads colour
further than light: where line and image differ in luminance, a is no more than that tells. The grey image under a
marking is filled in before the degradation, or the marking's own luminance would be blurred, ghosted or streaked into
it; and after it exactly the grey share of each pixel is exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from medq_deg.degradations.arrays import ByteImage, FloatImage, chroma

SATURATION = 60
"""Least difference between the largest and smallest channel of a pixel in the core of a coloured marking."""

_MOST = 0.25
"""Share of strongly coloured pixels above which an image counts as a colour image, not a marked grey one."""

_GREY_REST = 12
"""Mean chroma of the pixels outside the marking up to which the image under it counts as grey."""

_FLOW_MOST = 12
"""Colours inside coloured areas up to which they are drawn ones; those of a colour Doppler run into one another."""

_COLOUR_STEP, _COLOUR_SHARE, _INSIDE_LEAST = 16, 0.8, 0.001  # grey levels; share of the inside, and of the image
_FAINT = 8  # chroma below which a pixel at a marking's edge counts as grey
_MARGIN = 24  # px around a marking that filling in looks at
_CONTRAST = 15  # grey levels between line and image from which luminance tells a share
_SLACK = 0.02  # of a share that luminance tells: the image under the line is known only nearly
_FILL_SIZES = (5, 9, 17, 33, 65)  # px


@dataclass(frozen=True)
class Marking:
    """A marking, lifted off its image.

    Attributes
    ----------
    marked : (H, W, 3) uint8
        The image that carries it.
    grey : (H, W) uint8
        The image without it, filled in where it was.
    share : (h, w) float32
        The marking's share of each pixel, in [0, 1], within `window`.
    window : (slice, slice)
        Where the marking lies.
    """

    marked: ByteImage
    grey: ByteImage
    share: FloatImage
    window: tuple[slice, slice]

    def paste(self, degraded: ByteImage) -> ByteImage:
        """Return the degraded (H, W) grey image with the marking on it, as (H, W, 3)."""
        result = np.asarray(cv2.cvtColor(degraded, cv2.COLOR_GRAY2RGB), np.uint8)
        on = self.share > 0
        change = degraded[self.window][on].astype(np.float32) - self.grey[self.window][on]
        pixels = self.marked[self.window][on] + ((1 - self.share[on]) * change)[:, None]
        result[self.window][on] = np.rint(pixels).clip(0, 255)
        return result


def lift(array: ByteImage) -> Marking | None:
    """Return the coloured marking on a grey image, (H, W, 3) uint8; None if there is none.

    A line or an area of few colours is a marking, also where the image shines through. A colour Doppler is none: its
    colours are what was measured.
    """
    if array.ndim == 2 or array.shape[2] == 1:
        return None
    colour = chroma(array)
    core = (colour >= SATURATION).astype(np.uint8)
    if not 0 < cv2.countNonZero(core) <= _MOST * core.size:
        return None
    if _is_flow(array, core):
        return None
    near = cv2.dilate(core, _box(5))
    if cv2.mean(colour, 1 - cv2.dilate(core, _box(3)))[0] > _GREY_REST:
        return None
    left, top, width, height = cv2.boundingRect(near)
    window = (
        slice(max(top - _MARGIN, 0), top + height + _MARGIN),
        slice(max(left - _MARGIN, 0), left + width + _MARGIN),
    )
    near, colour = near[window], colour[window]
    # The most coloured pixel close by is the line's own colour, of which a core may fall short: in a JPEG.
    own = cv2.dilate(colour, _box(7)).astype(np.float32)
    share = np.minimum(colour / np.maximum(own * np.float32(0.9), 1), 1)
    share = np.where((near > 0) & (colour >= _FAINT), share, 0).astype(np.float32)
    hole = np.asarray(cv2.dilate((share > 0).astype(np.uint8), _box(3)) & np.asarray(near, np.uint8), np.uint8)
    grey = np.asarray(cv2.cvtColor(array, cv2.COLOR_RGB2GRAY), np.uint8)
    luminance = grey[window].astype(np.float32)
    grey[window] = _fill(grey[window], hole)
    return Marking(array, grey, _bounded(share, luminance, grey[window], core[window]), window)


def _is_flow(array: ByteImage, core: NDArray[np.uint8]) -> bool:
    """Return whether coloured areas hold many colours, as a map of velocities does.

    Colours are told apart by the differences of their channels, to which a grey image that shines through adds
    nothing.
    """
    inside = cv2.erode(core, _box(5)) > 0
    if np.count_nonzero(inside) <= _INSIDE_LEAST * inside.size:
        return False
    red, green, blue = (array[..., channel][inside].astype(int) for channel in range(3))
    colours = ((red - green + 255) // _COLOUR_STEP) * 32 + (green - blue + 255) // _COLOUR_STEP
    counts = np.sort(np.bincount(colours))[::-1]
    return int(np.searchsorted(np.cumsum(counts), _COLOUR_SHARE * counts.sum())) + 1 > _FLOW_MOST


def _bounded(share: FloatImage, luminance: FloatImage, filled: ByteImage, core: NDArray[np.uint8]) -> FloatImage:
    """Return the shares that chroma tells, lowered to those that luminance tells where it tells anything."""
    solid = core.astype(np.float32)
    count = cv2.boxFilter(solid, -1, (7, 7), normalize=False)
    line = cv2.boxFilter(luminance * solid, -1, (7, 7), normalize=False) / np.maximum(count, 1)
    contrast = line - filled
    clear = (share < 1) & (np.abs(contrast) >= _CONTRAST)
    told = np.clip((luminance - filled) / np.where(clear, contrast, 1), 0, 1) + _SLACK
    return np.asarray(np.where(clear, np.minimum(share, told), share), np.float32)


def _fill(image: ByteImage, hole: NDArray[np.uint8]) -> ByteImage:
    """Fill a hole from the pixels around it, the nearest first: normalised convolution with growing kernels."""
    known = (1 - hole).astype(np.float32)
    value = image * known
    filled, open_ = image.copy(), hole.astype(bool)
    for size in _FILL_SIZES:
        weight = cv2.GaussianBlur(known, (size, size), size / 5)
        reached = open_ & (weight > 0.02)
        filled[reached] = np.rint(cv2.GaussianBlur(value, (size, size), size / 5)[reached] / weight[reached])
        open_ &= ~reached
        if not open_.any():
            return filled
    # A solid area wider than the largest kernel: the mean of what is around it.
    filled[open_] = round(float(value.sum() / known.sum()) if known.any() else float(image.mean()))
    return filled


def _box(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)
