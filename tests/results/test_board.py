"""The leaderboard's page: what it says, and how it behaves in a real browser, alone in a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.reporting.board import CATEGORY_PHRASES, VIEWS, render
from medq_deg.reporting.exports import write_leaderboard
from medq_deg.results.leaderboard import Entry, leaderboard, published_entries, ranked
from medq_deg.results.published import published_results
from medq_deg.results.submitted import read_submitted
from medq_deg.taxonomy import CATEGORIES
from tests.hub.boards import STRANGE, real_entry, whole, write

HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of the paper's models, two ranked runs, three that are not ranked, and a file that is no run."""
    folder = tmp_path_factory.mktemp("board")
    small = real_entry(folder, parameters=7_000_000_000)
    hostile = whole(small, 0.1, model=HOSTILE)
    hostile["asked"]["note"] = HOSTILE
    hostile["data"] = {"fingerprint": HOSTILE}
    entries = {
        "few": small,
        "strong": whole(small, 0.45, model="org/strong", group="medical"),
        "strange": whole(small, 0.3, model=STRANGE),
        "blind": whole(small, model="org/orders", asked={**small["asked"], "orders": 5}),
        "hostile": hostile,
        "bad": "[1",
    }
    (found, unusable) = read_submitted(write(folder, entries))
    assert (len(found), unusable) == (5, 1)
    path = folder / "board.html"
    path.write_text(render(ranked([*published_entries(), *found]), unusable=unusable), encoding="utf-8")
    return path


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=lambda each: f"{each[0]}-{each[1]}")
def opened(request: pytest.FixtureRequest, chromium: Any, board: Path) -> Iterator[Any]:
    scheme, width = request.param
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("dialog", lambda dialog: page.problems.append("a dialog opened"))
    page.on("request", lambda asked: asked.url.startswith("file:") or page.problems.append(asked.url))
    page.goto(board.as_uri())
    yield page
    assert page.problems == []
    context.close()


def rows(page: Any) -> list[list[str]]:
    """Return the rows that are seen, each as rank, range, name, degraded, clean, change, shift."""
    found: list[list[str]] = page.evaluate(
        """() => Array.from(document.querySelectorAll("#models tr")).filter((row) => !row.hidden).map((row) =>
        [".rank b", ".rank small", ".name", ".degraded b", ".clean", ".change", ".shift"].map((each) =>
        row.querySelector(each).textContent))"""
    )
    return found


@pytest.mark.slow
def test_the_page_says_first_who_is_best_and_how_sure_that_is(opened: Any) -> None:
    assert opened.locator("h1").inner_text().startswith("InternVL3-Instruct(78B), right 69 times in 100.")
    assert "cannot tell apart" in opened.locator("#lead").inner_text()
    assert rows(opened)[0] == ["1", "1–2", "InternVL3-Instruct(78B)", "68.6", "74.0", "−5.4", "+8"]
    assert [row[0] for row in rows(opened)] == [str(place) for place in range(1, 43)]


def test_published_shifts_stand_where_the_paper_gives_them(opened: Any) -> None:
    shifts = {row[2]: row[6] for row in rows(opened)}
    for result in published_results():
        severe = result.calibration[2].shift if result.calibration else None
        assert shifts[result.name] == ("–" if severe is None else f"+{100 * severe:.0f}")
    assert sum(shift != "–" for name, shift in shifts.items() if "org/" not in name) == 18


@pytest.mark.slow
def test_changes_are_degraded_minus_clean(opened: Any) -> None:
    for key in VIEWS:
        opened.select_option("#view", key)
        for row in rows(opened):
            degraded, clean, change = (float(cell.replace("−", "-")) for cell in row[3:6])
            assert change == pytest.approx(degraded - clean, abs=0.11)


