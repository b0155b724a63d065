"""Intensity jitter: the grey values change, the anatomy stays where it is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from medq_deg.degradations.arrays import LEVELS, LUMA, ByteImage, FloatImage, to_bytes
from medq_deg.degradations.degradation import Severities, published


@published(
    summary="too little light: every grey value lower by the same amount, shadows clipped",
    clinician="The lamp of the endoscope or dermoscope is too weak or too far: detail in the shadows is lost for good.",
    limits={"offset": (-255.0, 255.0)},
    severities=Severities({"offset": -75.0}, {"offset": -113.0}, "reference: exact fit"),
    reference="additive shift with clipping",
    random=False,
    pointwise=True,
)
def adjust_brightness(image: FloatImage, rng: Generator, *, offset: float) -> FloatImage:
    """Add a constant to every grey value: too little light at the tip of an endoscope or a dermoscope.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    offset : float
        Grey levels of 255; negative darkens. Values clip at 0 and 255.

    References
    ----------
    Model and offsets: severity_reference.csv, an exact fit to the authors' images.
    """
    del rng
    return image + np.float32(offset)


@published(
    summary="X-ray film exposed too much (dark) or too little (bright)",
    clinician="The technique was wrong: lungs burnt out to black, or the mediastinum and the bases drowned in white.",
    limits={"gamma": (1.0, 20.0), "fog": (0.0, 255.0)},
    severities=Severities(
        {"gamma": 1.451, "fog": 9.5},
        {"gamma": 2.357, "fog": 27.3},
        "reference: good fit of the dark direction; the bright one is its inverse curve (ours)",
    ),
    reference="Hurter and Driffield 1890; Bushberg et al., ch. 7",
    pointwise=True,
)
def exposure(image: FloatImage, rng: Generator, *, gamma: float, fog: float) -> FloatImage:
    """Expose an X-ray film too much (dark) or too little (bright), the direction drawn from the seed.

    On the straight part of the film's characteristic curve the transmitted light is a power of the exposure
    (Hurter and Driffield 1890; Bushberg et al., The Essential Physics of Medical Imaging, ch. 7), so a change of
    technique is a gamma curve, and a shift for the toe: ``255 (x/255)**gamma - fog`` when over-exposed, and the
    mirror image ``255 (x/255)**(1/gamma) + fog`` when under-exposed.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the direction, dark or bright with equal probability; both severities of a row share it.
    gamma : float
        Exponent, 1 or more; 1 with no fog returns the image.
    fog : float
        Grey levels of 255, 0 or more.

    References
    ----------
    Curves of the dark direction: severity_reference.csv, a good fit. The bright direction is published too, but
    not fitted there; it is taken as the inverse curve.
    """
    too_dark = rng.random() < 0.5
    light = np.maximum(image, 0) * np.float32(1 / 255)
    if too_dark:
        return np.float32(255) * light ** np.float32(gamma) - np.float32(fog)
    return np.float32(255) * light ** np.float32(1 / gamma) + np.float32(fog)


def _mean(image: NDArray[Any]) -> float:
    """Mean luminance, from the exact means of the channels."""
    means = cv2.mean(image)
    return float(means[0]) if image.ndim == 2 else float(np.dot(means[:3], LUMA.astype(np.float64)))


def _contrast_on_bytes(image: ByteImage, rng: Generator, *, truncate: bool, contrast: float) -> ByteImage:
    del rng
    table = to_bytes(_about_mean(LEVELS, contrast, _mean(image)), truncate=truncate)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _about_mean(image: FloatImage, contrast: float, mean: float) -> FloatImage:
    return image * np.float32(contrast) + np.float32((1 - contrast) * mean)


@published(
    summary="grey values pulled towards their mean: a veiled, flat image",
    clinician="A badly set gain or dynamic range: a lesion that differs little from what is around it is lost.",
    limits={"contrast": (0.0, 1.0)},
    severities=Severities({"contrast": 0.65}, {"contrast": 0.297}, "reference: exact fit"),
    reference="linear contrast about the mean",
    random=False,
    on_bytes=_contrast_on_bytes,
)
def reduce_contrast(image: FloatImage, rng: Generator, *, contrast: float) -> FloatImage:
    """Pull every grey value towards the image's mean: ``mean + contrast (x - mean)``.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    contrast : float
        Fraction of the contrast that is left, in [0, 1]; 1 returns the image. The mean is that of the luminance.

    References
    ----------
    Model and fractions: severity_reference.csv, an exact fit to the authors' images.
    """
    del rng
    return _about_mean(image, contrast, _mean(image))
