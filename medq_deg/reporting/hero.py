"""The chart of the first screen: how right and how sure a model is at L0, L1 and L2, and the gap between."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

from markupsafe import Markup

from medq_deg.reporting import vector
from medq_deg.results.numbers import of_100

NAMES: Final = {"L0": "Clean", "L1": "Mild", "L2": "Severe"}
"""What a reader calls the severities."""

Point: TypeAlias = tuple[float, float]

_KEYS: Final = {"right": "accuracy", "sure": "agreement"}


@dataclass(frozen=True)
class Levels:
    """Right and sure at each severity on one paired baseline, as shares.

    Every degraded image counts with its own clean one, so the clean value has the questions and weights of the severe
    images: it is the severe value minus the paired change.

    Attributes
    ----------
    values : mapping from "right" or "sure" to severity to share
    ranges : mapping from "right" or "sure" to severity to (low, high)
        Range of the change from clean, laid at the clean value; empty for L0, and where there are too few questions.
    """

    values: Mapping[str, Mapping[str, float]]
    ranges: Mapping[str, Mapping[str, tuple[float, float]]]

    @property
    def severities(self) -> list[str]:
        """Those that are shown."""
        return list(self.values["right"])

    def gap(self, severity: str) -> float:
        """Return how much surer than right the model is."""
        return self.values["sure"][severity] - self.values["right"][severity]


def levels_of(by_severity: Mapping[str, Mapping[str, Any]]) -> Levels | None:
    """Return what the chart shows; None for a run without pairs at L2."""
    severe = by_severity.get("L2", {})
    if not severe.get("change_from_l0"):
        return None
    values: dict[str, dict[str, float]] = {}
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    for kind, key in _KEYS.items():
        base = severe[key] - severe["change_from_l0"][key]
        values[kind], ranges[kind] = {"L0": base}, {}
        for name in ("L1", "L2"):
            change = by_severity.get(name, {}).get("change_from_l0")
            if not change:
                continue
            values[kind][name] = base + change[key]
            interval = change.get(f"{key}_ci")
            if interval and not severe.get("few_clusters"):
                ranges[kind][name] = (base + interval[0], base + interval[1])
    return Levels(values, ranges)


def title(levels: Levels, margin: float = 0.03) -> str:
    """Say in words what the gap does."""
    before, after = levels.gap("L0"), levels.gap("L2")
    clean = "as sure as it is right" if abs(before) < margin else "surer than right" if before > 0 else "less sure"
    if after - before > margin:
        return f"Clean: {clean}. Degraded: {'surer' if after > margin else 'less modest'}."
    if before - after > margin:
        return f"Clean: {clean}. Degraded: less so." if clean != "less sure" else "Less sure than right, and more so."
    return f"Clean and degraded: {clean}."


def bounds(several: Sequence[Levels]) -> tuple[int, int]:
    """Return the ends of a scale in hundredths that holds all of some charts, in steps of 10 and at least 30 long."""
    seen = [
        value
        for levels in several
        for kind in _KEYS
        for value in (*levels.values[kind].values(), *(end for pair in levels.ranges[kind].values() for end in pair))
    ]
    low = max(0, math.floor((100 * min(seen) - 3) / 10) * 10)
    high = min(100, math.ceil((100 * max(seen) + 3) / 10) * 10)
    while high - low < 30:
        if low > 0:
            low -= 10
        if high - low < 30 and high < 100:
            high += 10
    return low, high


def draw(levels: Levels, width: int, height: int, kind: str, scale: tuple[int, int] | None = None) -> Markup:
    """Draw the chart; `kind` is "wide" or "slim", the class by which a page shows one of them."""
    slim = kind != "wide"
    low, high = scale or bounds([levels])
    left, right, top, bottom = 40, 74 if slim else 116, 34, 42
    pad = 34 if slim else 46
    shown = levels.severities
    steps = max(len(shown) - 1, 1)
    at = {name: left + pad + place * (width - left - right - pad) / steps for place, name in enumerate(shown)}

    def y(value: float) -> float:
        return top + (high - 100 * min(max(value, low / 100), high / 100)) / (high - low) * (height - top - bottom)

    parts = []
    for tick in range(low, high + 1, 10 if high - low <= 60 else 20):
        parts.append(vector.line(left, y(tick / 100), width - right + 12, y(tick / 100), "grid"))
        parts.append(vector.text(left - 8, y(tick / 100) + 5, tick, "muted", "end"))
    lines = {key: [(at[name], y(levels.values[key][name])) for name in shown] for key in _KEYS}
    parts += [vector.polyline(area, "gap", closed=True) for area in _surer(lines["sure"], lines["right"])]
    for key, shift in (("sure", 8), ("right", -8)):
        for name, (below, above) in levels.ranges[key].items():
            x, ends = at[name] + shift, (y(below), y(above))
            parts.append(vector.line(x, ends[0], x, ends[1], f"ci {key}"))
            parts += [vector.line(x - 4, end, x + 4, end, f"ci {key}") for end in ends]
        parts.append(vector.polyline(lines[key], f"line {key}"))
        for x, place in lines[key]:
            parts.append(
                vector.circle(x, place, 6, "dot right")
                if key == "right"
                else vector.box(x - 5.5, place - 5.5, 11, 11, "dot sure")
            )
    first, last = shown[0], shown[-1]
    upper, lower = _apart({key: y(levels.values[key][first]) for key in _KEYS}, 8)
    parts.append(_number(at[first] - 12, upper[1] - 10, levels.values[upper[0]][first], upper[0], "middle"))
    parts.append(_number(at[first] - 12, lower[1] + 24, levels.values[lower[0]][first], lower[0], "middle"))
    for key, place in _apart({key: y(levels.values[key][last]) for key in _KEYS}, 42):
        parts.append(_number(at[last] + 22, place + 3, levels.values[key][last], key, "start"))
        parts.append(vector.text(at[last] + 22, place + 21, key if slim else f"how {key}", f"lab {key}"))
    parts += [vector.text(at[name], height - 12, NAMES[name], "axis", "middle") for name in shown]
    parts += _gap_label(levels, at, y, slim)
    values = levels.values
    label = "; ".join(
        f"{NAMES[name]}: right {of_100(values['right'][name])}, sure {of_100(values['sure'][name])} of 100"
        for name in shown
    )
    return vector.svg(width, height, parts, f"How right and how sure. {label}", kind)


def _surer(sure: Sequence[Point], right: Sequence[Point]) -> list[list[Point]]:
    """Return the areas between two lines where the first is above the second; y grows downwards."""
    areas = []
    for (a, b), (c, d) in zip(pairwise(sure), pairwise(right), strict=True):
        before, after = c[1] - a[1], d[1] - b[1]
        if before >= 0 and after >= 0:
            areas.append([a, b, d, c])
        elif before > 0 or after > 0:
            share = before / (before - after)
            crossing = (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
            areas.append([a, crossing, c] if before > 0 else [crossing, b, d])
    return areas


def _number(x: float, y: float, value: float, kind: str, anchor: str) -> Markup:
    return vector.text(x, y, of_100(value), f"num {kind}", anchor)


def _apart(places: Mapping[str, float], least: float) -> list[tuple[str, float]]:
    """Return the places of two labels from top to bottom, moved apart to a distance."""
    (upper, a), (lower, b) = sorted(places.items(), key=lambda item: (item[1], item[0] == "right"))
    lacking = max(0.0, least - (b - a)) / 2
    return [(upper, a - lacking), (lower, b + lacking)]


def _gap_label(levels: Levels, at: Mapping[str, float], y: Any, slim: bool) -> list[Markup]:
    """Name the shaded gap where there is room for a name between its lines."""
    before, after = levels.severities[-2:]
    gap = levels.gap(after)
    middle = [(y(levels.values["sure"][name]) + y(levels.values["right"][name])) / 2 for name in (before, after)]
    heights = [abs(y(levels.values["sure"][name]) - y(levels.values["right"][name])) for name in (before, after)]
    x, place = (at[before] + at[after]) / 2, sum(middle) / 2
    if sum(heights) / 2 < (24 if slim else 44) or gap <= 0:
        return []
    if slim:
        return [vector.text(x, place + 7, f"+{of_100(gap)}", "gaplab", "middle")]
    return [
        vector.text(x, place - 3, "surer than right", "gaplab", "middle"),
        vector.text(x, place + 15, f"by {of_100(gap)} of 100", "gaplab", "middle"),
    ]
