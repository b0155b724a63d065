"""The published figures as data, and the leaderboard that puts runs among them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medq_deg import results, taxonomy
from medq_deg.cli.comparisons import print_leaderboard
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.evaluation.store import RunFolder
from medq_deg.metrics import inter_model_rule, intra_model_rule
from medq_deg.models.published import published_models
from medq_deg.reporting.exports import to_csv, to_json, to_markdown, write_leaderboard
from medq_deg.results.columns import COLUMNS, FIGURES
from medq_deg.results.leaderboard import (
    PAPER,
    Entry,
    leaderboard,
    published_entries,
)
from medq_deg.results.published import (
    PAPER_ROWS,
    published_calibration,
    published_results,
)
from medq_deg.results.score import score_run

Run = Callable[..., Path]
Knows = Callable[..., Any]

NASTY = 'org/"mine", | `x` <b>\n🩻'


def mine(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.run]


TABLES = Path(results.__file__).parent / "paper"


@pytest.mark.parametrize(
    ("table", "unlike"),
    [("by_category", {}), ("by_task", {"GPT-4o-mini": 0.21, "HealthGPT-XL(32B)": 0.14})],
)
def test_the_shipped_averages_are_those_of_their_parts(table: str, unlike: dict[str, float]) -> None:
    """But for the drop of two models, where the paper's own average is another."""
    with (TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    for row in rows:
        for figure in ("accuracy", "drop"):
            parts = [float(row[key]) for key in row if key.endswith(f"_{figure}") and key != f"average_{figure}"]
            near = unlike.get(row["model"], 0.051) if figure == "drop" else 0.051
            assert float(row[f"average_{figure}"]) == pytest.approx(np.mean(parts), abs=near), row["model"]


def test_the_shipped_shifts_are_confidence_minus_accuracy() -> None:
    with (TABLES / "calibration.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 19
    for row in rows:
        for level in ("l0", "l1", "l2"):
            accuracy, confidence, shift = (row[f"{level}_{key}"] for key in ("accuracy", "confidence", "shift"))
            if accuracy and confidence and shift:
                assert float(shift) == pytest.approx(float(confidence) - float(accuracy), abs=0.00021)


def test_every_published_model_has_all_its_tables() -> None:
    results = published_results()
    assert [result.name for result in results] == [model.name for model in published_models()]
    for result in results:
        assert set(result.by_category) == {"average", *taxonomy.CATEGORIES}
        assert set(result.by_task) == {"average", *taxonomy.TASKS}
        for part in (*result.by_category.values(), *result.by_task.values()):
            assert 0 <= part.accuracy < 1
            assert abs(part.drop) < 0.2


def test_a_published_average_is_the_mean_of_its_parts_to_the_rounding_of_the_paper() -> None:
    for result in published_results():
        for table in (result.by_category, result.by_task):
            parts = [part.accuracy for name, part in table.items() if name != "average"]
            assert table["average"].accuracy == pytest.approx(sum(parts) / len(parts), abs=0.0015)


def test_published_shift_is_confidence_minus_accuracy() -> None:
    assert len(published_calibration()) == 19
    for levels in published_calibration().values():
        for level in levels:
            if None not in (level.accuracy, level.confidence, level.shift):
                assert level.shift == pytest.approx(level.confidence - level.accuracy, abs=0.001)


def test_only_one_model_of_the_calibration_figure_is_in_no_table() -> None:
    assert {*published_calibration()} - {model.name for model in published_models()} == {"InternVL2.5-MPO(8B)"}


def test_the_papers_intra_model_effect_holds_for_every_model_with_calibration_at_both_ends() -> None:
    complete = [
        (clean, severe)
        for clean, _, severe in published_calibration().values()
        if None not in (*asdict(clean).values(), *asdict(severe).values())
    ]
    assert len(complete) == 17
    assert all(intra_model_rule(c.accuracy, s.accuracy, c.shift, s.shift) for c, s in complete)


def inter_model(severity: str) -> tuple[int, dict[str, Any]]:
    """The number of models with both figures at a severity, and the paper's rule between them."""
    at = taxonomy.SEVERITY_NAMES.index(severity)
    pairs = {name: (levels[at].accuracy, levels[at].shift) for name, levels in published_calibration().items()}
    figures = {name: pair for name, pair in pairs.items() if None not in pair}
    return len(figures), inter_model_rule(figures)


@pytest.mark.parametrize(("severity", "models", "share"), [("L0", 17, 0.772), ("L1", 16, 0.750), ("L2", 19, 0.765)])
def test_the_papers_inter_model_effect_holds_for_three_pairs_of_four(severity: str, models: int, share: float) -> None:
    number, effect = inter_model(severity)
    assert number == models
    assert effect["share"] == pytest.approx(share, abs=0.001)
    at = taxonomy.SEVERITY_NAMES.index(severity)
    figures = [(levels[at].accuracy, levels[at].shift) for levels in published_calibration().values()]
    pairs = [pair for pair in combinations([one for one in figures if None not in one], 2) if pair[0][0] != pair[1][0]]
    falling = [(one[0] - other[0]) * (one[1] - other[1]) < 0 for one, other in pairs]
    assert len(effect["pairs"]) == len(falling)
    assert effect["share"] == pytest.approx(sum(falling) / len(falling))


def test_the_page_says_what_the_figures_say() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8").split())
    assert f"{inter_model('L2')[1]['share']:.0%}".replace("%", " %") + " of the pairs at L2" in page
    assert f"for {sum(result.calibration is None for result in published_results())} of its models" in page


def test_without_runs_the_leaderboard_is_the_papers() -> None:
    entries = leaderboard()
    assert [entry.rank for entry in entries] == list(range(1, 41))
    assert entries[0].model == "InternVL3-Instruct(78B)"
    assert entries[0].shift_l2 == 0.0801
    assert {entry.data for entry in entries} == {PAPER}
    assert mine(entries) == []


def test_a_run_stands_among_them_with_intervals_and_is_marked(run: Run, knows: Knows) -> None:
    path = run(knows(0.9, name=NASTY))
    entries = leaderboard([path], n_resamples=100)
    assert len(entries) == 41
    (entry,) = mine(entries)
    figures = score_run(path, n_resamples=100)["by_severity"]
    for level in ("L0", "L1", "L2"):
        name = f"accuracy_{level.lower()}"
        assert getattr(entry, name) == pytest.approx(figures[level]["accuracy"], abs=1e-6)
        assert entry.intervals[name] == pytest.approx(figures[level]["accuracy_ci"], abs=1e-6)
        assert entry.intervals[f"shift_{level.lower()}"] == pytest.approx(
            figures[level]["calibration_shift_ci"], abs=1e-6
        )
    assert entry.change == pytest.approx(entry.accuracy_l2 - entry.accuracy_l0, abs=1e-6)
    assert (entry.group, entry.data, entry.votes, entry.coverage) == ("yours", "demo", 10, 1.0)
    assert entries[0] == entry  # best at L2, and yet:
    assert not entry.comparable
    assert entry.rank is None
    assert entries[1].rank == 1
    assert "other data than the paper's" in entry.notes


def test_a_run_on_the_release_is_ranked_if_it_has_the_papers_rows(
    run: Run, knows: Knows, rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = tuple(sum(row["severity"] == level for row in rows) for level in (0, 1, 2))
    path = run(knows(0.9), [{**row, "source": "release"} for row in rows], name="release")
    (entry,) = mine(leaderboard([path], n_resamples=10))
    assert not entry.comparable
    assert f"{len(rows)} of the paper's 24,894 rows" in entry.notes
    assert sum(PAPER_ROWS) == 24894
    monkeypatch.setattr("medq_deg.results.ranking.PAPER_ROWS", counts)
    (entry,) = mine(leaderboard([path], n_resamples=10))
    assert entry.comparable
    assert (entry.rank, entry.unranked) == (1, ())
    assert "read by the parser 'vlmevalkit'" in entry.notes  # said beside it


@pytest.mark.parametrize("column", COLUMNS)
def test_any_column_sorts_with_unknown_figures_last(column: str, run: Run, knows: Knows, rows: list[Any]) -> None:
    path = run(knows(), [row for row in rows if row["severity"] == 2])
    entries = leaderboard([path], sort_by=column, n_resamples=10)
    known = [getattr(entry, column) not in (None, "") for entry in entries]
    assert known == sorted(known, reverse=True)
    values = [getattr(entry, column) for entry in entries if getattr(entry, column) not in (None, "")]
    if column in FIGURES:
        assert values == sorted(values, reverse=column.startswith(("accuracy", "change")))


def test_an_unknown_column_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown column 'acuracy_l2'; did you mean 'accuracy_l2'"):
        leaderboard([tmp_path / "nowhere"], sort_by="acuracy_l2")


def test_a_run_without_l0_has_no_drop_and_one_of_few_exact_votes_says_so(
    run: Run, knows: Knows, rows: list[Any]
) -> None:
    degraded = [row for row in rows if row["severity"]]
    exact = knows(0.4)
    exact.exact = True
    entries = mine(leaderboard([run(knows(), degraded, trials=5), run(exact)], n_resamples=10))
    few = next(entry for entry in entries if entry.votes == 5)
    assert few.accuracy_l0 is few.shift_l0 is few.change is None
    assert few.accuracy_l2 is not None
    assert "shift from 5 votes, the paper's from 10" in few.notes
    certain = next(entry for entry in entries if entry.votes == "exact")
    assert "shift from exact votes" in certain.notes


def test_an_incomplete_run_needs_leave_and_is_marked(run: Run, knows: Knows, rows: list[Any]) -> None:
    model = knows()
    model.fails = {rows[0]["id"]}
    path = run(model)
    with pytest.raises(MedqDegError, match=r"1 of .* rows have no answer"):
        leaderboard([path])
    (entry,) = mine(leaderboard([path], coverage=0.9, n_resamples=10))
    assert entry.coverage == (len(rows) - 1) / len(rows)
    assert f"1 of {len(rows)} rows have no answer" in entry.notes


def test_an_empty_run_is_refused(run: Run, knows: Knows) -> None:
    with pytest.raises(MedqDegError, match="no answer"):
        leaderboard([run(knows(), [])], coverage=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::medq_deg.metrics.ClusterWarning")
def test_a_hundred_runs_stand_side_by_side(run: Run, knows: Knows, rows: list[Any]) -> None:
    few = [row for row in rows if row["question_id"] in {row["question_id"] for row in rows[:2]}]
    seen: list[tuple[int, int]] = []
    paths = [run(knows(skill / 100), few) for skill in range(100)]
    entries = leaderboard(paths, n_resamples=10, progress=lambda *now: seen.append(now))
    assert len(entries) == 140
    assert len({entry.run for entry in mine(entries)}) == 100
    assert seen[0] == (0, 100)
    assert seen[-1] == (100, 100)


def test_exports_hold_the_same_figures_whatever_the_model_is_called(run: Run, knows: Knows, tmp_path: Path) -> None:
    entries = leaderboard([run(knows(name=NASTY)), run(knows(name="\ud83e half"))], n_resamples=50)
    for name in ("board.csv", "board.md", "board.JSON"):
        write_leaderboard(entries, tmp_path / name)
    records = json.loads((tmp_path / "board.JSON").read_text(encoding="utf-8"))
    lines = list(csv.DictReader(io.StringIO((tmp_path / "board.csv").read_text(encoding="utf-8"))))
    assert list(lines[0])[: len(COLUMNS)] == list(COLUMNS)
    for entry, record, line in zip(entries, records, lines, strict=True):
        assert record["model"] == line["model"] == entry.model
        for figure in FIGURES:
            value = getattr(entry, figure)
            assert record[figure] == value
            assert line[figure] == ("" if value is None else repr(value))
            low = entry.intervals.get(figure, (None,))[0]
            assert line.get(f"{figure}_low", "") == ("" if low is None else repr(low))
            assert record["intervals"].get(figure, [None])[0] == low
    assert 'org/"mine", | `x` <b> 🩻' in {record["model"] for record in records}
    markdown = (tmp_path / "board.md").read_text(encoding="utf-8").splitlines()
    assert len(markdown) == 2 + 42
    assert all(line.replace("\\|", "").count("|") == markdown[1].count("|") for line in markdown)
    assert any('**org/"mine", \\| \\`x\\` &lt;b> 🩻**' in line for line in markdown)


def test_exports_of_the_papers_table_alone() -> None:
    entries = leaderboard(sort_by="model")
    assert to_csv(entries).count("\n") == 41
    assert to_markdown(entries).count("\n") == 42
    assert len(json.loads(to_json(entries))) == 40


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match=r"ends in \.csv, \.md, \.json, \.html, got .*board\.xlsx"):
        write_leaderboard([], tmp_path / "board.xlsx")


def test_the_leaderboard_prints_whatever_the_models_are_called(
    run: Run, knows: Knows, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run(knows(name="[bold]🩻[/]"))
    assert RunFolder(path).exists()
    print_leaderboard(leaderboard([path], n_resamples=10))
    shown = capsys.readouterr().out
    assert "[bold]🩻[/]" in shown
    assert "other data than the paper's" in shown
    assert "InternVL3-Instruct(78B)" in shown


@pytest.mark.parametrize("name", ["=1+1", '=HYPERLINK("http://x","y")', "@SUM(A1)", "+1", "-2+3", "\t=1", " =1", "＝1"])
def test_no_text_of_an_export_is_a_formula_in_a_spreadsheet(name: str) -> None:
    entry = replace(
        published_entries()[0], model=name, group=name, data=name, run=name, votes=10, beside=(name,), unranked=(name,)
    )
    (line,) = csv.DictReader(io.StringIO(to_csv([entry])))
    told = {key: value for key, value in line.items() if key in ("model", "group", "data", "run", "notes")}
    assert all(value.startswith("'") for value in told.values())
    assert float(line["change"]) < 0
    cells = [cell.strip() for cell in to_markdown([entry]).splitlines()[2].split("|")[1:-1]]
    assert all(cells[place].lstrip("*").startswith("'") for place in (1, 2, -2, -1))
    assert cells[6].startswith("-0.")
