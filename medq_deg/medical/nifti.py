"""One slice of a NIfTI volume, as a radiologist sees it: the patient's right on the left, head or front up."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medq_deg.errors import ImageError
from medq_deg.images import LARGEST_SIDE
from medq_deg.medical.image import MedicalImage, plausible_spacing
from medq_deg.medical.scalars import check_preset, show_scalars
from medq_deg.medical.windows import Window

_ISOTROPIC: Final = 0.8
"""Shortest over longest spacing from which no axis is thicker than the others, and slices are axial."""


def read_nifti(path: Path, window: Window, frame: int | None) -> MedicalImage:
    """Read a slice along the thickest axis; see `medq_deg.read_image`.

    Without `frame` it is the middle slice. Of several volumes (time, directions) it is the middle one.
    """
    try:
        volume: Any = nibabel.load(path)
        shape = tuple(int(length) for length in volume.shape)
        spacing = [abs(float(zoom)) or 1.0 for zoom in volume.header.get_zooms()]
        orientation = nibabel.io_orientation(volume.affine)
        kind = volume.get_data_dtype()
    except Exception as error:  # noqa: BLE001 - whatever the reader raises, the file is no volume
        raise ImageError(f"NIfTI: cannot be read ({type(error).__name__})") from None
    if len(shape) < 2 or min(shape) < 1:
        raise ImageError(f"NIfTI: no image, its shape is {shape}")
    dimensions = len(shape)
    shape, spacing = (*shape, 1)[: max(dimensions, 3)], [*spacing, 1.0][: max(dimensions, 3)]
    # From storage axes to right-left, back-front and feet-head; an axis that the affine leaves out takes what is free.
    free = [axis for axis in range(3) if axis not in orientation[:, 0]]
    home = [int(axis) if np.isfinite(axis) else free.pop(0) for axis in orientation[:, 0]]
    storage = [home.index(axis) for axis in range(3)]
    flips = [bool(orientation[axis, 1] < 0) for axis in storage]
    lengths, spacings = [shape[axis] for axis in storage], [spacing[axis] for axis in storage]
    through = _through(spacings, lengths)
    slices = lengths[through]
    index = slices // 2 if frame is None else frame
    if not 0 <= index < slices:
        raise ImageError(f"NIfTI: frame must be 0 to {slices - 1}, the slices of this volume, got {frame}")
    across, up = (axis for axis in range(3) if axis != through)
    if max(lengths[across], lengths[up]) > LARGEST_SIDE:
        raise ImageError(f"NIfTI: an image has sides of up to {LARGEST_SIDE} px, got {lengths[across]} x {lengths[up]}")
    volumes = math.prod(shape[3:])
    where: list[Any] = [slice(None)] * dimensions
    if dimensions > 2:
        where[storage[through]] = slices - 1 - index if flips[through] else index
    where[3:] = [int(place) for place in np.unravel_index(volumes // 2, shape[3:])] if shape[3:] else []
    try:
        plane = np.asarray(volume.dataobj[tuple(where)])
    except Exception as error:  # noqa: BLE001
        raise ImageError(f"NIfTI: the values cannot be read ({type(error).__name__})") from None
    if kind.fields is not None:
        plane = np.stack([plane[channel] for channel in "RGB"], axis=-1)
    if storage[across] < storage[up]:
        plane = plane.swapaxes(0, 1)
    # Rows run from feet or back and columns from left or back, unless flipped: a screen shows the reverse.
    plane = np.ascontiguousarray(plane[:: 1 if flips[up] else -1, :: 1 if flips[across] else -1])
    notes = [f"one slice of a volume, across {('right-left', 'back-front', 'feet-head')[through]}"]
    if volumes > 1:
        notes.append("the middle one of several volumes")
    known: dict[str, Any] = {
        "format": "NIfTI",
        "spacing_mm": plausible_spacing(spacings[up], spacings[across]),
        "bits": 8 * (1 if kind.fields is not None else kind.itemsize),
        "frame": index,
        "frames": slices,
    }
    return _image(plane, window, known, notes)


def _image(plane: NDArray[Any], window: Window, known: dict[str, Any], notes: list[str]) -> MedicalImage:
    if plane.ndim == 3:
        check_preset(window, "")
        return MedicalImage(Image.fromarray(plane.astype(np.uint8)), notes=tuple(notes), **known)
    shown = show_scalars(plane, window)
    return MedicalImage(
        Image.fromarray(shown.display.show(shown.values)),
        modality="CT" if shown.unit else None,
        window=shown.window,
        shown_by=shown.shown_by,
        unit=shown.unit,
        values=shown.values,
        display=shown.display,
        notes=(*notes, *shown.notes),
        **known,
    )


def _through(spacings: list[float], lengths: list[int]) -> int:
    """Return the axis (0 right-left, 1 back-front, 2 feet-head) that slices are counted along: the thickest."""
    if 1 in lengths:
        return max(axis for axis in range(3) if lengths[axis] == 1)
    if min(spacings) >= _ISOTROPIC * max(spacings):
        return 2
    return max(axis for axis in range(3) if spacings[axis] >= 0.99 * max(spacings))
