"""What the controls say of a run, in score, compare, leaderboard, submission and report."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medq_deg import demo
from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.run import evaluate
from medq_deg.evaluation.store import read_lines
from medq_deg.hub.submit import prepare
from medq_deg.models.base import Queries, Reply
from medq_deg.reporting.collect import collect
from medq_deg.reporting.controls import control_views
from medq_deg.reporting.write import write_report
from medq_deg.results.compare import compare_runs
from medq_deg.results.controlled import control_sentences
from medq_deg.results.leaderboard import leaderboard
from medq_deg.results.score import score_run

ROWS = 240
ANSWERS = {row["id"]: (row["answer"], row["options"], row["severity"]) for row in demo.rows().columns()}


class Seeing:
    """Sees the image as often as `sight` says at the row's severity; else it takes the first letter that it sees."""

    takes_orders = True

    def __init__(self, sight: tuple[float, float, float] = (0.95, 0.8, 0.6), name: str = "seeing") -> None:
        self.sight, self.name = sight, name

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            answer, options, severity = ANSWERS[query.id]
            right = options[LETTERS.index(answer)]
            draw = random.Random(f"{self.name} {query.seed}")
            sees = query.image is not None and draw.random() < self.sight[severity]
            said = [
                LETTERS[each.options.index(right)] if sees else "?" if draw.random() < 0.1 else "A"
                for each in query.conversations(trials)
                for _ in range(each.trials)
            ]
            yield Reply(query.id, tuple(said))


def ask(out: Path, model: Seeing | None = None, *, parser: str = "strict", seed: int = 0, **controls: Any) -> Path:
    rows = [{**row, "image": IMAGE} for row in demo.rows()[:ROWS].columns()]
    evaluate(model or Seeing(), rows, out, data_name="demo", parser=parser, seed=seed, controls=Controls(**controls))
    return out


IMAGE = demo.rows()[0]["image"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "main": ask(folder / "main"),
        "blind": ask(folder / "blind", image="none"),
        "grey": ask(folder / "grey", image="grey"),
        "orders": ask(folder / "orders", orders=5),
        "subset": ask(folder / "subset", subset=150),
    }


def right_share(out: Path, severity: int, unread: float = 0.0) -> float:
    rows = {row["id"]: row for row in read_lines(out / "rows.jsonl")}
    credits = [
        np.mean([vote == row["answer"] if vote else unread / len(row["options"]) for vote in record["votes"]])
        for record in read_lines(out / "answers.jsonl")
        if (row := rows[record["id"]])["severity"] == severity
    ]
    return float(np.mean(credits))


@pytest.mark.slow
def test_score_says_what_the_image_adds_and_how_much_of_that_is_kept(runs: dict[str, Path]) -> None:
    result = score_run(runs["main"], blind=runs["blind"], n_resamples=100)
    blind = right_share(runs["blind"], 0, unread=1.0)
    gain = right_share(runs["main"], 0) - blind
    assert result["blind"]["blind_accuracy"] == pytest.approx(blind)
    assert result["blind"]["visual_gain"] == pytest.approx(gain)
    for severity, name in ((1, "L1"), (2, "L2")):
        assert result["blind"]["kept"][name] == pytest.approx((right_share(runs["main"], severity) - blind) / gain)
    assert json.loads((runs["main"] / "metrics.json").read_text())["blind"] == json.loads(json.dumps(result["blind"]))
    (run,) = collect([runs["main"]], blind=[runs["blind"]], n_resamples=100)
    assert run.controls is not None
    assert control_sentences(run.controls)[0].startswith("Blind, on ")


def test_a_model_that_looks_at_no_image_is_told_so_first(runs: dict[str, Path], tmp_path: Path) -> None:
    blindfolded = Seeing((0.0, 0.0, 0.0), "blindfolded")
    main = ask(tmp_path / "main", blindfolded)
    blind = ask(tmp_path / "blind", blindfolded, image="none")
    (run,) = collect([main], blind=[blind], n_resamples=100)
    assert run.controls is not None
    first, _, kept, *_ = control_sentences(run.controls)
    assert "what this model answers does not come from the images" in first
    assert kept == "Visual gain kept: not given, the image adds too little to say."


