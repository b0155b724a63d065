"""The page: fills the template, with everything escaped and nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import medq_deg
from medq_deg import demo, metrics
from medq_deg.metrics import FIGURES
from medq_deg.report import figures, text, verdicts
from medq_deg.report.browser import OUTCOMES, SURE, Browser
from medq_deg.report.collect import Run
from medq_deg.report.drawing import COLOURS, MARKS, MOST_RUNS, Figure
from medq_deg.taxonomy import SEVERITY_NAMES

_TEMPLATES = Path(__file__).with_name("templates")

_WRITE = {"share": text.percent, "shift": text.signed, "score": text.decimal}

HEADLINE = tuple((key, FIGURES[key].title, _WRITE[FIGURES[key].unit]) for key in metrics.HEADLINE)
"""Figures of the headline: key, name, and how they are written."""

MORE = tuple((key, each.title, _WRITE[each.unit]) for key, each in FIGURES.items() if not each.headline)
"""Further figures, in a table of their own."""


def render(
    runs: Sequence[Run], drawn: Sequence[Figure], browser: Browser, comparisons: Sequence[dict[str, Any]]
) -> str:
    """Return the report as one HTML document.

    Style and script are inline and named by hash in the page's policy, which forbids everything else: what a model said
    could not run or fetch anything even if it were not escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=text.finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": text.percent,
        "points": text.points,
        "signed": text.signed,
        "between": text.between,
        "words": text.words,
        "shorten": text.shorten,
        "flat": text.flat,
    }
    style, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    by_name = {figure.name: figure for figure in drawn}
    return environment.get_template("report.html").render(
        runs=runs,
        shown=runs[:MOST_RUNS],
        most=MOST_RUNS,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
        version=medq_deg.__version__,
        severities=SEVERITY_NAMES,
        headline=HEADLINE,
        more=MORE,
        figures={name: (figure, Markup(figure.svg)) for name, figure in by_name.items()},
        breakdowns=[_breakdown(runs, by, by_name) for by in figures.ORDER if figures.cells(runs, by)],
        drops=[name for name in by_name if name.startswith("drops_by_")],
        verdicts=[verdicts.verdict_of(run) for run in runs],
        comparisons=[verdicts.between_models(each) for each in comparisons],
        browser=browser,
        outcomes=OUTCOMES,
        first_outcome=next(
            (key for key in OUTCOMES if any(key in card.outcomes.values() for card in browser.cards)), ""
        ),
        sure=SURE,
        write_points=text.points,
        notes=notes(runs),
        keys=[_key(index) for index in range(min(len(runs), MOST_RUNS))],
        level=text.percent(runs[0].summary["confidence_level"]).replace(".0", ""),
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _breakdown(runs: Sequence[Run], by: str, drawn: dict[str, Figure]) -> dict[str, Any]:
    """Bring together what the page shows of a breakdown: its figure, and its cells with those runs that have them."""
    noun = figures.NOUNS.get(by, by)
    cells = [
        (name, [(run, run.summary["by"][by][name]) for run in runs[:MOST_RUNS] if name in run.summary["by"][by]])
        for name in figures.cells(runs, by)
    ]
    return {"noun": noun, "figure": f"accuracy_by_{noun}", "cells": [cell for cell in cells if cell[1]]}


def notes(runs: Sequence[Run]) -> list[str]:
    """Say what a reader must know before comparing these runs."""
    notes = []
    if any(run.data_name == "demo" for run in runs):
        notes.append(f"Data “demo” is {demo.NOTE}.")
    if len({run.fingerprint for run in runs}) > 1:
        notes.append("These runs are on different data: their figures cannot be compared with one another.")
    if len({run.answered.settings["trials"] for run in runs}) > 1 or len({run.answered.source for run in runs}) > 1:
        notes.append(
            "These runs have different numbers of votes: only accuracy and agreement shift compare between them."
        )
    if lacking := [run.label for run in runs if not run.at("L0")]:
        notes.append(f"No clean pictures (L0), so no change and no verdict: {', '.join(lacking)}.")
    if partial := [f"{run.label} ({run.missing} of {run.answered.wanted})" for run in runs if run.missing]:
        notes.append(f"Rows without an answer are left out: {', '.join(partial)}.")
    for run in runs:
        if said := run.answered.settings["model"].get("note"):
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
    """Draw a run's mark in its colour, as the figures have it."""
    return Markup(
        f'<svg class="key" viewBox="0 0 12 12" aria-hidden="true" fill="{COLOURS[index]}">{_SHAPES[MARKS[index]]}</svg>'
    )
