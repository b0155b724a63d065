"""What the runner asks of a model: turn questions about pictures into T sampled answers each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    texts : tuple of str
        One text per sampled answer.
    probabilities : mapping of str to float, optional
        Exact probability of each option's letter, where the model gives it.
    error : str, optional
        Why there is no answer. A failed query is missing data and asked again at the next start, never a wrong
        answer.
    """

    texts: tuple[str, ...] = ()
    probabilities: Mapping[str, float] | None = None
    error: str | None = None


class Model(Protocol):
    """A model. Implement these two methods, and the runner does the rest."""

    def describe(self) -> dict[str, Any]:
        """Return what a reader needs to run the model again: name, revision, settings. JSON-ready, no secrets.

        Two models with different descriptions cannot continue one run.
        """
        ...

    def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
        """Return one reply per query, in order, each with `trials` answers sampled at temperature 1.0."""
        ...
