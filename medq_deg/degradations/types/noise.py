"""Noise of a detector, an amplifier or a receiver coil. That of a low-dose CT scan is in `ct`, where its physics is.

A sample is drawn as one of 65,536 equally likely steps of the normal law, at the step's middle, which takes a table
and 16 random bits. Samples are odd multiples of 1/512 grey level: adding them to whole grey levels is exact and never
ends half-way between two, so that noise on bytes is the rounded noise on floats.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

from medq_deg.degradations.arrays import LUMA, ByteImage, FloatImage, each_channel, is_grey
from medq_deg.degradations.degradation import Severities, published

LUMINANCE_SHARE = float(np.linalg.norm(LUMA))
"""Standard deviation of the luminance of unit noise that is independent in R, G and B: 0.669."""

_STEPS = 1 << 16


@lru_cache(16)
def _samples(sigma: float) -> FloatImage:
    """Return the (65536,) steps of a normal law of mean 0 and standard deviation `sigma`."""
    if sigma == 0:
        return np.zeros(_STEPS, np.float32)
    normal = ndtri((np.arange(_STEPS) + 0.5) / _STEPS)
    normal *= sigma / normal.std()
    return np.asarray((2 * np.floor(normal * 256) + 1) / 512, np.float32)


@lru_cache(16)
def _whole_samples(sigma: float, truncate: bool) -> NDArray[np.int16]:
    samples = _samples(sigma)
    return (np.floor(samples) if truncate else np.rint(samples)).astype(np.int16)


def _draw(rng: Generator, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Draw a step of the law for each sample."""
    count = int(np.prod(shape))
    words = np.asarray(rng.bit_generator.random_raw(-(-count // 4)), "<u8")
    return words.view("<u2")[:count].reshape(shape)


def _strength(image: NDArray[np.generic], sigma: float) -> tuple[float, tuple[int, ...]]:
    """Return the standard deviation and the shape of the noise of a grey or a colour image."""
    return (sigma * LUMINANCE_SHARE, image.shape[:2]) if is_grey(image) else (sigma, image.shape)


def _on_bytes(
    image: ByteImage, rng: Generator, *, truncate: bool, sigma: float, model: str = "gaussian"
) -> ByteImage | None:
    if model != "gaussian":
        return None
    sigma, shape = _strength(image, sigma)
    noise = np.take(_whole_samples(sigma, truncate), _draw(rng, shape))
    if noise.ndim < image.ndim:
        noise = cv2.merge([noise] * 3)  # type: ignore[assignment]
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


@published(
    summary="white noise of the detector or the amplifier",
    clinician="Grain everywhere, as at a high gain: fine trabeculae, vessels and faint nodules go first.",
    limits={"sigma": (0.0, 255.0), "model": ("gaussian", "rician")},
    severities=Severities({"sigma": 12.2}, {"sigma": 20.3}, "reference (X-ray): good fit"),
    by_modality={
        "CT": Severities({"sigma": 19.0}, {"sigma": 30.0}, "by modality"),
        "MRI": Severities(
            {"sigma": 8.0, "model": "rician"},
            {"sigma": 13.0, "model": "rician"},
            "by modality; the authors' Gaussian noise has the same figures at 12 and 18 (model gaussian)",
        ),
        "ultrasound": Severities({"sigma": 8.5}, {"sigma": 14.0}, "by modality"),
    },
    reference="Gonzalez and Woods, sec. 5.2; MRI: Gudbjartsson and Patz 1995",
    on_bytes=_on_bytes,
)
def gaussian_noise(
    image: FloatImage, rng: Generator, *, sigma: float, model: Literal["gaussian", "rician"] = "gaussian"
) -> FloatImage:
    """Add white Gaussian noise, to the image or to the two channels of an MRI receiver.

    ``x + n``, or for the magnitude of a complex signal ``sqrt((x + n)**2 + m**2)`` with a second noise m: Rician, which
    is Gaussian where the signal is strong and lifts a dark background, where it is a Rayleigh law.

    The authors add noise to R, G and B independently, on grey images too, where a scanner could never make
    coloured specks. A grey image here gets grey noise with the standard deviation of that noise's luminance, so
    that what a reader of the image sees, and its PSNR in luminance, are the same; and so does an image that is grey
    but for few pixels, such as a coloured marking.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
        A colour image gets noise that is independent in each channel.
    rng : numpy.random.Generator
        Draws the noise; both severities of a row share it up to its strength.
    sigma : float
        Standard deviation in one of three channels, grey levels of 255. On a grey image it is
        `LUMINANCE_SHARE` times that.
    model : {"gaussian", "rician"}
        Rician is MRI's; "gaussian" is what the authors did there too.

    References
    ----------
    Gonzalez and Woods, Digital Image Processing, sec. 5.2; Gudbjartsson and Patz, Magn. Reson. Med. 34 (1995) 910.
    Strengths: severity_reference.csv (12.2 and 20.3, a good fit) and severity_by_modality.csv.
    """
    sigma, shape = _strength(image, sigma)
    samples = _samples(sigma)
    noise = np.take(samples, _draw(rng, shape))
    if model == "gaussian":
        return image + (noise[..., None] if noise.ndim < image.ndim else noise)
    second = np.take(samples, _draw(rng, shape))
    if noise.ndim < image.ndim:
        return each_channel(lambda plane: np.asarray(cv2.magnitude(plane + noise, second), np.float32), image)
    return np.asarray(cv2.magnitude(image + noise, second), np.float32)
