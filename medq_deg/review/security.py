"""What every request and every answer passes: base path, host, size, and the headers that keep a page to itself."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from medq_deg.review.terms import MOST_BODY

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may do: its own files alone, nothing inline, never within another page."""

_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")

_DRAINED: Final = 32 * 2**20
"""Bytes of a body that is too large which are read, and thrown away, so that its sender hears why."""


class Guard:
    """Strips the base path, refuses foreign hosts and large bodies, and adds the headers.

    Parameters
    ----------
    app : App
    base : str
        Path under which a proxy serves the page, such as "/review"; "" for none.
    hosts : iterable of str, optional
        Names, without port, that a request may be for: a page of another name that was led here cannot use it. None
        allows all.
    secure : bool
        Whether browsers come over TLS.
    """

    def __init__(self, app: App, base: str, hosts: Iterable[str] | None, secure: bool) -> None:
        self._app = app
        self._base = base
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._headers = [*_HEADERS, *([_TRANSPORT] if secure else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(name.lower(), value) for name, value in message.get("headers", [])]
                names = {name for name, _ in given}
                message["headers"] = given + [pair for pair in self._headers if pair[0] not in names]
                if b"cache-control" not in names:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if self._hosts is not None and _without_port(host) not in self._hosts:
            await _say(told, 421, f"this server is not {host[:100]!r}")
            return
        path = scope["path"]
        if self._base and (path == self._base or path.startswith(f"{self._base}/")):
            path = path[len(self._base) :] or "/"
        body, size = await _body(receive)
        if size > MOST_BODY:
            await _say(told, 413, f"a request has at most {MOST_BODY // 1024} KiB, this one has more")
            return
        replayed = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Message:
            return next(replayed, None) or await receive()

        await self._app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, again, told)


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host).lower()


async def _body(receive: Receive) -> tuple[bytes, int]:
    """Return the start of a request's body, and how long it is as far as it was read."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts), size
        part = message.get("body", b"")
        size += len(part)
        if size <= MOST_BODY:
            parts.append(part)
        if not message.get("more_body") or size > _DRAINED:
            return b"".join(parts), size


async def _say(send: Send, status: int, text: str) -> None:
    body = text.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
