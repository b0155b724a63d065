"""Intensity jitter: the grey values change, the anatomy stays where it is."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from medq_deg.degradations.arrays import FloatImage, luma


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
    Model and offsets: severity_reference.csv, an exact fit to the authors' pictures.
    """
    del rng
    return image + np.float32(offset)


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
        Exponent, 1 or more; 1 with no fog returns the picture.
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


def reduce_contrast(image: FloatImage, rng: Generator, *, contrast: float) -> FloatImage:
    """Pull every grey value towards the picture's mean: ``mean + contrast (x - mean)``.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Not used: the change is deterministic.
    contrast : float
        Fraction of the contrast that is left, in [0, 1]; 1 returns the picture. The mean is that of the luminance.

    References
    ----------
    Model and fractions: severity_reference.csv, an exact fit to the authors' pictures.
    """
    del rng
    mean = luma(image).mean(dtype=np.float64)
    return image * np.float32(contrast) + np.float32((1 - contrast) * mean)
