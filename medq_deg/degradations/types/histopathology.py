"""Histopathology: what lies in the mounting medium or on the slide, overlaid as light passes it.

Everything is drawn procedurally from the seed; no image of a spot or a bubble is pasted. Red blood cells are in
`blood_cells`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from medq_deg.degradations.arrays import FloatImage, broadcast_plane, side
from medq_deg.degradations.degradation import Severities, published
from medq_deg.degradations.types.blur import gaussian


def _squared_distance(height: int, width: int, centre: tuple[float, float]) -> FloatImage:
    """Return the (H, W) squared distance in px from a centre given as fractions of height and width."""
    y = np.arange(height, dtype=np.float32) - np.float32(centre[0] * (height - 1))
    x = np.arange(width, dtype=np.float32) - np.float32(centre[1] * (width - 1))
    return np.asarray(y[:, None] ** 2 + x**2, np.float32)


@published(
    summary="a smooth dark area: dirt or a fold out of focus absorbs light",
    clinician="A shadow over a part of the field: staining looks denser there than it is.",
    limits={"depth": (0.0, 1.0), "radius": (0.001, 2.0)},
    severities=Severities(
        {"depth": 0.47, "radius": 51 / 256}, {"depth": 0.77, "radius": 89 / 256}, "reference: good fit"
    ),
    reference="Beer-Lambert absorption",
)
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


@published(
    summary="an air bubble under the cover slip: a blurred disc with a dark rim",
    clinician="Trapped air: inside the ring the section is out of focus and cannot be read.",
    limits={"radius": (0.001, 2.0), "sigma": (0.001, 0.5), "rim": (0.0, 1.0)},
    severities=Severities(
        {"radius": 50 / 256, "sigma": 1.6 / 256}, {"radius": 92 / 256, "sigma": 3.2 / 256}, "reference: exact fit"
    ),
    reference="refraction at a sphere, defocus",
)
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
    y, x = rng.uniform(0.35, 0.65) * (height - 1), rng.uniform(0.35, 0.65) * (width - 1)
    softness = np.float32(max(0.006 * size, 0.75))
    reach = radius * size + 5 * softness
    top, bottom = max(int(y - reach), 0), min(int(y + reach) + 2, height)
    left, right = max(int(x - reach), 0), min(int(x + reach) + 2, width)
    # Only the square around the bubble changes, and its blur needs no more than what the kernel reaches beyond it.
    margin = int(4 * sigma * size + 1.5)
    outer_top, outer_left = max(top - margin, 0), max(left - margin, 0)
    blurred = gaussian(image[outer_top : bottom + margin, outer_left : right + margin], sigma * size)
    blurred = blurred[top - outer_top : bottom - outer_top, left - outer_left : right - outer_left]

    down = np.arange(top, bottom, dtype=np.float32) - np.float32(y)
    across = np.arange(left, right, dtype=np.float32) - np.float32(x)
    outside = np.sqrt(down[:, None] ** 2 + across**2) - np.float32(radius * size)
    inside = np.clip(0.5 - outside / (2 * softness), 0, 1)
    ring = np.zeros_like(outside)
    near = np.abs(outside + 1.5 * softness) < 5.5 * softness  # beyond, it is 0
    steps = outside[near] / softness
    ring[near] = np.exp(-(steps**2)) - 0.5 * np.exp(-((steps + 3) ** 2))

    result = image.copy()
    part = result[top:bottom, left:right]
    part += broadcast_plane(inside, image) * (blurred - part)
    part *= broadcast_plane(1 - np.float32(rim) * ring, image)
    return result
