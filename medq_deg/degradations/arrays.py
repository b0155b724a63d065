"""Array types and small helpers that every physical family shares.

A degradation is a pure function ``f(image, rng, **parameters) -> image`` on float32 arrays of grey levels in
[0, 255], of shape (H, W) for a grey image and (H, W, 3) for RGB. It may leave that range: the caller clips
and rounds once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage: TypeAlias = NDArray[np.float32]
ByteImage: TypeAlias = NDArray[np.uint8]
ImageFunction: TypeAlias = Callable[..., FloatImage]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G, B in the luminance (ITU-R BT.601), as Pillow's and OpenCV's conversions to grey use."""

LEVELS = np.arange(256, dtype=np.float32)[None]
"""The grey levels of a byte, as an image of one row."""

_GREY_CHROMA = 12
_COLOURED_MOST = 0.1
_PART_BYTES = 1 << 20
_FLOATS_A_BYTE = 16  # a float's bytes, times the arrays of floats that a part takes
_LEAST_PART = 32  # rows or columns: shorter runs of columns waste what the processor reads along with them


def side(image: NDArray[Any]) -> float:
    """Side, in px, of the square with the image's area: the length that fractional parameters refer to."""
    height, width = image.shape[:2]
    return math.sqrt(height * width)


def each_channel(function: Callable[[FloatImage], FloatImage], image: FloatImage) -> FloatImage:
    """Apply a function of an (H, W) array to a grey image, or to each channel of an RGB one."""
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


def chroma(image: NDArray[Any]) -> NDArray[Any]:
    """Return the (H, W) difference between the largest and the smallest channel of each pixel of an (H, W, 3) array."""
    red, green, blue = cv2.split(image)
    return np.asarray(cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)))


def is_grey(image: NDArray[Any]) -> bool:
    """Whether an image is grey but for few pixels: a marking, a stray pixel, the noise of a JPEG's colours."""
    if image.ndim == 2:
        return True
    return float(np.mean(chroma(image) > _GREY_CHROMA)) <= _COLOURED_MOST


def collapse(array: NDArray[Any]) -> NDArray[Any]:
    """Return one channel of a grey image stored in one or three equal channels, else the array itself."""
    if array.ndim == 2:
        return array
    if array.shape[2] == 1:
        return np.ascontiguousarray(array[..., 0])
    row = array[array.shape[0] // 2]  # most colour images are told apart by one row
    bands = parts(len(array), _FLOATS_A_BYTE * array.nbytes)
    if (row == row[:, :1]).all() and all(_has_equal_channels(array[band]) for band in bands):
        return np.asarray(cv2.extractChannel(array, 0))
    return array


def _has_equal_channels(array: NDArray[Any]) -> bool:
    first, second, third = cv2.split(array)
    return np.array_equal(first, second) and np.array_equal(first, third)


def to_bytes(image: FloatImage, *, truncate: bool) -> ByteImage:
    """Clip to [0, 255] and round to the nearest grey level, or down as the paper's authors do."""
    result = np.empty(image.shape, np.uint8)
    for part in parts(len(image), image.nbytes):
        clipped = np.clip(image[part], 0, 255)
        if not truncate:
            np.rint(clipped, out=clipped)
        result[part] = clipped.astype(np.uint8)
    return result


def bytes_by_rows(image: ByteImage, function: Callable[[slice], FloatImage], *, truncate: bool) -> ByteImage:
    """Return the rounded result, of the shape of an image of bytes, of a function that makes some rows of it.

    No array of floats of the image's size is made: the memory of those goes back to the system at the end of each
    call, and is slow to come by anew.
    """
    result = np.empty(image.shape, np.uint8)
    for rows in parts(len(image), _FLOATS_A_BYTE * image.nbytes):
        result[rows] = to_bytes(function(rows), truncate=truncate)
    return result


def parts(length: int, total_bytes: int) -> Iterator[slice]:
    """Cut an axis into parts of about a megabyte each, of an array that takes `total_bytes`.

    What is done part by part stays in the processor's cache and needs no second array of the image's size, which for
    a large image takes longer to come by than to fill.
    """
    step = max(length * _PART_BYTES // max(total_bytes, 1), _LEAST_PART)
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))
