"""The page of every class of answer in a real browser: wide, narrow, light, dark and on paper.

Skipped where playwright or Chromium are missing. Where axe-playwright-python is installed, axe checks the pages too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.reporting.browser import browse
from medq_deg.reporting.collect import collect
from medq_deg.reporting.figures import reliability, risk_coverage
from medq_deg.reporting.images import Images
from medq_deg.reporting.page import render
from medq_deg.reporting.view import parts_of
from tests.reporting.outcomes import SCRIPTS, run_of

FOLD = {1280: 800, 390: 844}
"""Width and height of a first screen."""


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write the page of a class, with the two charts that a page cannot do without, when it is first asked for."""
    folder = tmp_path_factory.mktemp("outcomes")
    rows = list(demo.rows().columns())
    images = Images(demo.rows())

    @cache
    def write(key: str) -> Path:
        read = collect([run_of(key, folder / key, rows)], coverage=0.1, n_resamples=100)
        browser = browse(read, images, budget=150_000)
        charts = [reliability(read), risk_coverage(read)]
        written = folder / f"{key}.html"
        written.write_text(render(read, parts_of(read, images, n_resamples=100), charts, browser, []), encoding="utf-8")
        return written

    return write


@pytest.fixture(params=list(SCRIPTS))
def opened(request: pytest.FixtureRequest, chromium: Any, page_of: Callable[[str], Path]) -> Iterator[tuple[str, Any]]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or problems.append(asked.url))
    page.goto(page_of(request.param).as_uri())
    yield request.param, page
    context.close()
    assert problems == []


@pytest.mark.slow
def test_the_answer_and_its_advice_are_on_the_first_screen(opened: tuple[str, Any]) -> None:
    key, page = opened
    for width, fold in FOLD.items():
        page.set_viewport_size({"width": width, "height": 800})
        ends = page.eval_on_selector_all("h1, .lead, .so", "all => all.map(one => one.getBoundingClientRect().bottom)")
        assert ends
        assert max(ends) <= fold, (key, width, ends)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_the_charts_and_the_example_are_on_the_first_screen_of_a_desk(opened: tuple[str, Any]) -> None:
    key, page = opened
    ends = page.eval_on_selector_all(".cols .panel", "all => all.map(one => one.getBoundingClientRect().bottom)")
    assert key == "no_clean" or len(ends) == 2
    assert max(ends, default=0) <= 800, (key, ends)


@pytest.mark.slow
def test_axe_finds_nothing_in_light_and_dark(opened: tuple[str, Any]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    _, page = opened
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        assert [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found] == []


@pytest.mark.slow
def test_nothing_is_cut_on_paper(opened: tuple[str, Any]) -> None:
    _, page = opened
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 1000})  # A4 less its margins, at 96 px an inch
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    cut = page.evaluate(
        """() => Array.from(document.querySelectorAll('main *')).filter(each => {
            const box = each.getBoundingClientRect();
            return box.width && !each.closest('.tip') && box.right > document.documentElement.clientWidth + 1;
        }).map(each => each.outerHTML.slice(0, 120))"""
    )
    assert cut == []
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_images_enlarge_by_click_and_by_keyboard(chromium: Any, page_of: Callable[[str], Path]) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(page_of("falls_unnoticed").as_uri())
    page.locator("#answer .enlarge").first.click()
    assert page.evaluate("document.getElementById('large').open")
    assert page.locator("#large img").count() == 3
    page.keyboard.press("Escape")
    assert not page.evaluate("document.getElementById('large').open")
    page.locator("#answer .enlarge").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.getElementById('large').open")
    page.locator("#large-close").click()
    assert page.evaluate("document.activeElement.className") == "enlarge"
    page.close()


def test_terms_are_explained_on_focus_and_hover(chromium: Any, page_of: Callable[[str], Path]) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(page_of("falls_unnoticed").as_uri())
    term = page.locator("h1 .t").first
    tip = term.locator(".tip")
    assert not tip.is_visible()
    term.focus()
    assert tip.is_visible()
    page.locator("#rows").focus()
    page.evaluate("document.activeElement.blur()")
    term.hover()
    assert tip.is_visible()
    page.close()
