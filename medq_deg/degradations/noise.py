"""Noise of a detector or an amplifier. The noise of a low-dose CT scan is in `ct`, where its physics is."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from medq_deg.degradations.arrays import LUMA, FloatImage

LUMINANCE_SHARE = float(np.linalg.norm(LUMA))
"""Standard deviation of the luminance of unit noise that is independent in R, G and B: 0.669."""


def gaussian_noise(image: FloatImage, rng: Generator, *, sigma: float) -> FloatImage:
    """Add white Gaussian noise.

    The authors add noise to R, G and B independently, on grey pictures too, where a scanner could never make
    coloured specks. A grey picture here gets grey noise with the standard deviation of that noise's luminance, so
    that what a reader of the picture sees, and its PSNR in luminance, are the same.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
        RGB gets noise that is independent in each channel.
    rng : numpy.random.Generator
        Draws the noise; both severities of a row share it up to its strength.
    sigma : float
        Standard deviation in one of three channels, grey levels of 255. On a grey picture it is
        `LUMINANCE_SHARE` times that.

    References
    ----------
    Gonzalez and Woods, Digital Image Processing, sec. 5.2. Strengths: severity_reference.csv (12.2 and 20.3, a good
    fit) and severity_by_modality.csv.
    """
    if image.ndim == 2:
        sigma *= LUMINANCE_SHARE
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    noise += image
    return noise
