"""A damaged file of options is options, or one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medq_deg import cli
from tests.fuzz.inputs import LONGEST, damaged, damaged_bytes, fuzz, inputs

pytestmark = [fuzz, pytest.mark.filterwarnings("ignore")]

OPTIONS: dict[str, Any] = {
    "trials": 4,
    "seed": 0,
    "parser": "strict",
    "orders": 2,
    "quiet": True,
    "data": "demo",
    "model_arg": ["a=b"],
    "max_pixels": 1000,
}
RUN = {"settings": {"trials": 4, "seed": 0, "parser": "strict", "image": "none", "data": {"name": "demo"}}}


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return a file of options, or a run's settings, whose values or bytes are damaged."""
    held = draw(st.sampled_from([OPTIONS, RUN]))
    if draw(st.booleans()):
        return json.dumps(draw(damaged(held))).encode()
    return draw(damaged_bytes(yaml.safe_dump(held).encode()))


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A file that `medq-deg evaluate` takes its options from, for a model that is not there."""
    path = tmp_path / "options.yaml"
    options = ["medq-deg", "evaluate", "--model", "./nowhere", "--out", str(tmp_path / "run"), "--config", str(path)]
    monkeypatch.setattr("sys.argv", options)
    yield path
    assert not (tmp_path / "run").exists()


def test_a_damaged_file_of_options_is_used_or_told_of(arguments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @inputs(0.05)
    @given(files())
    def check(data: bytes) -> None:
        arguments.write_bytes(data)
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr().err
        assert end.value.code == 2
        assert told.startswith("medq-deg: ")
        assert len(told) < LONGEST

    check()
