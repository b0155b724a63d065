"""What went wrong with a request to an endpoint, whether it is worth another try, and after how long."""

from __future__ import annotations

import asyncio
import email.utils
import math
import random as random_module
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from medq_deg.errors import MedqDegError

_AGAIN = {408, 409, 425, 429}
_SAYS_WHAT = {400, 404, 415, 422, 500, 501}
_LONGEST_MESSAGE = 200
_NO_MONEY = re.compile(
    r"insufficient_quota|billing_hard_limit|billing_not_active|credit balance is too low"
    r"|insufficient (?:credit|balance|fund)|(?:out of|no) credits",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(
    r"(?:image|picture|vision|multi-?modal|mmproj).*(?:not support|unsupported|only supported|not a multi|mmproj"
    r"|text[- ]only|cannot (?:accept|process)|does(?: not|n't) (?:accept|have|take))"
    r"|(?:not support|unsupported|text[- ]only|not a|no endpoints found that support|at most 0).*"
    r"(?:image|picture|vision|multi-?modal)",
    re.IGNORECASE | re.DOTALL,
)
_ONE_IMAGE = re.compile(
    r"too (?:large|small|big)|format|mime|corrupt|decode|pixels|bytes|size|dimension", re.IGNORECASE
)

Sort = Literal["", "page", "tls", "redirect", "money", "images", "temperature"]


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
    broken : bool
        True if the connection was lost, or the server failed (5xx): the same on every request is a dead server.
    sort : str
        What makes trying on pointless: a web page, a server without TLS, a redirect, spent money, a model without
        images, a model that fixes its temperature.
    body : object
        JSON of the reply, where it says what is refused.
    """

    reason: str
    again: bool = True
    status: int | None = None
    after: float | None = None
    unreachable: bool = False
    broken: bool = False
    sort: Sort = ""
    body: Any = field(default=None, repr=False)


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

    async def pause(self, seconds: float, ended: Callable[[], bool]) -> bool:
        """Wait, but no longer than until `ended` is true, which is looked at five times a second; return what it is."""
        sleeper = asyncio.ensure_future(self.sleep(seconds))
        try:
            while not ended():
                done, _ = await asyncio.wait({sleeper}, timeout=0.2)
                if done:
                    break
        finally:
            sleeper.cancel()
        return ended()


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
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def failure_of_status(
    status: int, headers: Mapping[str, str], body: Any, text: str, hide: Callable[[str], str]
) -> Failure:
    """Return what a reply with an error status, or an error in a reply of status 200, means.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : mapping
        Headers, names in lower case.
    body : object
        JSON of the reply, or None.
    text : str
        The reply where it is no JSON.
    hide : callable
        Takes a secret out of a text that the server wrote.
    """
    message = told(body) or re.sub(r"<[^<>]*>", " ", text)
    sort: Sort = ""
    if status == 402 or (400 <= status < 500 and _NO_MONEY.search(f"{message} {_code(body)}")):
        sort = "money"
    elif status in _SAYS_WHAT and _NO_IMAGES.search(message) and not _ONE_IMAGE.search(message):
        sort = "images"
    return Failure(
        f"HTTP {status}{_colon(one_line(hide(message)))}",
        again=(status in _AGAIN or status >= 500) and not sort,
        status=status,
        after=retry_after(headers.get("retry-after"), time.time()),
        broken=status >= 500,
        sort=sort,
        body=body,
    )


def failure_of_error(error: BaseException, timeout: float, hide: Callable[[str], str]) -> Failure:
    """Return what an exception of the client means.

    Parameters
    ----------
    error : BaseException
        What the client raised.
    timeout : float
        Seconds the request was given.
    hide : callable
        Takes a secret out of a text that the server wrote.
    """
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return Failure(f"no reply within {timeout:g} s")
    if isinstance(error, httpx2.HTTPError):
        told_ = one_line(hide(str(error)))
        if re.search(r"WRONG_VERSION_NUMBER|record layer failure|UNEXPECTED_MESSAGE", told_):
            return Failure(f"the port speaks no TLS ({told_}); use http://", again=False, unreachable=True, sort="tls")
        reason = f"connection failed ({type(error).__name__}{_colon(told_)})"
        return Failure(reason, unreachable=isinstance(error, httpx2.ConnectError), broken=True)
    told_ = str(error) if str(error).startswith("a reply ") else type(error).__name__
    return Failure(f"the reply is not a chat completion ({told_})")


def told(body: Any) -> str:
    """Return the message inside a server's error body, or ""."""
    if isinstance(body, Mapping):
        inner = next((body[key] for key in ("error", "message", "detail", "msg") if body.get(key)), None)
        return told(inner) if inner is not None else ""
    if isinstance(body, list):
        return "; ".join(filter(None, map(told, body[:5]))) or (str(body) if body else "")
    return str(body) if body else ""


def _code(body: Any) -> str:
    error = body.get("error", body) if isinstance(body, Mapping) else body
    return f"{error.get('code')} {error.get('type')}" if isinstance(error, Mapping) else ""


def printable(text: str) -> str:
    """Return a text in which what a terminal would act on (control characters, marks of direction) is a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def one_line(text: str) -> str:
    """Return a text as one printable line of bearable length."""
    text = " ".join(printable(text[: 20 * _LONGEST_MESSAGE]).split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _colon(text: str) -> str:
    return f": {text}" if text else ""
