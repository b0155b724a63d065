"""What the report holds, that it escapes, and that it says what is wrong with a run."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.metrics import calibration_shift, reliability
from medq_deg.models.published import published_models
from medq_deg.reporting import figures
from medq_deg.reporting.collect import collect, compare
from medq_deg.reporting.page import notes
from medq_deg.reporting.write import write_report
from medq_deg.results.pairs import OUTCOMES
from medq_deg.results.score import score_run
from tests.reporting.conftest import HOSTILE, HOSTILE_NAME
from tests.reporting.models import Faltering, make_run

SECTIONS = ("answer", "where", "rows", "how", "all", "settings")


class Page(HTMLParser):
    """The elements of a page, and its text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("style", "script"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8"))


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_section_is_there(page: Page) -> None:
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert set(SECTIONS) <= ids


def test_five_runs_take_less_than_three_megabytes(report: Path) -> None:
    assert 200_000 < report.stat().st_size < 3_000_000


def test_the_page_the_scores_and_the_command_line_give_the_same_answer(page: Page, five_runs: list[Path]) -> None:
    text = " ".join(page.text.split())
    for run in five_runs:
        answer = score_run(run, n_resamples=100)["answer"]
        assert f"{answer['word']}. {answer['headline']} {answer['evidence']}" in text


def test_all_numbers_are_shown_with_ranges(page: Page, five_runs: list[Path]) -> None:
    severe = score_run(five_runs[0], n_resamples=100)["by_severity"]["L2"]
    low, high = severe["accuracy_ci"]
    assert f"{100 * severe['accuracy']:.1f}{100 * low:.1f} to {100 * high:.1f}" in page.text
    change = severe["change_from_l0"]["accuracy"]
    assert f"{100 * change:.1f}".replace("-", "−") in page.text


def test_nothing_is_fetched_and_only_our_script_and_style_may_run(report: Path, page: Page) -> None:
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            if name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
                assert value is not None
                assert value.startswith(("#", "data:image/jpeg;base64,", "data:image/png;base64,")), (
                    tag,
                    name,
                    value[:80],
                )
        assert tag not in ("iframe", "object", "embed", "link", "base")
    text = report.read_text(encoding="utf-8")
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "content" in a and "default-src" in str(a))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_what_a_model_says_and_is_called_is_text(report: Path, page: Page) -> None:
    text = report.read_text(encoding="utf-8")
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert not any(tag == "a" and "javascript" in str(attributes) for tag, attributes in page.elements)
    assert not any(attributes.get("src") == "x" for _, attributes in page.elements)
    assert "<script>alert('said')</script>" in page.text  # it is shown, as text
    assert HOSTILE_NAME in page.text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text)
    assert "\ufffd" in page.text


def test_figures_are_written_as_svg_png_and_csv_with_words(report: Path, page: Page) -> None:
    folder = report.with_name("report_figures")
    names = {path.stem for path in folder.glob("*.svg")}
    assert {path.stem for path in folder.glob("*.png")} == {path.stem for path in folder.glob("*.csv")} == names
    assert {"accuracy_by_severity", "calibration", "reliability", "risk_coverage", "drops_by_degradation"} <= names
    assert {f"accuracy_by_{name}" for name in ("degradation", "category", "modality", "task", "skill")} <= names
    for path in folder.glob("*.svg"):
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert len(root.get("aria-label", "")) > 40
        assert "acme/vision-7b" in root.get("aria-label", "")
    told = [attributes for tag, attributes in page.elements if tag == "svg" and "aria-hidden" not in attributes]
    assert len(told) > 10
    assert all(attributes.get("role") == "img" and attributes.get("aria-label") for attributes in told)
    assert all(attributes.get("alt") for tag, attributes in page.elements if tag == "img")


