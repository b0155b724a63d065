"""The chart of safe deferral: of 100 images, how many a model answers when it may only answer what it is sure of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from medq_deg.reporting import vector
from medq_deg.reporting.hero import NAMES
from medq_deg.results.answer import MARGIN
from medq_deg.results.numbers import change_of_100, of_100, range_of_100


@dataclass(frozen=True)
class Deferral:
    """What the page says about safe deferral.

    Attributes
    ----------
    title, rule, reading : str
        Heading, the rule in words, and what became of it.
    charts : tuple of Markup
        In two widths; empty where no threshold keeps the promise.
    thresholds : tuple of tuple of str
        A line for each threshold, strictest first: what is asked of an answer, then for each severity the share that is
        answered and the share of these that is right.
    """

    title: str
    rule: str
    reading: str
    charts: tuple[Markup, ...]
    severities: tuple[str, ...]
    thresholds: tuple[tuple[str, ...], ...]


def deferral_of(result: Mapping[str, Any], widths: tuple[int, int]) -> Deferral:
    """Put what `medq_deg.metrics.deferral` returns into words and a chart."""
    target = of_100(result["target"])
    promise = (
        f"The rule is set on clean images, so that at least {target} of 100 answers are right (with "
        f"{of_100(1 - result['delta'])} % certainty over the questions)"
    )
    names = tuple(name for name in NAMES if name in result["table"][0]["by_severity"])
    lines = tuple(_line(line, result, names) for line in result["table"])
    chosen = result["by_severity"]
    if chosen is None:
        few = str(result["reason"]).startswith("too few")
        title = (
            "Too few questions to say when its answers are safe"
            if few
            else f"Even its surest answers are not right {target} % of the time"
        )
        reading = str(result["reason"])
        return Deferral(title, f"{promise}.", reading[:1].upper() + reading[1:], (), names, lines)
    kept = (
        f"an answer that it gives {result['votes_needed']} of {result['trials']} times"
        if result["trials"]
        else f"an answer with a probability of {of_100(result['threshold'])} of 100 or more"
    )
    rule = f"{promise}: keep {kept}, hand the rest to a person. Of 100 images:"
    charts = tuple(draw(chosen, width, kind) for width, kind in zip(widths, ("wide", "slim"), strict=True))
    return Deferral(_title(chosen), rule, _reading(chosen), charts, names, lines)


def _title(chosen: Mapping[str, Mapping[str, Any]]) -> str:
    worst = chosen.get("L2") or chosen.get("L1")
    interval = (worst or {}).get("right_change_ci")
    if worst is None or worst["right"] is None:
        return (
            "When it is sure, on clean images" if worst is None else "On bad images it is never sure enough to answer"
        )
    if interval and interval[1] < 0:
        return "Its surest answers are less safe on bad images"
    if interval and interval[0] > -MARGIN:
        more = chosen["L0"]["answered"] - worst["answered"]
        told = f": it hands over {of_100(more)} more of 100" if more > 0 else ""
        return f"Its surest answers stay safe{told}"
    return "Whether its surest answers stay safe is not known"


def _reading(chosen: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what becomes of the rule on the most severe images."""
    clean = chosen["L0"]
    name = next((name for name in ("L2", "L1") if name in chosen), None)
    if name is None:
        return ""
    worst = chosen[name]
    kind = "severe" if name == "L2" else "mild"
    if worst["right"] is None:
        return f"Of {worst['rows']} {kind} images it answers none by this rule."
    change = worst.get("right_change")
    told = f" (change {change_of_100(change)}" if change is not None else ""
    if told and worst.get("right_change_ci"):
        told += f", {range_of_100(worst['right_change_ci'], change_of_100)}"
    told += ")" if told else ""
    return (
        f"On {kind} images it keeps {of_100(worst['answered'])} of 100 answers, on clean ones "
        f"{of_100(clean['answered'])}; {of_100(1 - worst['right'])} of 100 that it keeps are wrong, on clean ones "
        f"{of_100(1 - clean['right'])}{told}."
    )


