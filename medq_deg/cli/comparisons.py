"""Comparison and leaderboard as the command line prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from medq_deg.cli.console import PlainConsole, console
from medq_deg.cli.controls import print_controls
from medq_deg.cli.tables import print_answer
from medq_deg.metrics import FEW_CLUSTERS
from medq_deg.results.columns import FIGURES
from medq_deg.results.leaderboard import Entry, one_line, shown

_LEADERBOARD = ("rank", "model", "group", *FIGURES)

NOT_JUDGED = "n/a"
"""Stands for a p-value that too few questions cannot give."""


def print_comparison(result: Mapping[str, Any]) -> None:
    """Print what `medq_deg.results.compare.compare_runs` returns: overall, change from L0, and each breakdown.

    A difference that Holm's method leaves significant at the level of the intervals is in bold.
    """
    console.print(Text(one_line(result["sentence"]), style="bold"), soft_wrap=True, highlight=False)
    alpha = 1 - result["confidence_level"]
    first, second = (one_line(result[side]["model"].get("name") or result[side]["run"]) for side in ("first", "second"))
    data = one_line(result["data"].get("name"))
    table = Table(title=Text(f"{second} minus {first}, on {result['rows']} rows of {data}"))
    table.caption = (
        "difference [95 % interval by bootstrap over questions], p adjusted by Holm's method within a block; "
        f"* fewer than {FEW_CLUSTERS} questions; {NOT_JUDGED}: too few questions for a p-value; † also after "
        "correction over all blocks"
    )
    table.add_column("", no_wrap=True)
    table.add_column("rows", justify="right")
    for figure in result["figures"]:
        table.add_column(figure.replace("_", " "), justify="right", no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
    blocks = {"": {"all rows": result["overall"]}, "change from L0": result["change_from_l0"], **result["by"]}
    for block, cells in blocks.items():
        if not cells:
            continue
        table.add_section()
        if block:
            table.add_row(Text(block, style="italic"))
        for key, cell in cells.items():
            shown_cells = [part for figure in result["figures"] for part in _difference(cell[figure], alpha)]
            mark = "*" if cell["few_clusters"] else ""
            table.add_row(Text(("  " if block else "") + one_line(key) + mark), str(cell["n"]), *shown_cells)
    PlainConsole(width=max(console.width, 140)).print(table)
    for side in ("first", "second"):
        print_answer(result[side]["answer"], one_line(result[side]["model"].get("name") or result[side]["run"]))
        print_controls(result[side]["controls"], one_line(result[side]["model"].get("name") or result[side]["run"]))
    for note in result["notes"]:
        console.print(f"Note: {one_line(note)}.", soft_wrap=True, highlight=False, markup=False)


def print_leaderboard(entries: Sequence[Entry]) -> None:
    """Print what `medq_deg.results.leaderboard.leaderboard` returns; runs are in bold, with their notes below."""
    table = Table(title="leaderboard")
    table.caption = "fractions; published figures: arXiv 2603.07769; rank: by accuracy at L2, on the paper's data only"
    for name in _LEADERBOARD:
        numeric = name in ("rank", *FIGURES)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", no_wrap=numeric)
    names = max((len(entry.model) for entry in entries), default=0)
    table.columns[1].min_width = min(names, 36)
    table.columns[1].overflow = "fold"
    for entry in entries:
        cells = [Text(shown(entry, name).replace(" [", "\n[")) for name in _LEADERBOARD]
        table.add_row(*cells, style="bold" if entry.run else None)
    PlainConsole(width=max(console.width, 180)).print(table)
    for entry in entries:
        if entry.run:
            if entry.answer:
                print_answer(entry.answer, entry.model)
            told = f"{entry.model} ({entry.run}): {entry.data}, {entry.votes} votes per row"
            console.print(
                f"{told}; {entry.notes}" if entry.notes else told, soft_wrap=True, highlight=False, markup=False
            )


def _difference(part: Mapping[str, Any], alpha: float) -> tuple[Text, Text]:
    told = f"{part['difference']:+.3f}"
    if limits := part["difference_ci"]:
        told += f" [{limits[0]:+.3f}, {limits[1]:+.3f}]"
    if part["verdict"] is None:
        return Text(told), Text(NOT_JUDGED)
    p = "<0.001" if part["p_holm"] < 0.001 else f"{part['p_holm']:.3f}"
    across = part.get("p_page")
    if across is not None and across <= alpha:
        p += "†"
    style = "bold" if part["verdict_holm"] != "undecided" else ""
    return Text(told, style=style), Text(p, style=style)