@pytest.mark.slow
def test_each_category_has_all_40_models_with_the_papers_figures(opened: Any) -> None:
    for category in CATEGORIES:
        opened.select_option("#view", category)
        figures = {row[2]: (row[3], row[5]) for row in rows(opened)}
        for result in published_results():
            part = result.by_category[category]
            change = f"{-100 * part.drop:+.1f}".replace("-", "−")
            assert figures[result.name] == (f"{100 * part.accuracy:.1f}", "0.0" if part.drop == 0 else change)
        assert CATEGORY_PHRASES[category] in opened.locator("#lead").inner_text()
        assert opened.locator("#column").inner_text() == "Degraded" or opened.viewport_size["width"] < 640
        best = rows(opened)[0]
        assert opened.locator("h1").inner_text().startswith(f"{best[2]}, right ")
        others = int(best[1].split("–")[-1]) - 1
        told = opened.locator("h1").inner_text().partition("100.")[2].strip()
        assert told == ("" if not others else f"{others} other{'s' if others > 1 else ''} may be as good.")
    opened.select_option("#view", "severe")
    assert rows(opened)[0][3] == "68.6"


@pytest.mark.slow
def test_search_and_chips_choose_and_say_how_many(opened: Any) -> None:
    opened.fill("#search", "gpt")
    named = {result.name for result in published_results() if "gpt" in result.name.lower()}
    assert {row[2] for row in rows(opened)} == named
    opened.get_by_role("button", name="Commercial").click()
    assert opened.locator("#count").inner_text() == f"{sum(name.startswith('GPT') for name in named)} of 42 models"
    opened.fill("#search", "nobody")
    assert rows(opened) == []
    opened.get_by_role("button", name="Show all").click()
    assert len(rows(opened)) == 42
    opened.get_by_role("button", name="Other").click()
    assert [row[2] for row in rows(opened)] == [STRANGE]
    opened.fill("#search", "org/small")
    assert opened.locator("#count").inner_text() == "0 of 42 models, 1 not ranked"


@pytest.mark.slow
def test_headings_and_the_choice_of_a_phone_sort(opened: Any) -> None:
    def column(place: int) -> list[float]:
        return [float(row[place].replace("−", "-")) for row in rows(opened) if row[place] != "–"]

    if opened.viewport_size["width"] > 640:
        opened.get_by_role("button", name="Change").click()
        assert column(5) == sorted(column(5), reverse=True)
        assert opened.locator("th[aria-sort]").inner_text().startswith("Change")
        opened.get_by_role("button", name="Change").click()
        assert column(5) == sorted(column(5))
        opened.get_by_role("button", name="Model").click()
        assert opened.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    else:
        opened.select_option("#sort", "shift")
        assert column(6) == sorted(column(6))
        assert rows(opened)[-1][6] == "–"  # what is not known comes last
        opened.select_option("#sort", "clean")
        assert column(4) == sorted(column(4), reverse=True)


def test_it_is_used_by_keyboard_alone(opened: Any) -> None:
    opened.locator("#search").focus()
    opened.keyboard.type("qwen3")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Open"
    opened.keyboard.press("Enter")
    assert {row[2] for row in rows(opened)} == {"Qwen3-VL-Instruct(235B)", "Qwen3-VL-Instruct(30B)"}
    opened.get_by_role("link", name="Qwen3-VL-Instruct(30B)").focus()
    opened.keyboard.press("Enter")
    assert opened.locator("dialog[open] #page-title").inner_text() == "Qwen3-VL-Instruct(30B)"
    opened.keyboard.press("Escape")
    assert opened.locator("dialog[open]").count() == 0
    assert opened.evaluate("document.activeElement.textContent") == "Qwen3-VL-Instruct(30B)"


def test_a_submitted_run_shows_its_figures_by_degradation_and_modality(opened: Any) -> None:
    opened.get_by_role("link", name="org/strong").click()
    page = opened.locator("dialog[open]")
    for title in ("By severity", "By category", "by degradation", "by modality"):
        assert title in page.inner_text()
    assert page.get_by_role("row", name=re.compile("^motion blur")).count() == 1
    assert page.get_by_role("row", name=re.compile("^MRI")).count() == 1
    opened.get_by_role("button", name="Close").click()


