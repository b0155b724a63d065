"""What is sent of a query, and what a reply says: orders of the options, images, reasons why an answer ended."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.models.base import Query
from medq_deg.models.endpoint import EndpointModel
from medq_deg.models.load import load_model
from medq_deg.models.options import ServerOptions
from medq_deg.models.published import published_models
from tests.models.endpoint_rows import IMAGE, OPTIONS, Rows, ask, model
from tests.models.faulty_server import Asked, FaultyServer, serving


class Ordered(Rows):
    """Rows whose options are asked in three orders."""

    orders = ((0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2))

    def __getitem__(self, index: int) -> Query:
        prompts = tuple(f"Row row{index}. Order {number}?" for number in range(3))
        return Query(f"row{index}", IMAGE, prompts[0], OPTIONS, 1000 + index, self.orders, prompts)


def order_of(asked: Asked) -> int:
    return int(asked.body["messages"][0]["content"][1]["text"][-2])


def say(asked: Asked, number: int) -> str:
    return f"order {order_of(asked)}: {number}"


@pytest.mark.parametrize("honours_n", [True, False])
def test_votes_are_asked_order_by_order_and_come_back_in_that_order(honours_n: bool) -> None:
    with serving(FaultyServer(honours_n=honours_n, say=say)) as server:
        replies = list(model(server.url).answer(Ordered(6), 7))
        again = list(model(server.url).answer(Ordered(6), 7))
    for reply in replies:
        assert [text[:8] for text in reply.texts] == ["order 0:"] * 3 + ["order 1:"] * 2 + ["order 2:"] * 2
        assert len(set(reply.texts)) == 7
    assert EndpointModel.takes_orders
    half = len(server.asked) // 2
    seeds = [{(asked.row, asked.body["seed"]) for asked in part} for part in (server.asked[:half], server.asked[half:])]
    assert seeds[0] == seeds[1]
    assert len(again) == 6
    if honours_n:
        assert [asked.n for asked in server.asked if asked.row == "row5"] == [3, 2, 2] * 2
    images = {str(asked.body["messages"][0]["content"][0]) for asked in server.asked}
    assert len(images) == 1


def test_a_vote_that_is_missing_is_asked_again_in_its_own_order() -> None:
    failed: set[int] = set()

    def behave(asked: Asked) -> str | None:
        order = order_of(asked)
        if asked.row == "row3" and order not in failed:
            failed.add(order)
            return "fewer" if order else "500"
        return None

    with serving(FaultyServer(behave, say=say)) as server:
        replies = {reply.id: reply for reply in model(server.url).answer(Ordered(5), 12)}
    assert [text[:7] for text in replies["row3"].texts] == ["order 0"] * 4 + ["order 1"] * 4 + ["order 2"] * 4


def test_a_question_is_asked_without_a_image() -> None:
    class Blind(Rows):
        def __getitem__(self, index: int) -> Query:
            return Query(f"row{index}", None, f"Row row{index}. Which?", OPTIONS, seed=index)

    seen: list[Any] = []

    def behave(asked: Asked) -> None:
        seen.append(asked.body["messages"][0]["content"])

    with serving(FaultyServer(behave)) as server:
        replies = list(model(server.url).answer(Blind(2), 3))
    assert [reply.error for reply in replies] == [None, None]
    assert [[part["type"] for part in content] for content in seen] == [["text"], ["text"]]


@pytest.mark.parametrize(
    ("fault", "finish"),
    [
        (None, "stop"),
        ("refusal", "refused"),
        ("filtered", "refused"),
        ("cut by length", "length"),
        ("beside reasoning", "length"),
        ("said nothing", "stop"),
        ("only reasoning", "stop"),
    ],
)
def test_why_an_answer_ended_is_kept(fault: str | None, finish: str) -> None:
    with serving(FaultyServer(lambda asked: fault)) as server:
        reply = ask(model(server.url))[0]
    assert reply.finish == (finish,) * 4


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("eos_token", "stop"),
        ("max_tokens", "length"),
        ("SAFETY", "refused"),
        ("tool_calls", "other"),
        (None, "other"),
        (3, "other"),
    ],
)
def test_servers_have_words_of_their_own_for_why_an_answer_ended(said: Any, finish: str) -> None:
    with serving(FaultyServer()) as server:
        server.reply = {"choices": [{"finish_reason": said, "message": {"role": "assistant", "content": "B"}}]}
        assert ask(model(server.url), trials=1)[0].finish == (finish,)


BEARER = "authorization"


def shown(server: FaultyServer) -> tuple[dict[str, Any], Image.Image]:
    part = server.asked[-1].body["messages"][0]["content"][0]["image_url"]
    kind, _, data = part["url"].partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:{Image.MIME[str(image.format)]}"
    return part, image


def test_images_are_shown_as_they_should_be() -> None:
    with serving(FaultyServer()) as server:
        ask(model(server.url))
        part, image = shown(server)
        assert set(part) == {"url"}
        assert image.format == "PNG"
        jpeg = model(server.url, image_format="jpeg", image_detail="low", max_pixels=1000)
        ask(jpeg)
        part, image = shown(server)
    assert part["detail"] == "low"
    assert image.format == "JPEG"
    assert image.size == (31, 31)
    assert jpeg.describe()["image"] == {"format": "jpeg", "detail": "low", "max_pixels": 1000}
    with serving(FaultyServer()) as server:
        ask(model(server.url, image_format="jpeg"))
        error = np.asarray(shown(server)[1], float) - np.asarray(IMAGE, float)
    assert np.sqrt((error**2).mean()) < 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image_format": "gif"}, "unknown image format 'gif'"),
        ({"image_detail": "huge"}, "unknown image detail 'huge'"),
        ({"max_pixels": 0}, "max_pixels must be 1 or more, got 0"),
    ],
)
def test_images_cannot_be_shown_in_other_ways(options: dict[str, Any], said: str) -> None:
    with pytest.raises((MedqDegError, UnknownNameError), match=said):
        ServerOptions(**options)


@pytest.mark.parametrize(
    ("url", "chat", "variable", "header"),
    [
        (
            "https://me.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21",
            "https://me.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            "AZURE_OPENAI_API_KEY",
            "api-key",
        ),
        (
            "https://me.openai.azure.com",
            "https://me.openai.azure.com/openai/v1/chat/completions",
            "AZURE_OPENAI_API_KEY",
            "api-key",
        ),
        (
            "https://me.services.ai.azure.com/openai/v1/",
            "https://me.services.ai.azure.com/openai/v1/chat/completions",
            "AZURE_OPENAI_API_KEY",
            "api-key",
        ),
        (
            "https://openrouter.ai/api/v1",
            "https://openrouter.ai/api/v1/chat/completions",
            "OPENROUTER_API_KEY",
            BEARER,
        ),
        (
            "https://openrouter.ai",
            "https://openrouter.ai/api/v1/chat/completions",
            "OPENROUTER_API_KEY",
            BEARER,
        ),
        (
            "https://router.huggingface.co/v1",
            "https://router.huggingface.co/v1/chat/completions",
            "HF_TOKEN",
            BEARER,
        ),
        (
            "https://api.anthropic.com/v1/",
            "https://api.anthropic.com/v1/chat/completions",
            "ANTHROPIC_API_KEY",
            BEARER,
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            "GEMINI_API_KEY",
            BEARER,
        ),
        ("https://api.openai.com", "https://api.openai.com/v1/chat/completions", "OPENAI_API_KEY", BEARER),
    ],
)
def test_providers_get_the_url_and_the_header_that_they_document(
    url: str, chat: str, variable: str, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv(variable, "provider-key-0123")
    server = EndpointModel(url, "m").server
    assert server.url == chat
    assert server.key_variable == variable
    assert server.headers() == {header: "provider-key-0123" if header == "api-key" else "Bearer provider-key-0123"}
    assert EndpointModel(url.replace("https", "http"), "m").server.headers() == {}


def test_the_key_of_one_provider_is_not_sent_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "openrouter-key-0123")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key-0123")
    for url in ("https://api.openai.com", "https://example.org", "https://openrouter.ai.example.org"):
        assert EndpointModel(url, "m").server.headers() == {}


def test_published_models_bring_their_preset_which_the_user_can_change() -> None:
    made = load_model("GPT-5", transformers={}, endpoint="https://api.openai.com", server={})
    assert made.describe()["generation"] == {
        **made.describe()["generation"],
        "max_tokens": None,
        "top_p": None,
        "max_completion_tokens": 4096,
    }
    own = {"extra_body": {"max_completion_tokens": 100}}
    made = load_model("GPT-5", transformers={}, endpoint="https://api.openai.com", server=own, max_new_tokens=7)
    assert made.describe()["generation"]["max_completion_tokens"] == 100
    longest = load_model("Gemini-2.5-Pro", transformers={}, endpoint="https://e.org", server={})
    assert longest.describe()["generation"]["max_tokens"] == 8192
    longest = load_model("Gemini-2.5-Pro", transformers={}, endpoint="https://e.org", server={}, max_new_tokens=7)
    assert longest.describe()["generation"]["max_tokens"] == 7


@pytest.mark.parametrize("name", [each.name for each in published_models() if each.preset])
def test_every_preset_makes_a_model_and_has_a_source(name: str) -> None:
    published = next(each for each in published_models() if each.name == name)
    assert set(published.preset) <= {"extra_body", "max_new_tokens", "source"}
    assert published.preset["source"].startswith("https://")
    assert (
        load_model(name, transformers={}, endpoint="https://e.org", server={}).describe()["name"] == published.api_name
    )
