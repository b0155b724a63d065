"""Where the images of rows come from, and how they get into the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from PIL import Image

from medq_deg.data.planned import PlannedRows
from medq_deg.data.schema import columns_of
from medq_deg.errors import MedqDegError
from medq_deg.images import without_metadata

SIDE: Final = 208
"""Longest side of an image among the rows, px."""

_QUALITY: Final = 66

NO_IMAGES: Final = (
    "A run's folder holds no images, so only text is shown here. To see the images, give the data that the model "
    "was asked about: medq-deg report RUN --data DIR."
)


class Images:
    """Finds the image of a row.

    Parameters
    ----------
    data : sequence of mappings, or None
        Rows with images, or None for no images.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]] | None) -> None:
        self._data = data
        self._place: dict[str, int] = {}
        if data is not None:
            columns = data.columns() if isinstance(data, PlannedRows) else columns_of(data, ("id",))
            self._place = {row["id"]: index for index, row in enumerate(columns)}

    def __bool__(self) -> bool:
        return self._data is not None

    def __contains__(self, name: object) -> bool:
        return name in self._place

    def uri(self, name: str, side: int = SIDE) -> str:
        """Return a row's image as a small JPEG data URI; empty where there is none that can be read."""
        if self._data is None or name not in self._place:
            return ""
        try:
            image = self._data[self._place[name]]["image"]
            return _jpeg(image, side) if isinstance(image, Image.Image) else ""
        except (OSError, MedqDegError):
            return ""

    def image(self, name: str) -> Image.Image | None:
        """Return a row's image itself; None where there is none that can be read."""
        if self._data is None or name not in self._place:
            return None
        try:
            image = self._data[self._place[name]]["image"]
        except (OSError, MedqDegError):
            return None
        return image if isinstance(image, Image.Image) else None


def _jpeg(image: Image.Image, side: int) -> str:
    scale = min(1.0, side / max(image.size))
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    small = image.convert("L" if image.mode in ("1", "L") else "RGB").resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    without_metadata(small).save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
