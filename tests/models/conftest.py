"""Tiny checkpoints that the tests of models share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.models import tiny_vlms


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Save a family's tiny checkpoint, once; not to be changed."""

    @cache
    def save(name: str) -> Path:
        if name == "smolvlm" and find_spec("num2words") is None:
            pytest.skip("SmolVLM's processor needs the package num2words")
        return tiny_vlms.save(name, tmp_path_factory.mktemp("tiny") / name)

    return save
