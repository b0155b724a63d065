"""Runs in processes of their own, with a model that is installed as a third party's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return the environment of a process that finds the model "slow" among the installed ones."""
    installed = tmp_path / "site" / "slow_model-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-model\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[medq_deg.models]\nslow = tests.evaluation.slow:Slow\n")

    def make(**variables: object) -> dict[str, str]:
        paths = os.pathsep.join([str(installed.parent), str(ROOT)])
        return {**os.environ, "PYTHONPATH": paths, **{name: str(value) for name, value in variables.items()}}

    return make
