"""Images that tests share."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

# Test processes run side by side: more than one thread in each only makes them wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test may reach for a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medq_deg import cli
from medq_deg.demo import FOLDER


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material that MEDQ_SHARED names; tests that need it skip where it is missing."""
    path = Path(os.environ.get("MEDQ_SHARED", "../shared"))
    if not (path / "paper").is_dir():
        pytest.skip(f"the reference material is not at {path} (set MEDQ_SHARED)")
    return path


def demo_image(name: str) -> NDArray[np.uint8]:
    """One of the demo set's real images."""
    return np.asarray(Image.open(FOLDER / "images" / f"{name}.png"))


@pytest.fixture(scope="session")
def ct() -> NDArray[np.uint8]:
    return demo_image("ct_abdomen")


@pytest.fixture(scope="session")
def mri() -> NDArray[np.uint8]:
    return demo_image("mri_liver")


@pytest.fixture(scope="session")
def histology() -> NDArray[np.uint8]:
    return demo_image("histo_hgsc_nest")


def load_module(path: Path) -> ModuleType:
    """Import a file that lies in no package, such as a script or an app."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


Command: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A function that runs `medq-deg` with some arguments in this process; returns exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["medq-deg", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return call


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; tests that need it skip where it or playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of the sample of slow tests once, before the processes of a run are started."""
    os.environ.setdefault("SLOW_SEED", datetime.now(timezone.utc).date().isoformat())


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to repeat this choice of slow tests."""
    if os.environ.get("SLOW") == "all":
        return "slow tests: all"
    return f"slow tests: a sample, SLOW_SEED={os.environ['SLOW_SEED']}; all of them: SLOW=all"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a sample of the tests that are marked slow, another each day: `sample_slow`.

    What generated inputs happen to reach does not count as covered, and takes a third less time uncounted.
    """
    for item in items:
        if item.get_closest_marker("hypothesis") or item.get_closest_marker("fuzz"):
            item.add_marker("no_cover")
    if os.environ.get("SLOW") == "all" or any("::" in argument for argument in config.args):
        return
    slow = [item.nodeid for item in items if item.get_closest_marker("slow")]
    left_out = {*slow} - sample_slow(slow, os.environ["SLOW_SEED"])
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def sample_slow(names: Sequence[str], seed: str) -> set[str]:
    """Choose a sixth of the tests, and one case of each that has several."""
    cases: dict[str, list[str]] = {}
    for name in names:
        cases.setdefault(name.partition("[")[0], []).append(name)
    chosen = set()
    for test, several in cases.items():
        draw = random.Random(f"{seed} {test}")
        if draw.random() < 1 / 6:
            chosen.add(draw.choice(several))
    return chosen