def test_ids_are_unique_and_references_resolve(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        href = attributes.get("href")
        assert href is None or href.startswith("data:image/png;base64,") or href[1:] in ids


def test_published_models_are_in_the_severity_figure(report: Path) -> None:
    rows = read_csv(report.with_name("report_figures") / "accuracy_by_severity.csv")
    names = {row["model"] for row in rows if row["kind"].startswith("published")}
    assert names == {model.name for model in published_models()}


def test_csv_holds_the_numbers_of_the_metrics(report: Path, five_runs: list[Path]) -> None:
    folder = report.with_name("report_figures")
    result = score_run(five_runs[0], n_resamples=100)
    for row in read_csv(folder / "calibration.csv"):
        if row["run"] == "acme/vision-7b":
            figures = result["by_severity"][row["severity"]]
            assert float(row["value"]) == figures[row["figure"]]
            assert [float(row["low"]), float(row["high"])] == figures[f"{row['figure']}_ci"]
            assert int(row["rows"]) == figures["n"]
    checked = 0
    for row in read_csv(folder / "drops_by_degradation.csv"):
        if row["run"] == "acme/vision-7b":
            change = result["by"]["degradation"][row["degradation"]]["by_severity"][row["severity"]]["change_from_l0"]
            assert float(row["drop"]) == -change["accuracy"]
            assert int(row["rows"]) == change["pairs"]
            checked += 1
    assert checked > 20


def test_reliability_bins_are_those_of_the_ece() -> None:
    votes = [["A"] * 10, ["B"] * 6 + ["C"] * 4, ["B"] * 6 + ["A"] * 4, ["A"] * 5 + ["B"] * 5]
    answers, choices = ["A", "C", "B", "A"], [4, 4, 4, 2]
    curve = reliability(votes, answers, choices)
    assert curve["n"] == [1, 2, 1]
    assert curve["confidence"] == pytest.approx([0.5, 0.6, 1.0])
    assert curve["accuracy"] == pytest.approx([0.5, 0.5, 1.0])
    gaps = [abs(c - a) * n for c, a, n in zip(curve["confidence"], curve["accuracy"], curve["n"], strict=True)]
    assert sum(gaps) / 4 == pytest.approx(calibration_shift(votes, answers, choices)["ece"])


def test_browser_shows_images_at_each_severity_and_overconfident_losses_first(page: Page) -> None:
    cards = [attributes for tag, attributes in page.elements if tag == "article"]
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(cards) >= 30
    assert len(images) == 3 * len(cards)
    assert "lost-sure" in str(cards[0]["data-outcomes"])
    kinds = {pair.split(":")[1] for card in cards for pair in str(card["data-outcomes"]).split()}
    assert kinds >= set(OUTCOMES) - {"unclear"}


@pytest.mark.slow
def test_missing_rows_and_failures_are_shown(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("shaky", fails=0.2), few_rows)
    with pytest.raises(MedqDegError, match="rows have no answer"):
        write_report([run], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    write_report([run], tmp_path / "report.html", coverage=0.5, n_resamples=20)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "the server said <b>no</b>" in page.text
    assert "Not finished." in page.text
    assert "rows missing" in page.text


@pytest.mark.slow
def test_a_run_without_clean_rows_has_no_verdict(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("degraded-only"), [row for row in few_rows if row["severity"]])
    write_report([run], tmp_path / "report.html", n_resamples=20)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Cannot be asked. The run has no clean images to compare with." in page.text
    assert "the run has no rows at L0" in page.text
    assert not (tmp_path / "report_figures" / "drops_by_degradation.svg").exists()


@pytest.mark.slow
@pytest.mark.parametrize("severity", [0, 1])
def test_a_run_of_one_severity_can_be_shown(severity: int, tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("one"), [row for row in few_rows if row["severity"] == severity])
    write_report([run], tmp_path / "report.html", n_resamples=20)
    assert "Cannot be asked." in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_without_the_data_rows_are_shown_as_text(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("blind"), few_rows, data_name="hospital")
    write_report([run], tmp_path / "report.html", n_resamples=20)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not any(tag == "img" for tag, _ in page.elements)
    assert "--data DIR" in page.text
    write_report([run], tmp_path / "report.html", n_resamples=20, data=demo.rows())
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert any(tag == "img" for tag, _ in page.elements)
    assert "may differ from what it saw" in page.text  # the run is on a part of these rows


def test_a_metrics_file_is_not_trusted(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("old"), few_rows)
    (run / "metrics.json").write_text(json.dumps({"version": 99, "accuracy": "nonsense"}))
    assert isinstance(collect([run], n_resamples=10)[0].summary["accuracy"], float)
    assert "nonsense" in (run / "metrics.json").read_text()  # and is left alone


def test_models_of_one_name_are_told_apart(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    runs = [make_run(tmp_path / name / "run", Faltering("twin"), few_rows) for name in ("one", "other")]
    runs.append(make_run(tmp_path / "third", Faltering("twin"), few_rows))
    assert [run.label for run in collect(runs, n_resamples=10)] == ["twin (run) #1", "twin (run) #2", "twin (third)"]


def test_runs_on_other_data_are_not_compared(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    half = few_rows[: len(few_rows) // 2]
    models = {"a": few_rows, "b": few_rows, "c": half}
    runs = collect([make_run(tmp_path / name, Faltering(name), rows) for name, rows in models.items()], n_resamples=10)
    (comparison,) = compare(runs, n_resamples=10)
    assert comparison["runs"] == ["a", "b"]
    assert any("different data" in note for note in notes(runs))


def test_a_formula_in_a_name_is_no_formula_in_a_spreadsheet(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("=HYPERLINK(1)"), few_rows)
    lines = figures.calibration(collect([run], n_resamples=10)).csv().decode().splitlines()
    assert all(line.startswith("'=HYPERLINK(1),") for line in lines[1:])


@pytest.mark.slow
def test_a_hundred_runs_at_once(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    chosen = {row["question_id"] for row in few_rows[:3]}
    rows = [row for row in few_rows if row["question_id"] in chosen]
    runs = [make_run(tmp_path / f"{n}", Faltering(f"model {n}"), rows) for n in range(100)]
    write_report(runs, tmp_path / "report.html", n_resamples=10)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "model 99" in text
    assert len({row["run"] for row in read_csv(tmp_path / "report_figures" / "accuracy_by_category.csv")}) == 100


@pytest.mark.slow
def test_bad_inputs_are_one_line(tmp_path: Path, few_rows: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", Faltering("fine"), few_rows)
    empty = make_run(tmp_path / "empty", Faltering("empty"), few_rows)
    (empty / "answers.jsonl").write_text("")
    nothing = make_run(tmp_path / "nothing", Faltering("nothing"), [])
    out = tmp_path / "report.html"
    (tmp_path / "taken_figures").write_text("")
    cases: list[tuple[list[Path], Path, dict[str, Any], str]] = [
        ([], out, {}, "at least one run"),
        ([run, run], out, {}, "given twice"),
        ([tmp_path / "missing"], out, {}, "not the folder of a run"),
        ([empty], out, {}, "have no answer"),
        ([nothing], out, {"coverage": 0.0}, "have no answer"),
        ([run], tmp_path, {}, "ends in .html"),
        ([run], tmp_path / "report.pdf", {}, "ends in .html"),
        ([run], tmp_path / "taken.html", {}, "is a file"),
        ([run], out, {"coverage": 2.0}, "coverage must be"),
        ([run], out, {"data": [{**few_rows[0], "id": "other"}]}, "none of the rows"),
    ]
    for runs, target, options, message in cases:
        with pytest.raises(MedqDegError, match=re.escape(message)) as caught:
            write_report(runs, target, **options)
        assert "\n" not in str(caught.value)
    assert not out.exists()


def test_the_hostile_answer_was_read(five_runs: list[Path]) -> None:
    """The test of escaping means something only if hostile answers are in the run."""
    assert "\0" in HOSTILE
    assert "javascript:" in (five_runs[3] / "answers.jsonl").read_text()
