"""The degradations as one albumentations transform, to compose with others in a training pipeline."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from medq_deg.degradations.apply import Rounding, degrade, generator
from medq_deg.degradations.arrays import ByteImage
from medq_deg.degradations.motion import draw_angle, rotation_matrix
from medq_deg.degradations.registry import DEGRADATIONS
from medq_deg.seeds import derive_seed
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

# albumentations asks a server for its newest version when imported; a transform has no business on the network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
from albumentations import DualTransform
from albumentations.augmentations.geometric import functional as geometric


def _seed_of_worker() -> int | None:
    """Return the seed of this worker process of a PyTorch loader, another in each epoch; None outside of one."""
    loading = sys.modules.get("torch.utils.data")  # a worker has imported it
    worker = loading.get_worker_info() if loading is not None else None
    return None if worker is None else int(worker.seed)


class Degrade(DualTransform):
    """One of the 18 degradations as an albumentations transform.

    Masks, boxes and key points are left alone, except by a rotation, which moves them with the picture. The seed of
    each picture is drawn from the generator of the composition: ``A.Compose([...], seed=137)`` makes it repeatable,
    and `A.ReplayCompose` replays it. In the workers of a `torch.utils.data.DataLoader`, which all begin with a copy of
    that generator, the worker's own seed is mixed in, so that workers and epochs differ; ``torch.manual_seed`` makes
    those repeatable. albumentations' own transforms do not do that.

    Parameters
    ----------
    name : str
        One of `medq_deg.DEGRADATIONS`, or an alias.
    severity : int or str
        0, 1 or 2.
    modality : str, optional
        See `medq_deg.degrade`.
    rounding : {"nearest", "truncate"}
        See `medq_deg.degrade`.
    keep_marking : bool
        See `medq_deg.degrade`.
    parameters : mapping, optional
        Replace single parameters of the severity.
    p : float
        Probability that the transform is applied, in [0, 1].

    Raises
    ------
    MedqDegError
        On construction for an unknown name, severity, modality or parameter; on use for a picture that
        `medq_deg.degrade` refuses.

    Examples
    --------
    >>> import albumentations as A, numpy as np
    >>> pipeline = A.Compose([A.HorizontalFlip(), Degrade("gaussian_noise", severity=2)], seed=137)
    >>> pipeline(image=np.zeros((64, 64, 3), np.uint8))["image"].shape
    (64, 64, 3)
    """

    def __init__(
        self,
        name: str,
        severity: int | str,
        modality: str | None = None,
        rounding: Rounding = "nearest",
        keep_marking: bool = False,
        parameters: Mapping[str, Any] | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.name = resolve_degradation(name)
        self.severity = resolve_severity(severity)
        self.modality = resolve_modality(modality) if modality is not None else None
        self.rounding = rounding
        self.keep_marking = keep_marking
        self.parameters = dict(parameters or {})
        DEGRADATIONS[self.name].check_parameters(self.parameters)

    def get_params(self) -> dict[str, Any]:
        """Draw the seed of one picture."""
        seed = self.py_random.randrange(2**32)
        worker = _seed_of_worker()
        return {"seed": seed if worker is None else derive_seed(seed, worker) % 2**32}

    def apply(self, img: NDArray[Any], seed: int = 0, **params: Any) -> ByteImage:
        """Degrade one (H, W), (H, W, 1) or (H, W, 3) uint8 picture."""
        return degrade(
            img,
            self.name,
            self.severity,
            seed,
            modality=self.modality,
            rounding=self.rounding,
            keep_marking=self.keep_marking,
            **self.parameters,
        )

    def apply_to_mask(self, mask: NDArray[Any], seed: int = 0, **params: Any) -> NDArray[Any]:
        """Turn a mask with the picture, by nearest neighbour so that labels stay labels; else return it."""
        height, width = mask.shape[:2]
        matrix = self._matrix(seed, height, width)
        if matrix is None:
            return mask
        # OpenCV has no 64-bit integers and no truth values, and drops a last axis of one.
        kind = np.uint8 if mask.dtype == bool else np.int32 if mask.dtype.kind in "ui" else np.float32
        known: NDArray[Any] = mask.astype(kind)
        turned = cv2.warpAffine(np.asarray(known), matrix[:2], (width, height), flags=cv2.INTER_NEAREST)
        return np.asarray(turned).astype(mask.dtype).reshape(mask.shape)

    def apply_to_bboxes(self, bboxes: NDArray[Any], seed: int = 0, **params: Any) -> NDArray[Any]:
        """Return the upright boxes around the turned ones."""
        shape = params["shape"][:2]
        matrix = self._matrix(seed, *shape)
        if matrix is None:
            return bboxes
        return np.asarray(geometric.bboxes_affine(bboxes, matrix, "largest_box", shape, cv2.BORDER_CONSTANT, shape))

    def apply_to_keypoints(self, keypoints: NDArray[Any], seed: int = 0, **params: Any) -> NDArray[Any]:
        """Turn key points with the picture."""
        shape = params["shape"][:2]
        matrix = self._matrix(seed, *shape)
        if matrix is None:
            return keypoints
        unit = {"x": 1.0, "y": 1.0}
        return np.asarray(geometric.keypoints_affine(keypoints, matrix, shape, unit, cv2.BORDER_CONSTANT))

    def _matrix(self, seed: int, height: int, width: int) -> NDArray[np.float64] | None:
        """Return the 3 x 3 matrix by which this seed moves the anatomy, or None where it stays in place."""
        degradation = DEGRADATIONS[self.name]
        if not degradation.moves or self.severity == 0:
            return None
        settings = {**degradation.parameters_for(self.severity, self.modality), **self.parameters}
        turn = rotation_matrix(height, width, draw_angle(generator(seed, self.name), settings["angles"]))
        return np.vstack([turn, [0, 0, 1]])
