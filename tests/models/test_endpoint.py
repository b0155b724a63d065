"""Endpoints: real requests to a real server on loopback that fails in the ways real ones do."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from medq_deg.errors import MedqDegError, RowError
from medq_deg.models.base import Query, Reply
from medq_deg.models.endpoint import EndpointModel, SamplingWarning
from medq_deg.models.parsing import parse_answer
from medq_deg.models.retry import Retries, retry_after
from tests.models.endpoint_rows import IMAGE, OPTIONS, QUICK, Rows, ask
from tests.models.faulty_server import (
    COMPLETION_TOKENS,
    FAULTS,
    ODDITIES,
    PROMPT_TOKENS,
    Asked,
    FaultyServer,
    seeded,
    serving,
)

KEY = "sk-very-secret-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDQ_DEG_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def model(server: FaultyServer, **options: Any) -> EndpointModel:
    return EndpointModel(server.url, "tiny", **{"retries": QUICK, "timeout": 5.0, **options})


@pytest.mark.slow
@pytest.mark.parametrize("honours_n", [True, False])
def test_a_third_of_the_replies_faulty_and_no_vote_is_lost_asked_twice_or_wrong(honours_n: bool) -> None:
    rows, trials = 120 if honours_n else 20, 6
    with serving(FaultyServer(seeded(0.3, FAULTS + ODDITIES, seed=4), honours_n=honours_n)) as server:
        endpoint = model(server, timeout=0.8, prices=(2.0, 8.0))
        replies = ask(endpoint, rows, trials)
    assert set(server.faults()) == {None, *FAULTS, *ODDITIES}
    assert sorted(reply.id for reply in replies) == sorted(f"row{index}" for index in range(rows))
    for reply in replies:
        assert reply.error is None
        assert len(reply.texts) == trials
        asked = [request for request in server.asked if request.row == reply.id]
        # Choices beyond those asked for are left out; everything else that was served is a vote.
        kept = [text for request in asked for text in request.served[: request.n]]
        assert sorted(reply.texts) == sorted(kept)
        seeds = [request.body["seed"] for request in asked if request.served]
        assert len(seeds) == len(set(seeds))
        assert reply.usage == {
            "prompt_tokens": sum(request.tokens[0] for request in asked),
            "completion_tokens": sum(request.tokens[1] for request in asked),
        }
        for text in reply.texts:
            letter = parse_answer(text, OPTIONS)
            answer = text.partition("Answer: ")[2]
            assert letter == (answer[0] if answer else None)
    tokens = [sum(request.tokens[kind] for request in server.asked) for kind in (0, 1)]
    assert [endpoint.usage[kind] for kind in ("prompt_tokens", "completion_tokens")] == tokens
    # A few more were sent, into connections that the server had just closed.
    assert len(server.asked) <= endpoint.usage["requests"] < len(server.asked) + 10
    assert endpoint.cost == pytest.approx((2.0 * tokens[0] + 8.0 * tokens[1]) / 1e6)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_tried_again(fault: str) -> None:
    with serving(FaultyServer(lambda asked: fault if asked.number in {0, 2} else None, hang=0.6)) as server:
        replies = ask(model(server, timeout=0.4), 2)
    assert [reply.error for reply in replies] == [None, None]
    assert sorted(replies[0].texts + replies[1].texts) == sorted(text for a in server.asked for text in a.served)


def test_a_row_that_keeps_failing_is_missing_data_and_the_others_are_answered() -> None:
    with serving(FaultyServer(lambda asked: "500" if asked.row == "row1" else None)) as server:
        replies = {reply.id: reply for reply in ask(model(server, retries=Retries(2, 0.001)), 3)}
    assert replies["row1"].error == "HTTP 500: fault 500"
    assert replies["row1"].texts == ()
    assert len([asked for asked in server.asked if asked.row == "row1"]) == 3
    assert len(replies["row0"].texts) == len(replies["row2"].texts) == 4


def test_votes_of_a_failed_row_are_kept_and_only_the_others_are_asked_at_the_next_start() -> None:
    fails = True

    def behave(asked: Asked) -> str | None:
        return "500" if fails and asked.number >= 5 else None

    with serving(FaultyServer(behave, honours_n=False)) as server:
        endpoint = model(server, retries=Retries(0), concurrency=1)
        assert ask(endpoint, 1, trials=8)[0].error is not None
        kept = server.served("row0")
        fails = False
        reply = ask(endpoint, 1, trials=8)[0]
    assert len(kept) == 5
    assert sorted(reply.texts) == sorted(server.served("row0"))
    assert len(reply.texts) == len(set(reply.texts)) == 8


def test_a_request_shows_the_image_and_samples_at_temperature_one_with_seeds_of_its_own() -> None:
    with serving(FaultyServer(honours_n=False)) as server:
        ask(model(server, max_new_tokens=9, extra_body={"top_k": -1, "top_p": None}), 3)
    body = server.asked[0].body
    assert (body["model"], body["temperature"], body["max_tokens"], body["top_k"]) == ("tiny", 1.0, 9, -1)
    assert "top_p" not in body
    assert "stream" not in body or body["stream"] is False
    image, prompt = body["messages"][0]["content"]
    data = base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(IMAGE))
    assert prompt["text"] == "Row row0. Which?"
    seeds = [asked.body["seed"] for asked in server.asked]
    assert len(set(seeds)) == len(seeds) == 12
    assert all(0 <= seed < 2**31 for seed in seeds)
    with serving(FaultyServer(honours_n=False)) as again:
        ask(model(again), 3)
    assert sorted(asked.body["seed"] for asked in again.asked) == sorted(seeds)


def test_a_server_that_honours_n_is_asked_once_for_each_row() -> None:
    with serving(FaultyServer()) as server:
        replies = ask(model(server), 10)
    assert [asked.n for asked in server.asked] == [4] * 10
    assert all(len(reply.texts) == 4 for reply in replies)


def test_a_server_that_ignores_n_is_found_out_by_its_choices_and_no_vote_is_thrown_away() -> None:
    concurrency = 8
    with serving(FaultyServer(honours_n=False)) as server:
        replies = ask(model(server, concurrency=concurrency), 10)
    assert len(server.asked) == 40
    # What is in flight when the second short reply arrives may still ask for several; they arrive in any order.
    assert 2 <= sum(asked.n > 1 for asked in server.asked) <= 1 + concurrency
    assert sorted(text for reply in replies for text in reply.texts) == sorted(
        text for asked in server.asked for text in asked.served
    )


def test_one_short_reply_does_not_make_ten_requests_of_each_later_one() -> None:
    with serving(FaultyServer(lambda asked: "fewer" if asked.number == 0 else None)) as server:
        ask(model(server), 5, trials=2)
    first, *later = (asked.n for asked in server.asked)
    assert (first, sorted(later)) == (2, [1, 2, 2, 2, 2])


def test_a_server_that_refuses_n_is_asked_for_one_vote_at_a_time() -> None:
    with serving(FaultyServer(honours_n="refuses")) as server:
        replies = ask(model(server, concurrency=1), 5)
    assert all(len(reply.texts) == 4 for reply in replies)
    assert [asked.n for asked in server.asked] == [4] + [1] * 20


def test_a_row_that_the_server_calls_malformed_says_nothing_about_n() -> None:
    with serving(FaultyServer(lambda asked: "400" if asked.row in {"row0", "row2"} else None)) as server:
        replies = {reply.id: reply for reply in ask(model(server), 4)}
    assert replies["row0"].error == replies["row2"].error == "HTTP 400: fault 400"
    assert [asked.n for asked in server.asked if asked.row in {"row1", "row3"}] == [4, 4]
    assert len([asked for asked in server.asked if asked.row == "row2"]) == 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("cut by length", ""),
        ("filtered", ""),
        ("only reasoning", ""),
        ("said nothing", ""),
        ("parts", "B"),
        ("beside reasoning", "B"),
    ],
)
def test_what_answers_nothing_is_an_unparsable_text_and_not_a_failure(fault: str, text: str) -> None:
    with serving(FaultyServer(lambda asked: fault)) as server:
        reply = ask(model(server))[0]
    assert reply.texts == (text,) * 4
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", ["null", "no message"])
def test_a_reply_without_a_text_fails_in_the_end(fault: str) -> None:
    with serving(FaultyServer(lambda asked: fault)) as server:
        reply = ask(model(server, retries=Retries(1, 0.001)))[0]
    assert reply.error == "a reply without an answer"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401", r"refuses to serve: HTTP 401: fault 401 \(the key comes from MEDQ_DEG_API_KEY; none was sent\)"),
        ("403", "refuses to serve: HTTP 403"),
        ("404", "has no model 'tiny', or is no chat endpoint: HTTP 404"),
    ],
)
def test_a_server_that_cannot_be_used_stops_the_run_at_the_first_request(status: str, said: str) -> None:
    with serving(FaultyServer(lambda asked: status)) as server:
        with pytest.raises(MedqDegError, match=said):
            ask(model(server), 30)
        assert len(server.asked) == 1


def test_a_server_that_is_not_there_stops_the_run() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    rows = Rows(50)
    endpoint = EndpointModel(url, "tiny", retries=Retries(3, 0.001))
    with pytest.raises(MedqDegError, match=rf"{url}/v1/chat/completions cannot be reached: .*ConnectError.*4 tries"):
        list(endpoint.answer(rows, 4))
    assert rows.claimed == [0]


def test_a_server_that_goes_down_stops_the_run_after_some_failed_rows() -> None:
    replies: list[Reply] = []
    rows = Rows(500)
    with serving(FaultyServer()) as server:
        endpoint = model(server, retries=Retries(1, 0.001), give_up_after=6, concurrency=2)

        def run() -> None:
            for reply in endpoint.answer(rows, 2):
                replies.append(reply)
                if len(replies) == 5:
                    server.stop()

        with pytest.raises(MedqDegError, match=r"rows failed one after another, the last with: .*goes on from there"):
            run()
    assert [reply.error for reply in replies[:5]] == [None] * 5
    assert 11 <= len(replies) <= len(rows.claimed) < 20
    assert all(reply.error for reply in replies[-6:])


def test_a_request_that_every_row_makes_wrongly_stops_the_run_but_wrong_rows_among_good_ones_do_not() -> None:
    with serving(FaultyServer(lambda asked: "422")) as server, pytest.raises(MedqDegError, match=r"HTTP 422"):
        ask(model(server, give_up_after=3), 30)
    with serving(FaultyServer(lambda asked: None if asked.row == "row0" else "422")) as server:
        replies = ask(model(server, give_up_after=3), 30)
    assert len(replies) == 30
    with serving(FaultyServer(lambda asked: "500")) as server:
        replies = ask(model(server, retries=Retries(0), give_up_after=0), 30)
    assert len(replies) == 30


class Waits:
    """Stands in for the clock: remembers the waits, and does not wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def test_waits_double_and_are_capped() -> None:
    clock = Waits()
    with serving(FaultyServer(lambda asked: "500")) as server:
        retries = Retries(7, base=0.5, longest=10.0, sleep=clock.sleep, random=lambda: 1.0)
        ask(model(server, retries=retries, concurrency=1))
    assert clock.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert len(server.asked) == 8


