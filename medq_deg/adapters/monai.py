"""The degradations as MONAI transforms: `RandDegrade` on an image, `RandDegraded` on the keys of a dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from medq_deg.adapters.channels import Choice, Order

_SEEDS = 2**31


class RandDegrade(RandomizableTransform):
    """Degrade a channel-first image with probability `prob`.

    Parameters
    ----------
    name, severity, value_range, order, **options
        See `medq_deg.adapters.channels.Choice`. Volumes that MONAI reads from NIfTI have x first: ``order="wh"``.
    prob : float
        Probability that it is applied.

    Examples
    --------
    >>> import torch
    >>> transform = RandDegrade("ghosting", 1, value_range=(0, 255)).set_random_state(3)
    >>> transform(torch.zeros(1, 64, 48)).shape
    torch.Size([1, 64, 48])
    """

    def __init__(
        self,
        name: str | Sequence[str],
        severity: int | str | Sequence[int | str],
        value_range: Sequence[float] = (0.0, 1.0),
        order: Order = "hw",
        prob: float = 1.0,
        **options: Any,
    ) -> None:
        RandomizableTransform.__init__(self, prob)
        self.choice = Choice(name, severity, value_range, order, **options)
        self._seed = 0

    def randomize(self, data: Any = None) -> None:
        """Draw whether it is applied, and the seed."""
        super().randomize(data)
        self._seed = int(self.R.randint(_SEEDS, dtype=np.int64))

    def __call__(self, image: Any) -> Any:
        """Return the degraded image, or the image itself where it is not applied."""
        self.randomize()
        return self.choice(image, self._seed) if self._do_transform else image


class RandDegraded(RandomizableTransform, MapTransform):
    """Degrade the images under `keys` with one draw for all of them; labels are not touched.

    Parameters
    ----------
    keys : str or sequence of str
        Of the images in the dictionary.
    name, severity, value_range, order, prob, **options
        See `RandDegrade`.
    allow_missing_keys : bool
        Pass over keys that a dictionary lacks.
    """

    def __init__(
        self,
        keys: KeysCollection,
        name: str | Sequence[str],
        severity: int | str | Sequence[int | str],
        value_range: Sequence[float] = (0.0, 1.0),
        order: Order = "hw",
        prob: float = 1.0,
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.choice = Choice(name, severity, value_range, order, **options)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with its images degraded."""
        self.randomize(None)
        seed, result = int(self.R.randint(_SEEDS, dtype=np.int64)), dict(data)
        if self._do_transform:
            for key in self.key_iterator(result):
                result[key] = self.choice(result[key], seed)
        return result
