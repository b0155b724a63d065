"""Motion of the whole patient between positioning and exposure. Motion within an MRI scan is in `mri`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import FloatImage
from medq_deg.degradations.degradation import Severities, published


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
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(0.0, 0.0, 0.0))
    return np.asarray(turned, np.float32)
