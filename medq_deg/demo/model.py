"""The demo model that the package ships: a tiny LLaVA; its card is the README.md beside the weights."""

from __future__ import annotations

from pathlib import Path


def demo_model() -> Path:
    """Return the folder of the demo model, which transformers' auto classes load."""
    return Path(__file__).parent / "tiny-llava"
