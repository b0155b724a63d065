"""Applying a degradation to an image: what is checked before, and how pixels come back after.

Types, modes, sizes, seeds, grey images, markings and rounding are handled here once, for every degradation.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from medq_deg.degradations.arrays import LEVELS, ByteImage, FloatImage, collapse, to_bytes
from medq_deg.degradations.degradation import Degradation, Parameters
from medq_deg.degradations.marking import lift
from medq_deg.degradations.registry import DEGRADATIONS
from medq_deg.degradations.threads import one_blas_thread
from medq_deg.degradations.values import check_range, check_spacing, check_values, check_window, check_window_modality
from medq_deg.errors import MedqDegError
from medq_deg.images import pixels
from medq_deg.seeds import check_seed
from medq_deg.taxonomy import DEGRADATION_NAMES, resolve_degradation, resolve_modality, resolve_severity

Rounding: TypeAlias = Literal["nearest", "truncate"]


@overload
def degrade(
    image: Image.Image,
    name: str,
    severity: int | str,
    seed: int | None = 0,
    *,
    modality: str | None = None,
    rounding: Rounding = "nearest",
    keep_marking: bool = False,
    value_range: None = None,
    window: Sequence[float] | None = None,
    spacing_mm: float | Sequence[float] | None = None,
    **parameters: Any,
) -> Image.Image: ...


@overload
def degrade(
    image: NDArray[Any],
    name: str,
    severity: int | str,
    seed: int | None = 0,
    *,
    modality: str | None = None,
    rounding: Rounding = "nearest",
    keep_marking: bool = False,
    value_range: Sequence[float] | None = None,
    window: Sequence[float] | None = None,
    spacing_mm: float | Sequence[float] | None = None,
    **parameters: Any,
) -> NDArray[Any]: ...


@one_blas_thread()
def degrade(  # one branch for each kind of image
    image: Image.Image | NDArray[Any],
    name: str,
    severity: int | str,
    seed: int | None = 0,
    *,
    modality: str | None = None,
    rounding: Rounding = "nearest",
    keep_marking: bool = False,
    value_range: Sequence[float] | None = None,
    window: Sequence[float] | None = None,
    spacing_mm: float | Sequence[float] | None = None,
    **parameters: Any,
) -> Image.Image | NDArray[Any]:
    """Degrade one image.

    The result is a function of the arguments alone: the same bytes in any process, order or number of threads.
    L1 and L2 with the same seed share what the physics shares (direction, position, noise pattern) and differ in
    strength.

    Parameters
    ----------
    image : PIL.Image.Image or (H, W), (H, W, 1) or (H, W, 3) array
        Sides of 32 to 4096 px. Arrays are uint8, or of any real dtype with `value_range`. Pillow modes: "L" and "RGB"
        come back as they are; "1" comes back as "L", and "P", "CMYK", "YCbCr", "LA" and "RGBA" as "RGB" (an opaque
        alpha channel is dropped, a transparent one is refused). 16-bit and float images need a `value_range`: which
        values are black and white is a clinical choice. An image that EXIF says is turned comes back upright, as
        viewers show it.
    name : str
        One of `medq_deg.DEGRADATIONS`, or an identifier of the authors' released files.
    severity : int or str
        0, 1 or 2; 0 returns an unchanged copy.
    seed : int, optional
        0 or more; 0 by default. The same seed gives unrelated draws to different degradations. None draws a fresh
        seed, so that no two calls agree.
    modality : str, optional
        Uses the severity of that modality where the published images ask for one; X-ray motion blur has a kernel
        of its own.
    rounding : {"nearest", "truncate"}
        "truncate" is what the paper's authors did: up to one grey level darker. Without effect on floats.
    keep_marking : bool
        Keep strongly coloured pixels (a box, a contour) of a grey 8-bit image as they are, and degrade the grey
        image under them. Without effect on colour images, and on degradations that move the anatomy, where a
        marking moves with it.
    value_range : (float, float), optional
        What is black and what is white in an array of floats, 16-bit numbers, or any other real dtype. Strengths that
        are grey levels count 255 of them from black to white, and values outside the range are cut to it. The physics
        of light, of an MRI magnitude and of attenuation takes black for nothing, so the low end has to be that.
        `medq_deg.degradations.HU_RANGE` says that the array is CT in Hounsfield units: values below air count as air,
        nothing is cut above, and the types whose physics is attenuation (`Degradation.attenuation`) act on it; the
        others belong after the window.
    window : (float, float), optional
        Level and width in HU of a CT image that was windowed to 8 bits, so that the types whose physics is
        attenuation act on Hounsfield units, and dose means what it says. Other types act on the image as it is.
        Refused with a `modality` other than CT.
    spacing_mm : float or (float, float), optional
        Pixel spacing in mm, which `low_dose` turns into path lengths; without it the longer side is 358 mm.
    **parameters
        Replace single parameters of the severity, see ``medq_deg.DEGRADATIONS[name].parameters``.

    Returns
    -------
    PIL.Image.Image or array
        As the input: same type, shape and mode; uint8 without `value_range`. With it, floats come back as float32,
        whole numbers in their own dtype, and Hounsfield units always as float32.

    Raises
    ------
    MedqDegError
        For an unknown degradation, modality, severity, rounding or parameter, a bad seed, range, window or spacing.
    ImageError
        For an image of another kind or size; a subclass of `MedqDegError`.

    Warns
    -----
    RangeWarning
        If a value range cuts more than 1 % of the values.

    Examples
    --------
    >>> import numpy as np
    >>> scan = np.full((64, 48), 100, np.uint8)
    >>> degrade(scan, "adjust_brightness", severity=1)[0, 0]
    np.uint8(25)
    >>> degrade(scan / 255, "adjust_brightness", severity=1, value_range=(0, 1))[0, 0] * 255
    np.float32(25.0)
    """
    degradation = DEGRADATIONS[resolve_degradation(name)]
    level = resolve_severity(severity)
    where = resolve_modality(modality) if modality is not None else None
    if rounding not in ("nearest", "truncate"):
        raise MedqDegError(f"rounding must be 'nearest' or 'truncate', got {rounding!r}")
    truncate = rounding == "truncate"
    degradation.check_parameters(parameters)
    rng = generator(secrets.randbits(63) if seed is None else seed, degradation.name)
    values = None if value_range is None else check_range(value_range)
    shown = None if window is None or not degradation.attenuation else check_window(window)
    if values is not None and (window is not None or keep_marking):
        raise MedqDegError("window and keep_marking are for 8-bit images: leave value_range out, or leave them out")
    check_window_modality(window, where)
    hounsfield = shown is not None or (values is not None and values.hounsfield and degradation.attenuation)
    settings = {**degradation.parameters_for(level or 1, where, hounsfield=hounsfield), **parameters}

    array = pixels(image) if values is None else check_values(image)
    if spacing_mm is not None:
        field_mm = check_spacing(spacing_mm) * max(array.shape[:2])
        if "field_mm" in degradation.argument_names:
            settings.setdefault("field_mm", field_mm)

    def run(flat: NDArray[Any]) -> FloatImage:
        return _checked(degradation, degradation.function(flat.astype(np.float32), rng, **settings), flat)

    # Only a mask of its own for each channel tells the channels of a grey image apart.
    apart = settings.get("mask") == "per_channel"
    result: NDArray[Any]
    if level == 0:
        result = array.astype(array.dtype if values is None else values.dtype_of(array.dtype))
    elif values is not None:
        grey = values.to_grey(array)
        changed = run(grey if apart else collapse(grey))
        if not hounsfield:
            changed = np.clip(changed, 0, max(255, grey.max()))
        result = values.from_grey(changed, array.dtype, truncate=truncate)
    else:
        marking = lift(array) if keep_marking and not degradation.moves else None
        flat = marking.grey if marking is not None else array if apart else collapse(array)
        if shown is not None:
            result = to_bytes(shown.change(flat, run), truncate=truncate)
        else:
            quick = _on_bytes(degradation, flat, rng, settings, truncate=truncate)
            result = to_bytes(run(flat), truncate=truncate) if quick is None else quick
        if marking is not None:
            result = marking.paste(result)
    if result.ndim < array.ndim:
        result = cv2.merge([result] * 3) if array.shape[2] == 3 else result[..., None]
    return Image.fromarray(result) if isinstance(image, Image.Image) else result


def _on_bytes(
    degradation: Degradation, flat: ByteImage, rng: Generator, settings: Parameters, *, truncate: bool
) -> ByteImage | None:
    """Return the rounded result by a way that needs no image of floats; None where there is none."""
    if degradation.pointwise:
        table = degradation.function(LEVELS, rng, **settings)
        return np.asarray(cv2.LUT(flat, to_bytes(table, truncate=truncate)), np.uint8)
    return degradation.on_bytes(flat, rng, truncate=truncate, **settings) if degradation.on_bytes else None


def _checked(degradation: Degradation, result: FloatImage, flat: NDArray[Any]) -> FloatImage:
    """Return what a degradation's function made, or raise `MedqDegError` if it is no image of the same size."""
    if degradation.name in DEGRADATION_NAMES:
        return result
    if not isinstance(result, np.ndarray) or result.shape != flat.shape or result.dtype.kind not in "fiu":
        got = f"{result.dtype} {result.shape}" if isinstance(result, np.ndarray) else type(result).__name__
        raise MedqDegError(f"{degradation.name} must return an array of numbers of shape {flat.shape}, got {got}")
    if not np.isfinite(result).all():
        raise MedqDegError(f"{degradation.name} must return finite numbers, its result has NaN or infinity")
    return result.astype(np.float32, copy=False)


def generator(seed: int, name: str) -> Generator:
    """Return the random generator of one degradation of one image.

    Parameters
    ----------
    seed : int
        0 or more.
    name : str
        Canonical name of the degradation; it separates the streams of two degradations with one seed.
    """
    entropy = [check_seed(seed), zlib.crc32(name.encode())]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
