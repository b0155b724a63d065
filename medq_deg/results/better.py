"""One sentence on two models: which is right more often on bad images, by how much, and whether it knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medq_deg.results.numbers import more_or_fewer, of_100
from medq_deg.taxonomy import SEVERITY_NAMES

_IMAGES = {
    "L0": "On clean images",
    "L1": "On mildly degraded images",
    "L2": "On severely degraded images",
}


def better(comparison: Mapping[str, Any], first: str, second: str) -> str:
    """Say which of two models is better on the most severe images that both were asked about.

    Parameters
    ----------
    comparison : mapping
        What `medq_deg.metrics.compare` returns, with the breakdown "severity". Without the agreement shift, as for runs
        that asked in other orders of the options, nothing is said of sureness.
    first, second : str
        What the models are called.
    """
    cells = comparison["by"]["severity"]
    severity = next(name for name in reversed(SEVERITY_NAMES) if name in cells)
    cell = cells[severity]
    accuracy, gap = cell["accuracy"], cell.get("agreement_shift")
    ahead, behind, sign = (second, first, 1) if accuracy["difference"] >= 0 else (first, second, -1)
    ends = accuracy["difference_ci"]
    interval = sorted(sign * end for end in ends) if ends else None
    level = f"{100 * comparison['confidence_level']:g} % range"
    told = f" ({level}: {more_or_fewer(interval)})" if interval else ""
    by = of_100(abs(accuracy["difference"]))
    where = _IMAGES[severity]
    knows = ""
    if gap:
        gaps = {second: gap["second"], first: gap["first"]}
        knows = f"; it is {_surer(gaps[ahead])}, {behind} {_surer(gaps[behind])}"
    if interval is None or interval[0] <= 0:
        return f"{where} neither is clearly right more often, {ahead} {by} more times in 100{told}{knows}."
    return f"{where} {ahead} is right {by} more times in 100 than {behind}{told}{knows}."


def _surer(gap: float) -> str:
    if of_100(abs(gap)) == "0":
        return "as sure as it is right"
    return f"{'surer' if gap > 0 else 'less sure'} than right by {of_100(abs(gap))}"
