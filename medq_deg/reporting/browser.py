"""The rows that a reader can look at: which are shown, with their images and what each model said."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.reporting.collect import Run
from medq_deg.reporting.drawing import MOST_RUNS
from medq_deg.reporting.images import NO_IMAGES, Images
from medq_deg.reporting.text import shorten
from medq_deg.results.pairs import OUTCOMES, outcome
from medq_deg.taxonomy import NO_DEGRADATION, SEVERITY_NAMES

BUDGET: Final = 1_400_000
"""Bytes that the shown rows may take on the page."""
MOST_CARDS: Final = 120

_QUESTION, _SAID, _MOST_SAID = 1200, 320, 3
_MARKUP = 700
"""Bytes of markup around each cell, for the budget."""


@dataclass(frozen=True)
class Answer:
    """What one run said to one row.

    Attributes
    ----------
    votes : list of (str, int, bool)
        Letter (or "unreadable"), how often, and whether it is right; most frequent first.
    probabilities : list of (str, float)
        Exact probabilities, where the run has them.
    said : list of (str, int)
        Different texts, shortened, and how often; the most frequent ones.
    unsaid : int
        Further different texts, not shown.
    """

    votes: list[tuple[str, int, bool]]
    probabilities: list[tuple[str, float]]
    said: list[tuple[str, int]]
    unsaid: int


@dataclass(frozen=True)
class Card:
    """A question with one degradation: its images at each severity, and the answers of the runs.

    Attributes
    ----------
    row : mapping
        The columns of its most degraded row; the question is shortened.
    severities : list of str
        Those that it has, L0 first.
    images : dict
        From severity to a data URI; empty without images.
    outcomes : dict
        From run number to the key of `OUTCOMES`.
    answers : dict
        From run number to severity to `Answer`.
    """

    row: Mapping[str, Any]
    severities: list[str]
    images: dict[str, str]
    outcomes: dict[int, str]
    answers: dict[int, dict[str, Answer]]

    @property
    def options(self) -> list[tuple[str, str, bool]]:
        """Letter, text and whether it is right, of each option."""
        return [
            (letter, shorten(text, _SAID), letter == self.row["answer"])
            for letter, text in zip(LETTERS, self.row["options"], strict=False)
        ]


@dataclass(frozen=True)
class Browser:
    """The shown cards, how often each outcome is in the runs as a whole, and what to say about images."""

    cards: list[Card]
    counts: dict[int, Counter[str]]
    total: int
    note: str


def browse(
    runs: Sequence[Run],
    images: Images,
    *,
    budget: int = BUDGET,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Browser:
    """Choose cards until `budget` bytes are used, every run and outcome in turn, and make their images.

    Raises
    ------
    MedqDegError
        If there are images, but none of a row of these runs.
    """
    shown = runs[:MOST_RUNS]
    groups = _groups(shown)
    counts = {number: Counter[str]() for number in range(len(shown))}
    waiting: dict[tuple[int, str], list[_Group]] = {}
    for group in groups:
        for number, key in group.outcomes.items():
            counts[number][key] += 1
            waiting.setdefault((number, key), []).append(group)
    if images and groups and not any(row["id"] in images for group in groups for row in group.rows.values()):
        raise MedqDegError("the data with the images has none of the rows of these runs; it must be what they ran on")

    cards: list[Card] = []
    used = 0
    chosen: set[int] = set()
    for group in _in_turn(waiting):
        if id(group) in chosen:
            continue
        chosen.add(id(group))
        card = group.card(shown)
        size = _size(card)
        if images:
            card = replace(card, images={name: images.uri(row["id"]) for name, row in group.rows.items()})
            size += sum(map(len, card.images.values()))
        if used + size > budget:
            break
        used += size
        cards.append(card)
        progress("images", len(cards), min(len(groups), MOST_CARDS))
        if len(cards) == MOST_CARDS:
            break
    rank = {name: place for place, name in enumerate(OUTCOMES)}
    cards.sort(key=lambda card: min(map(rank.__getitem__, card.outcomes.values())))
    return Browser(cards, counts, len(groups), "" if images else NO_IMAGES)


@dataclass(frozen=True)
class _Group:
    """The rows of a question and a degradation, by severity, and what became of each run's answer."""

    rows: dict[str, Mapping[str, Any]]
    answered: dict[int, dict[str, Mapping[str, Any]]]
    outcomes: dict[int, str]

    def card(self, runs: Sequence[Run]) -> Card:
        row = next(reversed(self.rows.values()))
        answers = {
            number: {name: _answer(each, runs[number].answered.source) for name, each in by_severity.items()}
            for number, by_severity in self.answered.items()
        }
        return Card(
            {**row, "question": shorten(row["question"], _QUESTION)}, list(self.rows), {}, self.outcomes, answers
        )