@pytest.mark.slow
def test_a_grey_image_is_no_baseline_of_another_model_seed_parser_or_order(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    score_run(runs["main"], blind=runs["blind"], n_resamples=10)
    others = {
        "another model ('seeing' and 'other')": ask(tmp_path / "a", Seeing(name="other"), image="none"),
        "another seed (0 and 1)": ask(tmp_path / "b", seed=1, image="none"),
        "another parser ('strict' and 'vlmevalkit')": ask(tmp_path / "c", parser="vlmevalkit", image="none"),
        "another orders (1 and 2)": ask(tmp_path / "d", orders=2, image="none"),
    }
    for told, blind in others.items():
        with pytest.raises(MedqDegError, match="is not the blind baseline of this run") as error:
            score_run(runs["main"], blind=blind, n_resamples=10)
        assert told in str(error.value)
    with pytest.raises(MedqDegError, match="is no blind run, its images were shown"):
        score_run(runs["main"], blind=runs["main"], n_resamples=10)
    with pytest.raises(MedqDegError, match="it is blind itself"):
        score_run(runs["grey"], blind=runs["blind"], n_resamples=10)
    with pytest.raises(MedqDegError, match="has two blind baselines"):
        collect([runs["main"]], blind=[runs["blind"], runs["grey"]], n_resamples=10)


def test_a_model_that_falls_back_on_a_letter_is_sure_within_an_order_and_not_across(runs: dict[str, Path]) -> None:
    orders = score_run(runs["orders"], n_resamples=100)["option_orders"]
    plain = score_run(runs["main"], n_resamples=100)
    assert orders["by_severity"]["L2"]["order_gap"] > 0.1
    assert plain["by_severity"]["L2"]["agreement_shift"] > 0.1
    # What looks like overconfidence in one order is not there across orders, as far as chance lets one say.
    low, high = orders["by_severity"]["L2"]["agreement_shift_orders_ci"]
    assert high - low < 0.4
    assert orders["by_severity"]["L2"]["agreement_shift_orders"] < plain["by_severity"]["L2"]["agreement_shift"] - 0.1
    share = orders["positions"]["5"]["share"]
    assert share[0] > 1.5 / 5
    assert "option_orders" not in plain


def test_a_run_in_orders_has_no_shift_beside_published_ones(runs: dict[str, Path]) -> None:
    (entry,) = [entry for entry in leaderboard([runs["orders"]], n_resamples=10) if entry.run]
    assert entry.accuracy_l2 is not None
    assert (entry.shift_l0, entry.shift_l1, entry.shift_l2) == (None, None, None)
    assert "options shown in 5 orders" in entry.notes
    result = compare_runs(runs["main"], runs["orders"], n_resamples=20)
    assert not {"calibration_shift", "agreement_shift"} & set(result["figures"])
    assert any("the runs differ in orders: 1 and 5" in note for note in result["notes"])


def test_a_subset_says_so_is_not_ranked_and_compares_with_the_same_rows_alone(runs: dict[str, Path]) -> None:
    result = score_run(runs["subset"], n_resamples=10)
    assert result["subset"] == {"rows": 150, "of": ROWS, "seed": 0}
    assert result["asked"] == [f"a subset of {result['n']} of {ROWS} rows"]
    (entry,) = [entry for entry in leaderboard([runs["subset"]], n_resamples=10) if entry.run]
    assert entry.rank is None
    assert f"of {ROWS} rows" in entry.notes
    with pytest.raises(MedqDegError, match="all rows and a subset of 150; runs on a subset compare only with"):
        compare_runs(runs["main"], runs["subset"], n_resamples=10)
    same = compare_runs(runs["subset"], runs["subset"], n_resamples=10)
    assert any(note.startswith("Measured on a subset") for note in same["notes"])


def test_deferral_is_told_with_all_its_thresholds_but_not_for_a_blind_run(runs: dict[str, Path]) -> None:
    result = score_run(runs["main"], n_resamples=10)
    assert [line["votes_needed"] for line in result["deferral"]["table"]] == [10, 9, 8, 7, 6]
    assert "deferral" not in score_run(runs["blind"], n_resamples=10)
    compared = compare_runs(runs["main"], runs["main"], blind=[], n_resamples=10)
    assert compared["first"]["controls"]["deferral"]["table"] == result["deferral"]["table"]


@pytest.mark.parametrize("control", ["blind", "orders", "subset"])
def test_control_runs_are_not_submitted(control: str, runs: dict[str, Path]) -> None:
    with pytest.raises(MedqDegError, match=r"cannot be submitted: .*a control run"):
        prepare(runs[control], "org/model", "org/data", dry_run=True)


@pytest.mark.slow
def test_the_report_shows_the_controls_of_its_runs(runs: dict[str, Path], tmp_path: Path) -> None:
    write_report([runs["main"], runs["orders"]], tmp_path / "report.html", blind=[runs["blind"]], n_resamples=20)
    page = (tmp_path / "report.html").read_text()
    for told in (
        "What the image adds",
        "Votes by position, 5 options",
        "All thresholds",
        "Agreement shift over orders, the figure to quote",
        "Votes that name no option",
        "options shown in 5 orders",
    ):
        assert told in page
    views = control_views(collect([runs["main"], runs["orders"]], blind=[runs["blind"]], n_resamples=20))
    assert [len(grid.lines) for grid in views[0].grids] == [4]
    assert all(len(line) == len(grid.headings) for view in views for grid in view.grids for line in grid.lines)
