"""What the page shows of one run, gathered: the answer, its charts, its examples, its numbers and how it was tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup

from medq_deg.metrics import FIGURES
from medq_deg.reporting import breaks, hero
from medq_deg.reporting.collect import Run
from medq_deg.reporting.deferral import Deferral, deferral_of
from medq_deg.reporting.examples import Example, example_of
from medq_deg.reporting.figures import NOUNS, ORDER
from medq_deg.reporting.images import Images
from medq_deg.results.answer import Answer
from medq_deg.results.numbers import range_of_100
from medq_deg.results.pairs import Pair, Share, clearest, pairs_of, sure_and_wrong
from medq_deg.taxonomy import SEVERITY_NAMES

WIDE, SLIM = 1040, 358
"""Widths of a chart on a screen and on a phone, px."""

_HERO: Final = ((560, 356, "wide"), (SLIM, 300, "slim"))
_FIRST_SIDE, _OTHER_SIDE = 300, 180
_MOST_OTHERS = 30
_PLURALS: Final = {
    "category": "Categories",
    "degradation": "Degradations",
    "modality": "Modalities",
    "task": "Tasks",
    "skills": "Skills",
}


@dataclass(frozen=True)
class Breakdown:
    """A chart of where a run breaks, in two widths, with a sentence."""

    noun: str
    cells: tuple[breaks.Cell, ...]
    charts: tuple[Markup, ...]
    summary: str


@dataclass(frozen=True)
class Number:
    """A line of the table of all numbers: name and gloss, and for each column a value with its small print."""

    name: str
    gloss: str
    cells: tuple[tuple[str, str, str, bool], ...]
    """Label, value, small print, and whether the range excludes 0."""


@dataclass(frozen=True)
class Part:
    """What the page shows of one run; a part that the run cannot fill is None or empty, never drawn empty."""

    run: Run
    answer: Answer
    levels: hero.Levels | None
    hero_title: str
    charts: tuple[Markup, ...]
    pair: Pair | None
    example: Example | None
    example_is_loss: bool
    others: tuple[Example, ...]
    share: Share
    kinds: Counter[str]
    breakdowns: tuple[Breakdown, ...]
    cells: tuple[breaks.Cell, ...]
    deferral: Deferral | None
    numbers: tuple[Number, ...]
    flow: tuple[tuple[str, str], ...]


def parts_of(runs: Sequence[Run], images: Images, *, n_resamples: int = 1000) -> list[Part]:
    """Gather what the page shows of some runs; charts that are compared share a scale."""
    levels = [hero.levels_of(run.summary["by_severity"]) for run in runs]
    known = [each for each in levels if each]
    scale = hero.bounds(known) if known else None
    return [_part(run, each, scale, images, n_resamples) for run, each in zip(runs, levels, strict=True)]


def _part(
    run: Run, levels: hero.Levels | None, scale: tuple[int, int] | None, images: Images, n_resamples: int
) -> Part:
    source = run.answered.source
    pairs = pairs_of(run.answered.rows, source)
    lost = clearest(pairs, source)
    first = lost[0] if lost else next((pair for pair in pairs if pair.outcome == "kept"), None)
    example = None
    if first is not None:
        shown = {name: images.uri(row["id"], _FIRST_SIDE) for name, row in first.rows.items()}
        example = example_of(first, source, shown)
    breakdowns = _breakdowns(run)
    others = []
    for pair in lost[1 : _MOST_OTHERS + 1]:
        rows = {name: row for name, row in pair.rows.items() if name != "L1"}
        found = {name: images.uri(row["id"], _OTHER_SIDE) for name, row in rows.items()}
        others.append(example_of(replace(pair, rows=rows), source, found, size=9))
    return Part(
        run=run,
        answer=run.answer,
        levels=levels,
        hero_title=hero.title(levels) if levels else "",
        charts=tuple(hero.draw(levels, *size, scale) for size in _HERO) if levels else (),
        pair=first,
        example=example,
        example_is_loss=bool(lost),
        others=tuple(others),
        share=sure_and_wrong(pairs, n_resamples=n_resamples),
        kinds=Counter(pair.outcome for pair in pairs),
        breakdowns=tuple(breakdowns),
        cells=tuple(cell for each in breakdowns for cell in each.cells),
        deferral=deferral_of(run.deferral, (WIDE, SLIM)) if run.deferral else None,
        numbers=tuple(numbers_of(run.summary)),
        flow=tuple(_flow(run, len(pairs))),
    )


def _breakdowns(run: Run) -> list[Breakdown]:
    """Draw categories and degradations in one chart's scale, and each other breakdown in its own."""
    found = []
    for by in ("category", "degradation", *(name for name in ORDER if name not in ("category", "degradation"))):
        cells = breaks.cells_of(run.summary["by"].get(by, {}))
        if not cells:
            continue
        noun = NOUNS.get(by, by)
        scale = breaks.bounds([cells])
        charts = tuple(
            breaks.draw(cells, noun, width, kind, scale, title=_PLURALS[by])
            for width, kind in ((WIDE, "wide"), (SLIM, "slim"))
        )
        found.append(Breakdown(noun, tuple(cells), charts, breaks.summary(cells, noun)))
    return found