def _groups(runs: Sequence[Run]) -> list[_Group]:
    """Bring together what belongs to a question and a degradation; clean rows alone where nothing is degraded."""
    clean: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    degraded: dict[tuple[str, str, str], dict[int, dict[str, Mapping[str, Any]]]] = {}
    for number, run in enumerate(runs):
        for row in run.answered.rows:
            key = (run.fingerprint, row["question_id"])
            if row["severity"]:
                place = degraded.setdefault((*key, row["degradation"]), {}).setdefault(number, {})
                place[SEVERITY_NAMES[row["severity"]]] = row
            else:
                clean.setdefault(key, {})[number] = row
    alone = clean.keys() - {key[:2] for key in degraded}
    degraded |= {(*key, NO_DEGRADATION): {} for key in clean if key in alone}
    groups = []
    for (*question, _), by_run in degraded.items():
        answered: dict[int, dict[str, Mapping[str, Any]]] = {}
        originals = clean.get((question[0], question[1]), {})
        for number in sorted(by_run.keys() | originals.keys()):
            rows = {**({"L0": originals[number]} if number in originals else {}), **by_run.get(number, {})}
            answered[number] = dict(sorted(rows.items()))
        together = dict(sorted({name: row for rows in answered.values() for name, row in rows.items()}.items()))
        outcomes = {number: outcome(rows, runs[number].answered.source) for number, rows in answered.items()}
        groups.append(_Group(together, answered, outcomes))
    return groups


def _in_turn(waiting: Mapping[tuple[int, str], list[_Group]]) -> Iterator[_Group]:
    """Yield groups: of each outcome in order of importance, one of each run, again and again."""
    order = sorted(waiting, key=lambda key: (list(OUTCOMES).index(key[1]), key[0]))
    for place in range(max(map(len, waiting.values()), default=0)):
        for key in order:
            # Evenly spread over the data, which is in the order of its sources.
            group = waiting[key]
            if place < len(group):
                yield group[(place * _STRIDE) % len(group)] if len(group) % _STRIDE else group[place]


_STRIDE = 7919
"""A prime: steps of this length meet every group once, unless it divides their number."""


def _answer(row: Mapping[str, Any], source: str) -> Answer:
    votes = Counter(vote or "unreadable" for vote in row["votes"])
    texts = Counter(str(text) for text in row["texts"] or ())
    exact = row["probabilities"] if source == "probabilities" else None
    return Answer(
        votes=[(letter, count, letter == row["answer"]) for letter, count in votes.most_common()],
        probabilities=sorted((exact or {}).items()),
        said=[(shorten(text, _SAID), count) for text, count in texts.most_common(_MOST_SAID)],
        unsaid=max(0, len(texts) - _MOST_SAID),
    )


def _size(card: Card) -> int:
    """Estimate the bytes of a card on the page, without images."""
    texts = [card.row["question"], *(text for _, text, _ in card.options)]
    cells = [answer for by_severity in card.answers.values() for answer in by_severity.values()]
    texts += [text for answer in cells for text, _ in answer.said]
    return sum(len(html.escape(text).encode(errors="replace")) for text in texts) + _MARKUP * (len(cells) + 3)