def test_what_is_not_comparable_is_below_and_says_why(opened: Any) -> None:
    below = opened.locator("#unranked")
    assert "207 of the paper's 24,894 rows" in below.locator("li", has_text="org/small").first.inner_text()
    assert "options shown in 5 orders" in below.locator("li", has_text="org/orders").first.inner_text()
    assert "1 submitted file could not be read" in below.inner_text()
    assert {"org/small", "org/orders"}.isdisjoint({row[2] for row in rows(opened)})


def test_nothing_of_a_submitted_file_is_more_than_text(opened: Any) -> None:
    assert opened.get_by_role("link", name=STRANGE).count() == 1
    assert opened.get_by_role("link", name=HOSTILE[:100]).count() == 1
    assert opened.locator("img").count() == 0
    assert opened.locator("script").count() == 1
    opened.get_by_role("link", name=HOSTILE[:100]).click()
    assert opened.locator("dialog[open] img").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_does_not_scroll_sideways(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 740})
    for key in VIEWS:
        opened.select_option("#view", key)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Qwen3-VL-Instruct(235B)", "org/strong"])
def test_a_model_takes_three_lines_on_a_phone(opened: Any, name: str) -> None:
    if opened.viewport_size["width"] > 640:
        pytest.skip("three lines are for phones")
    row = opened.locator("#models tr", has_text=name).first
    tops = row.evaluate(
        """(row) => ["th", ".bars", ".change"].map((each) => row.querySelector(each).getBoundingClientRect().top)"""
    )
    assert tops == sorted(tops)
    same = row.evaluate(
        """(row) => [".change", ".shift"].map((each) => row.querySelector(each).getBoundingClientRect().top)"""
    )
    assert same[0] == same[1]
    assert row.bounding_box()["height"] < 125
    assert row.locator(".clean").is_hidden()


@pytest.mark.slow
def test_axe_finds_nothing(opened: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for prepare in (
        lambda: None,
        lambda: opened.get_by_role("link", name="org/strong").click(),
        lambda: (opened.keyboard.press("Escape"), opened.fill("#search", "nobody")),
    ):
        prepare()
        found = axe.Axe().run(opened).response["violations"]
        assert [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found] == []


@pytest.mark.slow
def test_it_prints(opened: Any) -> None:
    opened.emulate_media(media="print")
    assert opened.pdf()[:5] == b"%PDF-"
    assert not opened.locator("#tools").is_visible()


def test_without_its_script_the_page_still_shows_ranks_and_figures(chromium: Any, board: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(board.as_uri())
    assert page.locator("#models tr").count() == 42
    assert not page.locator("#tools").is_visible()
    page.get_by_role("link", name="org/strong").click()
    assert page.locator(".model", has_text="org/strong").is_visible()
    context.close()


def test_the_command_line_writes_the_page_and_it_is_small(run: Callable[..., Path], knows: Any, tmp_path: Path) -> None:
    entries = leaderboard([run(knows(0.9, name="mine"))], n_resamples=10, sort_by="model")
    out = tmp_path / "board.html"
    write_leaderboard(entries, out)
    page = out.read_text(encoding="utf-8")
    assert "your run" in page
    assert "the demo set, which is not the benchmark" in page
    assert len(page) < 300_000
    assert page.index("InternVL3-Instruct(78B)") < page.index("ShowO2(1.5B)")
    with pytest.raises(MedqDegError, match=r"\.html"):
        write_leaderboard(entries, tmp_path / "board.pdf")


def test_a_ranked_run_without_categories_has_no_place_in_them() -> None:
    mine = Entry("mine", "other", 0.9, 0.8, 0.75, -0.15, None, None, None, source="submitted")
    page = render(ranked([*published_entries(), mine]))
    (packed,) = re.findall(r'data-name="mine other" data-group="other" data-views="([^"]*)"', page)
    assert packed == "severe:1,1,1,90.00,75.00"
