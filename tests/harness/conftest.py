"""The run that the harnesses repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.direct import make_direct


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_direct(tmp_path_factory.mktemp("direct") / "run")
