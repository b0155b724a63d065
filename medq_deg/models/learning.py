"""What is learned about a server from one request to the next: what it is, what it refuses, how much it returns."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from medq_deg.models.chat import Answer
from medq_deg.models.fields import Refusal
from medq_deg.models.retry import Failure
from medq_deg.models.servers import UNKNOWN, ServerKind, is_neutral, neutral_fields

DEAD_SECONDS = 30.0
"""For how long a server may fail in the same way on every request."""

_SHORT_REPLIES = 2
_TRIED = "the fields that it refuses are left out"


@dataclass(frozen=True)
class Shape:
    """How requests differ from what would be sent if the server took everything.

    Attributes
    ----------
    left_out : frozenset of str
        Fields that it refuses.
    newer : mapping of str to str
        Fields that it knows by another name.
    most : int, optional
        Choices that it gives in one request at most; None if no limit is known.
    """

    left_out: frozenset[str] = frozenset()
    newer: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a request in this shape."""
        return {self.newer.get(name, name): value for name, value in body.items() if name not in self.left_out}

    def joined(self, other: Shape) -> Shape:
        """Return the shape that differs as both do."""
        limits = [shape.most for shape in (self, other) if shape.most is not None]
        return Shape(self.left_out | other.left_out, {**self.newer, **other.newer}, min(limits, default=None))

    def after(self, refusal: Refusal, n: int, tried: frozenset[str]) -> Shape | None:
        """Return the shape in which to try again, or None if nothing would change.

        Parameters
        ----------
        refusal : Refusal
            What the server refuses.
        n : int
            Choices that were asked for.
        tried : frozenset of str
            Fields that are sent on trial: if one is refused, none is known.
        """
        if refusal.several:
            return replace(self, most=refusal.limit or max(n // 2, 1)) if n > 1 else None
        if not refusal.names:
            return None
        original = {new: old for old, new in self.newer.items()}
        newer = {old: new for old, new in refusal.newer.items() if old not in original}
        names = {original.get(name, name) for name in refusal.names if name not in newer}
        if names & tried:
            names |= tried
        return replace(self, left_out=self.left_out | names, newer={**self.newer, **newer})


class Memory:
    """What is known about a server.

    Attributes
    ----------
    kind : ServerKind
        What it is.
    known_by : str
        How that was found out.
    shape : Shape
        What it refuses.
    served : bool
        True once any request was answered.
    usage : Counter of str
        "prompt_tokens", "completion_tokens", "cached_tokens" and "requests" of all rows.
    charged : float, optional
        USD that the server says it charged; None if it does not say.
    at_least : bool
        Whether some tokens of replies were not counted.
    lost : bool
        Whether a reply was lost on the way.
    models : dict
        Names that replies give to the model, in order of appearance.
    dead_seconds : float
        For how long the server may fail in the same way on every request.
    partial : dict
        Answers of rows that failed, by the seed of their content, so that only the others are asked again.
    """

    def __init__(self, model: str, newer: Mapping[str, str] | None = None) -> None:
        self.model = model
        self.kind: ServerKind = UNKNOWN
        self.known_by = ""
        self.looked = False
        self.neutral: dict[str, Any] = dict(UNKNOWN.fields)
        self.shape = Shape(newer=newer or {})
        self.served = False
        self.usage: Counter[str] = Counter()
        self.charged: float | None = None
        self.most_charged = 0.0
        self.at_least = self.lost = False
        self.models: dict[str, None] = {}
        self.sent: dict[str, Any] = {}
        self.partial: dict[int, dict[int, Answer]] = {}
        self.most_prompt = self.most_completion = 0
        self._short = 0
        self.dead_seconds = DEAD_SECONDS
        self._dead: tuple[str, float] | None = None

    @property
    def honours_n(self) -> bool:
        """Whether a request was seen to get several choices."""
        return self._short < 0

    @property
    def tried(self) -> frozenset[str]:
        """Fields that are sent on trial, not because the server is known to take them."""
        return frozenset(UNKNOWN.fields) if self.kind is UNKNOWN or self.kind.relays else frozenset()

    def recognise(self, kind: ServerKind, known_by: str) -> bool:
        """Note what the server is; return whether that changes what it is sent."""
        if kind is self.kind:
            return False
        before = self.neutral
        behind = f"{self.kind.name} in front of it; " if self.kind.relays else ""
        self.kind, self.known_by = kind, behind + known_by
        self.neutral = neutral_fields(kind, self.model)
        self.shape = replace(self.shape, newer={**kind.newer, **self.shape.newer})
        return self.neutral != before

    def count_choices(self, choices: int) -> None:
        """Learn from the number of choices that a request for several got."""
        if choices > 1:
            self._short = -_SHORT_REPLIES
        elif self.shape.most is None and self._short >= 0:
            self._short += 1
            if self._short >= _SHORT_REPLIES:
                self.shape = replace(self.shape, most=1)

    def count(self, tokens: Mapping[str, int], choices: int, spoken: int, charged: float | None) -> None:
        """Count the tokens of a reply with a number of choices, of which `spoken` say something."""
        self.usage.update(tokens)
        if charged is not None:
            self.charged = (self.charged or 0.0) + charged
            self.most_charged = max(self.most_charged, charged)
        told = tokens.get("completion_tokens", 0)
        short = told < spoken or (choices > 1 and self.kind.one_usage)
        self.at_least = self.at_least or short
        self.most_prompt = max(self.most_prompt, tokens.get("prompt_tokens", 0))
        self.most_completion = max(self.most_completion, math.ceil(told / (1 if short else max(choices, 1))))

    def succeed(self) -> None:
        """Note that a request was answered."""
        self.served, self._dead = True, None

    def fail(self, failure: Failure) -> bool:
        """Note that a request failed; return whether the server has failed in that way, and no other, for too long."""
        self.lost = self.lost or (failure.status is None and not failure.unreachable)
        if not failure.broken:
            return False
        if self._dead is None or self._dead[0] != failure.reason:
            self._dead = failure.reason, time.monotonic()
        return time.monotonic() - self._dead[1] >= self.dead_seconds

    def sampling(self, wanted: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `run.json` says about sampling.

        Parameters
        ----------
        wanted : mapping
            Sampling fields that every request should have.
        own : mapping
            Fields that the user has set.
        """
        if not self.sent:
            return {"neutral": "unknown", "sent": {}, "how": "no request was answered"}
        named = {name: self.sent[name] for name in self.sent if name not in {"model", "messages", "n", "seed"}}
        names = [name for name in [*wanted, *self.neutral] if name != "max_tokens"]
        neutral = is_neutral(self.kind, named, names, own)
        how = self.kind.name + (f" ({self.known_by})" if self.known_by else "")
        if self.kind is UNKNOWN:
            how = f"the server was not recognised; it was sent what means off elsewhere, and {_TRIED}"
        elif self.kind.source:
            how += f", as documented at {self.kind.source}"
        return {"neutral": neutral, "sent": named, "how": how}

    def served_by(self) -> dict[str, Any]:
        """Return what `run.json` says about the server, beside sampling."""
        shape = self.shape
        return {
            "server": self.kind.name,
            "models": list(self.models),
            "left_out": sorted(shape.left_out),
            "renamed": dict(shape.newer),
            "choices_at_most": shape.most,
            "usage": {**self.usage, **({"at_least": True} if self.at_least else {})},
            **({"charged_usd": self.charged} if self.charged is not None else {}),
        }
