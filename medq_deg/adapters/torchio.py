"""The degradations as a TorchIO transform on the slices of scalar images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torchio

from medq_deg.adapters.channels import Choice, Order


class RandomDegrade(torchio.IntensityTransform):
    """Degrade the scalar images of a subject slice by slice, with a seed from PyTorch's generator.

    Parameters
    ----------
    name, severity, value_range, order, **options
        See `medq_deg.adapters.channels.Choice`. TorchIO's tensors have x first: "wh" is the default here.
    p : float
        Probability that it is applied.

    Examples
    --------
    >>> import torch, torchio
    >>> scan = torchio.ScalarImage(tensor=torch.zeros(1, 64, 48, 2))
    >>> RandomDegrade("ghosting", 1, value_range=(0, 255))(scan).shape
    (1, 64, 48, 2)
    """

    def __init__(
        self,
        name: str | Sequence[str],
        severity: int | str | Sequence[int | str],
        value_range: Sequence[float] = (0.0, 1.0),
        order: Order = "wh",
        p: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(p=p)
        self.choice = Choice(name, severity, value_range, order, **options)

    def apply_transform(self, subject: torchio.Subject) -> torchio.Subject:
        """Degrade each scalar image of the subject with one draw for all of them."""
        seed = int(torch.randint(2**62, ()))
        for image in self.get_images(subject):
            image.set_data(self.choice(image.data, seed))
        return subject
