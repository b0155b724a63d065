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

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.votes import FloatArray


def intra_model_rule(accuracy_l0: float, accuracy_l2: float, shift_l0: float, shift_l2: float) -> bool:
    """Apply the paper's rule to one model: less accurate on degraded pictures, and no less sure of itself.

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


def evidence(drop: float, change: float, drops: FloatArray, changes: FloatArray, clusters: int) -> dict[str, float]:
    """Weigh "accuracy drops and the shift rises" against the data.

    Parameters
    ----------
    drop, change : float
        Accuracy lost and shift gained, as observed.
    drops, changes : (R,) float
        The same in each bootstrap resample.
    clusters : int
        How many clusters were resampled; c clusters cannot give a p-value below 2 ** -c, as in a sign test.

    Returns
    -------
    dict
        ``p_supported``: small when both are above 0 (the larger of the two p-values, an intersection-union
        test); ``p_refuted``: small when at least one is below 0 (twice the smaller p-value, Bonferroni). Both
        are doubled for two-sidedness: below alpha means that an interval of level 1 - alpha lies on that side
        of 0.
    """
    least = 2.0**-clusters
    above = [max(least, _p_above(*each)) for each in ((drop, drops), (change, changes))]
    below = [max(least, _p_above(*each)) for each in ((-drop, -drops), (-change, -changes))]
    return {"p_supported": min(1.0, 2 * max(above)), "p_refuted": min(1.0, 2 * min(below))}


def verdict(p_supported: float, p_refuted: float, confidence_level: float) -> str:
    """Return ``"supported"``, ``"refuted"`` or ``"undecided"`` at a level of confidence."""
    alpha = 1 - confidence_level
    if p_supported <= alpha:
        return "supported"
    return "refuted" if p_refuted <= alpha else "undecided"


def add_holm(cells: Sequence[dict[str, Any]], confidence_level: float) -> None:
    """Add ``p_supported_holm``, ``p_refuted_holm`` and ``verdict_holm`` to a family of verdicts, in place.

    A cell whose p-values are None could not be tested and is no member of the family.
    """
    tested = [cell for cell in cells if cell["p_supported"] is not None]
    for key in ("p_supported", "p_refuted"):
        for cell, p in zip(tested, holm([cell[key] for cell in tested]), strict=True):
            cell[f"{key}_holm"] = p
    for cell in tested:
        cell["verdict_holm"] = verdict(cell["p_supported_holm"], cell["p_refuted_holm"], confidence_level)


def _p_above(estimate: float, replicates: FloatArray) -> float:
    """Return the one-sided p-value of "this is above 0".

    The bootstrap gives the standard error and the normal distribution the tail: counting resamples could
    never give a p-value small enough to survive Holm's correction over 30 skills.
    """
    defined = replicates[~np.isnan(replicates)]
    if defined.size < 2:
        return 1.0
    error = float(defined.std(ddof=1))
    if error < 1e-12:
        return 0.0 if estimate > 1e-12 else 1.0
    return 0.5 * math.erfc(estimate / error / math.sqrt(2))
