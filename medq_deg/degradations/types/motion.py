"""Motion of the whole patient between positioning and exposure. Motion within an MRI scan is in `mri`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import ByteImage, FloatImage, to_bytes
from medq_deg.degradations.degradation import Severities, published

_BLACK = (0.0, 0.0, 0.0)
_TILE = 256  # px
_MARGIN = 3  # px around what a tile shows


def rotation_matrix(height: int, width: int, degrees: float) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix that turns an image anticlockwise about its centre, ((W-1)/2, (H-1)/2) in px."""
    return np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0), np.float64)


def draw_angle(rng: Generator, angles: tuple[float, float]) -> float:
    """Draw a rotation in degrees: a sign, then a size between the two angles.

    The draws do not depend on the angles, so two severities of a row turn the same way, and equally far within
    their ranges.
    """
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return sign * (angles[0] + (angles[1] - angles[0]) * rng.random())


def _on_bytes(image: ByteImage, rng: Generator, *, truncate: bool, angles: tuple[float, float]) -> ByteImage:
    height, width = image.shape[:2]
    matrix = rotation_matrix(height, width, draw_angle(rng, angles))
    result = np.empty_like(image)
    # Tile by tile, from the part of the image that each shows: both stay in the processor's cache.
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = result[top : top + _TILE, left : left + _TILE]
            tile[:] = to_bytes(_turned_tile(image, matrix, left, top, tile.shape[:2]), truncate=truncate)
    return result


def _turned_tile(
    image: ByteImage, matrix: NDArray[np.float64], left: int, top: int, shape: tuple[int, ...]
) -> FloatImage:
    """Return a tile of an image that is moved by a 2 x 3 matrix, black where nothing of it is."""
    back = cv2.invertAffineTransform(matrix)
    corners = back[:, :2] @ [[left, left + shape[1]] * 2, [top, top, top + shape[0], top + shape[0]]] + back[:, 2:]
    first = np.maximum(np.floor(corners.min(axis=1)).astype(int) - _MARGIN, 0)
    last = np.minimum(np.ceil(corners.max(axis=1)).astype(int) + _MARGIN, image.shape[1::-1])
    if (last <= first).any():
        return np.zeros((*shape, *image.shape[2:]), np.float32)
    shown = image[first[1] : last[1], first[0] : last[0]].astype(np.float32)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ first - (left, top)
    size = (shape[1], shape[0])
    return np.asarray(cv2.warpAffine(shown, moved, size, flags=cv2.INTER_LINEAR, borderValue=_BLACK), np.float32)


@published(
    summary="the patient lies turned: the image is rotated on a black canvas",
    clinician="Sides and levels are not where one looks for them; the anatomy itself is intact.",
    limits={"angles": (-360.0, 360.0)},
    severities=Severities(
        {"angles": (10.0, 25.0)},
        {"angles": (95.0, 125.0)},
        "the paper's rule: mild up to about 25 degrees, severe beyond 90; the reference has 18 and -153. Not "
        "beyond 125, where a nearly symmetric body comes back to itself and L2 is closer to the original than L1",
    ),
    reference="rigid rotation, linear interpolation",
    moves=True,
    on_bytes=_on_bytes,
)
def object_rotation(image: FloatImage, rng: Generator, *, angles: tuple[float, float]) -> FloatImage:
    """Turn the image about its centre on a black canvas of the same size, by linear interpolation.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the direction and the angle, see `draw_angle`.
    angles : (float, float)
        Least and greatest rotation in degrees; the sign is drawn.

    References
    ----------
    Severities: the paper's rule, mild up to about 25 degrees and severe beyond 90; severity_reference.csv has 18 and
    -153 degrees.
    """
    height, width = image.shape[:2]
    matrix = rotation_matrix(height, width, draw_angle(rng, angles))
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=_BLACK)
    return np.asarray(turned, np.float32)
