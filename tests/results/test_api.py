"""The functions of the package: each is what a command does, and what it returns can be read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import datasets
import pytest

import medq_deg
from medq_deg.api import Run
from medq_deg.models.options import ServerOptions, TransformersOptions, make_options
from medq_deg.results.score import METRICS, score_run
from tests.data.sources_of_demo import write_folder


def test_every_public_name_exists_and_says_what_it_is() -> None:
    for name in medq_deg.__all__:
        found = getattr(medq_deg, name)
        assert name == "__version__" or found.__doc__, name
    for name in ("evaluate", "score", "report", "compare", "build"):
        assert "Raises" in getattr(medq_deg, name).__doc__
        assert ">>>" in getattr(medq_deg, name).__doc__


@pytest.mark.slow
def test_report_stays_a_function_whatever_is_imported() -> None:
    code = "import medq_deg, medq_deg.reporting.write, medq_deg.evaluation.run, medq_deg.results.score\n"
    code += "print(all(callable(getattr(medq_deg, n)) for n in ('evaluate', 'score', 'report', 'compare', 'build')))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "True"


def test_a_run_is_made_scored_compared_and_reported(
    rows: list[dict[str, Any]], knows: Callable[..., Any], tmp_path: Path
) -> None:
    runs = [
        medq_deg.evaluate(knows(skill, lucky=place), rows, tmp_path / f"run{place}", parser="vlmevalkit")
        for place, skill in enumerate((0.8, 0.5))
    ]
    assert repr(runs[0]) == f"Run({str(tmp_path / 'run0')!r})"
    assert "not scored yet" in runs[0]._repr_html_()
    scores = medq_deg.score(runs[0])
    assert json.loads(json.dumps(scores)) == json.loads((tmp_path / "run0" / METRICS).read_text())
    assert scores == score_run(tmp_path / "run0")
    severe = f"{scores['by_severity']['L2']['accuracy']:.3f}"
    assert severe in repr(scores)
    assert severe in scores._repr_html_()
    assert severe in runs[0]._repr_html_()
    assert scores["answer"]["headline"] in repr(scores)
    comparison = medq_deg.compare(*runs)
    assert comparison["sentence"] in repr(comparison)
    assert f"{comparison['overall']['accuracy']['difference']:+.3f}" in comparison._repr_html_()
    assert len(runs[0].rows()) == len(rows)
    page = medq_deg.report(runs, tmp_path / "report.html")
    assert page.read_text().startswith("<!doctype html>")
    again = medq_deg.evaluate(knows(0.8), rows, tmp_path / "run0", parser="vlmevalkit")
    assert again == runs[0]


def test_a_bar_shows_how_far_a_run_and_a_build_are_unless_bars_are_hidden(
    rows: list[dict[str, Any]],
    knows: Callable[..., Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    datasets.enable_progress_bars()
    try:
        medq_deg.evaluate(knows(), rows, tmp_path / "run", parser="vlmevalkit")
        told = capsys.readouterr().err
        assert f"{len(rows)}/{len(rows)} [" in told
        assert "accuracy L0" in told
        medq_deg.build({"folder": write_folder(tmp_path / "mine", count=1)}, tmp_path / "data")
        assert "writing rows: 100%" in capsys.readouterr().err
        datasets.disable_progress_bars()
        medq_deg.evaluate(knows(), rows, tmp_path / "again", parser="vlmevalkit")
        assert capsys.readouterr().err == ""
    finally:
        datasets.enable_progress_bars()


def test_failed_rows_are_told_and_the_same_call_asks_them_again(
    rows: list[dict[str, Any]], knows: Callable[..., Any], tmp_path: Path
) -> None:
    model = knows()
    model.fails = {rows[0]["id"]}
    with pytest.raises(medq_deg.MedqDegError, match=r"1 of .* rows failed; the same call"):
        medq_deg.evaluate(model, rows, tmp_path, parser="vlmevalkit")
    model.fails = set()
    assert medq_deg.evaluate(model, rows, tmp_path, parser="vlmevalkit") == Run(tmp_path)


def test_options_of_a_named_model_are_refused_beside_an_object(knows: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(medq_deg.MedqDegError, match="go with the name of a model"):
        medq_deg.evaluate(knows(), [], tmp_path, endpoint="http://localhost:1/v1")


@pytest.mark.parametrize("kind", [TransformersOptions, ServerOptions])
def test_options_are_taken_by_name_and_others_are_named(kind: Any) -> None:
    assert make_options(kind, {"max_pixels": 7}, max_pixels=8) == kind(max_pixels=8)
    assert make_options(kind, kind(max_pixels=7)) == kind(max_pixels=7)
    assert set(get_type_hints(kind)) >= {"max_pixels"}
    with pytest.raises(medq_deg.MedqDegError, match=r"unknown option of a model 'max_pixel'.*did you mean"):
        make_options(kind, max_pixel=1)


def test_degradations_and_plans_are_readable() -> None:
    assert repr(medq_deg.DEGRADATIONS).startswith("<18 degradations: limited_angle, ")
    assert "Severities(" not in repr(medq_deg.DEGRADATIONS["low_dose"])
    assert medq_deg.DEGRADATIONS["blood_cell"]._repr_html_().count('<img src="data:image/jpeg') == 3
    plan = medq_deg.make_plan([{"question_id": "q", "modality": "CT"}])
    assert repr(plan).startswith(f"<plan of {len(plan)} rows, seed 0: none 1, ")
    assert "<td>none</td><td>1</td>" in plan._repr_html_()
