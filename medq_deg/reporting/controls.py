"""The controls of runs as the page shows them: sentences, and the tables behind them. Nothing is drawn here.

Safe deferral has a section of its own, see `medq_deg.reporting.deferral`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from medq_deg.reporting.collect import Run
from medq_deg.reporting.text import between, percent, points, signed
from medq_deg.results.controlled import ControlFigures, control_sentences


@dataclass(frozen=True)
class Grid:
    """A table as texts: its title, headings, and lines with as many cells as headings."""

    title: str
    headings: list[str]
    lines: list[list[str]]


@dataclass(frozen=True)
class ControlView:
    """What the page shows of one run's controls.

    Attributes
    ----------
    label : str
        The run's.
    sentences : list of str
        What the controls say, what a reader must know first at the beginning.
    grids : list of Grid
        The tables behind the sentences.
    """

    label: str
    sentences: list[str]
    grids: list[Grid]


def control_views(runs: Sequence[Run]) -> list[ControlView]:
    """Return the views of those runs whose controls say something."""
    views = []
    for run in runs:
        if run.controls is not None and (sentences := control_sentences(replace(run.controls, deferral=None))):
            views.append(ControlView(run.label, sentences, grids_of(run.controls)))
    return views


def grids_of(figures: ControlFigures) -> list[Grid]:
    """Return the tables of a run's controls: what the image adds, agreement across orders, and positions."""
    return [
        *([_blind_grid(figures)] if figures.blind else []),
        *(_order_grids(figures) if figures.option_orders else []),
    ]


def _blind_grid(figures: ControlFigures) -> Grid:
    blind = figures.blind or {}
    lines = [["without an image", _with(blind["blind_accuracy"], blind["blind_accuracy_ci"], percent), "–", "–"]]
    for level, accuracy in blind["accuracy"].items():
        gain = accuracy - blind["blind_accuracy"]
        kept = blind["kept"].get(level)
        limits = blind["kept_ci"].get(level)
        lines.append([
            level,
            _with(accuracy, blind["accuracy_ci"][level], percent),
            points(gain),
            _with(kept, limits, percent),
        ])  # fmt: skip
    return Grid("What the image adds", ["", "accuracy", "points above blind", "visual gain kept"], lines)


def _order_grids(figures: ControlFigures) -> list[Grid]:
    orders = figures.option_orders or {}
    levels = orders.get("by_severity") or {"all": orders}
    names = {
        "agreement_shift_orders": ("agreement shift over orders", signed),
        "agreement_shift": ("agreement shift within an order", signed),
        "agreement_within": ("agreement within an order", percent),
        "agreement_between": ("agreement across orders", percent),
        "order_gap": ("order gap", signed),
    }
    shifts = [
        [title, *(_with(level[name], level.get(f"{name}_ci"), write) for level in levels.values())]
        for name, (title, write) in names.items()
    ]
    grids = [Grid("Agreement in several orders of the options", ["", *levels], shifts)]
    for options, each in orders["positions"].items():
        lines = [
            [f"position {place + 1}", percent(share), percent(recall)]
            for place, (share, recall) in enumerate(zip(each["share"], each["recall"], strict=True))
        ]
        title = f"Votes by position, {options} options (even: {percent(each['chance'])}), {each['n']} rows"
        grids.append(Grid(title, ["", "share of votes", "right where the right option stands there"], lines))
    return grids


def _with(value: float | None, interval: Sequence[float] | None, write: Callable[[float | None], str]) -> str:
    return write(value) + (f" ({between(interval, write)})" if interval and value is not None else "")
