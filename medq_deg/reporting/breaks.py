"""The chart of where a model breaks: the paired change of accuracy from clean to severe, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from medq_deg.metrics import FEW_CLUSTERS
from medq_deg.reporting import vector
from medq_deg.reporting.text import shorten
from medq_deg.results.numbers import change_of_100
from medq_deg.taxonomy import NO_DEGRADATION

RANKED: Final = 10
"""Questions from which a cell is ranked and has a range."""

PLAIN: Final[Mapping[str, str]] = {
    "adjust_brightness": "wrong brightness",
    "reduce_contrast": "low contrast",
    "exposure": "wrong exposure",
    "sparse_view": "few views (CT)",
    "limited_angle": "limited angle (CT)",
    "low_dose": "low dose (CT)",
    "undersampling": "undersampling (MRI)",
    "bias_field": "uneven field (MRI)",
    "ghosting": "ghosting (MRI)",
    "object_rotation": "rotated",
    "object_movement": "moved",
    "gaussian_noise": "noise",
    "gaussian_blur": "out of focus",
    "motion_blur": "motion blur",
    "blood_cell": "blood cells",
    "bubble": "bubbles",
    "dark_spots": "dark spots",
    "low_resolution": "low resolution",
    "intensity": "brightness, contrast",
    "resolution_and_blur": "resolution, blur",
}
"""Words for readers; files keep the names of the library."""

NOT_RANKED: Final = 2
"""The tier whose cells stand by name, not by what they lost."""

_TIERS: Final = (
    f"{{noun}} with {FEW_CLUSTERS} questions or more",
    "10 to 29 questions: place may be luck",
    "Fewer than 10 questions: not ranked",
)


@dataclass(frozen=True)
class Cell:
    """The paired change of one cell, degraded minus clean, as a share; the range is None below `RANKED` questions."""

    name: str
    questions: int
    pairs: int
    change: float
    interval: tuple[float, float] | None
    gap: float | None
    survives: bool

    @property
    def label(self) -> str:
        """The name as a reader knows it."""
        return PLAIN.get(self.name, self.name.replace("_", " "))

    @property
    def tier(self) -> int:
        """0 from `FEW_CLUSTERS` questions, which stand in full ink, 1 from `RANKED`, else 2."""
        return 0 if self.questions >= FEW_CLUSTERS else 1 if self.questions >= RANKED else 2


def cells_of(breakdown: Mapping[str, Mapping[str, Any]], severity: str = "L2") -> list[Cell]:
    """Return the cells of a breakdown that have pairs: by tier, the worst of each first where they are ranked."""
    found = []
    for name, cell in breakdown.items():
        figures = cell["by_severity"].get(severity, {})
        change = figures.get("change_from_l0")
        if not change or name == NO_DEGRADATION:
            continue
        questions = figures["clusters"]
        interval = change.get("accuracy_ci") if questions >= RANKED else None
        effect = (cell.get("dunning_kruger") or {}).get("agreement_shift") or {}
        found.append(
            Cell(
                name,
                questions,
                change["pairs"],
                change["accuracy"],
                (interval[0], interval[1]) if interval else None,
                change.get("agreement_shift"),
                effect.get("verdict_page") == "supported",
            )
        )
    return sorted(found, key=lambda cell: (cell.tier, cell.change if cell.tier < NOT_RANKED else 0, cell.label))


def summary(cells: Sequence[Cell], noun: str) -> str:
    """Say in a sentence which cells can be judged, and which is the worst."""
    solid = [cell for cell in cells if cell.tier == 0]
    hurt = [cell for cell in solid if cell.interval and cell.interval[1] < 0]
    few = len(cells) - len(solid)
    parts = []
    if hurt:
        worst = ", ".join(f"{cell.label} ({change_of_100(cell.change)})" for cell in hurt[:3])
        parts.append(f"Worst where it can be judged: {worst}.")
    elif solid:
        parts.append(f"No {noun} with {FEW_CLUSTERS} questions or more shows a loss beyond chance.")
    if few:
        parts.append(f"{few} of {len(cells)} have fewer than {FEW_CLUSTERS} questions.")
        if not solid:
            first = next((cell for cell in cells if cell.tier == 1), None)
            if first and first.change < 0:
                parts.append(
                    f"Worst so far: {first.label}, {change_of_100(first.change)} on {first.questions} questions."
                )
    return " ".join(parts)


def bounds(groups: Sequence[Sequence[Cell]]) -> tuple[float, float]:
    """Return the ends of a scale in steps of 0.2 that holds all of some charts; ranges beyond -1 and 1 are cut."""
    seen = [0.0, *(value for cells in groups for cell in cells for value in (cell.change, *(cell.interval or ())))]
    low = max(-1.0, math.floor(min(seen) / 0.2 - 1e-9) * 0.2)
    high = min(1.0, math.ceil(max(seen) / 0.2 + 1e-9) * 0.2)
    return min(low, -0.2), max(high, 0.2)


def draw(
    cells: Sequence[Cell], noun: str, width: int, kind: str, scale: tuple[float, float], *, title: str = ""
) -> Markup:
    """Draw the cells, one line each, with the tiers apart."""
    slim = kind != "wide"
    low, high = scale
    left, right = (176, width - 44) if slim else (240, width - 120)
    top, step = 46.0, 28

    def x(value: float) -> float:
        return left + (min(max(value, low), high) - low) / (high - low) * (right - left)

    rows: list[Markup] = []
    y = top + 8
    for tier, words in enumerate(_TIERS):
        part = [cell for cell in cells if cell.tier == tier]
        if not part:
            continue
        name = words.format(noun=title or noun.capitalize())
        told = name.split(":")[0] if slim else name
        rows.append(vector.box(0, y - 13, 8.2 * len(told), 22, "bgr"))
        rows.append(vector.text(4, y + 4, told, "muted sm"))
        y += step
        for cell in part:
            rows += _row(cell, x, y, left, width, slim)
            y += step
        y += 6
    grid = []
    ticks = round((high - low) / 0.2)
    for place in range(ticks + 1):
        value = low + 0.2 * place
        zero = abs(value) < 1e-9
        grid.append(vector.line(x(value), top - 12, x(value), y - 14, "zero" if zero else "grid"))
        if not slim or place % max(1, ticks // 3) == 0 or zero:
            grid.append(vector.text(x(value), y + 6, change_of_100(value), "muted", "middle"))
    grid.append(vector.text(x(0) - 8, 18, "← more often wrong", "lab bad", "end"))
    room = width - 130 - x(0) > 150
    grid.append(vector.text(x(0) + 8, 18, "more often right →" if room and not slim else "right →", "muted"))
    if not slim:
        grid.append(vector.text(width - 84, 18, "change", "muted sm", "end"))
    grid.append(vector.text(width - 4, 18, "n" if slim else "questions", "muted sm", "end"))
    told = ", ".join(f"{cell.label} {change_of_100(cell.change)}" for cell in cells)
    label = f"Change of accuracy from clean to severe images, of 100 answers, by {noun}: {told}"
    return vector.svg(width, y + 16, [*grid, *rows], label, kind)


def _row(cell: Cell, x: Any, y: float, left: float, width: int, slim: bool) -> list[Markup]:
    strength = "full" if cell.tier == 0 else "few"
    faint = "" if cell.tier == 0 else "faint"
    word = shorten(cell.label[:1].upper() + cell.label[1:], 20 if slim else 30)
    parts = [vector.text(left - 14, y + 5, word, faint or "strong", "end")]
    if cell.interval:
        parts.append(vector.line(x(cell.interval[0]), y, x(cell.interval[1]), y, f"cib {strength}"))
    parts.append(vector.circle(x(cell.change), y, 6 if cell.tier == 0 else 5, f"dotb {strength}"))
    if not slim:
        mark = "*" if cell.survives else ""
        parts.append(vector.text(width - 84, y + 5, f"{change_of_100(cell.change)}{mark}", faint, "end"))
    parts.append(vector.text(width - 4, y + 5, cell.questions, "muted", "end"))
    return parts