def test_waits_are_drawn_between_nothing_and_the_longest() -> None:
    drawn = {Retries().wait(failures) for failures in [3] * 50}
    assert len(drawn) == 50
    assert 0 <= min(drawn) < 0.6 < 1.4 < max(drawn) <= 2.0
    assert Retries().wait(10**6) <= 120


@pytest.mark.parametrize("status", ["429", "503"])
def test_the_server_may_ask_to_wait_seconds_or_until_a_date_within_bounds(status: str) -> None:
    clock = Waits()
    asks = ["7", formatdate(time.time() + 60, usegmt=True), "soon", "86400"]

    def behave(asked: Asked) -> str | None:
        if asked.number == len(asks):
            return None
        server.retry_after = asks[asked.number]
        return status

    with serving(FaultyServer(behave)) as server:
        reply = ask(model(server, retries=Retries(5, longest=90, sleep=clock.sleep, random=lambda: 0.0)))[0]
    assert reply.error is None
    assert clock.waits == [7, pytest.approx(60, abs=5), 0, 90]


def test_retry_after_reads_numbers_and_dates_and_nothing_else() -> None:
    assert retry_after("1.5", 0) == 1.5
    assert retry_after("-3", 0) == 0
    assert retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40) == 60
    assert retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 500) == 0
    assert [retry_after(value, 0) for value in (None, "", "soon", "nan", "inf")] == [None] * 5


