"""inspect-ai's logs as runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make test-harnesses")

from inspect_ai import eval as inspect_eval

from medq_deg.errors import MedqDegError
from medq_deg.harness.asked import Asked, choose
from medq_deg.harness.imported import import_results
from medq_deg.inspect.task import medq_deg
from medq_deg.results.score import score_run
from tests.harness.direct import SUBSET, VOTES, same_as_direct
from tests.inspect.replay import mock, replay


@pytest.mark.parametrize("form", ["eval", "json"])
def test_the_demo_answered_in_inspect_and_imported_is_the_direct_run(direct: Path, tmp_path: Path, form: str) -> None:
    task = medq_deg(votes=VOTES, subset=SUBSET, choices=form == "json")
    log = replay(task, direct, tmp_path / "logs", log_format=form)
    made = import_results([Path(log.location)], "inspect", tmp_path / "run", data="demo")
    assert made.rows == made.answered == len(task.dataset)
    same_as_direct(tmp_path / "run", direct)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["settings"]["model"]["name"] == "mockllm/model"
    assert run["settings"]["model"]["generation"]["temperature"] == 1.0
    assert run["imported"]["name"] == "inspect-ai"
    assert list(run["imported"]["files"]) == [Path(log.location).name]
    assert run["sampling"]["neutral"] == "unknown"
    assert run["imported"]["date"] == str(log.eval.created)[:10]


def short(tmp_path: Path, name: str = "logs", say: str = "A", **options: Any) -> Path:
    """Run one severity of a subset; return its log."""
    task = medq_deg(votes=2, subset=SUBSET, severity=0, choices=True)
    log = inspect_eval(task, model=mock(lambda content: say), log_dir=str(tmp_path / name), display="none", **options)
    return Path(log[0].location)


def test_a_log_of_one_severity_is_a_run_of_it_and_a_sampler_that_always_says_the_same_is_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="same answer in all its votes"):
        import_results([short(tmp_path)], "inspect", tmp_path / "run", data="demo")
    assert set(score_run(tmp_path / "run")["by_severity"]) == {"L0"}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["sampling"]["identical"] is True


def test_a_log_that_was_cut_off_is_refused_or_keeps_its_rows_open(tmp_path: Path) -> None:
    log = short(tmp_path, limit=5)
    with pytest.raises(MedqDegError, match=r"row '.*' is missing, \d+ of \d+ rows in all; run the harness"):
        import_results([log], "inspect", tmp_path / "run", data="demo")
    assert not (tmp_path / "run").exists()
    with pytest.warns(UserWarning, match="same answer"):
        made = import_results([log], "inspect", tmp_path / "run", data="demo", partial=True)
    assert made.answered == 5 < made.rows
    with pytest.raises(MedqDegError, match="have no answer"):
        score_run(tmp_path / "run")


def test_a_request_that_failed_leaves_its_row_without_an_answer(tmp_path: Path) -> None:
    asked: list[int] = []

    def say(content: Any) -> str:
        asked.append(1)
        if len(asked) == 3:
            raise RuntimeError("the server is gone")
        return "AB"[len(asked) % 2]

    task = medq_deg(votes=2, subset=SUBSET, severity=0, choices=True)
    log = inspect_eval(task, model=mock(say), log_dir=str(tmp_path), display="none", fail_on_error=False)[0]
    made = import_results([Path(log.location)], "inspect", tmp_path / "run", data="demo")
    assert made.answered == made.rows - 1
    assert "1 of 2 requests failed" in (tmp_path / "run" / "answers.jsonl").read_text()


def test_logs_of_two_temperatures_or_of_other_tasks_or_data_are_refused(tmp_path: Path) -> None:
    one, two = short(tmp_path), short(tmp_path, "others", temperature=0.5)
    with pytest.raises(MedqDegError, match="its generation is"):
        import_results([one, two], "inspect", tmp_path / "run", data="demo")
    with pytest.raises(MedqDegError, match=r"sample \S+, epoch 1: vote 1 of row \S+ is there already"):
        import_results([one, short(tmp_path, "again")], "inspect", tmp_path / "run", data="demo")
    with pytest.raises(MedqDegError, match="is not in the data 'demo-held-out'; name the data"):
        import_results([one], "inspect", tmp_path / "run", data="demo-held-out")
    with pytest.warns(UserWarning, match="same answer"):
        import_results([two], "inspect", tmp_path / "run", data="demo")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["sampling"]["neutral"] is False


def test_a_broken_log_and_one_of_another_task_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.eval"
    broken.write_bytes(b"PK no zip")
    with pytest.raises(MedqDegError, match="cannot be read as a log"):
        import_results([broken], "inspect", tmp_path / "run", data="demo")
    table = tmp_path / "x.tsv"
    table.write_text("a\tb\n")
    with pytest.raises(MedqDegError, match="is no log of inspect-ai"):
        import_results([table], "inspect", tmp_path / "run", data="demo")


def test_a_log_of_the_same_rows_with_other_images_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = short(tmp_path)

    def other(*names: str, **options: Any) -> Asked:
        asked = choose(*names, **options)
        return replace(asked, data=replace(asked.data, fingerprint="0" * 64))

    monkeypatch.setattr("medq_deg.harness.imported.choose", other)
    with pytest.raises(MedqDegError, match="was asked with the data 'demo', not 'demo' as it is here"):
        import_results([log], "inspect", tmp_path / "run", data="demo")
