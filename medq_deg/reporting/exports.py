"""A leaderboard as a file: CSV, Markdown, JSON, or a page that works by itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.reporting.board import render
from medq_deg.results.columns import COLUMNS, FIGURES
from medq_deg.results.leaderboard import WITH_INTERVAL, Entry, shown
from medq_deg.storable import no_formula


def to_csv(entries: Iterable[Entry]) -> str:
    """Return a table with a line for each model, and two columns for the interval of each accuracy and shift."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    bounds = [f"{name}_{side}" for name in WITH_INTERVAL for side in ("low", "high")]
    writer.writerow([*COLUMNS, *bounds])
    for entry in entries:
        limits = [limit for name in WITH_INTERVAL for limit in entry.intervals.get(name, (None, None))]
        writer.writerow([*map(no_formula, _values(entry).values()), *limits])
    return file.getvalue()


def to_markdown(entries: Iterable[Entry]) -> str:
    """Return a table in GitHub's Markdown; runs are in bold."""
    names = ("rank", "model", "group", *FIGURES, "data", "notes")
    lines = [
        "| " + " | ".join(name.replace("_", " ") for name in names) + " |",
        "|" + "|".join("--:" if name in ("rank", *FIGURES) else "---" for name in names) + "|",
    ]
    for entry in entries:
        cells = [shown(entry, name) if name in FIGURES else _escape(no_formula(shown(entry, name))) for name in names]
        if entry.run:
            cells[1] = f"**{cells[1]}**"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def to_json(entries: Iterable[Entry]) -> str:
    """Return a list of objects, one for each model, with its intervals."""
    return json.dumps(records(entries), indent=2, ensure_ascii=False) + "\n"


def records(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return an object for each model, with its intervals and, for a run, its answer."""
    return [
        {**_values(entry), "intervals": asdict(entry)["intervals"], "answer": entry.answer and dict(entry.answer)}
        for entry in entries
    ]


def to_html(entries: Iterable[Entry]) -> str:
    """Return a page that works by itself, see `medq_deg.reporting.board`."""
    return render(list(entries))


EXPORTS: Final = {".csv": to_csv, ".md": to_markdown, ".json": to_json, ".html": to_html}


def check_export(path: Path) -> None:
    """Raise `MedqDegError` unless the ending of a file's name says how to write it."""
    if path.suffix.lower() not in EXPORTS:
        raise MedqDegError(f"a leaderboard is written to a file that ends in {', '.join(EXPORTS)}, got {str(path)!r}")


def write_leaderboard(entries: Iterable[Entry], path: Path) -> None:
    """Write CSV, Markdown, JSON or HTML, as the ending of the file's name says; see `check_export`."""
    check_export(path)
    text = EXPORTS[path.suffix.lower()](entries)
    with replace_file(path) as file:
        file.write(text.encode())


def _values(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in COLUMNS}


def _escape(text: str) -> str:
    """Keep a name from being read as Markdown or HTML."""
    for sign in "\\`*_[]|":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;")
