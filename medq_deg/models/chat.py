"""The format of chat completions: a question and its picture as a request, a reply as texts and tokens."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from medq_deg.errors import MedqDegError

_OURS = ("model", "messages", "n", "stream")
_OPTIONAL = ("max_tokens", "temperature", "top_p", "seed")
_CUT = ("length", "content_filter")


def messages(prompt: str, image: Image.Image | None) -> list[dict[str, Any]]:
    """Return a conversation that shows a picture, if there is one, as a PNG inside a data URL, and then asks."""
    content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
    if image is not None:
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        content.insert(0, {"type": "image_url", "image_url": {"url": url}})
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


def texts_of(choices: Any) -> list[str | None]:
    """Return what each choice of a reply says, None where it says nothing.

    A refusal is a text like any other. So is, as an empty text, an answer that its reasoning, the token limit or the
    provider's content filter left no room for, and one that the model ended at once: they answer nothing, as a
    refusal does, and asking again would not be the same vote. A text that is missing for none of these reasons is a
    fault of the server. A reasoning block inside the text stays; reasoning beside the text is left out.
    """
    return [_text(choice) for choice in choices] if isinstance(choices, list) else []


def _text(choice: Any) -> str | None:
    message = getattr(choice, "message", None)
    content = getattr(message, "content", None)
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    refusal = getattr(message, "refusal", None)
    for text in (content, refusal):
        if isinstance(text, str) and text:
            return text
    reasoned = getattr(message, "reasoning", None) or getattr(message, "reasoning_content", None)
    if reasoned or (message is not None and getattr(choice, "finish_reason", None) in _CUT):
        return ""
    return content if isinstance(content, str) else None


def usage_of(usage: Any) -> dict[str, int]:
    """Return the tokens that a reply counts, by "prompt_tokens" and "completion_tokens"; empty if it counts none."""
    counts = {name: getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")}
    return {name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)}