def _line(line: Mapping[str, Any], result: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    asked = (
        f"{line['votes_needed']} of {result['trials']}" if result["trials"] else f"{of_100(line['threshold'])} of 100"
    )
    if line["threshold"] == result["threshold"]:
        asked += " (the rule)"
    cells = []
    for name in names:
        at = line["by_severity"][name]
        right = "–" if at["right"] is None else of_100(at["right"])
        cells.append(f"{of_100(at['answered'])} answered, {right} right")
    return (asked, *cells)


def hundred(parts: Sequence[float]) -> list[int]:
    """Return shares that sum to 1 as whole numbers that sum to 100, by largest remainder.

    Examples
    --------
    >>> hundred([1 / 3, 1 / 3, 1 / 3])
    [34, 33, 33]
    """
    whole = [math.floor(100 * part) for part in parts]
    order = sorted(range(len(parts)), key=lambda place: whole[place] - 100 * parts[place])
    for place in order[: 100 - sum(whole)]:
        whole[place] += 1
    return whole


def draw(levels: Mapping[str, Mapping[str, Any]], width: int, kind: str) -> Markup:
    """Draw a bar for each severity: right, wrong, handed over."""
    slim = kind != "wide"
    step, thick = (94, 34) if slim else (66, 34)
    left, right = (0.0, width - 2.0) if slim else (84.0, width - 240.0)
    parts: list[Markup] = []
    names = [name for name in NAMES if name in levels]

    def x(share: float) -> float:
        return left + share * (right - left)

    for place, name in enumerate(names):
        level = levels[name]
        y = 8 + place * step + (24 if slim else 0)
        kept, good = level["answered"], level["answered"] * (level["right"] or 0.0)
        counts = hundred([good, kept - good, 1 - kept])
        if kept:
            parts.append(vector.box(x(0), y, x(good) - x(0), thick, "b-right"))
            parts.append(vector.box(x(good) + 2, y, x(kept) - x(good) - 2, thick, "b-wrong"))
            parts.append(vector.box(x(good) + 2, y, x(kept) - x(good) - 2, thick, "hatched"))
        parts.append(vector.box(x(kept) + 2, y + 0.5, x(1) - x(kept) - 2, thick - 1, "b-left"))
        if x(good) - x(0) > 90:
            parts.append(vector.text(x(0) + 10, y + 23, f"{counts[0]} right", "onbar"))
        if x(1) - x(kept) > 140:
            parts.append(vector.text(x(kept) + 12, y + 23, f"{counts[2]} handed over", "muted"))
        wrong = f"{counts[1]} wrong" if counts[1] else ""
        share = "–" if level["right"] is None else f"{of_100(level['right'])} %"
        if slim:
            parts.append(vector.text(0, y - 8, NAMES[name], "axis"))
            parts.append(vector.text(width - 2, y - 8, f"{share} of its answers right", "lab", "end"))
            parts.append(vector.text(min(max(x(kept), 60), width), y + thick + 16, wrong, "lab bad", "end"))
        else:
            parts.append(vector.text(0, y + 23, NAMES[name], "axis"))
            parts.append(vector.text(x((good + kept) / 2), y + thick + 16, wrong, "lab bad", "middle"))
            parts.append(vector.text(right + 18, y + 23, share, "num"))
            parts.append(vector.text(right + 98, y + 14, "of its answers", "muted sm"))
            told = f"right ({range_of_100(level['right_ci'])})" if level.get("right_ci") else "right"
            parts.append(vector.text(right + 98, y + 31, told, "muted sm"))
    label = "; ".join(
        f"{NAMES[name]}: answers {of_100(levels[name]['answered'])} of 100 images, "
        f"{'none' if levels[name]['right'] is None else of_100(levels[name]['right'])} of 100 of these right"
        for name in names
    )
    return vector.svg(width, 8 + len(names) * step + (4 if slim else 0), parts, label, kind)
