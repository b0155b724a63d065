"""Images scaled down before a model sees them, for every kind of model alike."""

from __future__ import annotations

from math import sqrt

from PIL import Image


def limit_pixels(image: Image.Image, max_pixels: int) -> Image.Image:
    """Return the image scaled down to at most `max_pixels`, its aspect ratio kept; never scaled up.

    The image is scaled before any processor sees it, for every model family alike: the families' own settings mean a
    number of pixels, a longest edge or a number of tiles, and some would change images below the limit too.
    """
    width, height = image.size
    if width * height <= max_pixels:
        return image
    scale = sqrt(max_pixels / (width * height))
    width, height = (max(1, min(int(side * scale), max_pixels)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
