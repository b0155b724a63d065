"""What an endpoint's requests cost, and a bound that is not passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from medq_deg.errors import MedqDegError


@dataclass(frozen=True)
class Prices:
    """USD per million tokens.

    Attributes
    ----------
    paid, got : float
        Of the prompt, and of the answers.
    cached : float, optional
        Of those tokens of the prompt that the server says it had in its cache; by default as `paid`.
    """

    paid: float
    got: float
    cached: float | None = None

    @classmethod
    def of(cls, prices: tuple[float, ...]) -> Prices:
        """Check two or three numbers."""
        if len(prices) not in (2, 3) or not all(0 <= price < math.inf for price in prices):
            raise MedqDegError(
                "prices must be two numbers of 0 or more, USD per million tokens of input and of output, or three with "
                f"that of cached input, got {prices!r}"
            )
        return cls(*prices)

    def cost(self, tokens: Mapping[str, int]) -> float:
        """Return the USD that tokens cost."""
        cached = min(tokens.get("cached_tokens", 0), tokens.get("prompt_tokens", 0)) if self.cached is not None else 0
        fresh = tokens.get("prompt_tokens", 0) - cached
        return (fresh * self.paid + cached * (self.cached or 0.0) + tokens.get("completion_tokens", 0) * self.got) / 1e6


@dataclass(frozen=True)
class Estimate:
    """What is still to be asked, as far as the first rows tell.

    Attributes
    ----------
    rows, requests : int
        Rows, and requests for them.
    prompt_tokens, completion_tokens : int
        Tokens of these requests.
    cost : float, optional
        USD; None without prices.
    at_least : bool
        Whether some tokens are not counted.
    """

    rows: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    at_least: bool

    def __str__(self) -> str:
        bound = "at least " if self.at_least else ""
        cost = "" if self.cost is None else f", {bound or 'about '}{self.cost:.2f} USD"
        return (
            f"{self.rows} rows: about {self.requests} requests, {self.prompt_tokens} prompt and "
            f"{bound}{self.completion_tokens} new tokens{cost}"
        )


def estimate(rows: int, seen: int, usage: Mapping[str, int], cost: float | None, *, at_least: bool = False) -> Estimate:
    """Return what a number of rows take if they are like those seen.

    Parameters
    ----------
    rows : int
        Rows to ask.
    seen : int
        Rows that were asked, 1 or more.
    usage : mapping
        Requests and tokens of those.
    cost : float or None
        USD of those.
    at_least : bool
        Whether some of their tokens were not counted.
    """
    share = rows / seen
    return Estimate(
        rows=rows,
        requests=round(usage.get("requests", 0) * share),
        prompt_tokens=round(usage.get("prompt_tokens", 0) * share),
        completion_tokens=round(usage.get("completion_tokens", 0) * share),
        cost=None if cost is None else cost * share,
        at_least=at_least,
    )
