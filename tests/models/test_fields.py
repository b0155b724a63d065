"""A field that a server refuses is read from the words of real servers, and left out or renamed from then on."""

from __future__ import annotations

from typing import Any

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.models.fields import refusal_of
from tests.models.endpoint_rows import ask, model
from tests.models.faulty_server import Asked, FaultyServer, serving

SENT = ("temperature", "top_p", "max_tokens", "seed", "n", "top_k", "min_p", "logprobs")


def openai(message: str, param: str | None = None, code: str = "unsupported_parameter") -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


NEWER = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
REFUSALS = [
    # OpenAI's reasoning models
    (
        openai(
            NEWER,
            "max_tokens",
        ),
        {"max_tokens"},
        {"max_tokens": "max_completion_tokens"},
    ),
    (openai("Unsupported parameter: 'top_p' is not supported with this model.", "top_p"), {"top_p"}, {}),
    (openai("Unrecognized request argument supplied: top_k", None), {"top_k"}, {}),
    (openai("Unrecognized request arguments supplied: min_p, top_k", None), {"min_p", "top_k"}, {}),
    (openai("Unknown parameter: 'min_p'.", "min_p", "unknown_parameter"), {"min_p"}, {}),
    (openai("you are not allowed to request logprobs from this model"), {"logprobs"}, {}),
    # pydantic, behind FastAPI
    (
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
        {"seed"},
        {},
    ),
    ({"detail": "Unexpected fields in the request: {'top_k', 'min_p'}"}, {"top_k", "min_p"}, {}),
    # serde, with a list of what it would take
    (
        {"error": "unknown field `min_p`, expected one of `model`, `messages`, `temperature`, `top_p`, `seed`"},
        {"min_p"},
        {},
    ),
    ({"message": "Property top_k is unsupported. Supported parameters: temperature, top_p, seed"}, {"top_k"}, {}),
    # Anthropic: one of two
    (
        openai("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        {"top_p"},
        {},
    ),
    (openai("seed: Extra inputs are not permitted"), {"seed"}, {}),
    # not about a field
    (openai("This model's maximum context length is 4096 tokens, max_tokens is too large: 5000"), set(), {}),
    (openai("Could not process image"), set(), {}),
    ({"error": {"message": "fault 400"}}, set(), {}),
    (None, set(), {}),
    ([], set(), {}),
    ({"detail": [{"loc": None}, 3]}, set(), {}),
]


@pytest.mark.parametrize(("body", "names", "newer"), REFUSALS)
def test_the_fields_that_servers_refuse_are_read_from_their_words(
    body: Any, names: set[str], newer: dict[str, str]
) -> None:
    from medq_deg.models.retry import told

    refusal = refusal_of(body, told(body), SENT, 1)
    assert (refusal.names, dict(refusal.newer), refusal.several) == (names, newer, False)


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("Invalid 'n': integer above maximum value. Expected a value <= 8, but got 10 instead.", 8),
        ("n must be between 1 and 4, got 10", 4),
        ("n: must be less than or equal to 5", 5),
        ("Only one completion choice is allowed for gpt-4o-2024", 1),
        ("n_cmpl cannot be greater than the number of slots, please increase -np", None),
        ("The number of completions is too large", None),
        ("n > 1 is not supported", 1),
    ],
)
def test_the_limit_of_choices_is_read_where_it_is_named(message: str, limit: int | None) -> None:
    refusal = refusal_of(openai(message), message, SENT, 10)
    assert (refusal.several, refusal.limit) == (True, limit)


def refuses(field: str, body: dict[str, Any]) -> Any:
    """A server that answers 400 as long as a field is in the request."""
    return lambda asked: (400, body) if field in asked.body else None


@pytest.mark.parametrize("field", ["top_p", "seed", "min_p"])
def test_a_refused_field_costs_one_request_and_is_left_out_for_the_rest_of_the_run(field: str) -> None:
    told: list[str] = []
    behave = refuses(field, openai(f"Unsupported parameter: '{field}' is not supported with this model.", field))
    with serving(FaultyServer(behave)) as server:
        server.owner = "vllm"
        endpoint = model(server.url, tell=told.append)
        replies = ask(endpoint, 5)
    assert all(len(reply.texts) == 4 for reply in replies)
    assert len(server.asked) == 6
    assert endpoint.record()["served"]["left_out"] == [field]
    assert endpoint.record()["sampling"]["neutral"] == ("unknown" if field != "seed" else True)
    assert told == [f"the server takes requests only without {field}"]
    assert endpoint.usage["requests"] == 5


