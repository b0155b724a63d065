"""Published models stand on the page only if a run is the benchmark, whole, with the paper's number of votes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.reporting import strip
from medq_deg.reporting.collect import Run, collect
from medq_deg.results import ranking
from medq_deg.results.published import published_results
from tests.reporting.models import Faltering, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rows = [{**row, "source": "release"} for row in demo.rows().columns()]
    path = make_run(tmp_path_factory.mktemp("strip") / "run", Faltering("acme"), rows, data_name="release")
    return collect([path], n_resamples=20)[0]


@pytest.fixture
def whole(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same run, with the paper's counts taken to be those of its rows."""
    counts = tuple(sum(row["severity"] == severity for row in run.answered.rows) for severity in range(3))
    monkeypatch.setattr(ranking, "PAPER_ROWS", counts)
    return run


def test_a_run_on_a_part_of_the_benchmark_has_no_strip(run: Run) -> None:
    assert strip.strip_of([run], (1040, 358)) is None


def test_a_run_on_the_whole_benchmark_is_placed_among_the_published_models(whole: Run) -> None:
    found = strip.strip_of([whole], (1040, 358))
    assert found is not None
    severe = whole.at("L2")["accuracy"]
    below = sum(result.accuracy[2] < severe for result in published_results())
    assert found.sentences == (
        f"acme is right more often than {below} of 40 published models on severely degraded images.",
    )
    for drawing in found.charts:
        assert drawing.count('class="tick"') == 40
        assert drawing.count('class="dot right"') == 1


@pytest.mark.parametrize("change", [{"trials": 5}, {"orders": 5}, {"image": "none"}])
def test_other_votes_orders_or_no_image_keep_a_run_out(whole: Run, change: dict[str, Any]) -> None:
    settings = {**whole.answered.settings, **change}
    other = replace(whole, answered=replace(whole.answered, settings=settings))
    assert strip.strip_of([other], (1040, 358)) is None


def test_unanswered_rows_keep_a_run_out(whole: Run) -> None:
    other = replace(whole, answered=replace(whole.answered, wanted=whole.answered.wanted + 1))
    assert strip.strip_of([other], (1040, 358)) is None
