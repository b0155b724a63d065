"""Runs: what is stored, what is asked again, what is refused. The model is a real, tiny LLaVA."""

from __future__ import annotations

import json
import pickle
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.run import evaluate, try_rows
from medq_deg.evaluation.store import AnswerWriter, RunFolder, read_lines
from medq_deg.models.base import Queries, Query, Reply
from medq_deg.results.score import score_run

ROWS = 12


class Echo:
    """A model that says what a test tells it to, and remembers what it was asked."""

    def __init__(self, said: str = "A", name: str = "echo") -> None:
        self.said, self.name = said, name
        self.asked: list[str] = []
        self.fails: set[str] = set()

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            self.asked.append(query.id)
            yield self.reply(query, trials)

    def reply(self, query: Query, trials: int) -> Reply:
        if query.id in self.fails:
            return Reply(query.id, error="the server hung up")
        return Reply(query.id, texts=(self.said,) * trials)


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
        def reply(self, query: Query, trials: int) -> Reply:
            return Reply(query.id, texts=("A",))

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
        def reply(self, query: Query, trials: int) -> Reply:
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
        def reply(self, query: Query, trials: int) -> Reply:
            odd = {"A": float("nan")} if len(self.asked) > 1 else None
            return Reply(query.id, ("\ud800",) * trials, odd)

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
            with pytest.raises(
                MedqDegError, match=r"a\.jsonl: cannot be written \(File too large\); the answers before"
            ):
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
        def reply(self, query: Query, trials: int) -> Reply:
            right = {row["id"]: row["answer"] for row in demo.rows().columns()}
            return Reply(query.id, texts=(right[query.id],) * trials)

    run(Oracle(), tmp_path / "run")
    result = score_run(tmp_path / "run", n_resamples=50)
    assert result["accuracy"] == result["confidence"] == result["parse_rate"] == 1
    assert result["calibration_shift"] == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == json.loads(json.dumps(result))


def test_rows_of_the_demo_can_be_read_in_worker_processes() -> None:
    rows = pickle.loads(pickle.dumps(demo.rows()))
    assert rows[100]["id"] == demo.rows()[100]["id"]
    assert rows[100]["image"].tobytes() == demo.rows()[100]["image"].tobytes()


@pytest.mark.parametrize(("texts", "trials"), [((None,) * 3, 3), ("AAA", 3), (("A", 2, "A"), 3)])
def test_answers_that_are_no_texts_have_failed(texts: Any, trials: int, tmp_path: Path) -> None:
    class Odd(Echo):
        def reply(self, query: Query, trials: int) -> Reply:
            return Reply(query.id, texts)

    assert run(Odd(), tmp_path / "run", count=1, trials=trials).failed == 1
    assert "answers that are not texts" in answers(tmp_path / "run")[0]["error"]


def test_a_model_that_stops_early_is_no_finished_run(tmp_path: Path) -> None:
    class Early(Echo):
        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            yield self.reply(next(iter(queries)), trials)

    with pytest.raises(MedqDegError, match="the model stopped answering before every row was asked"):
        run(Early(), tmp_path / "run")
    assert run(Echo(), tmp_path / "run").before == 1


def test_a_row_without_a_reply_has_failed(tmp_path: Path) -> None:
    class Silent(Echo):
        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            yield from [reply for reply in super().answer(queries, trials) if not reply.id.endswith("/L2")]

    failed = [row["id"] for row in demo.rows()[:ROWS].columns() if row["severity"] == 2]
    assert run(Silent(), tmp_path / "run").failed == len(failed)
    told = {record["id"]: record["error"] for record in answers(tmp_path / "run") if record["status"] == "failed"}
    assert told == dict.fromkeys(failed, "the model gave no reply")


def test_a_reply_to_what_was_not_asked_is_refused(tmp_path: Path) -> None:
    class Twice(Echo):
        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            for reply in super().answer(queries, trials):
                yield from (reply, reply)

    with pytest.raises(MedqDegError, match="which was not asked or had its reply"):
        run(Twice(), tmp_path / "run")


@pytest.mark.parametrize("described", [{}, {"name": ""}, {"name": "x", "seed": object()}, None])
def test_a_description_without_a_name_is_refused_before_anything_is_asked(described: Any, tmp_path: Path) -> None:
    class Nameless(Echo):
        def describe(self) -> Any:
            return described

    model = Nameless()
    with pytest.raises(MedqDegError, match=r"needs a name|is not JSON"):
        run(model, tmp_path / "run")
    assert model.asked == []


@pytest.mark.parametrize("broken", [OSError("cut off"), ZeroDivisionError(), KeyError("image")])
def test_a_row_that_cannot_be_read_fails_alone(broken: Exception, tmp_path: Path) -> None:
    class Broken(list[dict[str, Any]]):
        def __getitem__(self, index: Any) -> Any:
            if index == 2:
                raise broken
            return super().__getitem__(index)

    rows = Broken([dict(demo.rows()[i]) for i in range(5)])
    rows[4]["image"] = None
    summary = evaluate(Echo(), rows, tmp_path / "run", data_name="mine")
    assert (summary.answered, summary.failed) == (3, 2)
    told = [record["error"] for record in answers(tmp_path / "run") if record["status"] == "failed"]
    assert all("cannot be read" in error for error in told)
    shown = list(try_rows(Echo(), rows, 5))
    assert sum(record["error"] is not None for _, record in shown) == 2


def test_other_images_are_other_data(tmp_path: Path) -> None:
    run(Echo(), tmp_path / "run", data_version="build 1")
    with pytest.raises(MedqDegError, match=r"data\.fingerprint was"):
        run(Echo(), tmp_path / "run", data_version="build 2")


def test_the_environment_of_the_first_start_is_kept(tmp_path: Path) -> None:
    run(Echo(), tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    before = json.loads(path.read_text())
    before["environment"]["accelerator"] = "H100"
    path.write_text(json.dumps(before))
    for _ in range(2):
        run(Echo(), tmp_path / "run")
    after = json.loads(path.read_text())
    assert after["environment"]["accelerator"] == "H100"
    assert [later["accelerator"] for later in after["later_environments"]] == [None]
