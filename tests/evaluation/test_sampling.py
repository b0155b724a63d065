"""A run records how its votes were sampled, and what is read from it says so."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medq_deg.cli.tables import print_scores
from medq_deg.demo import rows
from medq_deg.evaluation.merge import merge
from medq_deg.evaluation.processes import OneProcess
from medq_deg.evaluation.reparse import reparse
from medq_deg.evaluation.run import Shard, evaluate
from medq_deg.evaluation.sampling import sampling_of, worst
from medq_deg.hub.entries import make_entries
from medq_deg.reporting.write import write_report
from medq_deg.results.sampling import sampling_note
from medq_deg.results.score import score_run
from tests.models.endpoint_rows import model
from tests.models.faulty_server import FaultyServer, serving


@cache
def data() -> list[dict[str, Any]]:
    """The rows of eight demo questions."""
    columns = list(rows().columns())
    chosen = sorted({row["question_id"] for row in columns})[:8]
    return [rows()[index] for index, row in enumerate(columns) if row["question_id"] in chosen]


def run(out: Path, server: FaultyServer, **options: Any) -> dict[str, Any]:
    evaluate(model(server.url, **options), data(), out, data_name="demo", trials=3)
    return dict(json.loads((out / "run.json").read_text()))


def test_a_run_at_a_known_server_records_neutral_sampling_and_nothing_more_is_said(tmp_path: Path) -> None:
    with serving(FaultyServer()) as server:
        server.owner = "vllm"
        recorded = run(tmp_path / "run", server)
    assert recorded["sampling"]["neutral"] is True
    assert recorded["sampling"]["sent"]["top_k"] == -1
    assert recorded["sampling"]["identical"] is False
    assert recorded["served"]["server"] == "vLLM"
    result = score_run(tmp_path / "run", n_resamples=100)
    assert result["sampling"] == recorded["sampling"]
    assert sampling_note(result["sampling"]) is None
    assert "ampling" not in make_entries(result, "org/data")[0].notes


@pytest.mark.slow
def test_sampling_that_is_not_known_to_be_neutral_is_told_wherever_figures_are(tmp_path: Path) -> None:
    with serving(FaultyServer()) as server:
        recorded = run(tmp_path / "run", server)
    assert recorded["sampling"]["neutral"] == "unknown"
    result = score_run(tmp_path / "run", n_resamples=100)
    note = sampling_note(result["sampling"])
    assert note is not None
    assert "is not known to be the model's own distribution" in note
    assert note in str(make_entries(result, "org/data")[0].notes)
    write_report([tmp_path / "run"], tmp_path / "report.html", n_resamples=100)
    assert "is not known to be the model&#39;s own distribution" in (tmp_path / "report.html").read_text()


def test_a_run_that_goes_on_at_another_server_keeps_the_worse_record(tmp_path: Path) -> None:
    with serving(FaultyServer()) as server:
        endpoint = model(server.url, extra_body={"top_k": 5})
        evaluate(endpoint, data()[:5], tmp_path / "run", data_name="demo", trials=3)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["sampling"]["neutral"] is False
    good, bad = ({"neutral": neutral, "sent": {"top_p": 1.0}} for neutral in (True, False))
    unknown = {"neutral": "unknown", "sent": {"top_p": 1.0}}
    nothing: dict[str, Any] = {"neutral": "unknown", "sent": {}}
    assert worst(good, bad) == worst(bad, good) == bad
    assert worst(good, unknown) == worst(unknown, good) == unknown
    assert worst(nothing, good) == worst(good, nothing) == good


def test_identical_votes_on_every_row_are_recorded_and_withhold_the_verdict(tmp_path: Path) -> None:
    with serving(FaultyServer(say=lambda asked, number: "B")) as server:
        server.owner = "vllm"
        with pytest.warns(UserWarning, match="identical"):
            recorded = run(tmp_path / "run", server)
    assert recorded["sampling"]["identical"] is True
    result = score_run(tmp_path / "run", n_resamples=100)
    for kind in ("agreement_shift", "calibration_shift"):
        assert result["dunning_kruger"][kind]["verdict"] == "undecided"
        assert "identical" in result["dunning_kruger"][kind]["reason"]
    assert "no verdict is given" in str(sampling_note(result["sampling"]))


def test_older_runs_are_read() -> None:
    varied = [{"texts": ["A", "B"]}]
    assert sampling_of({"settings": {"model": {"name": "m"}}}, varied)["neutral"] is True
    served = {"settings": {"model": {"name": "m", "endpoint": "http://e.org"}}}
    assert sampling_of(served, varied)["neutral"] == "unknown"
    assert sampling_of(served, [{"texts": ["A", "A"]}, {"texts": ["B", "B"]}])["identical"]
    assert not sampling_of(served, [{"texts": ["A", "A"]}, *varied])["identical"]
    assert not sampling_of(served, [])["identical"]


def test_of_several_processes_the_worst_record_is_kept(tmp_path: Path) -> None:
    class Rank(OneProcess):
        """Rank 0 of three, whose others have left records."""

        def told(self, what: str) -> list[str]:
            records = ({"neutral": "unknown", "sent": {}}, {"neutral": False, "sent": {"top_k": 1}, "how": "rank 2"})
            return [json.dumps(record) for record in records] if what == "sampling" else []

    with serving(FaultyServer()) as server:
        server.owner = "vllm"
        evaluate(model(server.url), data()[:5], tmp_path, data_name="demo", trials=3, processes=Rank())
    recorded = json.loads((tmp_path / "run.json").read_text())["sampling"]
    assert recorded == {"neutral": False, "sent": {"top_k": 1}, "how": "rank 2", "identical": False}


def test_what_is_merged_or_read_again_keeps_the_worst_record(tmp_path: Path) -> None:
    parts = [tmp_path / f"part{number}" for number in (1, 2)]
    with serving(FaultyServer()) as server:
        for number, part in enumerate(parts, 1):
            server.owner = "vllm" if number == 1 else ""
            shard = Shard(number, 2)
            evaluate(model(server.url), data()[:6], part, data_name="demo", trials=3, shard=shard)
    neutral = [json.loads((part / "run.json").read_text())["sampling"]["neutral"] for part in parts]
    assert neutral == [True, "unknown"]
    for order in (parts, parts[::-1]):
        whole = tmp_path / f"whole{order[0].name}"
        merge(order, whole)
        merged = json.loads((whole / "run.json").read_text())["sampling"]
        assert (merged["neutral"], merged["identical"]) == ("unknown", False)
        assert merged["sent"]
        reparse(whole, tmp_path / f"again{order[0].name}", "vlmevalkit")
        assert json.loads((tmp_path / f"again{order[0].name}" / "run.json").read_text())["sampling"] == merged


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 2])
def test_a_page_and_the_command_line_say_once_how_a_run_was_sampled(
    runs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"run{number}" for number in range(runs)]
    with serving(FaultyServer()) as server:
        for path in paths:
            run(path, server)
    told = "is not known to be the model's own distribution"
    print_scores(score_run(paths[0], n_resamples=100))
    assert capsys.readouterr().out.count(told) == 1
    write_report(paths, tmp_path / "report.html", n_resamples=100)
    assert (tmp_path / "report.html").read_text().count(told.replace("'", "&#39;")) == runs
