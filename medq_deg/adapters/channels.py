"""Channel-first arrays and tensors, images and volumes: what the adapters have in common."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medq_deg.degradations import DEGRADATIONS, degrade
from medq_deg.degradations.transform import one_or_several
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.seeds import derive_seed
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

Order: TypeAlias = Literal["hw", "wh"]

_NOISE = "noise"  # the category of what is drawn anew in each slice of a volume


class Choice:
    """What an adapter degrades by: one or several types and levels, and the options of `medq_deg.degrade`.

    Parameters
    ----------
    name, severity : str, int or sequence
        As in `medq_deg.Degrade`; of several, one is drawn for each image.
    value_range : (float, float)
        What is black and what is white in the tensor; see `medq_deg.degrade`.
    order : {"hw", "wh"}
        "hw" for (C, H, W) and (C, H, W, D); "wh" where x comes first, as MONAI and TorchIO read NIfTI files, so that
        the phase axis of MRI artefacts is the right one.
    **options
        `modality`, `spacing_mm` and single parameters, as in `medq_deg.degrade`.

    Raises
    ------
    MedqDegError
        For an unknown name, severity, modality, order or option.
    """

    def __init__(
        self,
        name: str | Sequence[str],
        severity: int | str | Sequence[int | str],
        value_range: Sequence[float] = (0.0, 1.0),
        order: Order = "hw",
        **options: Any,
    ) -> None:
        names, levels = (
            one_or_several("name", name, resolve_degradation),
            one_or_several("severity", severity, resolve_severity),
        )
        self.names = (names,) if isinstance(names, str) else names
        self.severities = (levels,) if isinstance(levels, int) else levels
        if order not in ("hw", "wh"):
            raise MedqDegError(f"order must be 'hw' or 'wh', got {order!r}")
        if options.get("modality") is not None:
            resolve_modality(options["modality"])
        for one in self.names:
            DEGRADATIONS[one].check_parameters(
                {k: v for k, v in options.items() if k not in ("modality", "spacing_mm")}
            )
        self.order, self.options = order, {"value_range": tuple(value_range), **options}

    def __call__(self, image: Any, seed: int) -> Any:
        """Degrade a (C, H, W) or (C, H, W, D) array or tensor; see `degrade_channels`."""
        draws = random.Random(derive_seed("choice", seed))
        name, severity = draws.choice(self.names), draws.choice(self.severities)
        return degrade_channels(image, name, severity, seed, order=self.order, **self.options)


def degrade_channels(
    image: Any,
    name: str,
    severity: int | str,
    seed: int = 0,
    *,
    value_range: Sequence[float] = (0.0, 1.0),
    order: Order = "hw",
    **options: Any,
) -> Any:
    """Degrade a channel-first image, or a volume slice by slice.

    Parameters
    ----------
    image : (C, H, W) or (C, H, W, D) numpy array or torch tensor
        Of any real dtype. Three channels of an image are RGB; other channels, and those of a volume, are grey images
        of one scan and share what is drawn. A tensor on another device is degraded on the CPU and returned there.
    name, severity, seed, value_range, **options
        As in `medq_deg.degrade`. The slices of a volume share what is drawn, except noise, which is each slice's own.
    order : {"hw", "wh"}
        Whether y or x comes first.

    Returns
    -------
    array or tensor
        As the input: shape, dtype (floats of 16 and 64 bits too), device and class.

    Raises
    ------
    ImageError
        For another number of axes, and what `medq_deg.degrade` refuses.
    """
    tensor = hasattr(image, "detach")
    array: NDArray[Any] = np.asarray(image.detach().cpu().numpy() if tensor else image)
    if array.ndim not in (3, 4):
        raise ImageError(f"an image must have shape (C, H, W) or (C, H, W, D), got {tuple(array.shape)}")
    own = DEGRADATIONS[resolve_degradation(name)].category == _NOISE

    def one(plane: NDArray[Any], number: int) -> NDArray[Any]:
        upright = plane.swapaxes(0, 1) if order == "wh" else plane
        done = degrade(
            np.ascontiguousarray(upright),
            name,
            severity,
            derive_seed(seed, number) if own and number else seed,
            value_range=value_range,
            **options,
        )
        return done.swapaxes(0, 1) if order == "wh" else done

    if array.ndim == 3 and len(array) == 3:
        result = np.moveaxis(one(np.moveaxis(array, 0, -1), 0), -1, 0)
    elif array.ndim == 3:
        result = np.stack([one(plane, 0) for plane in array])
    else:
        result = np.stack(
            [np.stack([one(plane, z) for z, plane in enumerate(np.moveaxis(channel, -1, 0))], -1) for channel in array]
        )
    result = np.ascontiguousarray(result, array.dtype)
    if not tensor:
        return result
    back = image.new_tensor(result)
    return type(image)(back, meta=image.meta) if hasattr(image, "meta") else back
