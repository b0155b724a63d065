"""Does a model that gets worse become surer of itself? The paper's rules, and verdicts that know their noise.

The paper's rules compare point estimates, so one of two outcomes is always announced. The verdicts here have
a third, "undecided", and can be asked of a shift that is not biased.

References
----------
- Rules: MedQ-Deg (arXiv 2603.07769), intra-model and inter-model Dunning-Kruger effect.
- Both conditions at once, the intersection-union test: R. L. Berger, Technometrics 24, 1982.
- Many hypotheses: S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6,
  1979.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.figures import SHIFTS
from medq_deg.metrics.johnson import TOO_FEW, mean_test
from medq_deg.metrics.votes import FloatArray


def intra_model_rule(accuracy_l0: float, accuracy_l2: float, shift_l0: float, shift_l2: float) -> bool:
    """Apply the paper's rule to one model: less accurate on degraded images, and no less sure of itself.

    Returns
    -------
    bool
        ``accuracy_l0 > accuracy_l2 and shift_l0 <= shift_l2``.
    """
    return bool(accuracy_l0 > accuracy_l2 and shift_l0 <= shift_l2)


def inter_model_rule(figures: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Apply the paper's rule to each pair of models: the less accurate one has the higher shift.

    Parameters
    ----------
    figures : mapping from model to (accuracy, shift)

    Returns
    -------
    dict
        ``pairs``: a list of ``weaker``, ``stronger`` and ``rule`` for each two models of different accuracy;
        ``share``: the share of these pairs that follow the rule, None without a pair.

    Examples
    --------
    >>> inter_model_rule({"small": (0.5, 0.4), "large": (0.7, 0.2)})["share"]
    1.0
    """
    pairs = []
    for one, other in combinations(figures, 2):
        weaker, stronger = sorted((one, other), key=lambda model: figures[model][0])
        if figures[weaker][0] < figures[stronger][0]:
            rule = bool(figures[weaker][1] > figures[stronger][1])
            pairs.append({"weaker": weaker, "stronger": stronger, "rule": rule})
    share = sum(bool(pair["rule"]) for pair in pairs) / len(pairs) if pairs else None
    return {"pairs": pairs, "share": share}


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false rejection stays at the level of each.

    Parameters
    ----------
    p_values : sequence of m floats in [0, 1]

    Returns
    -------
    list of m floats
        In the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise MedqDegError(f"p_values must lie between 0 and 1, got {list(p_values)!r}.")
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = reached
    return adjusted


@dataclass(frozen=True)
class Evidence:
    """How the data weigh on "accuracy drops and the shift rises".

    Attributes
    ----------
    p_supported : float, or None
        Small when both are above 0 (the larger of the two p-values, an intersection-union test).
    p_refuted : float, or None
        Small when at least one is below 0 (twice the smaller p-value, Bonferroni). Both are doubled for two-sidedness.
    reason : str, or None
        Why there is no p-value.
    """

    p_supported: float | None
    p_refuted: float | None
    reason: str | None


def evidence(drops: FloatArray, changes: FloatArray, undefined: str = TOO_FEW) -> Evidence:
    """Weigh "accuracy drops and the shift rises" against the data of one treatment of missing answers.

    Parameters
    ----------
    drops, changes : (C,) float
        Accuracy lost and shift gained, summed over the rows of each cluster.
    undefined : str
        Why changes may be undefined.
    """
    if np.isnan(changes).any():
        return Evidence(None, None, undefined)
    tests = mean_test(drops), mean_test(changes)
    if not all(test.enough for test in tests):
        return Evidence(None, None, TOO_FEW)
    above, below = max(test.above for test in tests), min(test.below for test in tests)
    return Evidence(min(1.0, 2 * above), min(1.0, 4 * below), None)


def judge(weighed: Sequence[Evidence], confidence_level: float, missing: str) -> dict[str, Any]:
    """Give a verdict if all treatments of missing answers agree on it.

    Parameters
    ----------
    weighed : sequence of Evidence
        Of the treatment that is reported and, where answers are missing, of the other.
    confidence_level : float
    missing : str
        What to say where the treatments disagree.

    Returns
    -------
    dict
        ``p_supported`` and ``p_refuted``, the larger of the treatments' p-values; ``verdict``; ``reason``: why there is
        none, or why it is undecided though one treatment decides.
    """
    first = weighed[0]
    if first.p_supported is None or first.p_refuted is None:
        return {"p_supported": None, "p_refuted": None, "verdict": None, "reason": first.reason}
    supported = max(1.0 if each.p_supported is None else each.p_supported for each in weighed)
    refuted = max(1.0 if each.p_refuted is None else each.p_refuted for each in weighed)
    alone = {verdict(each.p_supported, each.p_refuted, confidence_level) for each in weighed}
    return {
        "p_supported": supported,
        "p_refuted": refuted,
        "verdict": verdict(supported, refuted, confidence_level),
        "reason": missing if len(alone) > 1 else None,
    }


def verdict(p_supported: float | None, p_refuted: float | None, confidence_level: float) -> str | None:
    """Return ``"supported"``, ``"refuted"`` or ``"undecided"`` at a level of confidence, None without p-values."""
    if p_supported is None or p_refuted is None:
        return None
    alpha = 1 - confidence_level
    if p_supported <= alpha:
        return "supported"
    return "refuted" if p_refuted <= alpha else "undecided"


def missing_answers(share: float, other: float, where: str = "at L2", than: str = "at L0") -> str:
    """Say how many answers are missing on the two sides of a comparison."""
    return f"answers are missing {where} in {100 * share:.1f} % of votes against {100 * other:.1f} % {than}"


def add_holm(cells: Sequence[dict[str, Any]], confidence_level: float, suffix: str = "holm") -> None:
    """Add ``p_supported_holm``, ``p_refuted_holm`` and ``verdict_holm`` to a family of verdicts, in place.

    A cell whose p-values are None could not be tested and is no member of the family. With ``suffix="page"`` the names
    end so.
    """
    tested = [cell for cell in cells if cell["p_supported"] is not None]
    for key in ("p_supported", "p_refuted"):
        for cell, p in zip(tested, holm([cell[key] for cell in tested]), strict=True):
            cell[f"{key}_{suffix}"] = p
    for cell in tested:
        adjusted = cell[f"p_supported_{suffix}"], cell[f"p_refuted_{suffix}"]
        cell[f"verdict_{suffix}"] = verdict(*adjusted, confidence_level)


def add_page(reports: Sequence[Mapping[str, Any]], confidence_level: float) -> None:
    """Mark, in place, which verdicts survive across a whole page: every cell of every breakdown of every run on it.

    Each verdict of a cell gains ``p_supported_page``, ``p_refuted_page`` and ``verdict_page``, by Holm's method over
    all of them, for each of the three shifts by itself. The verdict on a whole run is the question that was asked first
    and is no member.

    Parameters
    ----------
    reports : sequence of what `medq_deg.metrics.summarize` returns
        The runs on the page.
    confidence_level : float
    """
    cells = [cell for report in reports for breakdown in report["by"].values() for cell in breakdown.values()]
    verdicts = [cell["dunning_kruger"] for cell in cells if cell.get("dunning_kruger")]
    for shift in SHIFTS:
        add_holm([each[shift] for each in verdicts], confidence_level, suffix="page")
