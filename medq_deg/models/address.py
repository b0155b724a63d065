"""Where an endpoint is and which key opens it: the URL that may be shown, and the key that never may.

A key comes from the environment alone, and goes only where it belongs: a provider's key to that provider, the Hub's
token to the Hub, any other to the endpoint for which the user set it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from huggingface_hub import get_token, is_offline_mode

from medq_deg.errors import MedqDegError
from medq_deg.models.retry import Failure, printable
from medq_deg.models.servers import kind_of_host
from medq_deg.models.wire import Received, Wire

KEY_VARIABLE: Final = "MEDQ_DEG_API_KEY"

_CHAT = "/chat/completions"
_API = {
    "Azure OpenAI": "/openai/v1",
    "Gemini": "/v1beta/openai",
    "OpenRouter": "/api/v1",
}
"""Where a provider's API lies, if not at /v1, for an endpoint that is given as its host alone."""

_SECRET_LENGTH = 6
"""Keys shorter than this, such as "EMPTY", are no secrets, and may be words of an answer."""


def chat_url(url: str) -> str:
    """Return the URL of an endpoint's chat completions.

    Parameters
    ----------
    url : str
        The server ("http://localhost:8000"), its API ("https://api.openai.com/v1"), or the chat completions themselves.

    Raises
    ------
    MedqDegError
        If it is no http(s) URL, or carries anything that may be a secret: a user, a password, or a query other than
        ``api-version``. If it is the Hub's and HF_HUB_OFFLINE is set.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise MedqDegError("the endpoint is not an http or https URL such as http://localhost:8000/v1")
    if _is_hub(host) and is_offline_mode():
        raise MedqDegError(f"the endpoint at {host} is the Hub's, and HF_HUB_OFFLINE forbids to reach the Hub")
    query = parse_qsl(parts.query, keep_blank_values=True)
    if "@" in parts.netloc or parts.fragment or any(name != "api-version" for name, _ in query):
        raise MedqDegError(
            f"the URL of the endpoint at {host} carries a user, a password or a query; only api-version is allowed, "
            f"and a key belongs in the environment ({KEY_VARIABLE})"
        )
    path = parts.path.rstrip("/")
    if not path.endswith(_CHAT):
        path = f"{path or _API.get(_provider(host), '/v1')}{_CHAT}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def variable_of(url: str, variable: str | None) -> str:
    """Return the name of the environment variable whose key an endpoint gets."""
    if variable is not None:
        return variable
    parts = urlsplit(url)
    host = parts.hostname or ""
    if os.environ.get(KEY_VARIABLE) or parts.scheme != "https":
        return KEY_VARIABLE
    if _is_hub(host):
        return "HF_TOKEN"
    kind = kind_of_host(host)
    return kind.key_variable if kind is not None and kind.key_variable else KEY_VARIABLE


def _provider(host: str) -> str:
    kind = kind_of_host(host)
    return kind.name if kind is not None else ""


def _is_hub(host: str) -> bool:
    return host == "huggingface.co" or host.endswith((".huggingface.co", ".huggingface.cloud"))


def find_key(url: str, variable: str | None) -> str | None:
    """Return the key for an endpoint, or None to send none.

    Parameters
    ----------
    url : str
        URL of the endpoint.
    variable : str, optional
        Environment variable that holds the key. By default MEDQ_DEG_API_KEY; where that is not set, the variable that
        is usual for the provider (see `medq_deg.models.servers`) and the Hub's token for the Hub, over https only.

    Raises
    ------
    MedqDegError
        If the named variable is not set, or what it holds cannot be a key.
    """
    name = variable_of(url, variable)
    key = ((get_token() if name == "HF_TOKEN" else None) or os.environ.get(name, "")).strip()
    if not key and variable is not None:
        raise MedqDegError(f"the environment variable {variable!r}, which should hold the endpoint's key, is not set")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise MedqDegError(f"what the environment variable {name} holds is no key: only printable ASCII is allowed")
    return key or None


def without_key(text: str, key: str | None) -> str:
    """Return a text in which the key, should a server have echoed it, is replaced."""
    return text.replace(key, "***") if key is not None and len(key) >= _SECRET_LENGTH else text


async def list_models(wire: Wire, chat: str) -> tuple[Any, Received] | Failure:
    """Return an endpoint's list of models as JSON, and the reply that held it.

    Parameters
    ----------
    wire : Wire
        Client.
    chat : str
        URL of the chat completions.
    """
    outcome: tuple[Any, Received] | Failure = await wire.ask(
        "GET", api_url(chat, "/models"), timeout=min(wire.timeout, 10.0)
    )
    return outcome


def api_url(chat: str, path: str) -> str:
    """Return the URL of another part of an API, such as "/models", beside the chat completions."""
    parts = urlsplit(chat)
    return urlunsplit(parts._replace(path=f"{parts.path.removesuffix(_CHAT)}{path}"))


def only_model(outcome: tuple[Any, Received] | Failure, url: str, hide: Callable[[str], str]) -> str:
    """Return the name of the one model that an endpoint lists.

    Parameters
    ----------
    outcome : tuple or Failure
        From `list_models`.
    url : str
        URL of the list.
    hide : callable
        Takes the key out of a text.

    Raises
    ------
    MedqDegError
        If the list could not be had, or does not hold exactly one model.
    """
    try:
        if isinstance(outcome, Failure):
            raise ValueError(outcome.reason)
        names = [str(entry["id"]) for entry in outcome[0]["data"]]
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error) if isinstance(outcome, Failure) else "it is no list of models"
        raise MedqDegError(f"{url}: the list of models cannot be read ({reason}); name the model") from None
    if len(names) != 1:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise MedqDegError(f"{url} lists {len(names)} models, name one of them: {printable(hide(shown))}")
    return names[0]
