"""Real servers, llama.cpp's and the LiteLLM proxy in front of it, with a tiny model: `make test-engines`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest

from medq_deg.demo import rows
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.run import evaluate
from medq_deg.models.endpoint import EndpointModel
from medq_deg.models.retry import Retries
from tests.models.endpoint_rows import Rows

HERE = Path(__file__).parent
BIN = Path(os.environ.get("ENGINES", HERE.parents[1] / ".venv-engines")) / "bin"
KEY = "sk-engines-0123456789"
START_SECONDS = 180

pytestmark = pytest.mark.skipif(not (BIN / "litellm").exists(), reason="needs the environment of `make test-engines`")


@dataclass
class Engine:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(command: list[Any], port: int, health: str, log: Path, **environment: str) -> Iterator[Engine]:
    """Start a server and wait until it is healthy."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, env={**os.environ, **environment}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_SECONDS
        while not _is_healthy(url + health):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield Engine(url, process, log)
    finally:
        process.kill()
        process.wait()


def _is_healthy(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    command = [BIN / "python", "-m", "tests.engines.tiny_gguf", folder]
    subprocess.run(command, check=True, cwd=HERE.parents[1])
    return folder


def llama(weights: Path, port: int, *, slots: int = 4, eyes: bool = True) -> Any:
    mmproj = weights / "mmproj.gguf" if eyes else ""
    command = [BIN / "python", HERE / "llama_server.py", weights / "tiny.gguf", mmproj, port, slots]
    return running(command, port, "/health", weights / f"llama-{port}.log")


@pytest.fixture(scope="module")
def llama_cpp(weights: Path) -> Iterator[Engine]:
    with llama(weights, free_port()) as engine:
        yield engine


@pytest.fixture(scope="module")
def litellm(weights: Path, llama_cpp: Engine) -> Iterator[Engine]:
    port = free_port()
    command = [BIN / "litellm", "--config", HERE / "litellm.yaml", "--host", "127.0.0.1", "--port", port]
    settings = {"LLAMA_URL": f"{llama_cpp.url}/v1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with running(command, port, "/health/liveliness", weights / "litellm.log", **settings) as engine:
        yield engine


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQ_DEG_API_KEY", KEY)


def model(engine: Engine, name: str = "tiny", **options: Any) -> EndpointModel:
    return EndpointModel(engine.url, name, **{"timeout": 60, "max_new_tokens": 8, **options})


@cache
def demo_subset() -> list[dict[str, Any]]:
    """The rows of six demo questions."""
    columns = list(rows().columns())
    chosen = sorted({row["question_id"] for row in columns})[::16]
    return [rows()[index] for index, row in enumerate(columns) if row["question_id"] in chosen]


@pytest.mark.parametrize("name", ["llama_cpp", "litellm"])
def test_a_demo_subset_runs_with_ten_votes_in_three_requests_of_at_most_four(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    endpoint = model(request.getfixturevalue(name))
    summary = evaluate(endpoint, demo_subset(), tmp_path / "run", data_name="demo", trials=10, keep_going=True)
    assert (summary.answered, summary.failed) == (len(demo_subset()), 0)
    answers = [json.loads(line) for line in (tmp_path / "run" / "answers.jsonl").read_text().splitlines()]
    assert all(len(record["texts"]) == 10 for record in answers)
    assert {reason for record in answers for reason in record["finish"]} <= {"stop", "length"}
    assert all(len(set(record["texts"])) > 5 for record in answers)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["served"]["choices_at_most"] == 4
    # Behind the proxy, the votes that came before the server was recognised are asked again.
    assert endpoint.usage["requests"] == 3 * len(answers) + (name == "litellm")
    assert run["sampling"]["sent"]["min_p"] == 0.0
    assert run["sampling"]["identical"] is False
    assert run["served"]["server"] == "llama.cpp"
    assert run["sampling"]["neutral"] is True
    assert ("LiteLLM in front of it" in run["sampling"]["how"]) == (name == "litellm")
    assert endpoint.at_least


def first_tokens(engine: Engine, **options: Any) -> set[str]:
    endpoint = model(engine, max_new_tokens=1, **options)
    replies = list(endpoint.answer(Rows(1), 400))
    return {text for reply in replies for text in reply.texts}


def test_the_fields_that_are_sent_open_the_whole_distribution(llama_cpp: Engine) -> None:
    # llama.cpp's own top_k is 40, and its min_p 0.05 leaves fewer.
    own = {"top_k": 40, "min_p": 0.05, "top_p": None, "samplers": ["top_k", "min_p", "temperature"]}
    cut = first_tokens(llama_cpp, extra_body=own)
    whole = first_tokens(llama_cpp)
    assert len(cut) <= 40
    assert len(whole) > 2 * len(cut)


def test_a_seed_gives_the_same_votes_again(llama_cpp: Engine) -> None:
    once, again = ([reply.texts for reply in model(llama_cpp, concurrency=1).answer(Rows(3), 4)] for _ in range(2))
    other = Rows(3)
    other.__class__ = type("Shifted", (Rows,), {"__getitem__": lambda self, index: Rows.__getitem__(self, index + 50)})
    assert once == again
    assert [reply.texts for reply in model(llama_cpp, concurrency=1).answer(other, 4)] != once


@pytest.mark.parametrize("name", ["llama_cpp", "litellm"])
def test_logprobs_may_be_asked_for(name: str, request: pytest.FixtureRequest) -> None:
    endpoint = model(request.getfixturevalue(name), extra_body={"logprobs": True, "top_logprobs": 5})
    assert [reply.error for reply in endpoint.answer(Rows(2), 4)] == [None, None]


@pytest.mark.parametrize(
    ("name", "left_out", "most"), [("gpt-5", ["top_p"], None), ("claude", ["seed"], 1), ("gemini", [], None)]
)
def test_a_field_that_litellm_refuses_for_a_provider_is_left_out(
    litellm: Engine, name: str, left_out: list[str], most: int | None
) -> None:
    endpoint = model(litellm, name)
    assert [reply.error for reply in endpoint.answer(Rows(3), 4)] == [None] * 3
    served = endpoint.record()["served"]
    assert (served["left_out"], served["choices_at_most"]) == (left_out, most)


def test_a_backend_that_is_not_there_ends_the_run_in_the_proxys_words(litellm: Engine) -> None:
    endpoint = model(litellm, "nowhere", retries=Retries(1, 0.01), give_up_after=3)
    with pytest.raises(MedqDegError, match=r"HTTP 500: litellm.InternalServerError: .*Connection error"):
        list(endpoint.answer(Rows(30), 4))
    with pytest.raises(MedqDegError, match=r"HTTP 429: litellm.RateLimitError"):
        list(model(litellm, "limited", retries=Retries(1, 0.01), give_up_after=3).answer(Rows(30), 4))


def test_a_model_without_its_vision_part_is_told_once(weights: Path) -> None:
    with llama(weights, free_port(), eyes=False) as engine:
        said = "'tiny' at .* takes no images: HTTP 500: image input is not supported"
        with pytest.raises(MedqDegError, match=said):
            list(model(engine).answer(Rows(30), 4))


def test_a_backend_that_is_killed_midway_loses_no_row(weights: Path, tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "run"
    data = demo_subset()

    def run(engine: Engine, killed_after: int) -> int:
        def progress(now: Any) -> None:
            if now.done == killed_after:
                os.kill(engine.process.pid, signal.SIGKILL)

        endpoint = model(engine, retries=Retries(1, 0.01), give_up_after=4, concurrency=2)
        return evaluate(endpoint, data, out, data_name="demo", trials=4, keep_going=True, progress=progress).answered

    with llama(weights, port) as engine, pytest.raises(MedqDegError, match="rows failed one after another"):
        run(engine, 7)
    with llama(weights, port) as engine:
        assert run(engine, -1) == len(data) - len(ok_rows(out, before=True))
    assert len(ok_rows(out)) == len(data)


def ok_rows(out: Path, *, before: bool = False) -> set[str]:
    """Ids of the answered rows; `before` the second start, which put the file in order."""
    records = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    answered = [record["id"] for record in records if record["status"] == "ok"]
    assert len(answered) == len(set(answered))
    return set(answered[:7]) if before else set(answered)
