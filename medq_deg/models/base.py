"""What the runner asks of a model: turn questions about pictures into T sampled answers each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image


@dataclass(frozen=True)
class Query:
    """One question to ask.

    Attributes
    ----------
    id : str
        Id of the row.
    image : PIL.Image.Image
        The picture, mode "L" or "RGB".
    prompt : str
        Question, lettered options and instruction, see `medq_deg.models.prompts`.
    options : tuple of str
        Texts of the options; the first is A.
    seed : int
        Seed of this row's samples, in [0, 2**63).
    """

    id: str
    image: Image.Image
    prompt: str
    options: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Reply:
    """What a model said to one query.

    Attributes
    ----------
    id : str
        Id of the query.
    texts : tuple of str
        One text per sampled answer.
    probabilities : mapping of str to float, optional
        Probability that the answer's first token is an option's letter, by letter, where the model gives it. The sum
        is at most 1; the rest is the mass off the options.
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


class Queries(Protocol):
    """The queries of a run that are still to be asked, claimed one after another.

    Iterate over them, and be done. A model that prepares pictures ahead, in workers or in several requests at once,
    takes `claim` for the work and indexes for the query: reading a query reads, and perhaps degrades, its picture.
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
    """A model. Implement these two methods, and the runner does the rest."""

    def describe(self) -> dict[str, Any]:
        """Return what a reader needs to run the model again: name, revision, settings. JSON-ready, no secrets.

        Two models with different descriptions cannot continue one run.
        """
        ...

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield a reply for each query, in any order, each with `trials` answers sampled at temperature 1.0."""
        ...
