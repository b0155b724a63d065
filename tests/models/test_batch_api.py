"""The Batch API: the same votes at half the price, collected after days, with nothing lost or asked twice."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.models import batch_api
from medq_deg.models.base import Reply
from medq_deg.models.batch_api import BatchModel
from tests.models.batch_server import BatchServer
from tests.models.endpoint_rows import QUICK, Rows, ask, model
from tests.models.faulty_server import Asked, serving


def by_seed(asked: Asked, number: int) -> str:
    """An answer that depends on the request alone; choices of one request differ by their number in it."""
    place = len(asked.served)
    return f"{random.Random(asked.body['seed'] + place).choice('ABCD')} {place}"


def batches(server: BatchServer, folder: Path, **options: Any) -> BatchModel:
    options = {"retries": QUICK, "timeout": 5.0, "poll": 0.02, **options}
    return BatchModel(server.url, "tiny", folder=folder, **options)


def votes(replies: list[Reply]) -> dict[str, tuple[str, ...]]:
    assert all(reply.error is None for reply in replies)
    return {reply.id: reply.texts for reply in replies}


@pytest.mark.parametrize("honours_n", [True, False])
def test_a_batch_brings_the_same_votes_as_single_requests(honours_n: bool, tmp_path: Path) -> None:
    told: list[str] = []
    with serving(BatchServer(say=by_seed, honours_n=honours_n)) as server:
        direct = votes(ask(model(server.url), 12))
        server.asked.clear()
        batched = batches(server, tmp_path, tell=told.append)
        replies = ask(batched, 12)
    assert votes(replies) == direct
    assert replies[0].finish == ("stop",) * 4
    assert len(server.batches) == 1
    assert any(line.startswith("batch batch_0: in_progress") for line in told)
    assert batched.record()["sampling"]["sent"]["temperature"] == 1.0
    lines = [json.loads(line) for line in server.files["file-0"].splitlines()]
    assert len(lines) == 11 * (1 if honours_n else 4)
    assert lines[0]["body"]["messages"][0]["content"][0]["type"] == "image_url"


def test_a_run_that_was_stopped_collects_what_it_sent_and_sends_nothing_twice(tmp_path: Path) -> None:
    with serving(BatchServer(say=by_seed, looks=10**9)) as server:
        rows = Rows(10)

        def tell(line: str) -> None:
            rows.stopped |= "in_progress" in line

        first = list(batches(server, tmp_path, tell=tell).answer(rows, 4))
        assert [reply.id for reply in first] == ["row0"]
        asked = len(server.asked)
        server.looks = 1

        class Others(Rows):
            """What the second start still has to ask."""

            def claim(self) -> Any:
                return iter(range(1, 10))

        second = list(batches(server, tmp_path).answer(Others(10), 4))
        assert sorted(reply.id for reply in second) == [f"row{index}" for index in range(1, 10)]
        assert all(len(reply.texts) == 4 for reply in second)
        assert len(server.asked) == asked + 9
        assert len(server.batches) == 1
        direct = votes(ask(model(server.url), 10))
    assert votes([*first, *second]) == direct


def test_requests_that_fail_within_a_batch_go_into_the_next(tmp_path: Path) -> None:
    with serving(BatchServer(say=by_seed)) as server:
        direct = votes(ask(model(server.url), 8))
        server.broken = {0, 3}
        assert votes(ask(batches(server, tmp_path), 8)) == direct
        assert len(server.batches) == 2
        assert len(server.files["file-2" if "file-2" in server.files else "file-3"].splitlines()) == 2


def test_a_large_run_is_split_into_files_that_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_api, "MOST_REQUESTS", 3)
    with serving(BatchServer(say=by_seed)) as server:
        assert len(votes(ask(batches(server, tmp_path), 9))) == 9
    assert len(server.batches) == 3
    assert len(list(tmp_path.glob("requests-*.jsonl"))) == 3


def test_what_the_server_refuses_is_learned_from_one_row_before_a_batch_is_made(tmp_path: Path) -> None:
    def behave(asked: Asked) -> Any:
        refused = {"error": {"message": "Unsupported parameter: 'top_p'", "param": "top_p"}}
        return (400, refused) if "top_p" in asked.body else None

    with serving(BatchServer(behave, say=by_seed)) as server:
        assert len(votes(ask(batches(server, tmp_path), 5))) == 5
    lines = [json.loads(line) for line in server.files["file-0"].splitlines()]
    assert not any("top_p" in line["body"] for line in lines)


def test_a_batch_that_fails_as_a_whole_says_why_and_is_not_waited_for_again(tmp_path: Path) -> None:
    with serving(BatchServer(say=by_seed)) as server:
        server.fail = "the enqueued tokens are too many"
        with pytest.raises(MedqDegError, match="batch batch_0 failed: the enqueued tokens are too many"):
            ask(batches(server, tmp_path), 5)
        server.fail = ""
        assert len(votes(ask(batches(server, tmp_path), 5))) == 5


def test_what_a_batch_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="--max-cost cannot be used with --batch"):
        BatchModel("http://localhost:1", "m", folder=tmp_path, prices=(1, 1), max_cost=1.0)
    with pytest.raises(MedqDegError, match="poll must be more than 0 seconds, got 0"):
        BatchModel("http://localhost:1", "m", folder=tmp_path, poll=0)
