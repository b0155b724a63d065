"""What the controls say, as the command line prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from medq_deg.cli.console import PlainConsole, console
from medq_deg.results.controlled import ControlFigures, control_sentences
from medq_deg.taxonomy import SEVERITY_NAMES


def print_controls(figures: Mapping[str, Any], name: str = "") -> None:
    """Print what the controls of a run say, and the table of all thresholds of deferral.

    Parameters
    ----------
    figures : mapping
        From `ControlFigures.as_dict`.
    name : str
        Whose they are, among several.
    """
    known = ControlFigures(
        figures.get("asked") or [], *(figures.get(name) for name in ("option_orders", "blind", "deferral", "subset"))
    )
    for sentence in control_sentences(known):
        told = f"{name}: {sentence}" if name else sentence
        console.print(told, soft_wrap=True, highlight=False, markup=False)
    if known.deferral:
        _print_thresholds(known.deferral, name)


def _print_thresholds(figures: Mapping[str, Any], name: str) -> None:
    levels = [level for level in SEVERITY_NAMES if level in figures["table"][0]["by_severity"]]
    table = Table(title=f"answering only when sure{f', {name}' if name else ''}")
    table.caption = "share answered, and share right of these; * the threshold that keeps the promise on clean images"
    table.add_column("at least", justify="right")
    for level in levels:
        table.add_column(f"{level} answered", justify="right")
        table.add_column(f"{level} right", justify="right")
    for line in _shown(figures):
        votes = line["votes_needed"]
        needed = f"{line['threshold']:.2f}" if votes is None else f"{votes} of {figures['trials']}"
        cells = []
        for level in levels:
            at = line["by_severity"][level]
            cells += [f"{at['answered']:.3f}", "-" if at["right"] is None else f"{at['right']:.3f}"]
        table.add_row(needed + (" *" if line["threshold"] == figures["threshold"] else ""), *cells)
    PlainConsole(width=max(console.width, 90)).print(table)


def _shown(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return all thresholds in votes; of the 49 probabilities, every fifth and the chosen one."""
    lines = figures["table"]
    if figures["trials"] is not None:
        return list(lines)
    return [line for at, line in enumerate(lines) if at % 5 == 0 or line["threshold"] == figures["threshold"]]
