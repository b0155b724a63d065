"""The report in a real browser: nothing is fetched, no error, no scrolling sideways, filters by keyboard.

Skipped where playwright or Chromium are missing. Where axe-playwright-python is installed, axe checks the page too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["light", "dark"])
def opened(request: pytest.FixtureRequest, chromium: Any, report: Path) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1100, "height": 800}, color_scheme=request.param)
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("dialog", lambda dialog: page.problems.append("a dialog opened"))
    page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or page.problems.append(asked.url))
    page.goto(report.as_uri())
    yield page
    assert page.problems == []
    context.close()


def visible_rows(page: Any) -> list[str]:
    return page.eval_on_selector_all(
        "#cards > .row", "rows => rows.filter(row => row.offsetParent).map(row => row.dataset.outcomes)"
    )


@pytest.mark.slow
def test_overconfident_losses_are_shown_first(opened: Any) -> None:
    assert opened.input_value("#filter-outcome") == "lost-sure"
    assert visible_rows(opened)
    assert all("lost-sure" in outcomes for outcomes in visible_rows(opened))


def test_filters_work_by_keyboard(opened: Any) -> None:
    opened.focus("#filter-outcome")
    opened.keyboard.press("k")  # "no readable ..." does not start with k: nothing changes
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "filter-run"
    opened.keyboard.press("ArrowDown")
    assert opened.input_value("#filter-run") == "0"
    assert all("0:lost-sure" in outcomes for outcomes in visible_rows(opened))
    for _ in range(3):
        opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "reset"
    opened.keyboard.press("Enter")
    assert opened.input_value("#filter-run") == ""
    before = len(visible_rows(opened))
    opened.focus("#more")
    opened.keyboard.press("Enter")
    assert len(visible_rows(opened)) > before
    assert opened.evaluate("document.activeElement.tagName") == "H4"


def test_images_are_drawn(opened: Any) -> None:
    widths = opened.eval_on_selector_all("#cards img", "images => images.map(image => image.naturalWidth)")
    assert len(widths) > 90
    assert min(widths) > 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 360, 768, 1400])
def test_the_page_does_not_scroll_sideways(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 740})
    opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_it_prints(opened: Any) -> None:
    opened.emulate_media(media="print")
    assert opened.pdf()[:5] == b"%PDF-"
    colour = opened.evaluate("getComputedStyle(document.body).color")
    assert colour == "rgb(0, 0, 0)"


@pytest.mark.slow
def test_axe_finds_nothing(opened: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = axe.Axe().run(opened).response["violations"]
    assert [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found] == []


def test_headings_are_in_order_and_controls_have_names(opened: Any) -> None:
    levels = opened.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(each => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert opened.locator("select").count() == 4
    for name in ("Outcome", "Run", "Degradation", "Modality"):
        assert opened.get_by_label(name, exact=True).count() == 1
