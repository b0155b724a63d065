"""What the paper publishes, as far as tests compare with it: see SOURCE.md beside this file."""

from __future__ import annotations

import csv
from pathlib import Path


def paper_table(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the tables of this folder."""
    with (Path(__file__).parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
