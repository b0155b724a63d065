"""Damaged inputs for Hypothesis: documents and files that were whole, and text and bytes that never were.

`make fuzz` runs `FUZZ` inputs over the whole folder; without it each test takes a small sample, always the same.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from medq_deg.errors import MedqDegError

Test = TypeVar("Test", bound=Callable[..., Any])

TOTAL = int(os.environ.get("FUZZ", "0"))
SAMPLE = 12
LONGEST = 1000
"""A sentence that is longer shows somebody a whole file."""

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 1.5, -0.0, float("nan"), float("inf"), 1e308, 10**30, 2**63, 10**400,
    "", "A", "Z", "a", "nan", "L1", "ok", "failed", "\ud800", "\x00", "\u2028", "<script>", "=1+1", "x" * 10_000,
    "../..", "/", "none", "exact", "strict",
    [], {}, [None], [[]], [1e999], ["A"] * 3, ["A"] * 10, ["A", 1, None, {}],
    {"": None}, {"A": 1.0}, {"A": float("nan")}, {"A": -1}, {"A": 5, "B": 5}, {"a": {"b": []}},
)  # fmt: skip
"""Values that no reader should take for granted."""


def inputs(share: float, sample: int = SAMPLE) -> Callable[[Test], Test]:
    """Let a test run its share of all inputs, or its sample."""
    count = max(sample, round(TOTAL * share)) if TOTAL else sample
    return settings(
        max_examples=count,
        derandomize=not TOTAL,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def answer_of(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """Return what a call gives, or the sentence that it refuses its input with; anything else fails the test."""
    try:
        return call(), None
    except MedqDegError as error:
        told = str(error)
    except OSError as error:
        told = str(error.strerror)
    assert told.strip(), "a refusal that says nothing"
    assert len(told) < LONGEST, f"{len(told)} characters: {told[:300]}"
    assert "Traceback" not in told
    told.encode("utf-8")  # half a surrogate pair cannot be printed
    return None, told


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """Return a document of dicts and lists in which one to three values are gone, doubled, added or others."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            return document
        # By kind of place first: else what is there a hundred times hides what is there once.
        kinds = sorted({_kind(path) for path in found}, key=repr)
        kind = draw(st.sampled_from(kinds))
        *outer, key = draw(st.sampled_from([path for path in found if _kind(path) == kind]))
        holder = document
        for step in outer:
            holder = holder[step]
        how = draw(st.sampled_from(["other", "other", "other", "gone", "double", "more"]))
        if how == "gone":
            del holder[key]
        elif how == "double" and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif how == "more" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["x", "", *map(str, holder)]))] = copy.deepcopy(draw(st.sampled_from(ODD)))
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD) | st.text(max_size=20) | st.integers()))
    return document


def _kind(path: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple("#" if isinstance(step, int) else step for step in path)


PIECES = (b"\n", b" ", *b'\xff \0 { } [ " , \t 1e999 NaN \xed\xa0\x80 \xe2\x80\xa8'.split(b" "))
WAYS = ("cut", "flip", "insert", "flip", "insert", "nul", "double", "empty", "deep", "crlf", "bom", "utf16", "swap")


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Return the bytes of a file that was cut, changed, filled, doubled, nested or written in another encoding."""
    how = draw(st.sampled_from(WAYS))
    place = draw(st.integers(0, max(0, len(data) - 1)))
    if how == "cut":
        return data[:place]
    if how == "flip" and data:
        return data[:place] + bytes([data[place] ^ (1 << draw(st.integers(0, 7)))]) + data[place + 1 :]
    if how == "insert":
        return data[:place] + draw(st.sampled_from(PIECES)) + data[place:]
    if how == "nul":
        return data[:place] + bytes(20) + data[place + 20 :]
    if how == "double":
        return data + data
    if how == "deep":
        return data[:place] + b"[" * 100_000 + data[place:] + b"\n"
    if how == "crlf":
        return data.replace(b"\n", b"\r\n")
    if how == "bom":
        return b"\xef\xbb\xbf" + data
    if how == "utf16":
        return data.decode("utf-8", "replace").encode("utf-16")
    if how == "swap":
        other = draw(st.integers(0, max(0, len(data) - 1)))
        low, high = sorted((place, other))
        return data[:low] + data[high : high + 30] + data[low + 30 : high] + data[low : low + 30] + data[high + 30 :]
    return b""


fuzz = pytest.mark.fuzz
