"""What the runner asks of a model: turn questions about images into T sampled answers each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from PIL import Image

from medq_deg.seeds import derive_seed

Finish: TypeAlias = Literal["stop", "length", "refused", "other"]
"""Why an answer ended: by itself, cut off at the limit of tokens, refused (a content filter or a refusal), or else."""


@dataclass(frozen=True)
class Conversation:
    """One prompt of a query: the options in one order, and the answers that it is to give.

    Attributes
    ----------
    prompt : str
        Question, options in this order with letters A, B, ... in place, and instruction.
    options : tuple of str
        Texts of the options as this prompt shows them.
    trials : int
        Answers to sample.
    seed : int
        Seed of these samples, in [0, 2**63).
    """

    prompt: str
    options: tuple[str, ...]
    trials: int
    seed: int


@dataclass(frozen=True)
class Query:
    """One question to ask.

    Attributes
    ----------
    id : str
        Id of the row.
    image : PIL.Image.Image or None
        The image, mode "L" or "RGB"; None if the question is to be asked without one.
    prompt : str
        Question, lettered options and instruction, see `medq_deg.models.prompts`.
    options : tuple of str
        Texts of the options; the first is A.
    seed : int
        Seed of this row's samples, in [0, 2**63).
    orders : tuple of tuple of int
        Orders of the options that the answers are spread over, ``orders[k][p]`` the index in `options` of the option
        that order k shows at position p. Empty if the options are asked as they are given; only a model whose class
        says ``takes_orders = True`` gets others.
    prompts : tuple of str
        One for each order, the first is `prompt`.
    """

    id: str
    image: Image.Image | None
    prompt: str
    options: tuple[str, ...]
    seed: int
    orders: tuple[tuple[int, ...], ...] = ()
    prompts: tuple[str, ...] = ()

    def conversations(self, trials: int) -> tuple[Conversation, ...]:
        """Spread `trials` answers over the orders, the first ones getting one more where they do not divide."""
        if not self.orders:
            return (Conversation(self.prompt, self.options, trials, self.seed),)
        spread = spread_votes(trials, len(self.orders))
        return tuple(
            Conversation(
                prompt,
                tuple(self.options[place] for place in order),
                votes,
                derive_seed(self.seed, "order", number) if number else self.seed,
            )
            for number, (order, prompt, votes) in enumerate(zip(self.orders, self.prompts, spread, strict=True))
        )


def spread_votes(trials: int, orders: int) -> list[int]:
    """Return the votes of each order: as even as it goes, the first ones get one more where they do not divide."""
    each, more = divmod(trials, orders)
    return [each + (number < more) for number in range(orders)]


@dataclass(frozen=True)
class Reply:
    """What a model said to one query.

    Attributes
    ----------
    id : str
        Id of the query.
    texts : tuple of str
        One text per sampled answer, order of the options after order.
    finish : tuple of str
        Why each answer ended, see `Finish`; empty where the model does not tell.
    probabilities : mapping of str to float, optional
        Probability that the answer's first token is an option's letter, by letter, where the model gives it. The sum
        is at most 1; the rest is the mass off the options.
    probabilities_by_order : tuple of mappings
        In place of `probabilities` where the query had several orders: those of each order, by the letters that it
        showed.
    error : str, optional
        Why there is no answer. A failed query is missing data and asked again at the next start, never a wrong
        answer.
    usage : mapping of str to int, optional
        Tokens, "prompt_tokens" and "completion_tokens", where they are counted.
    """

    id: str
    texts: tuple[str, ...] = ()
    probabilities: Mapping[str, float] | None = None
    error: str | None = None
    usage: Mapping[str, int] | None = None
    finish: tuple[Finish, ...] = ()
    probabilities_by_order: tuple[Mapping[str, float], ...] = ()


class Queries(Protocol):
    """The queries of a run that are still to be asked, claimed one after another.

    Iterate over them, and be done. A model that prepares images ahead, in workers or in several requests at once,
    takes `claim` for the work and indexes for the query: reading a query reads, and perhaps degrades, its image.
    """

    stopped: bool
    """True once the user has asked to stop: `claim` and iteration end; queries not begun may be dropped."""

    def __iter__(self) -> Iterator[Query]:
        """Claim and read one query after another."""
        ...

    def claim(self) -> Iterator[int]:
        """Claim one index after another; no other process of the run gets it."""
        ...

    def __getitem__(self, index: int) -> Query:
        """Read the query of a claimed index; works in threads and in worker processes.

        Raises
        ------
        RowError
            If the row cannot be read: answer it with a failed reply. Iteration does so by itself.
        """
        ...


class Model(Protocol):
    """A model. Implement these two methods, and the runner does the rest.

    A class that says ``takes_orders = True`` gets queries with several orders of their options and answers the
    `conversations` of each; any other gets a plain query for each order.
    """

    def describe(self) -> dict[str, Any]:
        """Return what a reader needs to run the model again: name, revision, settings. JSON-ready, no secrets.

        Two models with different descriptions cannot continue one run.
        """
        ...

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield a reply for each query, in any order, each with `trials` answers sampled at temperature 1.0."""
        ...
