"""Where an endpoint is and which key opens it: the URL that may be shown, and the key that never may.

A key comes from the environment alone, and goes only where it belongs: OpenAI's key to OpenAI, the Hub's token to the
Hub, any other to the endpoint for which the user set it.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx2
from huggingface_hub import get_token, is_offline_mode

from medq_deg.errors import MedqDegError

KEY_VARIABLE: Final = "MEDQ_DEG_API_KEY"

_CHAT = "/chat/completions"
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
        path = f"{path or '/v1'}{_CHAT}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def variable_of(url: str, variable: str | None) -> str:
    """Return the name of the environment variable whose key an endpoint gets."""
    if variable is not None:
        return variable
    parts = urlsplit(url)
    host = parts.hostname or ""
    if os.environ.get(KEY_VARIABLE) or parts.scheme != "https":
        return KEY_VARIABLE
    if host.endswith(".openai.com"):
        return "OPENAI_API_KEY"
    return "HF_TOKEN" if _is_hub(host) else KEY_VARIABLE


def _is_hub(host: str) -> bool:
    return host == "huggingface.co" or host.endswith((".huggingface.co", ".huggingface.cloud"))


def find_key(url: str, variable: str | None) -> str | None:
    """Return the key for an endpoint, or None to send none.

    Parameters
    ----------
    url : str
        URL of the endpoint.
    variable : str, optional
        Environment variable that holds the key. By default MEDQ_DEG_API_KEY; where that is not set, OPENAI_API_KEY for
        OpenAI and the Hub's token for the Hub, both over https only.

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


def only_model(chat: str, key: str | None, timeout: float) -> str:
    """Return the name of the one model that an endpoint lists.

    Parameters
    ----------
    chat : str
        URL of the chat completions.
    key : str or None
        Key of the endpoint.
    timeout : float
        Seconds to wait.

    Raises
    ------
    MedqDegError
        If the list cannot be had, or does not hold exactly one model.
    """
    parts = urlsplit(chat)
    url = urlunsplit(parts._replace(path=f"{parts.path.removesuffix(_CHAT)}/models"))
    headers = {"authorization": f"Bearer {key}"} if key is not None else {}
    try:
        response = httpx2.get(url, headers=headers, timeout=timeout)
        response.raise_for_status()
        names = [str(entry["id"]) for entry in response.json()["data"]]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        reason = without_key(str(error).split("\n", maxsplit=1)[0] or type(error).__name__, key)
        raise MedqDegError(f"{url}: the list of models cannot be read ({reason}); name the model") from None
    if len(names) != 1:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise MedqDegError(f"{url} lists {len(names)} models, name one of them: {without_key(shown, key)}")
    return names[0]
