"""The degradations as one albumentations transform, to compose with others in a training pipeline."""

from __future__ import annotations

import numbers
import os
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from medq_deg.degradations.apply import Rounding, degrade, generator
from medq_deg.degradations.registry import DEGRADATIONS
from medq_deg.degradations.types.motion import draw_angle, rotation_matrix
from medq_deg.degradations.values import check_window_modality
from medq_deg.errors import MedqDegError
from medq_deg.seeds import check_seed, derive_seed
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

# albumentations asks a server for its newest version when imported; a transform has no business on the network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
from albumentations import DualTransform
from albumentations.augmentations.geometric import functional as geometric

Choice = TypeVar("Choice", str, int)


def worker_seed() -> int:
    """Return the seed that PyTorch gave this DataLoader worker for this epoch; 0 outside a worker."""
    torch_data = sys.modules.get("torch.utils.data")
    worker = torch_data.get_worker_info() if torch_data is not None else None
    return 0 if worker is None else int(worker.seed)


def one_or_several(what: str, value: Any, resolve: Callable[[Any], Choice]) -> Choice | tuple[Choice, ...]:
    """Resolve one choice, or each of several to draw from; raise `MedqDegError` if there is none."""
    if isinstance(value, str | numbers.Integral):
        return resolve(value)
    choices = tuple(resolve(one) for one in value) if isinstance(value, Iterable) else ()
    if not choices:
        raise MedqDegError(f"{what} must be one or several to draw from, got {value!r}")
    return choices


class Degrade(DualTransform):
    """Degradations as an albumentations transform.

    Masks, boxes and key points are left alone, except by a rotation, which moves them with the image.

    Each image gets a type, a level and a seed of its own, drawn from the generator of the composition, or of `seed`:
    ``A.Compose([...], seed=137)`` makes them repeatable, and `A.ReplayCompose` replays them. In a worker of a PyTorch
    DataLoader the worker's own seed, which PyTorch draws anew for each worker and epoch from its generator, enters each
    draw: no two workers and no two epochs repeat one another, and `torch.manual_seed` (or the loader's `generator`)
    repeats all of it.

    Parameters
    ----------
    name : str or sequence of str
        One of `medq_deg.DEGRADATIONS`, or an alias; of several, one is drawn for each image.
    severity : int, str or sequence of them
        0, 1 or 2; of several, one is drawn for each image.
    modality : str, optional
        See `medq_deg.degrade`.
    rounding : {"nearest", "truncate"}
        See `medq_deg.degrade`.
    keep_marking : bool
        See `medq_deg.degrade`.
    value_range : (float, float), optional
        See `medq_deg.degrade`: for floats and 16 bits.
    window : (float, float), optional
        See `medq_deg.degrade`: level and width in HU of CT images that are windowed.
    parameters : mapping, optional
        Replace single parameters of the severity; for a single type only.
    seed : int, optional
        Of a generator of its own, in place of the composition's.
    p : float
        Probability that the transform is applied, in [0, 1].

    Raises
    ------
    MedqDegError
        On construction for an unknown name, severity, modality or parameter, or nothing to choose from; on use for a
        image that `medq_deg.degrade` refuses.

    Examples
    --------
    >>> import albumentations as A, numpy as np
    >>> noise = Degrade(["gaussian_noise", "motion_blur"], severity=(1, 2))
    >>> pipeline = A.Compose([A.HorizontalFlip(), noise], seed=137)
    >>> pipeline(image=np.zeros((64, 64, 3), np.uint8))["image"].shape
    (64, 64, 3)
    """

    def __init__(
        self,
        name: str | Sequence[str],
        severity: int | str | Sequence[int | str],
        modality: str | None = None,
        rounding: Rounding = "nearest",
        keep_marking: bool = False,
        value_range: Sequence[float] | None = None,
        window: Sequence[float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        seed: int | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.name = one_or_several("name", name, resolve_degradation)
        self.severity = one_or_several("severity", severity, resolve_severity)
        self.modality = resolve_modality(modality) if modality is not None else None
        check_window_modality(window, self.modality)
        self.rounding = rounding
        self.keep_marking = keep_marking
        self.value_range = value_range
        self.window = window
        self.parameters = dict(parameters or {})
        self.seed = seed
        self._own = None if seed is None else random.Random(check_seed(seed))
        if self.parameters:
            if not isinstance(self.name, str):
                raise MedqDegError("parameters are of a single type: give one name, or leave parameters out")
            DEGRADATIONS[self.name].check_parameters(self.parameters)

    def get_params(self) -> dict[str, Any]:
        """Draw the type, the level and the seed of one image."""
        draws = random.Random(derive_seed((self._own or self.py_random).randrange(2**63), worker_seed()))
        return {
            "name": self.name if isinstance(self.name, str) else draws.choice(self.name),
            "severity": self.severity if isinstance(self.severity, int) else draws.choice(self.severity),
            "seed": draws.randrange(2**63),
        }

    def apply(self, img: NDArray[Any], seed: int = 0, **params: Any) -> NDArray[Any]:
        """Degrade one (H, W), (H, W, 1) or (H, W, 3) image."""
        return degrade(
            img,
            params.get("name", self.name),
            params.get("severity", self.severity),
            seed,
            modality=self.modality,
            rounding=self.rounding,
            keep_marking=self.keep_marking,
            value_range=self.value_range,
            window=self.window,
            **self.parameters,
        )

    def apply_to_mask(self, mask: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Turn a mask with the image, by nearest neighbour so that labels stay labels; else return it."""
        height, width = mask.shape[:2]
        matrix = self._matrix(params, height, width)
        if matrix is None:
            return mask
        # Places are turned, not values: OpenCV has no 64-bit integers and no truth values.
        places = np.arange(height * width, dtype=np.int32).reshape(height, width)
        turned = np.asarray(
            cv2.warpAffine(places, matrix[:2], (width, height), flags=cv2.INTER_NEAREST, borderValue=(-1.0,) * 4)
        )
        labels: NDArray[Any] = mask.reshape(height * width, *mask.shape[2:])[turned]
        labels[turned < 0] = 0
        return labels

    def apply_to_bboxes(self, bboxes: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Return the upright boxes around the turned ones."""
        shape = params["shape"][:2]
        matrix = self._matrix(params, *shape)
        if matrix is None:
            return bboxes
        return np.asarray(geometric.bboxes_affine(bboxes, matrix, "largest_box", shape, cv2.BORDER_CONSTANT, shape))

    def apply_to_keypoints(self, keypoints: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Turn key points with the image."""
        shape = params["shape"][:2]
        matrix = self._matrix(params, *shape)
        if matrix is None:
            return keypoints
        unit = {"x": 1.0, "y": 1.0}
        return np.asarray(geometric.keypoints_affine(keypoints, matrix, shape, unit, cv2.BORDER_CONSTANT))

    def _matrix(self, params: Mapping[str, Any], height: int, width: int) -> NDArray[np.float64] | None:
        """Return the 3 x 3 matrix by which one draw moves the anatomy, or None where it stays in place."""
        degradation, severity = DEGRADATIONS[params["name"]], params["severity"]
        if not degradation.moves or severity == 0:
            return None
        settings = {**degradation.parameters_for(severity, self.modality), **self.parameters}
        turn = rotation_matrix(
            height, width, draw_angle(generator(params["seed"], degradation.name), settings["angles"])
        )
        return np.vstack([turn, [0, 0, 1]])