def test_a_field_is_sent_under_its_newer_name() -> None:
    with serving(FaultyServer(refuses("max_tokens", openai(NEWER, "max_tokens")))) as server:
        endpoint = model(server.url, max_new_tokens=99)
        ask(endpoint, 3)
    assert [asked.body.get("max_completion_tokens") for asked in server.asked] == [None, 99, 99, 99]
    assert endpoint.record()["served"]["renamed"] == {"max_tokens": "max_completion_tokens"}


def test_several_fields_that_are_refused_one_after_another_are_all_left_out() -> None:
    def behave(asked: Asked) -> Any:
        for field in ("max_tokens", "max_completion_tokens", "top_p", "seed"):
            if field in asked.body:
                return 422, openai(f"Unknown parameter: '{field}'.", field)
        return None

    with serving(FaultyServer(behave)) as server:
        endpoint = model(server.url)
        replies = ask(endpoint, 2)
    assert [reply.error for reply in replies] == [None, None]
    assert len(server.asked) == 4 + 2
    assert endpoint.record()["served"]["left_out"] == ["max_tokens", "seed", "top_p"]


def test_a_model_that_fixes_its_temperature_is_an_error_that_says_why_and_what_to_do() -> None:
    message = "Unsupported value: 'temperature' does not support 1.0 with this model. Only the default is."
    behave = refuses("temperature", openai(message, "temperature", "unsupported_value"))
    with serving(FaultyServer(behave)) as server:
        with pytest.raises(MedqDegError, match=r"refuses temperature 1, by which votes are .*Models that reason"):
            ask(model(server.url), 5)
        assert len(server.asked) == 1
        endpoint = model(server.url, extra_body={"temperature": None})
        assert ask(endpoint)[0].error is None
    assert endpoint.record()["sampling"]["neutral"] == "unknown"


def test_a_users_own_field_is_not_left_out_silently_but_logprobs_change_no_vote() -> None:
    behave = refuses("reasoning_effort", openai("Unknown parameter: 'reasoning_effort'.", "reasoning_effort"))
    with serving(FaultyServer(behave)) as server:
        reply = ask(model(server.url, extra_body={"reasoning_effort": "low"}))[0]
        assert reply.error == "HTTP 400: Unknown parameter: 'reasoning_effort'."
    with serving(FaultyServer(refuses("logprobs", openai("logprobs are not supported", "logprobs")))) as server:
        assert ask(model(server.url, extra_body={"logprobs": True}))[0].error is None


def limited(limit: int, message: str) -> Any:
    return lambda asked: (400, openai(message, "n")) if asked.n > limit else None


@pytest.mark.parametrize(
    ("limit", "message", "asked"),
    [
        (4, "n must be between 1 and 4", [10, 4, 4, 2]),
        (4, "n is too large", [10, 5, 2, 2, 2, 2, 2]),
        (5, "too many completion choices", [10, 5, 5]),
        (1, "Only one completion choice is allowed", [10] + [1] * 10),
        (1, "n is too large", [10, 5, 2] + [1] * 10),
    ],
)
def test_a_limit_of_choices_is_used_where_it_is_named_and_else_found_by_halving(
    limit: int, message: str, asked: list[int]
) -> None:
    with serving(FaultyServer(limited(limit, message))) as server:
        endpoint = model(server.url, concurrency=1)
        replies = ask(endpoint, 1, trials=10)
        assert [request.n for request in server.asked] == asked
        first = len(server.asked)
        replies += ask(endpoint, 1, trials=10)
    used = max(n for n in asked if n <= limit)
    assert [request.n for request in server.asked[first:]] == asked[-len(server.asked[first:]) :]
    assert len(server.asked) - first == -(-10 // used)
    assert all(len(reply.texts) == 10 for reply in replies)
    assert endpoint.record()["served"]["choices_at_most"] == used
    seeds = [request.body["seed"] for request in server.asked[:first] if request.served]
    assert len(seeds) == len(set(seeds))


def test_a_server_that_refuses_what_it_is_sent_on_trial_without_a_word_is_asked_without_it() -> None:
    with serving(FaultyServer(lambda asked: "400" if "min_p" in asked.body else None)) as server:
        replies = ask(model(server.url), 3)
    assert all(len(reply.texts) == 4 for reply in replies)
    assert [asked.n for asked in server.asked if asked.served] == [4, 4, 4]
