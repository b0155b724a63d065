"""What an image itself says against a modality that only words have given: CT, MRI and X-ray are gray."""

from __future__ import annotations

from typing import Final

import numpy as np

from medq_deg.errors import ImageError
from medq_deg.images import open_image

GRAY: Final = frozenset({"CT", "MRI", "X-ray"})
"""Modalities whose images have no colours of their own."""

_SIDE: Final = 128
_STRONG: Final = 40
"""Levels between a pixel's highest and lowest channel from which it counts as coloured: above the errors of JPEG."""
_SHARE: Final = 0.3
"""Share of coloured pixels that no marking reaches: a box, a contour or an arrow takes a tenth at most."""
_SPREAD: Final = 3.0
"""Levels by which colours leave a curve over the gray level. The tint of a photographed film stays on it."""


def contradicts(data: bytes, modality: str) -> bool:
    """Tell whether an encoded image is too colourful for a modality.

    A few coloured marks on a gray image are no contradiction, nor is one tint over all of it, nor a flat colour.
    """
    if modality not in GRAY:
        return False
    try:
        image = open_image(data)
    except ImageError:
        return False  # what cannot be decoded is told by who needs the pixels
    if image.mode == "L":
        return False
    image.thumbnail((_SIDE, _SIDE), reducing_gap=2)
    pixels = np.asarray(image, np.float64).reshape(-1, 3)
    if (np.ptp(pixels, axis=1) > _STRONG).mean() <= _SHARE:
        return False
    gray = pixels.mean(axis=1) / 255
    curve = np.stack([np.ones_like(gray), gray, gray**2, gray**3], axis=1)
    chroma = pixels[:, [0, 2]] - pixels[:, [1]]
    rest = chroma - curve @ np.linalg.lstsq(curve, chroma, rcond=None)[0]
    return bool(np.sqrt((rest**2).mean()) > _SPREAD)