_LISTED: Final = (
    "accuracy",
    "agreement",
    "agreement_shift",
    "majority_accuracy",
    "parse_rate",
    "auroc",
    "confidence",
    "calibration_shift",
    "ece",
    "brier",
)
"""The figures of the table of all numbers, in the order of a reader's questions."""


def numbers_of(summary: Mapping[str, Any]) -> list[Number]:
    """Return the table of all numbers, in points of 100."""
    levels = summary["by_severity"]
    lines = []
    for key in _LISTED:
        cells = []
        for severity in SEVERITY_NAMES:
            if severity in levels:
                cells.append(_cell(levels, severity, key))
        for severity in ("L1", "L2"):
            change = levels.get(severity, {}).get("change_from_l0")
            if change:
                cells.append(_change(severity, change, key))
        if any(cell[1] != "–" for cell in cells):
            lines.append(Number(FIGURES[key].plain, FIGURES[key].gloss, tuple(cells)))
    return lines


def _cell(levels: Mapping[str, Any], severity: str, key: str) -> tuple[str, str, str, bool]:
    figures = levels[severity]
    value, interval = figures.get(key), figures.get(f"{key}_ci")
    label = hero.NAMES[severity]
    if value is None:
        return label, "–", "", False
    severe = levels.get("L2", {})
    if severity == "L0" and severe.get("change_from_l0") and severe["change_from_l0"].get(key) is not None:
        paired = severe[key] - severe["change_from_l0"][key]
        return label, _tenths(paired), f"each once {_tenths(value)}", False
    return label, _tenths(value), range_of_100(interval, _tenths) if interval else "", False


def _change(severity: str, change: Mapping[str, Any], key: str) -> tuple[str, str, str, bool]:
    value, interval = change.get(key), change.get(f"{key}_ci")
    label = f"{hero.NAMES[severity]} − clean"
    if value is None:
        return label, "–", "", False
    clear = interval is not None and (interval[0] > 0 or interval[1] < 0)
    return label, _signed_tenths(value), range_of_100(interval, _signed_tenths) if interval else "", clear


def _tenths(share: float) -> str:
    return f"{100 * share + 0.0:.1f}".replace("-0.0", "0.0").replace("-", "−")


def _signed_tenths(share: float) -> str:
    text = _tenths(share)
    return text if text.startswith("−") or text == "0.0" else f"+{text}"


def _flow(run: Run, pairs: int) -> list[tuple[str, str]]:
    """Count questions, rows, answers, those not readable, and pairs, as CONSORT-AI asks for the flow of inputs."""
    rows = run.answered.rows
    counts = Counter(row["severity"] for row in rows)
    steps = [(f"{len({row['question_id'] for row in rows}):,}", "questions")]
    for severity, name in enumerate(("clean", "mild", "severe")):
        if counts[severity]:
            steps.append((f"{counts[severity]:,}", f"{name} images"))
    if run.answered.source == "votes":
        votes = sum(len(row["votes"]) for row in rows)
        unread = sum(not vote for row in rows for vote in row["votes"])
        steps.append((f"{votes:,}", f"answers, {run.answered.settings['trials']} to each"))
        steps.append((f"{unread:,}", "not readable, counted wrong"))
    else:
        steps.append((f"{len(rows):,}", "answers as exact probabilities"))
    steps.append((f"{pairs:,}", f"severe pairs compared, {run.missing:,} rows missing"))
    return steps
