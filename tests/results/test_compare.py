"""Comparing two runs: the same data only, the right differences, and nothing found where nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medq_deg.cli.comparisons import print_comparison
from medq_deg.errors import MedqDegError
from medq_deg.metrics import COMPARED
from medq_deg.results.compare import compare_runs, write_comparison
from medq_deg.results.score import BREAKDOWNS, score_run

Run = Callable[..., Path]
Knows = Callable[..., Any]


def test_a_run_does_not_differ_from_itself(run: Run, knows: Knows) -> None:
    path = run(knows())
    result = compare_runs(path, path, n_resamples=50)
    cells = [result["overall"], *(cell for cells in result["by"].values() for cell in cells.values())]
    for cell in [*cells, *result["change_from_l0"].values()]:
        for figure in COMPARED:
            assert cell[figure]["difference"] == 0
            assert cell[figure]["difference_ci"] == ([0, 0] if cell["clusters"] > 1 else None)
            assert cell[figure]["p"] == cell[figure]["p_holm"] == 1


def test_a_clearly_better_model_is_found_better_everywhere_it_counts(run: Run, knows: Knows) -> None:
    weak, strong = run(knows(0.2, name="weak")), run(knows(0.9, name="strong"))
    result = compare_runs(weak, strong, n_resamples=200)
    assert result["first"]["model"]["name"] == "weak"
    assert result["second"]["model"]["name"] == "strong"
    assert set(result["by"]) == set(BREAKDOWNS)
    for cell in (result["overall"], *result["by"]["severity"].values()):
        part = cell["accuracy"]
        assert part["difference"] > 0.3
        assert part["difference_ci"][0] > 0.2
        assert part["p"] <= part["p_holm"] < 0.001
    # The model does not look at the image: degradation changes nothing.
    assert set(result["change_from_l0"]) == {"L1", "L2"}
    write_comparison(result, strong / "comparison.json")
    assert json.loads((strong / "comparison.json").read_text()) == result


def test_the_other_way_round_only_the_signs_change(run: Run, knows: Knows) -> None:
    one, two = run(knows(0.3)), run(knows(0.5, lucky=1))
    there, back = (compare_runs(*paths, n_resamples=100)["overall"]["accuracy"] for paths in ((one, two), (two, one)))
    assert there["difference"] == -back["difference"]
    assert there["difference_ci"] == pytest.approx([-bound for bound in reversed(back["difference_ci"])])
    assert there["p"] == back["p"]


def test_each_side_equals_what_score_says_of_that_run(run: Run, knows: Knows) -> None:
    paths = run(knows(0.3)), run(knows(0.6))
    result = compare_runs(*paths, n_resamples=50)
    for side, path in zip(("first", "second"), paths, strict=True):
        scored = score_run(path, n_resamples=50)
        for figure in COMPARED:
            assert result["overall"][figure][side] == pytest.approx(scored[figure])
            for name in BREAKDOWNS:
                for key, cell in result["by"][name].items():
                    assert cell["n"] == scored["by"][name][key]["n"]
                    assert cell[figure][side] == pytest.approx(scored["by"][name][key][figure])
    change = result["change_from_l0"]["L2"]["accuracy"]
    assert change["second"] == pytest.approx(
        scored["by_severity"]["L2"]["change_from_l0"]["accuracy"]  # scored is the second run's
    )


def test_runs_over_different_data_are_refused_and_both_are_named(run: Run, knows: Knows, rows: list[Any]) -> None:
    one, two = run(knows()), run(knows(), rows[:-1], name="less")
    with pytest.raises(MedqDegError, match="over different data") as error:
        compare_runs(one, two)
    for part in (str(one), str(two), "'demo'", "'less'", f"{len(rows)} rows", f"{len(rows) - 1} rows"):
        assert part in str(error.value)
    assert "different versions" not in str(error.value)


def test_data_that_differs_only_in_the_degrading_code_is_refused_and_says_so(run: Run, knows: Knows) -> None:
    one, two = run(knows()), run(knows())
    settings = json.loads((two / "run.json").read_text())
    settings["settings"]["data"]["fingerprint"] = "of another version"
    (two / "run.json").write_text(json.dumps(settings))
    with pytest.raises(MedqDegError, match="degraded by different versions of medq-deg"):
        compare_runs(one, two)


def test_incomplete_runs_are_compared_only_where_both_answered_and_only_if_asked(
    run: Run, knows: Knows, rows: list[Any]
) -> None:
    first, second = knows(0.3), knows(0.6)
    first.fails, second.fails = {rows[0]["id"], rows[1]["id"]}, {rows[1]["id"], rows[2]["id"]}
    paths = run(first), run(second)
    with pytest.raises(MedqDegError, match=r"2 of .* rows have no answer"):
        compare_runs(*paths)
    covered = (len(rows) - 2) / len(rows)
    with pytest.raises(MedqDegError, match="rows are answered in both"):
        compare_runs(*paths, coverage=covered)
    result = compare_runs(*paths, coverage=0.9, n_resamples=50)
    assert result["rows"] == result["overall"]["n"] == len(rows) - 3
    assert result["first"]["coverage"] == covered
    assert any("both runs have answered" in note for note in result["notes"])


def test_runs_with_no_answered_row_in_common_are_refused(run: Run, knows: Knows, rows: list[Any]) -> None:
    first, second = knows(), knows()
    ids = [row["id"] for row in rows]
    first.fails, second.fails = set(ids[:50]), set(ids[50:])
    with pytest.raises(MedqDegError, match=r"0 of .* rows are answered in both"):
        compare_runs(run(first), run(second), coverage=0)


def test_an_empty_run_and_no_run_are_refused(run: Run, knows: Knows, tmp_path: Path) -> None:
    full, empty = run(knows()), run(knows(), [])
    with pytest.raises(MedqDegError, match="no answer"):
        compare_runs(empty, empty)
    with pytest.raises(MedqDegError, match=r"run\.json is missing"):
        compare_runs(full, tmp_path / "nowhere")


def test_runs_with_other_numbers_of_votes_are_not_compared_in_calibration_shift(
    run: Run, knows: Knows, capsys: pytest.CaptureFixture[str]
) -> None:
    result = compare_runs(run(knows()), run(knows(), trials=5), n_resamples=50)
    assert result["figures"] == ["accuracy", "agreement_shift"]
    assert "calibration_shift" not in result["overall"]
    assert "the runs differ in trials: 10 and 5" in result["notes"]
    print_comparison(result)
    assert "Note: calibration_shift depends on the number of votes, and is left out." in capsys.readouterr().out


def test_exact_votes_are_compared_by_probabilities_if_both_have_them_else_by_votes(run: Run, knows: Knows) -> None:
    models = [knows(0.3), knows(0.3), knows(0.6)]
    models[1].exact = models[2].exact = True
    sampled, exact, better = map(run, models)
    both = compare_runs(exact, better, n_resamples=50)
    assert both["source"] == "probabilities"
    assert both["figures"] == list(COMPARED)
    mixed = compare_runs(sampled, exact, n_resamples=50)
    assert mixed["source"] == "votes"
    # The same dice: by its sampled votes the exact model is the sampled one.
    assert mixed["overall"]["accuracy"]["difference"] == 0
    assert any("sampled votes" in note for note in mixed["notes"])


def test_runs_without_clean_rows_have_no_change_from_l0(run: Run, knows: Knows, rows: list[Any]) -> None:
    degraded = [row for row in rows if row["severity"]]
    result = compare_runs(run(knows(0.2), degraded), run(knows(0.8), degraded), n_resamples=50)
    assert result["change_from_l0"] == {}
    assert set(result["by"]["severity"]) == {"L1", "L2"}
    print_comparison(result)


@pytest.mark.parametrize("name", ["\ud83e half", 'org/"quoted" | model 🩻', "[red]not markup[/red]"])
def test_a_comparison_prints_whatever_the_models_are_called(
    name: Any, run: Run, knows: Knows, capsys: pytest.CaptureFixture[str]
) -> None:
    result = compare_runs(run(knows(name=name)), run(knows(0.6, name=name)), n_resamples=50)
    print_comparison(result)
    shown = capsys.readouterr().out
    assert (name or "run1").replace("\ud83e", "?") in shown
    assert "change from L0" in shown
    assert "low_resolution" in shown