@pytest.mark.parametrize("honours_n", [True, False])
def test_as_many_requests_as_wanted_are_in_flight_and_rows_are_claimed_as_they_end(honours_n: bool) -> None:
    rows = Rows(30)
    with serving(FaultyServer(honours_n=honours_n, delay=0.05)) as server:
        replies = 0
        for _ in model(server, concurrency=6).answer(rows, 4):
            replies += 1
            assert len(rows.claimed) <= replies + 12
    assert server.most_at_once == 6
    assert replies == 30


def test_a_stopped_run_takes_no_new_rows_and_finishes_those_in_flight() -> None:
    rows = Rows(100)
    replies = []
    with serving(FaultyServer(seeded(0.2, ("500",)), delay=0.03)) as server:
        for reply in model(server, concurrency=4).answer(rows, 4):
            replies.append(reply)
            if len(replies) == 6:
                rows.stopped = True
    assert 6 < len(replies) == len(rows.claimed) <= 6 + 8
    assert all(len(reply.texts) == 4 for reply in replies)


def test_closing_the_generator_cancels_what_is_in_flight_and_leaves_no_thread() -> None:
    with serving(FaultyServer(lambda asked: "hang" if asked.number > 2 else None, hang=30.0)) as server:
        replies = model(server, timeout=60.0).answer(Rows(100), 4)
        next(replies)
        start = time.monotonic()
        replies.close()
        assert time.monotonic() - start < server.hang / 2
    assert not [thread for thread in threading.enumerate() if thread.name == "medq-deg-endpoint"]


