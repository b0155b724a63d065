"""Draw how data flows through the package, `docs/flow.svg`, for `docs/architecture.md`.

``python docs/flow.py`` writes the drawing; ``--check`` ends with 1 if it is not the one that is stored, or if a box
names a path that is not there.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DRAWING = ROOT / "docs" / "flow.svg"

WIDE, HIGH, STEP_X, STEP_Y, MARGIN = 216, 66, 256, 106, 16


class Box(NamedTuple):
    """A box: its place in columns and rows, what it is, what it holds, and its path in `medq_deg`."""

    column: int
    row: int
    title: str
    holds: str
    path: str


BOXES = {
    "sources": Box(0, 0, "Sources", "benchmark, a folder, plugins", "data/sources"),
    "clean": Box(1, 0, "Clean questions", "no duplicates, pixels as PNG", "data/clean.py"),
    "plan": Box(2, 0, "Plan", "which question, type and seed", "data/plan.py"),
    "rows": Box(3, 0, "Rows L0, L1, L2", "parquet, or made when read", "data"),
    "scans": Box(1, 1, "Your images and scans", "PNG, DICOM, NIfTI", "medical"),
    "degradations": Box(2, 1, "Degradations", "f(image, rng, parameters)", "degradations"),
    "models": Box(2, 2, "Models", "transformers, endpoint, plugin", "models"),
    "run": Box(3, 2, "Run", "rows.jsonl, answers.jsonl", "evaluation"),
    "harness": Box(2, 3, "Other harnesses", "their results come back", "harness"),
    "metrics": Box(2, 4, "Figures", "from votes to numbers", "metrics"),
    "results": Box(3, 4, "Results", "score, answer, compare, ranks", "results"),
    "hub": Box(2, 5, "Hub", "push, submit", "hub"),
    "report": Box(3, 5, "Report", "page, card, charts, tables", "reporting"),
}

ARROWS = (
    ("sources", "clean"),
    ("clean", "plan"),
    ("plan", "rows"),
    ("scans", "degradations"),
    ("degradations", "rows"),
    ("rows", "run"),
    ("models", "run"),
    ("harness", "run"),
    ("run", "results"),
    ("metrics", "results"),
    ("results", "report"),
    ("results", "hub"),
)


def _corner(box: Box) -> tuple[int, int]:
    return MARGIN + box.column * STEP_X, MARGIN + box.row * STEP_Y


def _arrow(first: Box, second: Box) -> str:
    (x, y), (to_x, to_y) = _corner(first), _corner(second)
    if first.row == second.row:
        points = (x + WIDE, y + HIGH // 2, to_x, to_y + HIGH // 2)
    elif first.column == second.column:
        points = (x + WIDE // 2, y + HIGH, to_x + WIDE // 2, to_y)
    else:
        down = second.row > first.row
        side = (x, to_x + WIDE) if second.column < first.column else (x + WIDE, to_x)
        points = (side[0], y + (HIGH if down else 0), side[1], to_y + (0 if down else HIGH))
    return '<line x1="{}" y1="{}" x2="{}" y2="{}"/>'.format(*points)


def _box(box: Box) -> str:
    x, y = _corner(box)
    lines = (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>',
        f'<text x="{x + 12}" y="{y + 21}" class="title">{escape(box.title)}</text>',
        f'<text x="{x + 12}" y="{y + 39}">{escape(box.holds)}</text>',
        f'<text x="{x + 12}" y="{y + 56}" class="path">{escape(box.path)}</text>',
    )
    return "\n".join(lines)


def drawing() -> str:
    """Return the drawing as SVG."""
    width = 2 * MARGIN + max(box.column for box in BOXES.values()) * STEP_X + WIDE
    height = 2 * MARGIN + max(box.row for box in BOXES.values()) * STEP_Y + HIGH
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="How data flows: sources, clean questions, plan, rows, run, results, report">',
        "<style>text{font:12px sans-serif;fill:#1b1b1b}.title{font-weight:bold;font-size:15px}"
        ".path{font-family:monospace;fill:#1a5a96}rect{fill:#f6f7f9;stroke:#5b6470}"
        "line{stroke:#5b6470;stroke-width:1.6;marker-end:url(#tip)}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b6470"/></marker></defs>',
        f'<rect width="{width}" height="{height}" style="fill:#fff;stroke:none"/>',
        *(_arrow(BOXES[first], BOXES[second]) for first, second in ARROWS),
        *(_box(box) for box in BOXES.values()),
        "</svg>",
    )
    return "\n".join(parts) + "\n"


def problems() -> list[str]:
    """Say which boxes name nothing, and whether the stored drawing is another one."""
    found = [f"{box.path}: not in medq_deg" for box in BOXES.values() if not (ROOT / "medq_deg" / box.path).exists()]
    if not DRAWING.exists() or DRAWING.read_text(encoding="utf-8") != drawing():
        found.append("docs/flow.svg is not what docs/flow.py draws: run it")
    return found


def main() -> int:
    """Write the drawing, or check the stored one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the stored drawing is another one")
    if not parser.parse_args().check:
        DRAWING.write_text(drawing(), encoding="utf-8")
    found = problems()
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
