"""Replies are read with bounds, images follow no redirect to another host, and dead or empty servers end a run."""

from __future__ import annotations

import gzip
import json
import math
import resource
import socket
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.files import DEEPEST
from medq_deg.models import learning
from medq_deg.models.base import Reply
from medq_deg.models.endpoint import ServedModelWarning
from medq_deg.models.retry import Retries
from medq_deg.models.wire import MOST_BYTES, parse
from tests.models.endpoint_rows import Rows, ask, model
from tests.models.faulty_server import FaultyServer, serving
from tests.models.raw_server import raw, response

ONCE = Retries(1, 0.001)


def completion(text: object = "B", n: int = 4, **more: Any) -> bytes:
    choices = [
        {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": text}} for i in range(n)
    ]
    return json.dumps({"model": "tiny", "choices": choices, **more}).encode()


def error_of(write: Callable[[socket.socket], None], **options: Any) -> str:
    """Why a row fails at such a server."""
    with raw(write) as server:
        reply = ask(model(server.url, retries=Retries(0), **options))[0]
    assert reply.error is not None
    return reply.error


def test_a_reply_that_is_too_long_is_not_read() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            connection.sendall(b" " * (1 << 20))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert error_of(endless) == "the reply is not a chat completion (a reply of more than 8 MB)"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_a_packed_reply_is_read_and_a_bomb_is_not_unpacked() -> None:
    with raw(lambda it: it.sendall(response(gzip.compress(completion()), "Content-Encoding: gzip"))) as server:
        assert ask(model(server.url))[0].texts == ("B",) * 4
    assert b"accept-encoding: identity" in server.requests[-1].lower()
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(512)) + packer.flush()
    assert len(bomb) < MOST_BYTES / 8
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "more than 8 MB" in error_of(lambda it: it.sendall(response(bomb, "Content-Encoding: gzip")))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    assert "packed with br" in error_of(lambda it: it.sendall(response(b"x", "Content-Encoding: br")))


@pytest.mark.parametrize(
    "body",
    [b'{"choices":' + b"[" * 200_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[" * 100 + b"]" * 100],
)
def test_a_reply_that_is_nested_too_deeply_fails(body: bytes) -> None:
    assert f"nested more than {DEEPEST} deep" in error_of(lambda it: it.sendall(response(body)))
    assert "HTTP 500" in error_of(lambda it: it.sendall(response(body, status="500 Bad")))


def test_brackets_inside_texts_are_no_nesting() -> None:
    text = '[{"' * 10_000 + "\\"
    assert parse(json.dumps({"a": [text, text]}).encode()) == {"a": [text, text]}


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[1]",
        b"",
        b'{"choices": {"0": 1}}',
        b'{"choices": [3, null]}',
        completion(3),
        b'{"usage": 9' + b"9" * 5000,
    ],
)
def test_what_is_no_completion_fails(body: bytes) -> None:
    assert error_of(lambda it: it.sendall(response(body))).startswith(("the reply is not", "a reply without"))


def test_a_reply_that_drips_ends_with_the_time_of_its_request() -> None:
    def drip(connection: socket.socket) -> None:
        for byte in response(completion()):
            connection.sendall(bytes([byte]))
            time.sleep(0.2)

    assert error_of(drip, timeout=1.0) == "no reply within 1 s"


@pytest.mark.parametrize("usage", [{"prompt_tokens": -5}, {"prompt_tokens": 10**30}, {"prompt_tokens": True}, [], "x"])
def test_counts_that_are_none_are_not_counted(usage: Any) -> None:
    with raw(lambda it: it.sendall(response(completion(usage=usage)))) as server:
        endpoint = model(server.url, prices=(1.0, 1.0))
        assert ask(endpoint)[0].error is None
    assert endpoint.cost == 0


def test_bytes_that_are_no_text_and_halves_of_characters_spoil_no_answer() -> None:
    with raw(lambda it: it.sendall(response(completion().replace(b'"B"', b'"B \xff"')))) as server:
        assert ask(model(server.url))[0].texts == ("B �",) * 4
    with raw(lambda it: it.sendall(response(completion("B \ud800")))) as server:
        assert ask(model(server.url))[0].texts == ("B \ud800",) * 4


def test_an_error_in_a_reply_of_status_200_is_a_failure_even_beside_choices() -> None:
    body = completion(error={"message": "upstream failed, partial", "code": 502})
    assert error_of(lambda it: it.sendall(response(body))) == "a reply without an answer: upstream failed, partial"