def test_a_row_that_cannot_be_read_fails_alone() -> None:
    class Unreadable(Rows):
        def __getitem__(self, index: int) -> Query:
            if index in (0, 3):
                raise RowError(f"row{index}", "the image is broken")
            return super().__getitem__(index)

    with serving(FaultyServer()) as server:
        replies = {reply.id: reply for reply in model(server).answer(Unreadable(5), 4)}
    assert replies.pop("row0").error == "row 'row0' cannot be read: the image is broken"
    assert replies.pop("row3").error == "row 'row3' cannot be read: the image is broken"
    assert all(reply.error is None for reply in replies.values())
    assert len(replies) == 3


def test_it_works_beside_a_loop_of_the_caller_such_as_a_notebook_has() -> None:
    async def cell() -> list[Reply]:
        return ask(model(server), 3)

    # Not in this thread: where pages were tested before, the browser's driver has a loop here.
    with serving(FaultyServer()) as server, ThreadPoolExecutor(1) as threads:
        assert len(threads.submit(asyncio.run, cell()).result()) == 3


def test_requests_go_on_while_the_caller_is_busy() -> None:
    with serving(FaultyServer(delay=0.1)) as server:
        replies = model(server, timeout=0.8, retries=Retries(0)).answer(Rows(6), 2)
        next(replies)
        next(replies)
        time.sleep(1.2)
        assert [reply.error for reply in replies] == [None] * 4


@pytest.mark.slow
def test_a_server_whose_votes_are_always_identical_is_warned_of_once() -> None:
    with serving(FaultyServer(say=lambda asked, number: "B")) as server:
        endpoint = model(server)
        with pytest.warns(SamplingWarning, match="4 votes of each of the first 20 rows are identical") as caught:
            ask(endpoint, 45)
        assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with serving(FaultyServer(say=lambda asked, number: "BA"[number == 30])) as server:
            ask(model(server), 45)
        with serving(FaultyServer(say=lambda asked, number: "B")) as server:
            ask(model(server), 45, trials=1)


@pytest.mark.parametrize("fault", ["echo 400", "echo 401", "echo 500", "echo text"])
def test_the_key_is_sent_and_never_shown(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQ_DEG_API_KEY", KEY)
    with serving(FaultyServer(lambda asked: fault)) as server:
        endpoint = model(server, retries=Retries(1, 0.001))
        try:
            shown = repr(ask(endpoint, 2))
        except MedqDegError as error:
            shown = "".join(traceback.format_exception(error))
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    shown += json.dumps(endpoint.describe()) + repr(endpoint.server)
    assert "***" in shown
    assert KEY[:8] not in shown


def test_no_key_of_another_service_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(FaultyServer()) as server:
        ask(model(server))
        assert "authorization" not in server.asked[0].headers
        ask(model(server, key_variable="OPENAI_API_KEY"))
        assert server.asked[1].headers["authorization"] == f"Bearer {KEY}"
        with pytest.raises(MedqDegError, match="variable 'MY_KEY', which should hold the endpoint's key, is not set"):
            model(server, key_variable="MY_KEY")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://api.openai.com/v1", "openai-key"),
        ("https://router.huggingface.co/v1", "hf_token"),
        ("https://example.org/v1", None),
        ("https://openai.com.example.org/v1", None),
        ("http://api.openai.com/v1", None),
    ],
)
def test_a_key_goes_only_where_it_belongs(url: str, sent: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert EndpointModel(url, "m").server.key == sent
    monkeypatch.setenv("MEDQ_DEG_API_KEY", "own-key")
    assert EndpointModel(url, "m").server.key == "own-key"


@pytest.mark.parametrize(
    ("url", "chat"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1/chat/completions"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1/chat/completions"),
        ("https://e.org/v1beta/openai", "https://e.org/v1beta/openai/chat/completions"),
        ("https://e.org/x/chat/completions?api-version=1", "https://e.org/x/chat/completions?api-version=1"),
    ],
)
def test_the_chat_completions_of_a_url(url: str, chat: str) -> None:
    assert EndpointModel(url, "m").describe()["endpoint"] == chat


