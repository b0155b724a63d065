"""CT: what happens in the sinogram before the image is reconstructed.

An image is scanned by a parallel beam and reconstructed by filtered back-projection; air (grey level 0) surrounds
it. The geometry is that of scikit-image's `radon` and `iradon`, which the tests compare with.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from medq_deg.degradations.arrays import FloatImage, broadcast_plane, each_channel, luma
from medq_deg.degradations.degradation import Severities, published
from medq_deg.degradations.types.ct_kernels import convolve, spectrum
from medq_deg.degradations.types.ct_low_dose import FIELD_MM, LARGEST_INTEGRAL, noise_image

_STARTS_PER_SPACING = 4
"""Start angles of a sparse scan, as fractions of the angle between views. Few, so that kernels are used again."""

_WEDGES = 12
"""Directions of the missing wedge: few, so that kernels are used again."""

_VIEWS_PER_DEGREE = 1


@published(
    summary="CT reconstructed from too few projections: fine streaks over the whole image",
    clinician="Streaks from bone, metal and the table cross everything; small low-contrast lesions drown in them.",
    limits={"views": (1, 10_000)},
    severities=Severities(
        {"views": 54},
        {"views": 28},
        "fitted on the authors' full-size images; the estimates of the reference (144 and 36) leave L1 far too mild",
    ),
    reference="Kak and Slaney, sec. 5.1",
    attenuation=True,
)
def sparse_view(image: FloatImage, rng: Generator, *, views: int) -> FloatImage:
    """Reconstruct an image from few projections over 180 degrees: streaks radiate from dense edges.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the angle of the first view: 0, 1/4, 1/2 or 3/4 of the angle between views.
    views : int
        Number of projections, evenly spaced over 180 degrees.

    References
    ----------
    Kak and Slaney, Principles of Computerized Tomographic Imaging, sec. 5.1 (aliasing from too few views). View
    numbers: fitted on the authors' full-size images; severity_reference.csv estimates 144 and 36.
    """
    start = int(rng.integers(_STARTS_PER_SPACING)) / _STARTS_PER_SPACING * 180 / views
    kernel = spectrum(*image.shape[:2], views, 180.0, start)
    return each_channel(lambda plane: convolve(plane, kernel), image)


@published(
    summary="CT from projections over less than 180 degrees: edges of some directions smear out",
    clinician="Edges parallel to the missing rays are lost and others throw wide shadows: shapes and borders mislead.",
    limits={"arc": (1.0, 180.0)},
    severities=Severities(
        {"arc": 132.0},
        {"arc": 115.0},
        "L1 fitted on the authors' full-size images, with one view a degree by their SSIM; L2 reference",
    ),
    reference="Kak and Slaney, ch. 3; Quinto 1993",
    attenuation=True,
)
def limited_angle(image: FloatImage, rng: Generator, *, arc: float) -> FloatImage:
    """Reconstruct an image from projections over less than 180 degrees: edges of some directions smear out.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
    rng : numpy.random.Generator
        Draws the centre of the missing wedge, a multiple of 15 degrees; both severities share it.
    arc : float
        Angle covered, in degrees, up to 180, with one projection a degree.

    References
    ----------
    Kak and Slaney, Principles of Computerized Tomographic Imaging, ch. 3; Quinto, Inverse Problems 9 (1993) 1201 (which
    edges are lost). Angles: L1 fitted on the authors' full-size images; L2 severity_reference.csv (115 to 120).
    """
    missing = int(rng.integers(_WEDGES)) * 180 / _WEDGES
    views = max(round(_VIEWS_PER_DEGREE * arc), 1)
    # The views stand in the middles of their shares of the arc, so that the wedge's centre is the same at any arc.
    start = (missing + (180 - arc) / 2 + arc / views / 2) % 180
    kernel = spectrum(*image.shape[:2], views, arc, start)
    return each_channel(lambda plane: convolve(plane, kernel), image)


@published(
    summary="CT with few photons: grain that grows with the path through the body, streaks along dense structures",
    clinician="A screening or paediatric dose: grain worst at the middle, streaks between the shoulders or the hips.",
    limits={
        "photons": (10.0, 1e15),
        "electronic": (0.0, 1e6),
        "field_mm": (1.0, 1e5),
        "largest_integral": (0.1, 16.0),
    },
    severities=Severities(
        {"photons": 1e5, "electronic": 5.0},
        {"photons": 2.5e4, "electronic": 5.0},
        "by modality; the reference is of MRI",
    ),
    hounsfield=Severities(
        {"photons": 4e6, "electronic": 5.0, "largest_integral": 12.0},
        {"photons": 1e6, "electronic": 5.0, "largest_integral": 12.0},
        "the grain that L1 and L2 have on a soft-tissue image of an abdomen, at its true attenuation",
    ),
    reference="Buzug, ch. 2 and 9",
    attenuation=True,
)
def low_dose(
    image: FloatImage,
    rng: Generator,
    *,
    photons: float,
    electronic: float,
    field_mm: float = FIELD_MM,
    largest_integral: float = LARGEST_INTEGRAL,
) -> FloatImage:
    """Scan with few photons: grain that grows with the path through the body and streaks along dense structures.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) float32 in [0, 255]
        The noise follows from the luminance and is the same in every channel.
    rng : numpy.random.Generator
        Draws the noise; both severities of a row share it up to its strength.
    photons : float
        Photons of an unattenuated ray.
    electronic : float
        Standard deviation of the electronic noise, in photons.
    field_mm : float
        Length of the image's longer side, in mm.
    largest_integral : float
        Line integral of the densest ray above which the image is taken as less dense.

    References
    ----------
    Buzug, Computed Tomography, ch. 2 and 9; see `medq_deg.degradations.types.ct_low_dose` for the model. Strengths:
    chosen by severity_by_modality.csv, since the estimates of severity_reference.csv are of an MRI image.
    """
    noise = noise_image(luma(image), rng, photons, electronic, field_mm, largest_integral)
    return np.asarray(image + broadcast_plane(noise, image), np.float32)
