"""The leaderboard Space: what it reads, and its page where gradio, playwright and Chromium are installed.

The page itself is tested in `tests/results/test_board.py`, and how files are read beside it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import load_module
from tests.hub.boards import STRANGE, real_entry, whole, write
from tests.hub.double import HubDouble

ROOT = Path(__file__).parents[2]
APP = ROOT / "spaces" / "leaderboard" / "app.py"


@pytest.fixture(scope="module")
def app() -> ModuleType:
    return load_module(APP)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is ranked, one with a strange name, one that is too small, and a file that is none."""
    folder = tmp_path_factory.mktemp("results")
    small = real_entry(folder, parameters=7_000_000_000)
    entries = {
        "org-small-1": small,
        "org-strong-2": whole(small, 0.3, model="org/strong"),
        "strange-3": whole(small, 0.1, model=STRANGE),
        "cut-4": "[1",
    }
    return write(folder, entries)


def test_the_page_holds_the_papers_models_the_runs_and_what_cannot_be_read(app: ModuleType, results: Path) -> None:
    page = app.board(str(results))
    for words in ("InternVL3-Instruct(78B)", "org/strong", "207 of the paper&#39;s 24,894 rows", "1 submitted file "):
        assert words in page
    assert "submitted file" not in app.board()


def test_a_dataset_that_cannot_be_reached_leaves_the_papers_models_and_one_sentence(app: ModuleType) -> None:
    page = app.board("me/nowhere")
    assert "The submitted results cannot be read: me/nowhere" in page
    assert "InternVL3-Instruct(78B)" in page


def test_a_page_is_kept_for_a_while_and_then_made_again(app: ModuleType) -> None:
    now, made = [0.0], []

    def make() -> str:
        made.append(now[0])
        return f"page {len(made)}"

    show = app.kept(make, lambda: now[0])
    assert [show(), show()] == ["page 1", "page 1"]
    now[0] = app.FRESH
    assert show() == "page 2"


def test_the_frame_may_run_the_pages_script_and_nothing_else(app: ModuleType) -> None:
    frame = app.framed('<p title="a">\'</p></iframe>')
    assert 'sandbox="allow-scripts"' in frame
    assert frame.count('"') == 6
    assert frame.count("<") == 2


def test_a_dataset_of_results_is_read_from_the_hub_small_files_alone(results: Path, tmp_path: Path) -> None:
    code = (
        "import app; folder = app.find_results('me/results'); print(app.read_submitted(folder)[0][0].model);"
        "print(sorted({path.name for path in folder.rglob('*') if path.is_file()}))"
    )
    hub = HubDouble()
    (entry,) = results.glob("results/org-small*/leaderboard.json")
    folder = entry.parent.relative_to(results).as_posix()
    hub.repositories["me/results"] = {
        f"{folder}/leaderboard.json": entry.read_bytes(),
        f"{folder}/answers.jsonl": b"{}",
    }
    variables = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(APP.parent)])
    variables.pop("HF_HUB_OFFLINE", None)
    try:
        read = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False, timeout=120
        )
    finally:
        hub.close()
    assert read.stdout.splitlines() == ["org/small", "['leaderboard.json']"], read.stderr


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def address(results: Path, tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("gradio", minversion="6.0")
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    log = tmp_path / "log"
    # Whatever the server asks of the world goes to a proxy that only listens.
    proxy = socket.create_server(("127.0.0.1", 0))
    proxy.setblocking(False)
    outside = f"http://127.0.0.1:{proxy.getsockname()[1]}"
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "RESULTS": str(results),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), outside),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    }
    with log.open("wb") as file:
        server = subprocess.Popen([sys.executable, str(APP)], env=variables, stdout=file, stderr=file, cwd=tmp_path)
    try:
        for _ in range(240):
            found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
            if found or server.poll() is not None:
                break
            time.sleep(0.25)
        assert found, log.read_text()
        yield found[0]
        with pytest.raises(BlockingIOError):  # nobody came
            proxy.accept()
    finally:
        server.terminate()
        server.wait(20)
        proxy.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_works_in_its_frame_without_a_request_to_elsewhere(
    address: str, tmp_path: Path, scheme: str, width: int
) -> None:
    from playwright.sync_api import expect, sync_playwright

    shots = Path(os.environ.get("SCREENSHOTS", tmp_path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        outer = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
        requests: list[str] = []
        troubles: list[str] = []
        outer.on("request", lambda request: requests.append(request.url))
        outer.on("pageerror", lambda error: troubles.append(str(error)))
        outer.on("dialog", lambda dialog: troubles.append("a dialog opened"))
        outer.goto(address)
        page: Any = outer.frame_locator("#board iframe")
        expect(page.locator("h1")).to_contain_text("InternVL3-Instruct(78B), right 69 times in 100.")
        box = outer.locator("#board iframe").bounding_box()
        assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, width, 844)
        outer.screenshot(path=shots / f"space_{width}_{scheme}.png")

        page.locator("#search").fill("org/")
        expect(page.locator("#models tr:visible")).to_have_count(2)
        expect(page.locator("#models tr:visible .name").first).to_have_text("org/strong")
        page.locator("#view").select_option("noise")
        expect(page.locator("#lead")).to_contain_text("degraded by noise")
        outer.screenshot(path=shots / f"space_{width}_{scheme}_noise.png")
        page.get_by_role("link", name="org/strong").click()
        expect(page.locator("dialog")).to_contain_text("motion blur")
        outer.screenshot(path=shots / f"space_{width}_{scheme}_model.png")
        outer.keyboard.press("Escape")
        expect(page.locator("#unranked")).to_contain_text("207 of the paper's 24,894 rows")

        # Links within the page stay within its frame, and a strange name is a name.
        page.locator("#search").fill("")
        page.get_by_role("link", name=STRANGE).click()
        expect(page.locator("#page-title")).to_have_text(STRANGE)
        outer.keyboard.press("Escape")
        if width > 640:
            page.get_by_role("link", name="How to submit").click()
            expect(page.locator("#submit h2")).to_be_in_viewport()
        assert "medq-deg submit RUN --results-repo ORG/RESULTS --dry-run" in page.locator("#submit").inner_text()
        browser.close()
    assert requests
    assert [url for url in requests if not url.startswith((address, "data:", "blob:", "about:"))] == []
    assert not troubles
