"""The leaderboard Space: its tables, and its page where gradio, playwright and Chromium are installed."""

from __future__ import annotations

import json
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

from medq_deg.hub.submit import prepare_results
from tests.conftest import load_module
from tests.hub.double import HubDouble
from tests.hub.runs import benchmark_rows, make_run
from tests.hub.test_submit import STRANGE

ROOT = Path(__file__).parents[2]
APP = ROOT / "spaces" / "leaderboard" / "app.py"


@pytest.fixture(scope="module")
def app() -> ModuleType:
    return load_module(APP)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs and three files that are none."""
    folder = tmp_path_factory.mktemp("results")
    rows = benchmark_rows()
    for name, parameters in (("org/small", 7_000_000_000), (STRANGE, 72_000_000_000)):
        run = make_run(folder / "runs" / str(parameters), name, rows=rows, parameters=parameters)
        for path, content in prepare_results(run, "me/results", dry_run=True).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    good = json.loads(next(folder.glob("results/org-small*/leaderboard.json")).read_text())
    for name, text in {
        "cut": json.dumps(good)[:-20],
        "list": "[1, 2]",
        "nan": json.dumps({**good, "cells": [{**good["cells"][0], "accuracy": float("nan")}]}),
        "size": json.dumps({**good, "parameters_billion": float("inf")}),
        "deep": "[" * 100_000,
    }.items():
        (folder / "results" / name).mkdir()
        (folder / "results" / name / "leaderboard.json").write_text(text)
    return folder


def test_files_that_cannot_be_used_are_counted_and_left_out(app: ModuleType, results: Path) -> None:
    entries, unusable = app.read_results(results)
    assert sorted(entry.label for entry in entries) == sorted(["org/small", STRANGE])
    assert unusable == 5


def test_the_figures_are_those_of_the_run(app: ModuleType, results: Path) -> None:
    entries, _ = app.read_results(results)
    for path in results.glob("results/org-*/leaderboard.json"):
        held = json.loads(path.read_text())
        (row,) = app.table([entry for entry in entries if entry.label == held["model"]])
        assert row[3:8] == pytest.approx(list(held["values"].values()), abs=0.011)
    figures = json.loads(next(results.glob("results/org-small*/metrics.json")).read_text())["by"]
    small = [entry for entry in entries if entry.label == "org/small"]
    (row,) = app.table(small, degradation="motion_blur")
    at_l2 = figures["degradation"]["motion_blur"]["by_severity"]["L2"]
    assert row[5] == pytest.approx(100 * at_l2["accuracy"], abs=0.006)
    assert row[7] == pytest.approx(100 * at_l2["calibration_shift"], abs=0.006)
    (row,) = app.table(small, modality="MRI")
    at = figures["modality"]["MRI"]["by_severity"]
    assert row[3:6] == pytest.approx([100 * at[name]["accuracy"] for name in ("L0", "L1", "L2")], abs=0.006)


def test_filters_leave_what_they_name(app: ModuleType, results: Path) -> None:
    entries = [*app.read_results(results)[0], *app.paper_entries()]
    assert len(app.table(entries)) == 42
    assert {row[1] for row in app.table(entries, groups=["medical", "other"])} == {"medical", "other"}
    assert all(row[2] > 40 for row in app.table(entries, sizes=["over 40 B"]))
    assert all(row[2] is None for row in app.table(entries, sizes=["not public"]))
    assert sum(len(app.table(entries, sizes=[size])) for size in (*app.SIZES, app.UNKNOWN_SIZE)) == 42
    assert {row[8] for row in app.table(entries, modality="CT")} == {"submitted"}
    assert app.table(entries, degradation="bubble", modality="CT") == []
    column = [row[5] for row in app.table(entries)]
    assert column == sorted(column, reverse=True)


def test_nothing_of_a_submitted_file_gets_onto_a_page_unescaped(app: ModuleType, results: Path) -> None:
    (strange,) = (entry for entry in app.read_results(results)[0] if entry.label == STRANGE)
    page = app.model_page(strange)
    assert "<b>" not in page
    assert "&lt;b&gt;é&lt;/b&gt;" in page


def test_runs_of_one_model_have_labels_of_their_own(app: ModuleType, results: Path) -> None:
    (entry,) = (entry for entry in app.read_results(results)[0] if entry.label == "org/small")
    labels = [each.label for each in app._with_own_labels([entry, entry, entry])]
    assert labels == ["org/small", "org/small (run 2)", "org/small (run 3)"]


def test_a_dataset_of_results_is_read_from_the_hub_small_files_alone(results: Path, tmp_path: Path) -> None:
    code = (
        "import app; folder = app.find_results('me/results'); print(app.read_results(folder)[0][0].label);"
        "print(sorted({path.name for path in folder.rglob('*') if path.is_file()}))"
    )
    hub = HubDouble()
    paths = [path for path in results.glob("results/org-small*/*") if path.is_file()]
    hub.repositories["me/results"] = {path.relative_to(results).as_posix(): path.read_bytes() for path in paths}
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


def test_the_page_sorts_filters_and_opens_a_model_without_a_request_to_elsewhere(address: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    shots = Path(os.environ.get("SCREENSHOTS", tmp_path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        requests: list[str] = []
        troubles: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address)
        board = page.locator("#board")

        def cell(place: int) -> Any:
            return board.locator("[role=gridcell]").nth(place)

        expect(cell(0)).to_contain_text("InternVL3-Instruct(78B)")
        page.screenshot(path=shots / "leaderboard.png")

        # Sorting: by the drop, upwards, then downwards, as numbers.
        for order, item in ((1, "Sort ascending"), (-1, "Sort descending")):
            drop = board.locator("[role=columnheader]", has_text="Drop").first
            drop.hover()
            drop.get_by_label("Open cell menu").click()
            page.get_by_role("menuitem", name=item).click()
            page.wait_for_timeout(500)
            drops = [float(cell(6 + 9 * row).inner_text()) for row in range(8)]
            assert drops == sorted(drops, reverse=order < 0), drops
        page.screenshot(path=shots / "sorted.png")

        # A row opens its model's page, also where the rows are not in the order in which they came.
        name = cell(9).inner_text().strip()
        cell(9).click()
        heading = page.locator("#page h2")
        expect(heading).to_have_text(name)
        page.get_by_role("tab", name="Leaderboard").click()

        # Filters.
        def choose(label: str, option: str) -> None:
            page.get_by_label(label, exact=True).click()
            page.get_by_role("option", name=option, exact=True).click()
            page.keyboard.press("Escape")

        choose("Group", "other")
        expect(board.get_by_text("commercial")).to_have_count(0)
        choose("Degradation", "motion blur")
        expect(page.get_by_text("The paper's models are left out")).to_be_visible()
        choose("Modality", "MRI")
        choose("Size", "over 40 B")
        expect(board.get_by_text("org/small")).to_have_count(0)
        expect(cell(0)).to_contain_text(STRANGE)
        page.screenshot(path=shots / "filtered.png")

        cell(0).click()
        expect(heading).to_have_text(STRANGE)
        expect(page.locator("#page")).to_contain_text("motion blur")
        page.wait_for_timeout(500)
        page.screenshot(path=shots / "model.png", full_page=True)
        page.get_by_role("tab", name="How to submit").click()
        expect(page.get_by_text("medq-deg submit RUN --results-repo ORG/RESULTS --dry-run")).to_be_visible()
        page.screenshot(path=shots / "submit.png")
        browser.close()
    assert requests
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
    assert not troubles
