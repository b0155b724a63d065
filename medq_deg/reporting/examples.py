"""Single images with what a model said to them: the images, the votes as marks, and the favourite answer in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from medq_deg.data.schema import LETTERS
from medq_deg.reporting import vector
from medq_deg.reporting.hero import NAMES
from medq_deg.reporting.text import shorten
from medq_deg.results.pairs import Pair, favourite

_LONGEST: Final = 90
_MOST_MARKS: Final = 20


@dataclass(frozen=True)
class Shown:
    """One image of an example.

    Attributes
    ----------
    severity, name : str
        L0, L1 or L2, and what a reader calls it.
    image : str
        Data URI; empty where there is none.
    said : str
        Text of the favourite option; empty where there is no favourite.
    verdict : str
        Such as "10 of 10, right".
    right : bool, optional
        Whether the favourite is right; None without one.
    marks : Markup
        The votes, one mark each, or the share of exact probabilities as a bar.
    """

    severity: str
    name: str
    image: str
    said: str
    verdict: str
    right: bool | None
    marks: Markup


@dataclass(frozen=True)
class Example:
    """A question with its images at each severity."""

    question: str
    answer: str
    modality: str
    degradation: str
    shown: tuple[Shown, ...]


def example_of(pair: Pair, source: str, images: Mapping[str, str], *, size: int = 12) -> Example:
    """Return what a page shows of a pair.

    Parameters
    ----------
    pair : Pair
    source : {"votes", "probabilities"}
    images : mapping from severity to data URI
    size : int
        Side of a mark in px.
    """
    first = next(iter(pair.rows.values()))
    options = list(first["options"])
    return Example(
        shorten(str(first["question"]), 200),
        shorten(options[LETTERS.index(first["answer"])], _LONGEST),
        str(first["modality"] or "image"),
        pair.degradation,
        tuple(_shown(name, row, source, images.get(name, ""), size) for name, row in pair.rows.items()),
    )


@dataclass(frozen=True)
class Said:
    """What a model said to a row, in words.

    Attributes
    ----------
    text : str
        Its favourite option; empty if it has none.
    verdict : str
        How often it was said, and whether it is right.
    right : bool or None
        None without a favourite.
    """

    text: str
    verdict: str
    right: bool | None


def said_of(row: Mapping[str, Any], source: str) -> Said:
    """Return what a model said to a row, by its ``"votes"`` or its ``"probabilities"``."""
    best = favourite(row, source)
    if best is None:
        return Said("", "no clear answer", None)
    right = best[0] == row["answer"]
    if source == "probabilities":
        often = f"{round(100 * best[1])} of 100"
    else:
        count = max(Counter(vote for vote in row["votes"] if vote).values(), default=0)
        often = f"{count} of {len(row['votes'])}"
    text = shorten(list(row["options"])[LETTERS.index(best[0])], _LONGEST)
    return Said(text, f"{often}, {'right' if right else 'wrong'}", right)


def _shown(severity: str, row: Mapping[str, Any], source: str, image: str, size: int) -> Shown:
    said = said_of(row, source)
    if source == "probabilities":
        drawn = bar(dict(row["probabilities"] or {}), row["answer"])
    else:
        drawn = marks(row["votes"], row["answer"], size)
    return Shown(severity, NAMES[severity], image, said.text, said.verdict, said.right, drawn)


def marks(votes: Sequence[str | None], answer: str, size: int = 12) -> Markup:
    """Draw votes: a dot is right, a cross wrong (thin: another wrong one), a dash was not readable."""
    wrong = Counter(vote for vote in votes if vote and vote != answer)
    most = max(sorted(wrong), key=wrong.__getitem__, default=None)
    ordered = sorted(votes, key=lambda vote: (vote != answer, not vote, vote != most, vote or ""))
    shown, gap, parts = ordered[:_MOST_MARKS], 3, []
    middle, reach = size / 2, size / 2 - 1.5
    for place, vote in enumerate(shown):
        x = place * (size + gap) + middle
        if vote == answer:
            parts.append(vector.circle(x, middle, reach, "m-right"))
        elif vote:
            kind = "m-wrong" if vote == most else "m-wrong m-other"
            parts.append(vector.line(x - reach, middle - reach, x + reach, middle + reach, kind))
            parts.append(vector.line(x + reach, middle - reach, x - reach, middle + reach, kind))
        else:
            parts.append(vector.line(x - reach, middle, x + reach, middle, "m-none"))
    right = sum(vote == answer for vote in votes)
    unread = sum(not vote for vote in votes)
    told = f"{right} of {len(votes)} answers right" + (f", {unread} not readable" if unread else "")
    return vector.svg(max(len(shown) * (size + gap) - gap, 1), size, parts, told, "marks")


def bar(probabilities: Mapping[str, float], answer: str) -> Markup:
    """Draw exact probabilities as one bar: right, wrong, and what names no option."""
    right = probabilities.get(answer, 0.0)
    wrong = sum(probabilities.values()) - right
    width, height = 147, 12
    parts = [
        vector.box(0, 0, width * right, height, "b-right"),
        vector.box(width * right, 0, width * wrong, height, "b-wrong"),
    ]
    told = f"probability {round(100 * right)} of 100 for the right answer"
    return vector.svg(width, height, parts, told, "marks")
