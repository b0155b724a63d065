"""Runs: what is stored, what is asked again, what is refused. The model is a real, tiny LLaVA."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.run import evaluate
from medq_deg.evaluation.score import score_run
from medq_deg.evaluation.store import AnswerWriter, RunFolder, read_lines
from medq_deg.models.base import Query, Reply

ROWS = 12


class Echo:
    """A model that says what a test tells it to, and remembers what it was asked."""

    def __init__(self, said: str = "A", name: str = "echo") -> None:
        self.said, self.name = said, name
        self.asked: list[str] = []
        self.fails: set[str] = set()

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
        self.asked += [query.id for query in queries]
        return [
            Reply(error="the server hung up") if query.id in self.fails else Reply(texts=(self.said,) * trials)
            for query in queries
        ]


def run(model: Any, out: Path, count: int = ROWS, **options: Any) -> Any:
    return evaluate(model, demo.rows()[:count], out, data_name="demo", **options)


def answers(out: Path) -> list[dict[str, Any]]:
    return list(read_lines(out / "answers.jsonl"))


def test_a_run_stores_settings_rows_and_answers(tmp_path: Path) -> None:
    out = tmp_path / "run"
    summary = run(Echo("The answer is B."), out)
    assert (summary.rows, summary.before, summary.answered, summary.failed) == (ROWS, 0, ROWS, 0)
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["model"] == {"name": "echo"}
    assert settings["trials"] == 10
    assert settings["data"]["rows"] == ROWS
    records = answers(out)
    assert [record["id"] for record in records] == [row["id"] for row in demo.rows()[:ROWS].columns()]
    assert set(records[0]) == {"id", "votes", "texts", "probabilities", "status", "error"}
    assert records[0]["votes"] == ["B"] * 10
    assert records[0]["texts"] == ["The answer is B."] * 10


def test_a_finished_run_asks_nothing_again(tmp_path: Path) -> None:
    run(Echo(), tmp_path / "run")
    again = Echo()
    assert run(again, tmp_path / "run").before == ROWS
    assert again.asked == []


def test_a_failed_row_is_missing_and_asked_again(tmp_path: Path) -> None:
    out, model = tmp_path / "run", Echo()
    ids = [row["id"] for row in demo.rows()[:ROWS].columns()]
    model.fails = {ids[3], ids[7]}
    assert run(model, out).failed == 2
    failed = [record for record in answers(out) if record["status"] == "failed"]
    assert [record["error"] for record in failed] == ["the server hung up"] * 2
    assert failed[0]["votes"] == []
    with pytest.raises(
        MedqDegError, match=r"2 of 12 rows have no answer \(coverage 0.833, wanted 1.000\); finish the run"
    ):
        score_run(out)
    assert score_run(out, coverage=0.8, n_resamples=10)["coverage"] == pytest.approx(10 / 12)
    again = Echo()
    assert run(again, out).answered == 2
    assert again.asked == [ids[3], ids[7]]
    assert score_run(out, n_resamples=10)["coverage"] == 1


def test_too_few_answers_are_a_failure_not_missing_votes(tmp_path: Path) -> None:
    class Short(Echo):
        def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
            return [Reply(texts=("A",)) for _ in queries]

    assert run(Short(), tmp_path / "run").failed == ROWS
    assert answers(tmp_path / "run")[0]["error"] == "1 answers instead of 10"


def test_a_torn_last_line_is_cut_off_and_its_row_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(Echo(), out)
    path = out / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-25])
    again = Echo()
    run(again, out)
    assert len(again.asked) == 1
    ids = [record["id"] for record in answers(out)]
    assert len(ids) == len(set(ids)) == ROWS


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    run(Echo(), tmp_path / "run")
    path = tmp_path / "run" / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = b"{oops\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(MedqDegError, match=r"answers\.jsonl, line 5: is not valid JSON"):
        run(Echo(), tmp_path / "run")


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        (Echo(name="other"), {}, "model.name was 'echo', is 'other'"),
        (Echo(), {"trials": 5}, "trials was 10, is 5"),
        (Echo(), {"seed": 1}, "seed was 0, is 1"),
        (Echo(), {"parser": "vlmevalkit"}, "parser was 'strict', is 'vlmevalkit'"),
        (Echo(), {"count": ROWS - 1}, "data.rows was 12, is 11"),
    ],
)
def test_a_run_is_not_continued_with_other_settings(
    model: Echo, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    run(Echo(), tmp_path / "run")
    with pytest.raises(MedqDegError, match="holds a run with other settings") as error:
        run(model, tmp_path / "run", **options)
    assert told in str(error.value)
    assert model.asked == []


def test_a_start_that_failed_before_any_answer_does_not_block_the_folder(tmp_path: Path) -> None:
    class Broken(Echo):
        def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
            raise RuntimeError("no such kernel")

    with pytest.raises(RuntimeError):
        run(Broken(name="broken"), tmp_path / "run")
    assert run(Echo(), tmp_path / "run").answered == ROWS
    for name in ("rows.jsonl", ".run.json.x1.part"):
        (tmp_path / "stopped").mkdir(exist_ok=True)
        (tmp_path / "stopped" / name).write_text("{}")
    assert run(Echo(), tmp_path / "stopped").answered == ROWS


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run").locked(), pytest.raises(MedqDegError, match="another process is writing this run"):
        run(Echo(), tmp_path / "run")


def test_a_truncated_list_of_rows_is_noticed_and_written_anew(tmp_path: Path) -> None:
    run(Echo(), tmp_path / "run")
    path = tmp_path / "run" / "rows.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]))
    with pytest.raises(MedqDegError, match="holds 5 of 12 rows; start the run again"):
        score_run(tmp_path / "run")
    run(Echo(), tmp_path / "run")
    assert score_run(tmp_path / "run", n_resamples=10)["coverage"] == 1


@pytest.mark.parametrize("line", [b"{}\n", b"[]\n"])
def test_a_line_that_is_no_answer_is_named(line: bytes, tmp_path: Path) -> None:
    run(Echo(), tmp_path / "run")
    with (tmp_path / "run" / "answers.jsonl").open("ab") as file:
        file.write(line)
    with pytest.raises(MedqDegError, match=r"answers\.jsonl, line 13: is no answer"):
        score_run(tmp_path / "run")


def test_odd_replies_are_stored_or_fail_alone(tmp_path: Path) -> None:
    class Odd(Echo):
        def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
            return [Reply(("\ud800",) * trials, {"A": float("nan")} if i else None) for i, _ in enumerate(queries)]

    summary = run(Odd(), tmp_path / "run", count=2)
    assert (summary.answered, summary.failed) == (1, 1)
    assert answers(tmp_path / "run")[0]["texts"][0] == "\ud800"


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with AnswerWriter(path) as writer:
        writer.append({"id": "x", "status": "ok"})
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                writer.append({"id": "y", "status": "ok"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        writer.append({"id": "z", "status": "ok"})
    assert [record["id"] for record in read_lines(path)] == ["x", "z"]


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(MedqDegError, match="is not empty and holds no run"):
        run(Echo(), tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MedqDegError, match="is a file, a run is a folder"):
        run(Echo(), tmp_path / "file")


def test_an_invalid_row_stops_before_anything_is_asked(tmp_path: Path) -> None:
    rows = [dict(demo.rows()[i]) for i in range(3)]
    rows[1]["answer"] = "F"
    model = Echo()
    with pytest.raises(MedqDegError, match="has answer 'F', which is no option; allowed: A, B, C, D, E"):
        evaluate(model, rows, tmp_path / "run", data_name="mine")
    rows[1] = rows[0]
    with pytest.raises(MedqDegError, match="two rows have the id"):
        evaluate(model, rows, tmp_path / "run", data_name="mine")
    with pytest.raises(MedqDegError, match="trials must be 2 or more, got 1"):
        run(model, tmp_path / "run", trials=1)
    assert model.asked == []
    assert not (tmp_path / "run").exists()


def test_each_answer_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    with AnswerWriter(tmp_path / "a.jsonl") as writer:
        writer.append({"id": "x", "status": "ok"})
        assert list(read_lines(tmp_path / "a.jsonl")) == [{"id": "x", "status": "ok"}]


def test_scores_of_a_model_that_is_always_right_are_perfect(tmp_path: Path) -> None:
    class Oracle(Echo):
        def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
            right = {row["id"]: row["answer"] for row in demo.rows().columns()}
            return [Reply(texts=(right[query.id],) * trials) for query in queries]

    run(Oracle(), tmp_path / "run")
    result = score_run(tmp_path / "run", n_resamples=50)
    assert result["accuracy"] == result["confidence"] == result["parse_rate"] == 1
    assert result["calibration_shift"] == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == json.loads(json.dumps(result))


@pytest.fixture(scope="module")
def tiny() -> Any:
    pytest.importorskip("transformers")
    from medq_deg.demo.model import demo_model
    from medq_deg.models.transformers_model import TransformersModel

    return TransformersModel(str(demo_model()))


def test_a_transformers_model_answers_with_ten_sampled_votes(tiny: Any, tmp_path: Path) -> None:
    summary = run(tiny, tmp_path / "run")
    assert summary.answered == ROWS
    records = answers(tmp_path / "run")
    assert all(len(record["votes"]) == 10 for record in records)
    said = {text for record in records for text in record["texts"]}
    assert said <= set("ABCDE")
    assert len(said) > 2
    described = tiny.describe()
    assert described["generation"]["top_k"] == 0
    assert described["generation"]["temperature"] == 1.0
    assert "knows no medicine" in described["note"]


def test_votes_depend_on_the_row_not_on_the_order(tiny: Any, tmp_path: Path) -> None:
    run(tiny, tmp_path / "one", batch_size=1)
    run(tiny, tmp_path / "all", batch_size=ROWS)
    first = {record["id"]: record["votes"] for record in answers(tmp_path / "one")}
    assert first == {record["id"]: record["votes"] for record in answers(tmp_path / "all")}
    run(tiny, tmp_path / "seed", seed=1)
    assert first != {record["id"]: record["votes"] for record in answers(tmp_path / "seed")}


def test_sampling_leaves_the_callers_random_state_alone(tiny: Any, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    run(tiny, tmp_path / "run", count=2)
    assert torch.equal(torch.rand(3), expected)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from medq_deg.models.transformers_model import TransformersModel

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MedqDegError, match="cannot be loaded as an image-text-to-text model"):
        TransformersModel(str(tmp_path))


KILLED = """
import sys
from pathlib import Path
from medq_deg import demo
from medq_deg.demo.model import demo_model
from medq_deg.evaluation.run import evaluate
from medq_deg.models.transformers_model import TransformersModel
evaluate(TransformersModel(str(demo_model())), demo.rows()[:60], Path(sys.argv[1]), data_name="demo", batch_size=2)
"""


def test_a_killed_run_continues_and_ends_as_an_undisturbed_one(tiny: Any, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    for wanted in (5, 25):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(out)], env={**os.environ, "HF_HUB_OFFLINE": "1"})
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            path = out / "answers.jsonl"
            if path.exists() and path.read_bytes().count(b"\n") >= wanted:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert 0 < len(RunFolder(out).read_answers()) < 60
    run(tiny, out, count=60)
    run(tiny, tmp_path / "whole", count=60)
    ids = [record["id"] for record in answers(out)]
    assert len(ids) == len(set(ids)) == 60
    assert {r["id"]: r["votes"] for r in answers(out)} == {r["id"]: r["votes"] for r in answers(tmp_path / "whole")}
