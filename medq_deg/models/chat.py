"""The format of chat completions: a question and its image as a request, a reply as answers and tokens."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from PIL import Image

from medq_deg.errors import MedqDegError
from medq_deg.images import without_metadata
from medq_deg.models.base import Finish
from medq_deg.models.options import ImageDetail, ImageFormat
from medq_deg.models.pixels import limit_pixels

JPEG_QUALITY: Final = 95

_OURS = ("model", "messages", "n", "stream")
_OPTIONAL = ("max_tokens", "temperature", "top_p", "seed")
_ENDS: Final[Mapping[str, Finish]] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
    **dict.fromkeys(("length", "max_tokens"), "length"),
    **dict.fromkeys(("content_filter", "refusal", "safety"), "refused"),
}
_MOST_TOKENS = 2**53


@dataclass(frozen=True)
class ImageOptions:
    """How an image is shown.

    Attributes
    ----------
    format, detail, max_pixels
        ``image_format``, ``image_detail`` and ``max_pixels`` of `medq_deg.models.options.ServerOptions`.
    """

    format: ImageFormat = "png"
    detail: ImageDetail | None = None
    max_pixels: int | None = None

    def described(self) -> dict[str, Any]:
        """Return what is not the default."""
        return {name: value for name, value in vars(self).items() if value != getattr(ImageOptions, name)}

    def part(self, image: Image.Image) -> dict[str, Any]:
        """Return the part of a message that shows an image, inside a data URL."""
        if self.max_pixels is not None:
            image = limit_pixels(image, self.max_pixels)
        buffer = io.BytesIO()
        options = {"quality": JPEG_QUALITY, "subsampling": 0} if self.format == "jpeg" else {}
        without_metadata(image).save(buffer, format=self.format.upper(), **options)
        url = f"data:image/{self.format};base64,{base64.b64encode(buffer.getvalue()).decode()}"
        return {"type": "image_url", "image_url": {"url": url, **({"detail": self.detail} if self.detail else {})}}


def messages(prompt: str, image: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return a conversation that shows an image (see `Image.part`), if there is one, and then asks."""
    content: list[Mapping[str, Any]] = [{"type": "text", "text": prompt}]
    if image is not None:
        content.insert(0, image)
    return [{"role": "user", "content": content}]


def check_extra_body(extra: Mapping[str, Any]) -> None:
    """Raise `MedqDegError` if a server-specific field would change what makes a vote a vote.

    ``max_tokens``, ``temperature``, ``top_p`` and ``seed`` may be None, which leaves them out of the request.
    """
    for name in extra:
        if name in _OURS:
            raise MedqDegError(f"extra_body must not hold {name!r}, which each request sets itself")
        if name in _OPTIONAL and extra[name] is not None:
            raise MedqDegError(f"extra_body may hold {name!r} only as null, which leaves it out, got {extra[name]!r}")


@dataclass(frozen=True)
class Answer:
    """One choice of a reply: what it says, and why it ended."""

    text: str
    finish: Finish


def answers_of(reply: Any) -> list[Answer | None]:
    """Return what each choice of a chat completion says, None where it says nothing.

    A refusal is an answer like any other. So is, as an empty text, one that its reasoning, the token limit or the
    provider's content filter left no room for, and one that the model ended at once: they answer nothing, as a
    refusal does, and asking again would not be the same vote. A text that is missing for none of these reasons is a
    fault of the server. A reasoning block inside the text stays; reasoning beside the text is left out.
    """
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    return [_answer(choice) for choice in choices] if isinstance(choices, list) else []


def _answer(choice: Any) -> Answer | None:
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        return None
    said = choice.get("finish_reason")
    finish = _ENDS.get(said.casefold(), "other") if isinstance(said, str) else "other"
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    if isinstance(content, str) and content:
        return Answer(content, finish)
    if isinstance(refusal, str) and refusal:
        return Answer(refusal, "refused")
    reasoned = message.get("reasoning") or message.get("reasoning_content")
    if reasoned or finish in ("length", "refused") or isinstance(content, str):
        return Answer("", finish)
    return None


def usage_of(reply: Mapping[str, Any]) -> dict[str, int]:
    """Return the tokens that a reply counts: "prompt_tokens", "completion_tokens" and, where told, "cached_tokens"."""
    usage = reply.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    counts = {
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
        "cached_tokens": cached if cached is not None else usage.get("prompt_cache_hit_tokens"),
    }
    return {name: count for name, count in counts.items() if _is_count(count) and (count or name != "cached_tokens")}


def cost_of(reply: Mapping[str, Any]) -> float | None:
    """Return the USD that a server says the reply costs, None if it does not say."""
    usage = reply.get("usage")
    cost = usage.get("cost") if isinstance(usage, Mapping) else None
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e6 else None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
