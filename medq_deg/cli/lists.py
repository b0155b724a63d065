"""What the package knows, degradations and published models, as the command line lists it."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from medq_deg.cli.console import PlainConsole, console
from medq_deg.degradations import DEGRADATIONS
from medq_deg.degradations.degradation import describe
from medq_deg.models import published


def print_degradations() -> None:
    """Print the degradations: what they are, whom they suit, how strong they are."""
    table = Table(title=f"{len(DEGRADATIONS)} degradations", show_lines=True)
    for heading in ("degradation", "category", "modalities", "L1", "L2", "what it is"):
        table.add_column(heading, no_wrap=heading in ("degradation", "category"))
    for entry in DEGRADATIONS.values():
        levels = [describe(entry.parameters[severity]) for severity in (1, 2)]
        table.add_row(
            entry.name, entry.category, ", ".join(entry.modalities), *levels, f"{entry.summary}\n{entry.note}".strip()
        )
        for modality, own in entry.by_modality.items():
            table.add_row("", "", f"{modality} only", describe(own.mild), describe(own.severe), "")
    # A table of six columns needs room: a pipe or a narrow terminal gets long lines instead of broken words.
    PlainConsole(width=max(console.width, 150)).print(table)


def print_models() -> None:
    """Print the published models and how to run them."""
    table = Table(title="published models")
    table.caption = (
        "accuracy in percent at L0, L1, L2 (arXiv 2603.07769); GiB: weights in 16 bit; ? after an id: see "
        "docs/published_models.md"
    )
    for heading in published.COLUMNS:
        table.add_column(heading, justify="right" if heading in published.COLUMNS[-4:] else "left", no_wrap=True)
    for row in published.table_rows():
        table.add_row(*map(Text, row))
    PlainConsole(width=max(console.width, 145)).print(table)