def test_what_a_server_says_is_shown_without_control_characters() -> None:
    said = "\x1b[2J\x1b]0;pwned\x07 \u202ebad\r\nworse \x9b31m"
    for body, status in ((json.dumps({"error": {"message": said}}).encode(), "500 X"), (said.encode(), "418 X")):
        told = error_of(lambda it, body=body, status=status: it.sendall(response(body, status=status)))
        assert told.isprintable()
        assert told.endswith("bad worse 31m")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_image_and_no_key_follow_a_redirect_to_another_server(
    status: int, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDQ_DEG_API_KEY", "sk-secret-0123456789")
    with serving(FaultyServer()) as other:
        there = other.url.replace("127.0.0.1", host)
        location = f"Location: {there}/chat/completions"
        with raw(lambda it: it.sendall(response(b"", location, status=f"{status} X"))) as server:
            with pytest.raises(MedqDegError, match=rf"redirected to {there}/chat/completions, where no image is sent"):
                ask(model(server.url), 3)
            assert len([request for request in server.requests if request.startswith(b"POST")]) == 1
        assert other.asked == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_a_server_stays_a_post(status: int) -> None:
    def write(connection: socket.socket) -> None:
        first = b"/elsewhere" not in server.requests[-1].split(b"\r\n")[0]
        moved = response(b"", "Location: /elsewhere", status=f"{status} X")
        connection.sendall(moved if first else response(completion()))

    with raw(write) as server:
        assert ask(model(server.url))[0].texts == ("B",) * 4
    posts = [request for request in server.requests if request.startswith(b"POST")]
    assert [post.split(b" ")[1] for post in posts] == [b"/v1/chat/completions", b"/elsewhere"]
    assert all(b"data:image/png;base64" in post for post in posts)


def test_redirects_in_a_circle_end() -> None:
    circle = response(b"", "Location: /v1/chat/completions", status="307 X")
    with (
        raw(lambda it: it.sendall(circle)) as server,
        pytest.raises(MedqDegError, match="redirected more than 5 times"),
    ):
        ask(model(server.url))


def test_another_model_in_the_reply_is_recorded_and_warned_of_once() -> None:
    with serving(FaultyServer()) as server:
        server.reply = {"model": "tiny-2\x1b[31m"}
        endpoint = model(server.url)
        with pytest.warns(ServedModelWarning, match="'tiny' was asked, the replies come from 'tiny-2") as caught:
            ask(endpoint, 5)
    assert len(caught) == 1
    assert endpoint.record()["served"]["models"] == ["tiny-2 [31m"]


@pytest.mark.parametrize(
    "refused",
    [
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
        (402, {"error": {"message": "Insufficient credits"}}),
        (400, {"error": {"message": "Your credit balance is too low to access the API"}}),
    ],
)
def test_spent_money_ends_the_run_at_once_in_the_servers_words_and_keeps_what_was_answered(refused: Any) -> None:
    replies: list[Reply] = []
    with serving(FaultyServer(lambda asked: refused if asked.number >= 6 else None)) as server:
        answers = model(server.url, concurrency=2, retries=Retries(9, 5.0)).answer(Rows(50), 2)
        with pytest.raises(MedqDegError, match=refused[1]["error"]["message"]):
            replies.extend(answers)
        assert len(server.asked) <= 6 + 2
    assert [reply.error for reply in replies[:5]] == [None] * 5


def test_a_server_that_fails_in_one_way_on_every_request_ends_the_run_after_half_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert learning.DEAD_SECONDS == 30
    dead = (503, {"error": {"message": "no backend is alive"}})
    with serving(FaultyServer(lambda asked: dead if asked.number > 3 else None)) as server:
        endpoint = model(server.url, retries=Retries(10**6, 0.05, 0.05), concurrency=3)
        endpoint.memory.dead_seconds = 1.0
        start = time.monotonic()
        with pytest.raises(MedqDegError, match=r"failed on every request .*HTTP 503: no backend is alive; .*goes on"):
            ask(endpoint, 50)
        assert time.monotonic() - start >= endpoint.memory.dead_seconds
    assert math.isinf(model(server.url, give_up_after=0).memory.dead_seconds)


def test_a_server_that_answers_now_and_then_is_not_dead() -> None:
    with serving(FaultyServer(lambda asked: "500" if asked.number % 3 else None)) as server:
        endpoint = model(server.url, retries=Retries(10, 0.05, 0.05), concurrency=1)
        endpoint.memory.dead_seconds = 0.5
        assert all(reply.error is None for reply in ask(endpoint, 10))


@pytest.mark.parametrize("when", ["unserved", "served"])
def test_a_stop_ends_waiting_at_once_and_gives_up_the_row_unanswered(when: str) -> None:
    told: list[str] = []
    rows = Rows(20)
    first = 0 if when == "unserved" else 3
    with serving(FaultyServer(lambda asked: "429" if asked.number >= first else None)) as server:
        server.retry_after = "999999"
        threading.Timer(1.0, lambda: setattr(rows, "stopped", True)).start()
        start = time.monotonic()
        replies = list(model(server.url, retries=Retries(), tell=told.append, concurrency=2).answer(rows, 4))
        assert time.monotonic() - start < 120 / 2, "half of what it waits otherwise"
    assert len(replies) == first
    assert set(told) == {"waiting 120 s: HTTP 429: fault 429"}


BAD = {
    "a web page": (response(b"<!doctype html><p>Sign in", kind="text/html"), "is a web page, not a chat endpoint"),
    "a page that is not found": (
        response(b"<h1>Not found</h1>", status="404 Not Found", kind="text/html"),
        "has no model 'tiny', or is no chat endpoint: HTTP 404: Not found",
    ),
    "a page that takes no POST": (response(b"", status="405 X"), "or is no chat endpoint: HTTP 405"),
    "a model without images (vLLM)": (
        response(b'{"error": {"message": "At most 0 image(s) may be provided in one prompt."}}', status="400 X"),
        "'tiny' at .* takes no images: HTTP 400: At most 0 image",
    ),
    "a model without images (llama.cpp)": (
        response(b'{"error": {"message": "image input is not supported - hint: provide the mmproj"}}', status="500 X"),
        "'tiny' at .* takes no images: HTTP 500: image input is not supported",
    ),
    "a model without images (OpenAI)": (
        response(b'{"error": {"message": "image_url is only supported by certain models."}}', status="400 X"),
        "takes no images",
    ),
    "a model without images (a gateway)": (
        response(b'{"error": {"message": "this deployment is text-only: drop each image"}}', status="400 X"),
        "takes no images",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_serve_is_an_error_at_the_first_row(case: str) -> None:
    reply, said = BAD[case]
    with raw(lambda it: it.sendall(reply)) as server:
        with pytest.raises(MedqDegError, match=said):
            ask(model(server.url, retries=ONCE), 30)
        assert len([request for request in server.requests if request.startswith(b"POST")]) <= 4


def test_one_image_that_cannot_be_used_is_not_a_model_without_images() -> None:
    message = "Invalid image: the image format is not supported, expected PNG"
    with serving(FaultyServer(lambda asked: (400, {"error": message}) if asked.row == "row0" else None)) as server:
        replies = {reply.id: reply.error for reply in ask(model(server.url), 3)}
    assert replies == {"row0": f"HTTP 400: {message}", "row1": None, "row2": None}


def test_a_path_without_its_version_gets_a_hint() -> None:
    with serving(FaultyServer(lambda asked: "404")) as server, pytest.raises(MedqDegError, match="often ends in /v1"):
        ask(model(server.url.replace("/v1", "/api")))


def test_tls_to_a_plain_port_says_so() -> None:
    with serving(FaultyServer()) as server, pytest.raises(MedqDegError, match=r"speaks no TLS .*; use http://"):
        ask(model(server.url.replace("http:", "https:"), retries=ONCE))


def test_an_endpoint_that_closes_every_connection_ends_the_run() -> None:
    with (
        raw(lambda it: it.close()) as server,
        pytest.raises(MedqDegError, match=r"rows failed one after.*Protocol"),
    ):
        ask(model(server.url, retries=ONCE, give_up_after=5), 30)


def test_a_refusal_that_every_row_meets_is_shown_three_times_and_no_more() -> None:
    with serving(FaultyServer(lambda asked: (400, {"error": "bad moon"}))) as server:
        replies: list[Reply] = []
        with pytest.raises(MedqDegError, match="3 rows failed one after another, the last with: HTTP 400: bad moon"):
            replies.extend(model(server.url).answer(Rows(50), 4))
    assert len(replies) == 3
