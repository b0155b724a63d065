"""Which field of a request a server refuses, read from the words in which it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NEWER: Final = {"max_tokens": "max_completion_tokens"}
"""Fields of the protocol that have a newer name."""

_OF_N = re.compile(
    r"(?<![\w'.-])n(?:_cmpl|_choices|_parallel)?(?![\w'])|\bbest_of\b"
    r"|\b(?:number of|completion) (?:choices?|completions)\b"
    r"|\b(?:one|1|single|multiple) (?:completion|choice)s?\b|\bmultiple (?:choices|completions)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.-])\d{1,6}(?![\w.]*\w)")
_ALLOWED = re.compile(
    r"\b(?:expected one of|allowed|supported|valid|permitted|known|available)(?: \w+){0,3}(?: are| is)?\s*:.*"
    r"|\bexpected one of\b.*",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LONG = re.compile(r"too (?:large|long|many)|context|exceed|at most|maximum|greater than|less than", re.IGNORECASE)
_INSTEAD = re.compile(r"\buse [`'\"]?(\w+)[`'\"]? instead", re.IGNORECASE)
_ONE_CHOICE = re.compile(r"\b(?:only )?(?:one|1|single) (?:completion|choice)", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """What a server refuses.

    Attributes
    ----------
    names : frozenset of str
        Fields, of those that were sent.
    newer : mapping of str to str
        Names to use in their place.
    several : bool
        Whether it is the number of choices.
    limit : int, optional
        How many choices it allows, where it says so.
    """

    names: frozenset[str] = frozenset()
    newer: Mapping[str, str] = field(default_factory=dict)
    several: bool = False
    limit: int | None = None


def refusal_of(body: Any, message: str, sent: Iterable[str], n: int) -> Refusal:
    """Return which fields a reply with status 400 or 422 refuses.

    Parameters
    ----------
    body : object
        JSON of the reply, or None.
    message : str
        What it says.
    sent : iterable of str
        Fields of the request, without model and messages.
    n : int
        Choices that were asked for.

    Examples
    --------
    >>> refusal_of(None, "Unsupported parameter: 'top_p' is not supported with this model.", ["top_p", "seed"], 1).names
    frozenset({'top_p'})
    >>> refusal_of(None, "n must be between 1 and 4, got 10", ["n"], 10).limit
    4
    """
    names = set(sent)
    pointed = _pointed_at(body)
    told = _ALLOWED.sub("", message)
    found = pointed & names or _quoted(told) & names
    if not found:
        found = {name for name in names if name != "n" and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", told)}
    if n > 1 and ("n" in found or (not found and _OF_N.search(told))):
        return Refusal(several=True, limit=_limit(told, n))
    found.discard("n")
    if "max_tokens" in found and _TOO_LONG.search(told) and not _INSTEAD.search(message):
        found.discard("max_tokens")
    if "temperature" in found and len(found) > 1:
        found.discard("temperature")  # it makes a vote a vote, and goes last
    newer = {name: NEWER[name] for name in found if name in NEWER}
    if (named := _INSTEAD.search(message)) and len(found) == 1 and named[1] not in names:
        newer = dict.fromkeys(found, named[1])
    return Refusal(frozenset(found), newer)


def _pointed_at(body: Any) -> set[str]:
    """Return names that the JSON of an error points at: OpenAI's param, pydantic's loc."""
    names: set[str] = set()
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(error, Mapping) and isinstance(error.get("param"), str):
        names.add(error["param"])
    details = body.get("detail") if isinstance(body, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        place = detail.get("loc") if isinstance(detail, Mapping) else None
        names.update(str(part) for part in place or ())
    return names


def _quoted(text: str) -> set[str]:
    return set(re.findall(r"[`'\"“‘]([A-Za-z_]\w*)[`'\"”’]", text))


def _limit(message: str, n: int) -> int | None:
    if _ONE_CHOICE.search(message):
        return 1
    numbers = [int(number) for number in _NUMBER.findall(message)]
    return max((number for number in numbers if 1 <= number < n), default=None)
