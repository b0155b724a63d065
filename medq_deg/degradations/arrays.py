"""Array types and small helpers that every physical family shares.

A degradation is a pure function ``f(image, rng, **parameters) -> image`` on float32 arrays of grey levels in
[0, 255], of shape (H, W) for a grey picture and (H, W, 3) for RGB. It may leave that range: the caller clips
and rounds once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatImage: TypeAlias = NDArray[np.float32]
ByteImage: TypeAlias = NDArray[np.uint8]
ImageFunction: TypeAlias = Callable[..., FloatImage]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G, B in the luminance (ITU-R BT.601), as Pillow's and OpenCV's conversions to grey use."""


def side(image: NDArray[Any]) -> float:
    """Side, in px, of the square with the picture's area: the length that fractional parameters refer to."""
    height, width = image.shape[:2]
    return math.sqrt(height * width)


def each_channel(function: Callable[[FloatImage], FloatImage], image: FloatImage) -> FloatImage:
    """Apply a function of an (H, W) array to a grey picture, or to each channel of an RGB one."""
    if image.ndim == 2:
        return function(image)
    return np.stack([function(np.ascontiguousarray(image[..., c])) for c in range(image.shape[2])], axis=-1)


def broadcast_plane(plane: NDArray[Any], image: NDArray[Any]) -> NDArray[Any]:
    """Return an (H, W) array in a shape that multiplies or adds to `image`, grey or RGB."""
    return plane if image.ndim == 2 else plane[..., None]


def luma(image: NDArray[Any]) -> FloatImage:
    """Return the (H, W) float32 luminance of a grey or RGB array."""
    if image.ndim == 2:
        return np.asarray(image, np.float32)
    return np.asarray(image @ LUMA, np.float32)
