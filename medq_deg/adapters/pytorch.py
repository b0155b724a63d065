"""The degradations as a PyTorch module on channel-first tensors, for any `Compose`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from medq_deg.adapters.channels import Choice, Order


class DegradeTensor(torch.nn.Module):
    """Degrade a (C, H, W) or (C, H, W, D) tensor, with a seed from PyTorch's generator.

    The generator of a DataLoader's worker differs between workers and epochs, and follows `torch.manual_seed`.

    Parameters
    ----------
    name, severity, value_range, order, **options
        See `medq_deg.adapters.channels.Choice`.

    Examples
    --------
    >>> import torch
    >>> transform = DegradeTensor(["gaussian_noise", "motion_blur"], severity=(1, 2), value_range=(0, 1))
    >>> transform(torch.rand(3, 64, 48)).shape
    torch.Size([3, 64, 48])
    """

    def __init__(
        self,
        name: str | Sequence[str],
        severity: int | str | Sequence[int | str],
        value_range: Sequence[float] = (0.0, 1.0),
        order: Order = "hw",
        **options: Any,
    ) -> None:
        super().__init__()
        self.choice = Choice(name, severity, value_range, order, **options)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the degraded tensor, on the same device."""
        result: torch.Tensor = self.choice(image, int(torch.randint(2**62, ())))
        return result
