"""Why votes are missing, and runs that stop because hardly a vote can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.missing import Missing, missing_by_severity
from medq_deg.evaluation.progress import Progress
from medq_deg.evaluation.run import RunSummary, evaluate
from medq_deg.evaluation.store import read_lines
from medq_deg.models.base import Queries, Reply
from medq_deg.results.score import score_run

CUT = "Let me look carefully at the image first. It appears"


class Ending:
    """Says what it is told to, and why each answer ended."""

    def __init__(self, texts: list[str], finish: list[Any]) -> None:
        self.texts, self.finish = tuple(texts), tuple(finish)

    def describe(self) -> dict[str, Any]:
        return {"name": "ending"}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            yield Reply(query.id, self.texts, finish=self.finish)


MIXED = Ending(
    ["B"] * 4 + [CUT] * 3 + ["", "I cannot help.", "?"], ["stop"] * 4 + ["length"] * 3 + ["refused"] * 2 + ["stop"]
)
MOSTLY_CUT = Ending(["A"] * 4 + [CUT] * 6, ["stop"] * 4 + ["length"] * 6)


def run(model: Ending, out: Path, count: int = 40, **options: Any) -> RunSummary:
    return evaluate(model, demo.rows()[:count], out, data_name="demo", **options)


def records(out: Path) -> list[dict[str, Any]]:
    return list(read_lines(out / "answers.jsonl"))


def test_each_vote_keeps_why_it_ended_and_score_counts_it_by_severity(tmp_path: Path) -> None:
    seen: list[Progress] = []
    summary = run(MIXED, tmp_path / "run", progress=seen.append)
    assert records(tmp_path / "run")[0]["finish"] == list(MIXED.finish)
    assert summary.missing.as_dict() == {"votes": 400, "cut_off": 120, "refused": 80, "unread": 40}
    assert seen[-1].missing.as_dict() == summary.missing.as_dict()
    result = score_run(tmp_path / "run", n_resamples=10)
    rows = {name: figures["n"] for name, figures in result["by_severity"].items()}
    assert result["missing"] == {
        name: {"votes": 10 * n, "cut_off": 3 * n, "refused": 2 * n, "unread": n} for name, n in rows.items()
    }


def test_a_cut_off_answer_that_names_an_option_is_not_missing() -> None:
    missing = Missing()
    missing.add({"votes": ["A", None, None], "finish": ["length", "length", "other"]})
    assert missing.as_dict() == {"votes": 3, "cut_off": 1, "refused": 0, "unread": 1}


def test_votes_of_runs_that_did_not_keep_how_they_ended_are_unread() -> None:
    rows = [{"severity": 0, "votes": ["A", None]}, {"severity": 2, "votes": [None, None], "finish": None}]
    assert {name: count.as_dict()["unread"] for name, count in missing_by_severity(rows).items()} == {"L0": 1, "L2": 2}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (MOSTLY_CUT, r"60% of the votes were cut off before they named an option: raise --max-new-tokens"),
        (Ending(["?"] * 10, []), r"not one of the 200 votes names an option \(0 cut off, 0 refused, 200 unread\)"),
        (Ending([""] * 10, ["refused"] * 10), r"\(0 cut off, 200 refused, 0 unread\)"),
    ],
)
def test_a_run_in_which_hardly_a_vote_can_be_read_stops_after_twenty_rows(
    model: Ending, told: str, tmp_path: Path
) -> None:
    with pytest.raises(MedqDegError, match=f"stopped after 20 rows, since .*{told}") as error:
        run(model, tmp_path / "run")
    assert "--keep-going" in str(error.value)
    assert len(records(tmp_path / "run")) == 20
    # Starting it again asks nothing more before it says the same.
    with pytest.raises(MedqDegError, match="stopped after 20 rows"):
        run(model, tmp_path / "run")
    assert len(records(tmp_path / "run")) == 20
    assert run(model, tmp_path / "run", keep_going=True).answered == 20
    # A whole run is whole, and continuing it says nothing new.
    assert run(model, tmp_path / "run").before == 40


@pytest.mark.parametrize(
    "model", [Ending(["A"] * 5 + [CUT] * 5, ["stop"] * 5 + ["length"] * 5), Ending(["A", *["?"] * 9], [])]
)
def test_a_run_with_half_of_its_votes_cut_off_or_a_vote_that_can_be_read_goes_on(model: Ending, tmp_path: Path) -> None:
    assert run(model, tmp_path / "run").answered == 40


def test_fewer_rows_than_twenty_are_not_judged(tmp_path: Path) -> None:
    assert run(MOSTLY_CUT, tmp_path / "run", count=19).answered == 19


@pytest.mark.parametrize("finish", [["stop"] * 9, ["stop"] * 9 + ["tired"], [None] * 10])
def test_ends_that_are_none_fail_their_row(finish: list[Any], tmp_path: Path) -> None:
    assert run(Ending(["A"] * 10, finish), tmp_path / "run", count=1).failed == 1
    assert "ends of answers must be 10 of stop, length, refused, other" in records(tmp_path / "run")[0]["error"]


def test_a_record_with_too_few_ends_is_named(tmp_path: Path) -> None:
    run(MIXED, tmp_path / "run", count=2)
    path = tmp_path / "run" / "answers.jsonl"
    record = {**records(tmp_path / "run")[0], "finish": ["stop"]}
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(MedqDegError, match=r"answers\.jsonl, line 1: finish must hold an end for each of 10 votes"):
        score_run(tmp_path / "run")
