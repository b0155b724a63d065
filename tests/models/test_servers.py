"""Servers are recognised, and sample from the model's own distribution; where that is not known, it is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medq_deg.models.servers import OFF, SERVERS, UNKNOWN, ServerKind, is_neutral, kind_of_host, neutral_fields
from tests.models.endpoint_rows import ask, model
from tests.models.faulty_server import Asked, FaultyServer, serving

BY_NAME = {kind.name: kind for kind in SERVERS}
SAMPLERS = ("vLLM", "SGLang", "llama.cpp")
FINGERPRINTS = {"vLLM": "vllm-0.32.0-tp1-1a2b3c", "llama.cpp": "b7342-1a2b3c4d5"}


def defaults(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """What such a server samples with: its own settings, or the checkpoint's, wherever a request is silent."""
    own = {
        "vLLM": {"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.05, "top_p": 0.8, "temperature": 0.7},
        "SGLang": {"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.05, "top_p": 0.8, "temperature": 0.7},
        "llama.cpp": {"top_k": 40, "min_p": 0.05, "typical_p": 0.9, "top_p": 0.95, "repeat_penalty": 1.1},
    }[kind]
    return {name: body.get(name, value) for name, value in own.items()}


@pytest.mark.parametrize(
    ("name", "by"),
    [
        *((name, "owner") for name in SAMPLERS),
        *((name, "header") for name in SAMPLERS if BY_NAME[name].headers),
        *((name, "fingerprint") for name in SAMPLERS if BY_NAME[name].fingerprint),
    ],
)
def test_a_server_that_fills_in_settings_is_recognised_and_told_all_of_them(name: str, by: str) -> None:
    kind = BY_NAME[name]
    with serving(FaultyServer()) as server:
        if by == "owner":
            server.owner = kind.owners[0]
        elif by == "header":
            server.headers = dict([kind.headers[0].split(": ")])
        else:
            server.reply = {"system_fingerprint": FINGERPRINTS[name]}
        endpoint = model(server.url)
        replies = ask(endpoint, 3)
    votes = {text for reply in replies for text in reply.texts}
    counted = [asked for asked in server.asked if votes & set(asked.served)]
    assert len(counted) == 3
    for asked in counted:
        sampled = defaults(name, asked.body)
        assert all(value in OFF[field] for field, value in sampled.items()), sampled
        assert asked.body["temperature"] == 1.0
        assert asked.body["top_p"] == 1.0
    if name == "llama.cpp":
        assert counted[0].body["samplers"] == ["temperature"]
    record = endpoint.record()
    assert record["served"]["server"] == name
    assert record["sampling"]["neutral"] is True
    assert kind.fields.items() <= record["sampling"]["sent"].items()
    assert name in record["sampling"]["how"]
    assert json.loads(json.dumps(record)) == record


def test_votes_that_were_sampled_before_the_server_was_recognised_do_not_count() -> None:
    with serving(FaultyServer()) as server:
        server.reply = {"system_fingerprint": "b7342-1a2b3c4d5"}
        replies = ask(model(server.url), 2)
    assert len(server.asked) == 3
    assert "samplers" not in server.asked[0].body
    assert not {*server.asked[0].served} & {text for reply in replies for text in reply.texts}


def test_what_is_behind_a_proxy_is_seen_by_its_replies() -> None:
    with serving(FaultyServer()) as server:
        server.headers = {"x-litellm-version": "1.108.7"}
        proxy = model(server.url)
        ask(proxy)
        assert proxy.record()["served"]["server"] == "LiteLLM"
        assert proxy.record()["sampling"]["neutral"] == "unknown"
        server.reply = {"system_fingerprint": "b7342-1a2b3c4d5"}
        behind = model(server.url)
        ask(behind)
    record = behind.record()
    assert record["served"]["server"] == "llama.cpp"
    assert record["sampling"]["neutral"] is True
    assert "LiteLLM in front of it" in record["sampling"]["how"]


def test_an_unknown_server_is_sent_what_means_off_and_is_recorded_as_unknown() -> None:
    with serving(FaultyServer()) as server:
        endpoint = model(server.url)
        assert endpoint.record()["sampling"]["neutral"] == "unknown"
        ask(endpoint)
    assert UNKNOWN.fields.items() <= server.asked[0].body.items()
    sampling = endpoint.record()["sampling"]
    assert sampling["neutral"] == "unknown"
    assert UNKNOWN.fields.items() <= sampling["sent"].items()
    assert "not recognised" in sampling["how"]


def test_what_is_sent_on_trial_and_refused_costs_one_request_and_says_nothing_about_other_fields() -> None:
    def behave(asked: Asked) -> Any:
        unknown = [name for name in UNKNOWN.fields if name in asked.body]
        message = f"Unrecognized request argument supplied: {unknown[0]}" if unknown else ""
        return (400, {"error": {"message": message}}) if unknown else None

    with serving(FaultyServer(behave)) as server:
        endpoint = model(server.url)
        ask(endpoint, 3)
    assert len(server.asked) == 4
    assert {"temperature", "top_p", "max_tokens", "seed"} <= set(server.asked[-1].body)
    record = endpoint.record()
    assert record["sampling"]["neutral"] == "unknown"
    assert set(record["served"]["left_out"]) == set(UNKNOWN.fields)


@pytest.mark.parametrize(
    ("own", "neutral"),
    [({"top_k": 1}, False), ({"top_k": 0}, True), ({"min_p": 0.05}, False), ({"presence_penalty": 1.5}, False)],
)
def test_a_users_own_sampling_field_counts(own: dict[str, Any], neutral: bool) -> None:
    with serving(FaultyServer()) as server:
        server.owner = "vllm"
        endpoint = model(server.url, extra_body=own)
        ask(endpoint)
    assert server.asked[0].body.items() >= own.items()
    assert endpoint.record()["sampling"]["neutral"] is neutral


def test_a_sampling_field_that_is_left_out_makes_it_unknown_unless_the_provider_fixes_it() -> None:
    vllm, openai = BY_NAME["vLLM"], BY_NAME["OpenAI"]
    wanted = ["temperature", "top_p", *vllm.fields]
    sent = {"temperature": 1.0, "top_p": 1.0, **vllm.fields}
    assert is_neutral(vllm, sent, wanted, ()) is True
    assert is_neutral(vllm, {**sent, "top_p": 0.9}, wanted, ()) is False
    del sent["top_p"]
    assert is_neutral(vllm, sent, wanted, ()) == "unknown"
    assert is_neutral(openai, {}, ["temperature", "top_p"], ()) is True
    assert is_neutral(BY_NAME["Gemini"], {}, ["temperature"], ()) is False


def test_transformers_serve_is_sent_a_neutral_configuration_where_the_checkpoint_is_at_hand(tmp_path: Path) -> None:
    kind = BY_NAME["transformers serve"]
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [1, 2], "top_k": 1, "top_p": 0.1}')
    config = json.loads(neutral_fields(kind, str(tmp_path))["generation_config"])
    assert config == {**config, "do_sample": True, "top_k": 0, "top_p": 1.0, "eos_token_id": [1, 2]}
    sent = {"temperature": 1.0, "top_p": 1.0, **neutral_fields(kind, str(tmp_path))}
    assert is_neutral(kind, sent, sent, ()) is True
    assert neutral_fields(kind, "org/model-that-is-not-here") == {}
    assert is_neutral(kind, {"temperature": 1.0, "top_p": 1.0}, ["top_p"], ()) == "unknown"
    for wrong in ({"do_sample": False}, {"do_sample": True}, {"do_sample": True, "top_k": 0, "top_p": 0.5}):
        sent = {"generation_config": json.dumps(wrong)}
        assert is_neutral(kind, sent, [], ["generation_config"]) is False


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "OpenAI"),
        ("eu.api.openai.com", "OpenAI"),
        ("my.openai.azure.com", "Azure OpenAI"),
        ("generativelanguage.googleapis.com", "Gemini"),
        ("openrouter.ai", "OpenRouter"),
        ("notopenrouter.ai", None),
        ("openrouter.ai.example.org", None),
        ("localhost", None),
    ],
)
def test_a_provider_is_known_by_its_host(host: str, name: str | None) -> None:
    kind = kind_of_host(host)
    assert (kind.name if kind else None) == name


@pytest.mark.parametrize("kind", SERVERS, ids=lambda kind: kind.name)
def test_what_a_server_is_sent_switches_everything_off_and_has_a_source(kind: ServerKind) -> None:
    assert kind.source.startswith("https://")
    assert all(value in OFF[name] for name, value in kind.fields.items())
    assert kind.hosts or kind.owners or kind.headers or kind.fingerprint or kind.refusal


def test_the_page_shows_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    for kind in SERVERS:
        fields = ", ".join(f"`{name}` {json.dumps(value)}" for name, value in kind.fields.items()) or "-"
        neutral = {True: "yes", False: "no", "unknown": "unknown"}[kind.neutral]
        assert f"| [{kind.name}]({kind.source}) | {neutral} | {fields} | {kind.note} |" in page
