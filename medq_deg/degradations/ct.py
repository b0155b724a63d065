"""CT: what happens in the sinogram before the picture is reconstructed.

A picture is scanned by a parallel beam and reconstructed by filtered back-projection; air (grey level 0) surrounds
it. The geometry is that of scikit-image's `radon` and `iradon`, which the tests compare with.
"""

from __future__ import annotations

from numpy.random import Generator

from medq_deg.degradations.arrays import FloatImage, each_channel
from medq_deg.degradations.ct_kernels import convolve, spectrum

_STARTS_PER_SPACING = 4
"""Start angles of a sparse scan, as fractions of the angle between views. Few, so that kernels are used again."""


def sparse_view(image: FloatImage, rng: Generator, *, views: int) -> FloatImage:
    """Reconstruct a picture from few projections over 180 degrees: streaks radiate from dense edges.

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
    numbers: severity_reference.csv (144 and 36), a fair fit.
    """
    start = int(rng.integers(_STARTS_PER_SPACING)) / _STARTS_PER_SPACING * 180 / views
    kernel = spectrum(*image.shape[:2], views, 180.0, start)
    return each_channel(lambda plane: convolve(plane, kernel), image)
