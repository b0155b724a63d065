"""The leaderboard as one HTML page that works by itself: ranks with their ranges, five categories, what is not ranked.

The command line writes it to a file, the Space shows it. Everything on it is computed here; the script of the page only
chooses among what is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

import medq_deg
from medq_deg.models.published import GROUPS
from medq_deg.reporting.board_details import Table, details
from medq_deg.reporting.html import TEMPLATES, environment, policy
from medq_deg.reporting.text import points
from medq_deg.results.leaderboard import YOURS, Entry
from medq_deg.results.numbers import change_of_100, of_100
from medq_deg.results.published import PAPER_TRIALS
from medq_deg.results.ranking import QUESTIONS, places, questions_of
from medq_deg.taxonomy import CATEGORIES

SEVERE: Final = "severe"
"""The view of all severely degraded images; the others are those of a category, mild and severe."""

VIEWS: Final = (SEVERE, *CATEGORIES)

CATEGORY_PHRASES: Final[Mapping[str, str]] = {
    "artifacts": "artifacts",
    "motion": "motion",
    "intensity": "wrong brightness or contrast",
    "noise": "noise",
    "resolution_and_blur": "low resolution or blur",
}
"""What degrades an image, as a sentence says it."""

_CHIPS: Final = (("", "All"), *((group, group.capitalize()) for group in GROUPS))


@dataclass(frozen=True)
class Figures:
    """A model in one view: its place, the places that it may have, and its accuracies as shares."""

    rank: int
    low: int
    high: int
    clean: float
    degraded: float


@dataclass(frozen=True)
class View:
    """What the page says over one choice of images."""

    key: str
    name: str
    headline: str
    lead: str
    column: str
    which: str


@dataclass(frozen=True)
class Row:
    """A model of the page; `views` is empty for one that is not ranked."""

    number: int
    entry: Entry
    views: Mapping[str, Figures]
    tables: Sequence[Table]

    @property
    def about(self) -> str:
        """Group, size and source."""
        size = "size not public" if self.entry.source == "paper" else "size not known"
        if self.entry.size is not None:
            size = f"{self.entry.size:.0f} B" if self.entry.size >= 1 else f"{1000 * self.entry.size:.0f} M"
        source = {"paper": "paper", "run": "your run", "submitted": "submitted"}[self.entry.source]
        group = "" if self.entry.group == YOURS else f"{self.entry.group} · "
        return f"{group}{size} · {source}"

    @property
    def packed(self) -> str:
        """The figures of every view for the page's script: numbers alone."""
        return " ".join(
            f"{key}:{each.rank},{each.low},{each.high},{100 * each.clean:.2f},{100 * each.degraded:.2f}"
            for key, each in self.views.items()
        )


def render(entries: Sequence[Entry], *, unusable: int = 0, trouble: str = "") -> str:
    """Return the page.

    Parameters
    ----------
    entries : sequence of Entry
        From `medq_deg.results.leaderboard.ranked`, in any order; at least one is in the ranks.
    unusable : int
        Submitted files that could not be read.
    trouble : str
        A sentence that says what is missing from the page, such as why no submitted run could be read.
    """
    standing = sorted((entry for entry in entries if entry.rank is not None), key=lambda entry: entry.rank or 0)
    others = [entry for entry in entries if entry.rank is None]
    by_view = {key: _figures(standing, key) for key in VIEWS}
    rows = [
        Row(number, entry, {key: by_view[key][number] for key in VIEWS if number in by_view[key]}, details(entry))
        for number, entry in enumerate(standing)
    ]
    unranked = [Row(number, entry, {}, details(entry)) for number, entry in enumerate(others, len(rows))]
    shares = [share for found in by_view.values() for each in found.values() for share in (each.clean, each.degraded)]
    low, high = math.floor(10 * min(shares)) * 10, math.ceil(10 * max(shares)) * 10
    style = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "board.css"))
    script = (TEMPLATES / "board.js").read_text(encoding="utf-8")
    filling = environment()
    filling.filters |= {
        "of_100": lambda share: f"{100 * share:.1f}",
        "points": points,
        "surer": change_of_100,
        "place": lambda share: f"{100 * (100 * share - low) / (high - low):.2f}%",
        "apart": lambda one, other: f"{one}" if one == other else f"{one}–{other}",
    }
    return filling.get_template("board.html").render(
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        version=medq_deg.__version__,
        views=[_view(key, rows) for key in VIEWS],
        rows=rows,
        unranked=unranked,
        chips=[*_CHIPS, *_more_chips(standing)],
        low=low,
        high=high,
        known=sum(entry.shift_l2 is not None for entry in standing if entry.source == "paper"),
        papers=sum(entry.source == "paper" for entry in standing),
        trials=PAPER_TRIALS,
        unusable=unusable,
        trouble=trouble,
        severe=SEVERE,
    )


def _figures(entries: Sequence[Entry], key: str) -> dict[int, Figures]:
    """Return the figures of a view by the number of the entry; an entry without them is left out."""
    pairs = {number: pair for number, entry in enumerate(entries) if (pair := _pair(entry, key))}
    order = sorted(pairs, key=lambda number: -pairs[number][1])
    questions = QUESTIONS if key == SEVERE else questions_of(key)
    allowed = places([pairs[number][1] for number in order], questions)
    return {
        number: Figures(rank, low, high, *pairs[number])
        for rank, (number, (low, high)) in enumerate(zip(order, allowed, strict=True), 1)
    }


def _pair(entry: Entry, key: str) -> tuple[float, float] | None:
    """Return clean and degraded accuracy."""
    if key != SEVERE:
        return entry.categories.get(key)
    if entry.accuracy_l0 is None or entry.accuracy_l2 is None:
        return None
    return entry.accuracy_l0, entry.accuracy_l2


def _view(key: str, rows: Sequence[Row]) -> View:
    found = [(row, row.views[key]) for row in rows if key in row.views]
    best, figures = min(found, key=lambda each: each[1].rank)
    rivals = figures.high - 1
    headline = f"{best.entry.model}, right {of_100(figures.degraded)} times in 100."
    if rivals:
        headline += f" {rivals} {'others' if rivals > 1 else 'other'} may be as good."
    fallen = sum(each.degraded < each.clean for _, each in found)
    who = f"All {fallen}" if fallen == len(found) else f"{fallen} of {len(found)}"
    runs = sum(row.entry.source != "paper" for row, _ in found)
    sources = "figures as published (arXiv 2603.07769)"
    if runs:
        sources += f" and {runs} run{'s' if runs > 1 else ''}"
    if key == SEVERE:
        name, images, questions = "all, severe", "severely degraded images", f"{QUESTIONS:,}"
        column, which = "Severe", "right of 100"
    else:
        name = CATEGORY_PHRASES[key]
        images, questions = f"images degraded by {name} (mild and severe)", f"At least {questions_of(key):,}"
        column, which = "Degraded", "mild and severe"
    lead = (
        f"{who} models are right less often on {images} than on clean ones. {questions} questions, {sources}. Under "
        "each rank: the places that so many questions cannot tell apart."
    )
    return View(key, name, headline, lead, column, which)


def _more_chips(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Name the groups that the paper does not have."""
    groups = dict.fromkeys(entry.group for entry in entries if entry.group not in GROUPS)
    return [(group, group.capitalize()) for group in groups]
