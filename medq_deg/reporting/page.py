"""The page: fills the template, with everything escaped and nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

import medq_deg
from medq_deg import demo
from medq_deg.data.names import EMBEDDED
from medq_deg.evaluation.missing import missing_sentences
from medq_deg.reporting import text, verdicts
from medq_deg.reporting.breaks import PLAIN
from medq_deg.reporting.browser import Browser
from medq_deg.reporting.collect import Run
from medq_deg.reporting.controls import control_views
from medq_deg.reporting.drawing import MARKS, MOST_RUNS, Figure
from medq_deg.reporting.hero import NAMES
from medq_deg.reporting.html import TEMPLATES, environment, policy
from medq_deg.reporting.strip import strip_of
from medq_deg.reporting.terms import TERMS, explained
from medq_deg.reporting.view import SLIM, WIDE, Part
from medq_deg.results.compare import SETTINGS
from medq_deg.results.numbers import more_or_fewer, of_100, range_of_100
from medq_deg.results.pairs import OUTCOMES, SURE
from medq_deg.results.sampling import sampling_note

HERO_CAPTION = "Of 100 answers. Shaded: surer than right."
HERO_RANGES = " Bars: range of the change from clean, each image against its own clean version."


def render(
    runs: Sequence[Run],
    parts: Sequence[Part],
    drawn: Sequence[Figure],
    browser: Browser,
    comparisons: Sequence[dict[str, Any]],
) -> str:
    """Return the report as one HTML document.

    Style and script are inline, and the page's policy forbids everything else, see `medq_deg.reporting.html`.
    """
    filling = environment()
    filling.filters |= {
        "percent": text.percent,
        "shorten": text.shorten,
        "flat": text.flat,
        "plain": lambda name: text.words(PLAIN.get(name, name)),
        "explained": explained,
        "of_100": of_100,
        "of_100_range": range_of_100,
        "replace_class": lambda drawing, old, new: Markup(drawing.replace(f'class="{old}"', f'class="{new}"', 1)),
    }
    ranged = any(part.levels and part.levels.ranges["right"] for part in parts)
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    controls = control_views(runs)
    return filling.get_template("report.html").render(
        runs=runs,
        shown=runs[:MOST_RUNS],
        parts=parts,
        most=MOST_RUNS,
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        version=medq_deg.__version__,
        sections=_sections(parts, bool(controls)),
        data_title=_data_title(runs),
        names=NAMES,
        title=_title(runs),
        terms=TERMS,
        hero_caption=HERO_CAPTION + (HERO_RANGES if ranged else ""),
        figures={figure.name: (figure, Markup(figure.svg)) for figure in drawn},
        verdicts=[verdicts.verdict_of(run) for run in runs[:MOST_RUNS]],
        comparisons=[verdicts.between_models(each) for each in comparisons],
        strip=strip_of(runs[:MOST_RUNS], (WIDE, SLIM)),
        survivors=any(cell.survives for part in parts for cell in part.cells),
        controls=controls,
        missing=[f"{run.label}: {' '.join(told)}" for run in runs if (told := missing_sentences(run.missing_votes))],
        browser=browser,
        outcomes=OUTCOMES,
        first_outcome=_first_outcome(browser),
        sure=SURE,
        notes=notes(runs),
        keys=[_key(index) for index in range(min(len(runs), MOST_RUNS))],
        level=_level(runs),
    )


def _sections(parts: Sequence[Part], controlled: bool) -> list[tuple[str, str]]:
    """Name the sections that the page has."""
    found = [("defer", "Sure answers")] if any(part.deferral for part in parts) else []
    if any(part.breakdowns for part in parts):
        found.append(("where", "Where it breaks"))
    lost = parts[0].share.count if len(parts) == 1 else 0
    rows = f"The {lost} images" if lost > 1 else "Single images"
    checks = [("controls", "Controls")] if controlled else []
    return [*found, *checks, ("rows", rows), ("how", "How tested"), ("all", "All numbers")]


def _data_title(runs: Sequence[Run]) -> str:
    names = list(dict.fromkeys(run.data_name for run in runs))
    if len(names) > 1:
        return f"{len(names)} sets of data"
    return "the demonstration set" if names[0] in EMBEDDED else f"“{names[0]}”"


def about(part: Part) -> str:
    """Return the small print of a run's card: model, data, questions and range."""
    told = [part.run.label, _data_title([part.run]).removeprefix("the "), f"{part.run.summary['clusters']} questions"]
    interval = (part.run.summary.get("dunning_kruger") or {}).get("accuracy_drop_ci")
    if interval and part.answer.key not in ("incomplete", "few"):
        told.append(f"{_level([part.run])} range: {more_or_fewer(interval)} wrong")
    return " · ".join(told)


def _level(runs: Sequence[Run]) -> str:
    return f"{100 * (runs[0].summary['confidence_level'] or 0.95):g} %"


def _title(runs: Sequence[Run]) -> str:
    """Say what several runs have in common."""
    asked = {(run.fingerprint, *(str(run.answered.settings.get(name)) for name in SETTINGS)) for run in runs}
    return f"{len(runs)} models, asked the same questions" if len(asked) == 1 else f"{len(runs)} runs"


def _first_outcome(browser: Browser) -> str:
    shown = {outcome for card in browser.cards for outcome in card.outcomes.values()}
    return next((key for key in OUTCOMES if key in shown), "")


def notes(runs: Sequence[Run]) -> list[str]:
    """Say what a reader must know before comparing these runs."""
    notes = []
    shown = any(run.data_name in EMBEDDED for run in runs)
    if shown:
        notes.append(f"This is {demo.NOTE}.")
    if len({run.fingerprint for run in runs}) > 1:
        notes.append("These runs are on different data: their figures cannot be compared with one another.")
    if len({run.answered.settings["trials"] for run in runs}) > 1 or len({run.answered.source for run in runs}) > 1:
        notes.append(
            "These runs have different numbers of votes: only accuracy and agreement shift compare between them."
        )
    notes += [f"{run.label}: {', '.join(run.controls.told)}." for run in runs if run.controls and run.controls.told]
    notes += [f"{run.label}: {check}" for run in runs for check in run.answered.checks]
    if len(runs) > 1:  # the answer of a run alone says so itself
        told = [(run, sampling_note(run.answered.sampling)) for run in runs]
        notes += [f"{run.label}: {note}" for run, note in told if note and note not in run.answer.evidence]
    for run in runs:
        if (said := run.answered.settings["model"].get("note")) and not shown:
            notes.append(f"{run.label}: {said}.")
    return notes


_SHAPES = {
    "o": '<circle cx="6" cy="6" r="5"/>',
    "s": '<rect x="1.5" y="1.5" width="9" height="9"/>',
    "^": '<path d="M6 1 11 11H1z"/>',
    "D": '<path d="M6 0 12 6 6 12 0 6z"/>',
    "v": '<path d="M6 11 1 1h10z"/>',
    "P": '<path d="M4 0h4v4h4v4H8v4H4V8H0V4h4z"/>',
}


def _key(index: int) -> Markup:
    """Draw a run's mark in ink: a colour on the page means right or wrong."""
    return Markup(f'<svg class="run-mark" viewBox="0 0 12 12" aria-hidden="true">{_SHAPES[MARKS[index]]}</svg>')
