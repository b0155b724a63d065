"""Runs that are killed, stopped, shared among processes and put together again, each in real processes."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from medq_deg import demo
from medq_deg.data.load import open_data
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.merge import merge
from medq_deg.evaluation.run import Shard, evaluate
from medq_deg.evaluation.store import read_lines
from medq_deg.results.score import score_run
from tests.evaluation.conftest import ROOT
from tests.evaluation.slow import Slow
from tests.models.faulty_server import FaultyServer, seeded, serving

ROWS = 417
Environment = Callable[..., dict[str, str]]


def command(out: Path, *options: str, model: str = "slow") -> list[str]:
    return [sys.executable, "-m", "medq_deg", "evaluate", "--model", model, "--out", str(out), *options]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def answers(out: Path) -> dict[str, Any]:
    records = list(read_lines(out / "answers.jsonl"))
    assert len({record["id"] for record in records}) == len(records)
    return {record["id"]: record["votes"] for record in records}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    rows = open_data("demo")
    evaluate(Slow(""), rows, out, data_name=rows.name, data_version=rows.fingerprint)  # as the command line does
    return out


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a process tells until a line holds a text; other lines may come before."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the process ended without saying {text!r}")


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_as_an_undisturbed_one(
    environment: Environment, tmp_path: Path, undisturbed: Path
) -> None:
    out, rng = tmp_path / "run", random.Random(0)
    path = out / "answers.jsonl"
    kills, done = 0, []
    while kills < 20:
        process = subprocess.Popen(command(out), env=environment(SLOW_SECONDS=0.002), stderr=subprocess.DEVNULL)
        before = lines(path)
        # Half of the kills come at any time from the start on, half while answers are being written.
        if kills % 2:
            while lines(path) == before and process.poll() is None:
                time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.03 if kills % 2 else 1.5))
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        done.append(lines(path))
    assert 0 < done[-1] < ROWS
    assert len(set(done)) > 8
    subprocess.run(command(out), env=environment(), check=True, stderr=subprocess.DEVNULL)
    assert answers(out) == answers(undisturbed)
    assert len(answers(out)) == ROWS
    figures = [score_run(path, n_resamples=20) for path in (out, undisturbed)]
    assert figures[0] == figures[1]


@pytest.mark.slow
def test_ctrl_c_finishes_the_row_in_flight_and_says_how_to_continue(environment: Environment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for number in (signal.SIGINT, signal.SIGTERM):
        before = lines(out / "answers.jsonl")
        process = subprocess.Popen(
            command(out), env=environment(SLOW_SECONDS=0.2), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        while lines(out / "answers.jsonl") < before + 2:
            time.sleep(0.01)
        process.send_signal(number)
        printed, told = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "finishing the rows that are being asked; once more stops at once" in told
        assert f"stopped; the same command continues the run in {out}" in told
        now = lines(out / "answers.jsonl")
        assert before + 2 <= now <= before + 5
        assert f"417 rows: {before} answered before, {now - before} now, 0 failed" in printed


def test_a_second_ctrl_c_stops_at_once(environment: Environment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(command(out), env=environment(SLOW_SECONDS=30), stderr=subprocess.PIPE, text=True)
    read_until(process, "0 of 417 rows")
    process.send_signal(signal.SIGINT)
    read_until(process, "finishing the rows")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    assert process.stderr is not None
    last = process.stderr.read().splitlines()[-1]  # a line of progress may come between
    assert last == f"stopped at once; the same command continues the run in {out}"


@pytest.mark.slow
def test_processes_under_torchrun_share_the_rows_and_a_slow_one_holds_up_nobody(
    environment: Environment, tmp_path: Path, undisturbed: Path
) -> None:
    pytest.importorskip("accelerate")
    out = tmp_path / "run"

    def torchrun(processes: int, **variables: object) -> subprocess.Popen[str]:
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        script = [str(ROOT / "scripts" / "evaluate.py"), "--model", "slow", "--out", str(out)]
        return subprocess.Popen(
            [*launch, *script],
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    # Rank 1 is ten times as slow, and both are killed on the way.
    process = torchrun(2, SLOW_SECONDS=0.01, SLOW_RANK=1)
    while lines(out / "answers-rank0.jsonl") < 100 and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(3)  # the launcher is dead; the processes it started end when they next ask it for a row
    fast, slow = (lines(out / f"answers-rank{rank}.jsonl") for rank in (0, 1))
    assert 100 <= fast < ROWS
    assert 0 < slow < fast / 2
    # Another number of processes goes on, and leaves one file.
    process = torchrun(3)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert f"417 rows: {fast + slow} answered before" in told
    assert sorted(path.name for path in out.glob("answers*")) == ["answers.jsonl"]
    assert answers(out) == answers(undisturbed)


@pytest.mark.slow
def test_a_failed_row_on_one_rank_stops_no_other(environment: Environment, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    out = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [str(ROOT / "scripts" / "evaluate.py"), "--model", "slow", "--out", str(out)]
    variables = environment(SLOW_SECONDS=0.005, SLOW_RANK=1, FAILING_RANK=1)
    done = subprocess.run([*launch, *script], env=variables, capture_output=True, text=True, check=False)
    assert "failed: demo-" in done.stderr
    assert "417 rows: 0 answered before, 416 now, 1 failed" in done.stdout
    assert "medq-deg: 1 rows failed; the same command asks them again" in done.stderr
    assert "stopped" not in done.stderr
    assert json.loads((out / "run.json").read_text())["sampling"]["neutral"] is False  # rank 1's record, not rank 0's


@pytest.mark.slow
@pytest.mark.parametrize("size", ["2", "abc"])
def test_a_world_without_a_launcher_is_one_line(size: str, environment: Environment, tmp_path: Path) -> None:
    variables = environment(WORLD_SIZE=size)
    done = subprocess.run(command(tmp_path / "run"), env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"medq-deg: WORLD_SIZE is '{size}', but the processes of a launcher do not meet")


@pytest.mark.slow
def test_shards_in_one_folder_are_merged(environment: Environment, tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "run"
    shards = [
        subprocess.Popen(command(out, "--shard", f"{i}/3"), env=environment(), stdout=subprocess.PIPE, text=True)
        for i in (1, 2, 3)
    ]
    for shard in shards:
        printed, _ = shard.communicate(timeout=60)
        assert shard.returncode == 0
        assert printed.startswith("139 rows: 0 answered before, 139 now")
    assert score_run(out, n_resamples=10)["coverage"] == 1
    assert merge([out], out) == (ROWS, ROWS)
    assert sorted(path.name for path in out.glob("answers*")) == ["answers.jsonl"]
    assert answers(out) == answers(undisturbed)


@pytest.mark.slow
def test_shards_in_several_folders_are_merged(tmp_path: Path, undisturbed: Path) -> None:
    rows = demo.rows()
    parts = [tmp_path / f"part{i}" for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        evaluate(Slow(""), rows, part, data_name="demo", shard=Shard(i, 2))
    assert merge(parts, tmp_path / "whole") == (ROWS, ROWS)
    assert answers(tmp_path / "whole") == answers(undisturbed)
    assert merge(parts, tmp_path / "whole") == (ROWS, ROWS)
    assert len(answers(tmp_path / "whole")) == ROWS
    other = tmp_path / "other"
    evaluate(Slow("other"), rows, other, data_name="demo", shard=Shard(1, 2))
    with pytest.raises(MedqDegError, match=r"model\.name was 'other', is 'slow'"):
        merge([parts[0], other], tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_a_shard_and_the_whole_exclude_each_other(environment: Environment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shard = subprocess.Popen(
        command(out, "--shard", "1/2"), env=environment(SLOW_SECONDS=1), stderr=subprocess.PIPE, text=True
    )
    read_until(shard, "0 of 209 rows")
    with pytest.raises(MedqDegError, match="another process is writing this run"):
        evaluate(Slow(""), demo.rows(), out, data_name="demo")
    shard.kill()
    shard.wait()


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MedqDegError, match="shard must be i/n with i from 1 to n, such as 3/8, got"):
        Shard.parse(text)


def test_a_folder_without_permission_is_one_line(environment: Environment, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    powerless: list[str] = []
    if os.geteuid() == 0:  # whom no permission stops, until that power is taken away
        if which("setpriv") is None:
            pytest.skip("root needs setpriv to lose its power over permissions")
        powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    arguments = [*powerless, *command(locked / "run")]
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    plan, *told = done.stderr.splitlines()
    assert plan.startswith("to ask: 417 rows")
    assert told == [f"medq-deg: {locked / 'run'}: Permission denied"]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(environment: Environment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 300; exec "$@"', "bash", *command(out, "--trials", "100")]
    done = subprocess.run(limited, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"medq-deg: {out / 'answers.jsonl'}: cannot be written (File too")
    assert 0 < len(answers(out)) < ROWS
    subprocess.run(command(out, "--trials", "100"), env=environment(), check=True, capture_output=True)
    assert len(answers(out)) == ROWS


def test_a_dry_run_shows_prompts_and_answers_and_writes_nothing(environment: Environment, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "medq_deg", "evaluate", "--model", "slow", "--try", "3", "--trials", "2"]
    done = subprocess.run(arguments, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("Answer with the option letter") == 3
    assert done.stdout.count("'A'") + done.stdout.count("'B'") > 0
    assert "demo-ct_abdomen-modality/none/L0" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.slow
def test_a_changed_dataset_is_refused_and_named(environment: Environment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    evaluate(Slow(""), demo.rows(), out, data_name="demo")
    settings = json.loads((out / "run.json").read_text())
    settings["settings"]["data"]["fingerprint"] = "0" * 64
    (out / "run.json").write_text(json.dumps(settings))
    done = subprocess.run(command(out), env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"data.fingerprint was '{'0' * 64}', is" in done.stderr


@pytest.mark.slow
def test_an_endpoint_that_fails_often_loses_no_row(environment: Environment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    faults = seeded(0.3, ("429", "500", "cut", "no json", "empty", "fewer"), seed=1)
    with serving(FaultyServer(faults)) as server:
        arguments = ["--endpoint", server.url, "--trials", "3", "--retries", "20", "--concurrency", "16"]
        done = subprocess.run(
            command(out, *arguments, "--price", "1,2", model="tiny"),
            env=environment(MEDQ_DEG_API_KEY="sk-very-secret-0123456789"),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "417 rows: 0 answered before, 417 now, 0 failed" in done.stdout
    assert re.search(r"\d+ requests, \d+ prompt and \d+ new tokens, at least \d+\.\d\d USD", done.stdout)
    assert all(len(votes) == 3 for votes in answers(out).values())
    kept = "".join(path.read_text() for path in out.iterdir()) + done.stdout + done.stderr
    assert "sk-very-secret" not in kept
