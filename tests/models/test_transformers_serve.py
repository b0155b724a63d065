"""A real server, `transformers serve`, with the tiny demo model: it ignores n, and samples only if it is told to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.models.base import Query, Reply
from medq_deg.models.endpoint import EndpointModel, SamplingWarning
from medq_deg.models.prompts import build_prompt
from medq_deg.models.retry import Retries
from tests.models import tiny_vlms

for needed in ("torch", "transformers", "fastapi", "uvicorn", "openai"):
    pytest.importorskip(needed, reason=f"transformers serve needs {needed}; install transformers[serving]")

START_SECONDS = 120
SERVE = "from transformers.cli.transformers import app; app()"


@dataclass(frozen=True)
class Served:
    url: str
    model: str


class DemoRows:
    """The first demo rows as queries."""

    stopped = False

    def __init__(self, count: int) -> None:
        self.rows, self.count = demo.rows(), count

    def claim(self) -> Iterator[int]:
        return iter(range(self.count))

    def __iter__(self) -> Iterator[Query]:
        return (self[index] for index in self.claim())

    def __getitem__(self, index: int) -> Query:
        row = self.rows[index]
        prompt = build_prompt(row["question"], row["options"])
        return Query(row["id"], row["image"], prompt, tuple(row["options"]), seed=index)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_vlms.save("llava", tmp_path_factory.mktemp("served") / "untrained-llava")
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "do_sample": True, "top_k": 0}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.parent / "log.txt"
    command = [sys.executable, "-c", SERVE, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=output, stderr=output, env={**os.environ})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_SECONDS
        while not _is_healthy(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield Served(url, str(folder))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_healthy(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def ask(served: Served, count: int, trials: int, **options: Any) -> tuple[EndpointModel, list[Reply]]:
    model = EndpointModel(served.url, served.model, concurrency=2, timeout=60, max_new_tokens=4, **options)
    return model, list(model.answer(DemoRows(count), trials))


def test_votes_vary(served: Served) -> None:
    again: list[float] = []

    def drawn() -> float:
        again.append(0.5)  # drawn before each further try: a busy machine may drop a connection
        return again[-1]

    model, replies = ask(served, 4, 3, retries=Retries(random=drawn))
    assert [reply.error for reply in replies] == [None] * 4
    texts = [text for reply in replies for text in reply.texts]
    assert len(texts) == 12
    assert any(len(set(reply.texts)) > 1 for reply in replies)
    assert model.usage["requests"] == 12 + len(again)
    assert all(reply.usage is not None and reply.usage["completion_tokens"] > 0 for reply in replies)
    assert model.describe()["name"] == "untrained-llava"


@pytest.mark.slow
def test_a_server_that_does_not_sample_is_noticed_and_told_to_by_a_field_of_its_own(served: Served) -> None:
    config = json.loads((Path(served.model) / "generation_config.json").read_text())
    ids = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}

    def body(sample: bool) -> dict[str, str]:
        return {"generation_config": json.dumps({**ids, "do_sample": sample, "top_k": 0})}

    with pytest.warns(SamplingWarning, match="identical"):
        ask(served, 20, 2, extra_body=body(False))
    with warnings.catch_warnings():
        warnings.simplefilter("error", SamplingWarning)
        _, replies = ask(served, 20, 2, extra_body=body(True))
    assert any(len(set(reply.texts)) > 1 for reply in replies)


def test_what_the_server_refuses_in_every_row_stops_the_run(served: Served) -> None:
    with pytest.raises(MedqDegError, match=r"2 rows failed one after another, the last with: HTTP 422: .*top_k"):
        ask(served, 20, 2, extra_body={"top_k": 0}, give_up_after=2)
    other = Served(served.url, "another-model")
    with pytest.raises(MedqDegError, match="HTTP 400: Server is pinned to"):
        ask(other, 20, 2, give_up_after=2, retries=Retries(0))
