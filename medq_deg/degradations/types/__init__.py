"""The types of degradation, by what makes them. A module that is put here is found: no list names it."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import each module of this folder, which declares its types."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