@pytest.mark.parametrize(
    "url", ["http://me:word@e.org", "http://word@e.org", "http://e.org/v1?key=word", "http://e.org/#word"]
)
def test_a_url_that_may_hold_a_secret_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MedqDegError, match="only api-version is allowed") as caught:
        EndpointModel(url, "m")
    assert "word" not in str(caught.value).replace("password", "")


def test_the_hub_is_not_asked_offline() -> None:
    with pytest.raises(MedqDegError, match=r"router.huggingface.co is the Hub's, and HF_HUB_OFFLINE"):
        EndpointModel("https://router.huggingface.co/v1", "m")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://e.org", "http://", "http://e.org:port"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(MedqDegError, match="not an http or https URL"):
        EndpointModel(url, "m")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concurrency": 0}, "concurrency must be 1 or more, got 0"),
        ({"timeout": 0}, "timeout must be more than 0 seconds, got 0"),
        ({"timeout": float("nan")}, "timeout must be more than 0 seconds, got nan"),
        ({"max_new_tokens": 0}, "max_new_tokens must be 1 or more, got 0"),
        ({"give_up_after": -1}, "give_up_after must be 0 or more rows, got -1"),
        ({"prices": (1.0, -1.0)}, "prices must be two numbers of 0 or more"),
        ({"extra_body": {"n": 3}}, "extra_body must not hold 'n'"),
        ({"extra_body": {"temperature": 0}}, "extra_body may hold 'temperature' only as null"),
        ({"extra_body": {"x": float("nan")}}, "extra_body must be JSON"),
        ({"extra_body": {"x": {KEY: 1}}}, "extra_body holds the endpoint's key"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQ_DEG_API_KEY", KEY)
    with pytest.raises(MedqDegError, match=said) as caught:
        EndpointModel("http://localhost:1", "m", **options)
    assert KEY not in str(caught.value)


def test_a_key_with_a_line_break_inside_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQ_DEG_API_KEY", "one\ntwo")
    with pytest.raises(MedqDegError, match="MEDQ_DEG_API_KEY holds is no key") as caught:
        EndpointModel("http://localhost:1", "m")
    assert "two" not in str(caught.value)


def test_retries_are_checked() -> None:
    with pytest.raises(MedqDegError, match="retries must be 0 or more, got -1"):
        Retries(-1)
    with pytest.raises(MedqDegError, match="waits must be finite"):
        Retries(1, base=float("inf"))


def test_the_only_model_of_a_server_need_not_be_named() -> None:
    with serving(FaultyServer()) as server:
        assert EndpointModel(server.url).describe()["name"] == "tiny"
        server.models = ["tiny", "large"]
        with pytest.raises(MedqDegError, match="lists 2 models, name one of them: tiny, large"):
            EndpointModel(server.url)
        url = server.url
    with pytest.raises(MedqDegError, match=r"the list of models cannot be read .*; name the model"):
        EndpointModel(url)


def test_a_description_is_json_and_tells_what_makes_the_answers() -> None:
    endpoint = EndpointModel("http://localhost:1/v1", "m", extra_body={"min_p": 0.0}, concurrency=3, timeout=9)
    assert json.loads(json.dumps(endpoint.describe())) == {
        "name": "m",
        "endpoint": "http://localhost:1/v1/chat/completions",
        "generation": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 32, "min_p": 0.0},
    }
    assert endpoint.cost is None
    assert EndpointModel("http://localhost:1", "m", prices=(1, 2)).cost == 0


def test_replies_count_their_tokens() -> None:
    with serving(FaultyServer()) as server:
        reply = ask(model(server), trials=5)[0]
    assert reply.usage == {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 5 * COMPLETION_TOKENS}
