"""One HTTP exchange with an endpoint, with bounds on size, nesting and time, and without following an image elsewhere.

What comes back is either the reply or a `medq_deg.models.retry.Failure`; nothing here raises for what a server does.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2

from medq_deg.files import check_depth
from medq_deg.models.retry import Failure, failure_of_error, failure_of_status, printable

MOST_BYTES: Final = 8 * 2**20
"""Longest reply that is read, unpacked."""

_MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Received:
    """A reply.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : mapping
        Headers, names in lower case.
    data : bytes
        Body, unpacked.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON; raise ValueError if it is not, or is nested too deeply."""
        return parse(self.data)


class _TooMuchError(ValueError):
    """A reply is longer than allowed."""


class Wire:
    """A client of one endpoint.

    Parameters
    ----------
    headers : mapping
        Sent with each request.
    timeout : float
        Seconds that one exchange may take in all, reading and parsing included.
    hide : callable
        Takes the key out of a text that the server wrote.
    most_bytes : int
        Longest reply that is read.
    """

    def __init__(
        self, headers: Mapping[str, str], timeout: float, hide: Callable[[str], str], most_bytes: int = MOST_BYTES
    ) -> None:
        self.timeout, self.hide, self.most_bytes = timeout, hide, most_bytes
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        # A packed reply can be a thousand times its size: none is asked for, one that comes is unpacked with a bound.
        sent = {"accept-encoding": "identity", "accept": "application/json", **headers}
        self.client = httpx2.AsyncClient(headers=sent, timeout=None, follow_redirects=False, limits=limits)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def ask(self, method: str, url: str, *, timeout: float | None = None, **content: Any) -> Any | Failure:
        """Exchange a request for JSON.

        Parameters
        ----------
        method : str
            "GET" or "POST".
        url : str
            Address.
        timeout : float, optional
            Seconds, in place of the client's.
        **content
            Body, as httpx2 takes it.

        Returns
        -------
        tuple of (object, Received), or Failure
            JSON and the reply that held it.
        """
        return await self._bounded(self._ask(method, url, content), timeout)

    async def fetch(self, url: str, most_bytes: int, timeout: float | None = None) -> Received | Failure:
        """Get a file of at most `most_bytes`."""
        outcome: Received | Failure = await self._bounded(self._exchange("GET", url, {}, most_bytes), timeout)
        return outcome

    async def _bounded(self, work: Any, timeout: float | None) -> Any:
        timeout = self.timeout if timeout is None else timeout
        try:
            return await asyncio.wait_for(work, timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL, asyncio.TimeoutError, ValueError, RecursionError) as error:
            return failure_of_error(error, timeout, self.hide)

    async def _ask(self, method: str, url: str, content: Mapping[str, Any]) -> Any:
        received = await self._exchange(method, url, content, self.most_bytes)
        if isinstance(received, Failure):
            return received
        if _is_page(received):
            return Failure("the address answers with a web page", sort="page")
        # In a thread: a reply of many megabytes takes a while to parse, and the other requests go on.
        return await asyncio.to_thread(received.json), received

    async def _exchange(self, method: str, url: str, content: Mapping[str, Any], most_bytes: int) -> Received | Failure:
        for _ in range(_MOST_REDIRECTS):
            async with self.client.stream(method, url, **content) as response:
                if 300 <= response.status_code < 400:
                    target = urljoin(url, response.headers.get("location", ""))
                    if response.status_code == 303 or not _same_server(url, target):
                        return _redirected(response.status_code, target, self.hide)
                    url = target
                    continue
                headers = {name.lower(): value for name, value in response.headers.items()}
                data = await _read(response, most_bytes)
            received = Received(response.status_code, headers, data)
            if received.status >= 400:
                return await asyncio.to_thread(failure_of_status, received.status, headers, *_told(data), self.hide)
            return received
        return Failure(f"redirected more than {_MOST_REDIRECTS} times", again=False, sort="redirect")


async def _read(response: httpx2.Response, most_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip", "deflate"}:
        raise ValueError(f"a reply packed with {printable(encoding)[:20]}")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in {"gzip", "deflate"} else None
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece if unpack is None else unpack.decompress(piece, most_bytes + 1 - len(data))
        if len(data) > most_bytes:
            raise _TooMuchError(f"a reply of more than {most_bytes / 2**20:g} MB")
    return bytes(data)


def parse(data: bytes) -> Any:
    """Return JSON; raise ValueError if it is none, or is nested deeper than `medq_deg.files.DEEPEST`."""
    try:
        check_depth(data)
    except ValueError as error:
        raise ValueError(f"a reply {error}") from None
    # A byte that is no UTF-8 costs a character, not the answer.
    return json.loads(data.decode("utf-8", "replace"))


def _told(data: bytes) -> tuple[Any, str]:
    """Return the JSON of an error, or None, and its text."""
    try:
        return parse(data), ""
    except (ValueError, RecursionError):
        return None, data[:10_000].decode("utf-8", "replace")


def _is_page(received: Received) -> bool:
    kind = received.headers.get("content-type", "")
    return kind.startswith("text/html") or received.data.lstrip()[:1] == b"<"


def _same_server(url: str, target: str) -> bool:
    try:
        here, there = urlsplit(url), urlsplit(target)
        return (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        return False


def _redirected(status: int, target: str, hide: Callable[[str], str]) -> Failure:
    try:
        parts = urlsplit(target)
        place = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        place = "another place"
    return Failure(
        f"HTTP {status}: redirected to {printable(hide(place))[:200]}, where no image is sent; if that is "
        "right, give it as the endpoint",
        again=False,
        status=status,
        sort="redirect",
    )
