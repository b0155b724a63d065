"""The review as a reviewer uses it, in a real browser: keyboard alone, two at once, reload, offline and back.

Skipped where playwright or Chromium are missing. Where axe-playwright-python is installed, axe checks the pages too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medq_deg.review.catalogue import Catalogue
from tests.review.served import Served, served


class Problems(list[str]):
    """What a page must not do: errors, dialogs, requests to elsewhere."""

    def watch(self, page: Any, url: str) -> None:
        page.on("console", lambda message: message.type in ("error", "warning") and self.append(message.text))
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("dialog", lambda dialog: self.append("a dialog opened"))
        page.on("request", lambda asked: asked.url.startswith((url, "data:")) or self.append(asked.url))


Open = Callable[..., Any]


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Open]:
    problems = Problems()
    contexts = []

    def open_one(review: Served, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        problems.watch(page, review.url)
        page.problems = problems
        page.goto(f"{review.url}/")
        return page

    yield open_one
    for context in contexts:
        context.close()
    # The server is gone before its pages are.
    assert [text for text in problems if "ERR_CONNECTION_REFUSED" not in text] == []


def question(page: Any) -> str | None:
    return page.get_attribute("#work", "data-question")


def saved(page: Any) -> None:
    """Wait until every click is answered."""
    page.wait_for_function(
        "() => !document.querySelector('.htmx-request') && document.getElementById('connection').hidden"
    )


def next_question(page: Any) -> None:
    before = question(page)
    page.keyboard.press("Enter")
    page.wait_for_function("before => document.getElementById('work').dataset.question !== before", arg=before)


def keep_all(page: Any) -> None:
    for _ in range(page.locator(".degradation").count()):
        page.keyboard.press("k")


def states(review: Served) -> dict[str, int]:
    with review.store.database.reading() as tables:
        return dict(tables.execute("SELECT state, COUNT(*) FROM assignments GROUP BY state").fetchall())


@pytest.mark.slow
def test_from_login_to_the_end_by_keyboard_alone(
    open_page: Open, few: Catalogue, demo_catalogue: Catalogue, tmp_path: Path
) -> None:
    # All 85 questions of the demonstration set where MEDQ_WHOLE_REVIEW is set, else six of them.
    catalogue = demo_catalogue if "MEDQ_WHOLE_REVIEW" in os.environ else few
    with served(catalogue, tmp_path / "r.sqlite") as review:
        token = review.auth.invite("Ann")
        page = open_page(review)
        page.keyboard.type(token)  # the field has the focus
        page.keyboard.press("Enter")
        page.wait_for_selector(".degradation")
        for number in range(len(catalogue)):
            # Of one question the first degradation is deleted, of the others everything is kept.
            if number == 0:
                page.keyboard.press("3")
                page.keyboard.press("ArrowUp")
                page.keyboard.press("ArrowUp")
                page.keyboard.press("c")
                page.keyboard.type("enter and k are letters here")
                page.keyboard.press("Escape")
                for _ in range(page.locator(".degradation").count() - 1):
                    page.keyboard.press("ArrowDown")
                    page.keyboard.press("k")
            else:
                keep_all(page)
            next_question(page)
        assert "review is complete" in page.inner_text("h1")
        assert states(review) == {"done": len(catalogue)}
        with review.store.database.reading() as tables:
            deleted = tables.execute("SELECT reason, comment FROM verdicts WHERE verdict = 'delete'").fetchall()
        assert [tuple(row) for row in deleted] == [("severe_too_degraded", "enter and k are letters here")]
        page.keyboard.press("u")  # the end can be undone too
        page.wait_for_selector(".degradation")
        assert states(review) == {"done": len(catalogue) - 1, "open": 1}


def test_undo_by_keyboard_also_over_the_question_before(open_page: Open, review: Served) -> None:
    page = open_page(review)
    first = question(page)
    keep_all(page)
    next_question(page)
    page.keyboard.press("u")
    page.wait_for_function("first => document.getElementById('work').dataset.question === first", arg=first)
    assert page.is_checked("#keep-0")
    for _ in range(page.locator(".degradation").count()):
        page.keyboard.press("u")
        saved(page)
    page.wait_for_function("() => !document.querySelector('[name=verdict]:checked')")
    page.keyboard.press("u")
    page.wait_for_selector("#message:not([hidden])")
    assert "nothing to undo" in page.inner_text("#message")


@pytest.mark.slow
def test_two_reviewers_at_once(open_page: Open, few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite") as review:
        pages = []
        tokens = [review.auth.invite(name) for name in ("Ann", "Ben")]
        for token in tokens:
            page = open_page(review)
            page.fill("#token", token)
            page.keyboard.press("Enter")
            page.wait_for_selector(".degradation")
            pages.append(page)
        for _ in range(3):
            assert question(pages[0]) != question(pages[1])
            for page in pages:
                keep_all(page)
            for page in pages:
                next_question(page)
        assert states(review) == {"done": len(few)}
        assert all("complete" in page.inner_text("h1") for page in pages[1:])


def test_a_reload_in_the_middle_shows_what_was_said(open_page: Open, review: Served) -> None:
    page = open_page(review)
    number = question(page)
    page.keyboard.press("2")
    saved(page)
    page.fill("#comment-0", "half way") if page.is_visible("#comment-0") else None
    page.reload()
    assert question(page) == number
    assert page.is_checked("#delete-0")
    assert page.is_checked("#reason-0-2")


def test_two_tabs_do_not_overwrite_one_another_unseen(open_page: Open, review: Served) -> None:
    page = open_page(review)
    other = page.context.new_page()
    page.problems.watch(other, review.url)
    other.goto(page.url)
    page.bring_to_front()
    page.keyboard.press("k")
    saved(page)
    other.bring_to_front()
    other.keyboard.press("2")
    other.wait_for_function("() => document.getElementById('saved-0').textContent.includes('another tab')")
    assert other.is_checked("#keep-0")


def test_the_back_button_leads_to_a_question_as_it_is_stored(open_page: Open, review: Served) -> None:
    page = open_page(review)
    first = question(page)
    keep_all(page)
    next_question(page)
    page.go_back()
    page.wait_for_function("first => document.getElementById('work').dataset.question === first", arg=first)
    assert page.is_checked("#keep-0")
    assert "done" in page.inner_text(".about .sub")
    next_question(page)
    assert question(page) != first
    assert states(review) == {"done": 1, "open": 1}


@pytest.mark.slow
def test_offline_the_page_says_so_keeps_the_click_and_sends_it_once(open_page: Open, review: Served) -> None:
    page = open_page(review)
    first = question(page)
    page.context.set_offline(True)
    keep_all(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("#connection:not([hidden])")
    assert "Offline" in page.inner_text("#connection")
    assert question(page) == first
    assert states(review) == {"open": 1}
    page.context.set_offline(False)
    page.wait_for_function("first => document.getElementById('work').dataset.question !== first", arg=first)
    assert not page.is_visible("#connection")
    assert states(review) == {"done": 1, "open": 1}
    with review.store.database.reading() as tables:
        clicks = tables.execute("SELECT COUNT(*) FROM clicks WHERE kind = 'verdict'").fetchone()[0]
    assert clicks == len(review.store.catalogue[int(first)].pairs)
    page.problems[:] = [
        text for text in page.problems if "ERR_INTERNET_DISCONNECTED" not in text and "htmx:" not in text
    ]


@pytest.mark.slow
def test_an_answer_that_is_lost_on_its_way_does_not_double_the_click(open_page: Open, review: Served) -> None:
    page = open_page(review)
    lost = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)  # the server stores it, the page never hears of it
        route.abort()

    page.route("**/verdict", lose)
    page.keyboard.press("k")
    page.wait_for_function("() => document.getElementById('saved-0').textContent === 'Saved'")
    assert lost == [200]
    with review.store.database.reading() as tables:
        assert tables.execute("SELECT COUNT(*) FROM clicks").fetchone()[0] == 1
    page.problems[:] = [text for text in page.problems if "ERR_FAILED" not in text and "htmx:" not in text]


def test_keys_are_told_on_a_question_mark(open_page: Open, review: Served) -> None:
    page = open_page(review)
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("k")  # nothing is decided behind it
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")
    assert not page.is_checked("#keep-0")


def test_zoom_pan_window_and_flip_are_the_same_for_all_images(open_page: Open, review: Served) -> None:
    page = open_page(review)
    page.locator(".frame").nth(1).scroll_into_view_if_needed()
    box = page.locator(".frame").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4

    def each(name: str) -> set[str]:
        return set(page.eval_on_selector_all(".frame img", f"images => images.map(image => image.style.{name})"))

    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_function("() => document.querySelector('.frame img').style.transform !== ''")
    assert len(each("transform")) == 1
    zoomed = each("transform")
    page.keyboard.press("Shift+ArrowRight")
    assert each("transform") != zoomed
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 30)
    page.mouse.up()
    assert each("filter") == {'url("#window")'}
    slope, intercept = (float(page.get_attribute("#window feFuncR", name)) for name in ("slope", "intercept"))
    assert slope < 1  # to the right: wider
    assert intercept + 0.5 * slope < 0.5  # down: darker
    page.keyboard.press("f")
    sources = page.eval_on_selector_all(
        ".degradation:first-of-type .frame img", "images => images.map(image => image.src)"
    )
    assert len(set(sources)) == 1
    assert page.locator(".flipped").nth(1).is_visible()
    page.keyboard.press("f")
    sources = page.eval_on_selector_all(
        ".degradation:first-of-type .frame img", "images => images.map(image => image.src)"
    )
    assert len(set(sources)) == 3
    page.keyboard.press("0")
    assert each("transform") == {""}
    assert each("filter") == {""}


def test_the_page_does_not_scroll_sideways(open_page: Open, review: Served) -> None:
    page = open_page(review)
    page.keyboard.press("d")
    for _ in range(2):
        for width, height in ((1280, 900), (820, 1180), (1024, 768), (360, 740)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.eval_on_selector_all("details", "all => all.forEach(each => { each.open = true; })")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation(open_page: Open, few: Catalogue, tmp_path: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with served(few, tmp_path / "r.sqlite") as review:
        token = review.auth.invite("Ann")
        page = open_page(review, color_scheme=scheme)

        def check() -> None:
            found = axe.run(page).response["violations"]
            assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == []

        check()
        page.fill("#token", token)
        page.keyboard.press("Enter")
        page.wait_for_selector(".degradation")
        page.keyboard.press("d")
        page.keyboard.press("f")
        page.eval_on_selector_all("details", "all => all.forEach(each => { each.open = true; })")
        saved(page)
        check()
        page.keyboard.press("?")
        check()


def test_on_a_tablet_one_finger_scrolls_and_two_zoom(open_page: Open, review: Served) -> None:
    page = open_page(review, has_touch=True)
    frame = page.locator(".frame").nth(1)
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 60
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        told = [{"x": x + dx, "y": y + dy, "id": number} for number, (dx, dy) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    def style(name: str) -> str:
        return str(page.evaluate(f"() => document.querySelector('.frame img').style.{name}"))

    fingers("touchStart", (0, 0))
    fingers("touchMove", (40, 0))
    fingers("touchEnd")
    assert (style("filter"), style("transform")) == ("", "")
    fingers("touchStart", (-20, 0), (20, 0))
    for apart in (30, 45, 60):
        fingers("touchMove", (-apart, 0), (apart, 0))
    fingers("touchEnd")
    assert "scale(3" in style("transform") or "scale(2.9" in style("transform")
    page.tap("[data-do=tool-pan]")
    moved = style("transform")
    fingers("touchStart", (0, 0))
    fingers("touchMove", (20, 0))
    fingers("touchEnd")
    assert style("transform") != moved
    assert style("filter") == ""


def test_an_image_that_cannot_be_decoded_says_why_in_its_place(open_page: Open, broken: Served) -> None:
    page = open_page(broken)
    while broken.store.catalogue[int(question(page))].clean != 0:
        keep_all(page)
        next_question(page)
    page.wait_for_selector(".frame.broken .why")
    assert "truncated" in page.inner_text(".why >> nth=0")
    assert "poor original" in page.inner_text(".why >> nth=0")
    page.keyboard.press("1")
    saved(page)
    assert page.is_checked("#reason-0-1")
    page.problems[:] = [text for text in page.problems if "422" not in text]  # what a browser says of such an image


def test_a_session_that_ends_is_told_and_nothing_is_lost_unseen(open_page: Open, review: Served) -> None:
    page = open_page(review)
    page.context.clear_cookies()
    page.keyboard.press("k")
    page.wait_for_selector("#connection:not([hidden])")
    assert "not saved" in page.inner_text("#connection")
    assert "logged in" in page.inner_text("#connection")
    page.problems[:] = [text for text in page.problems if "401" not in text]
