"""What went wrong with a request to an endpoint, whether it is worth another try, and after how long."""

from __future__ import annotations

import asyncio
import email.utils
import math
import random as random_module
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from medq_deg.errors import MedqDegError

_AGAIN = {408, 409, 425, 429}
_LONGEST_MESSAGE = 200

EXCEPTIONS: Final = (
    httpx2.HTTPError,
    asyncio.TimeoutError,
    # What a reply that is not JSON, or JSON of another shape, makes the client raise.
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)
"""What a request may raise through no fault of ours."""


@dataclass(frozen=True)
class Failure:
    """Why a request has no answer.

    Attributes
    ----------
    reason : str
        One line.
    again : bool
        Whether another try may help.
    status : int, optional
        HTTP status, where there was one.
    after : float, optional
        Seconds to wait, where the server said so.
    unreachable : bool
        True if no connection came about.
    """

    reason: str
    again: bool = True
    status: int | None = None
    after: float | None = None
    unreachable: bool = False


@dataclass(frozen=True)
class Retries:
    """How often a failed request is tried again, and after how long.

    The wait is drawn from 0 to ``base * 2**failures`` seconds (full jitter); it is no shorter than the server's
    Retry-After, and never longer than `longest`.

    Attributes
    ----------
    count : int
        Tries after the first, 0 or more.
    base : float
        Longest wait before the second try, in seconds; it doubles with each further try.
    longest : float
        Longest wait before any try, in seconds, also where the server asks for more.
    sleep, random : callable
        What waits, and what draws a number in [0, 1).
    """

    count: int = 6
    base: float = 0.5
    longest: float = 120.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random_module.random

    def __post_init__(self) -> None:
        if self.count < 0:
            raise MedqDegError(f"retries must be 0 or more, got {self.count}")
        if not (0 <= self.base < math.inf and 0 <= self.longest < math.inf):
            raise MedqDegError(f"waits must be finite and 0 or more seconds, got {self.base} and {self.longest}")

    def wait(self, failures: int, after: float | None = None) -> float:
        """Return the seconds to wait after a number of failures, 1 or more, and what the server asked for."""
        backoff = self.random() * self.base * 2.0 ** min(failures - 1, 64)
        return min(self.longest, max(backoff, after or 0.0))


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks to wait: a number, or a date. None if it says neither.

    Parameters
    ----------
    header : str or None
        The header's value.
    now : float
        Seconds since the epoch.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - now
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def failure_of(error: BaseException, timeout: float, hide: Callable[[str], str]) -> Failure:
    """Return what an exception of `EXCEPTIONS` means.

    Parameters
    ----------
    error : BaseException
        What the client raised.
    timeout : float
        Seconds the request was given.
    hide : callable
        Takes a secret out of a text that the server wrote.
    """
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return Failure(
            f"HTTP {status}{_colon(one_line(hide(_message(error.response))))}",
            again=status in _AGAIN or status >= 500,
            status=status,
            after=retry_after(error.response.headers.get("retry-after"), time.time()),
        )
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return Failure(f"no reply within {timeout:g} s")
    if isinstance(error, httpx2.HTTPError):
        reason = f"connection failed ({type(error).__name__}{_colon(one_line(hide(str(error))))})"
        return Failure(reason, unreachable=isinstance(error, httpx2.ConnectError))
    return Failure(f"the reply is not a chat completion ({type(error).__name__})")


def told(body: Any) -> str:
    """Return the message inside a server's error body, or ""."""
    if isinstance(body, dict):
        inner = next((body[key] for key in ("error", "message", "detail") if body.get(key)), None)
        return told(inner) if inner is not None else ""
    return str(body) if body else ""


def one_line(text: str) -> str:
    """Return a text as one line of bearable length."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _message(response: httpx2.Response) -> str:
    try:
        return told(response.json()) or response.text
    except ValueError:
        return response.text


def _colon(text: str) -> str:
    return f": {text}" if text else ""
