"""Entries of a results dataset: made from a real run's, as if its rows were the whole release."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from medq_deg.hub.submit import prepare_results
from medq_deg.results.published import PAPER_ROWS
from tests.hub.runs import benchmark_rows, make_run

STRANGE = 'org/"my" model\'s 🩻 <b>é</b> ${alert(1)} {{7*7}}'
"""A name that no page may take for anything but a name."""


def real_entry(folder: Path, name: str = "org/small", **described: Any) -> dict[str, Any]:
    """Return the `leaderboard.json` of a small real run, which the ranks must refuse."""
    run = make_run(folder / "run", name, rows=benchmark_rows(), **described)
    held: dict[str, Any] = json.loads(prepare_results(run, "me/results", dry_run=True).text)
    return held


def whole(held: dict[str, Any], gain: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Return an entry as it is after a run on all of the release; `gain` is added to every accuracy."""
    new = copy.deepcopy(held) | changes
    for number, wanted in enumerate(PAPER_ROWS):
        cells = [cell for cell in new["cells"] if cell["severity"] == f"L{number}"]
        for cell in cells:
            cell["n"] = wanted // len(cells)
            cell["accuracy"] = min(1.0, cell["accuracy"] + gain)
        cells[0]["n"] += wanted % len(cells)
    for pair in new["categories"].values():
        pair.update({name: min(1.0, share + gain) for name, share in pair.items()})
    new["asked"] |= {"rows": list(PAPER_ROWS), "unanswered": 0, "sources": ["release"], "trials": 10}
    return new


def write(folder: Path, entries: dict[str, Any]) -> Path:
    """Write a results dataset; a text is written as it is."""
    for name, held in entries.items():
        path = folder / "results" / name / "leaderboard.json"
        path.parent.mkdir(parents=True)
        path.write_text(held if isinstance(held, str) else json.dumps(held))
    return folder
