"""Several models on the same rows: the inter-model Dunning-Kruger effect, with its noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, interval, partition
from medq_deg.metrics.dunning_kruger import add_holm, evidence, verdict
from medq_deg.metrics.figures import SHIFTS, ClusterSums, Rows, resample
from medq_deg.metrics.votes import Invalid, Name, Votes, encode


def inter_model(
    models: Mapping[str, Votes],
    answers: Sequence[str],
    num_choices: int | Sequence[int],
    groups: Sequence[Any] | None = None,
    *,
    invalid: Invalid = "category",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Ask of each two models whether the less accurate one has the higher shift.

    Parameters
    ----------
    models : mapping from name to votes
        Two models or more, all on the same N rows in the same order.
    answers, num_choices, groups, invalid, confidence_level, n_resamples, seed
        As in `calibration_shift`; all models see the same clusters drawn.

    Returns
    -------
    dict
        ``n``, ``clusters``, ``few_clusters``, ``confidence_level``; ``models``: accuracy and the three shifts
        of each, with intervals; ``pairs``: for each two models ``weaker`` and ``stronger`` (by observed
        accuracy), ``accuracy_gap`` (stronger - weaker) and, for each of the three shifts, ``gap`` (weaker -
        stronger), the paper's ``rule``, p-values and ``verdict``, plain and adjusted by Holm's method over
        all pairs; ``share``: for each shift, the share of the pairs that follow the rule.

    Raises
    ------
    MedqDegError
        For fewer than two models, or as in `calibration_shift`.

    References
    ----------
    MedQ-Deg (arXiv 2603.07769), inter-model Dunning-Kruger effect.
    """
    if len(models) < 2:
        raise MedqDegError(f"models must hold the votes of at least 2 models, got {len(models)}.")
    check_settings(confidence_level, n_resamples, seed)
    tables = {
        model: encode(votes, None, answers, num_choices, invalid=invalid, name=_namer(model))
        for model, votes in models.items()
    }
    cluster = partition(groups, len(answers))
    clusters = int(cluster.max()) + 1
    everything = np.arange(len(answers))
    sums = {model: ClusterSums(Rows.of(table), everything, cluster, clusters) for model, table in tables.items()}
    point = {model: {key: float(v[0]) for key, v in each.figures().items()} for model, each in sums.items()}
    drawn: dict[str, Any] = {}
    if clusters > 1:
        drawn = dict(zip(sums, resample(list(sums.values()), n_resamples, seed), strict=True))

    pairs = []
    for one, other in combinations(models, 2):
        weaker, stronger = sorted((one, other), key=lambda model: point[model]["accuracy"])
        pair: dict[str, Any] = {"weaker": weaker, "stronger": stronger}
        pair["accuracy_gap"] = point[stronger]["accuracy"] - point[weaker]["accuracy"]
        pair["accuracy_gap_ci"] = None
        if drawn:
            gaps = drawn[stronger]["accuracy"] - drawn[weaker]["accuracy"]
            pair["accuracy_gap_ci"] = interval(gaps, confidence_level)
        for shift in SHIFTS:
            gap = point[weaker][shift] - point[stronger][shift]
            part: dict[str, Any] = {
                "gap": gap,
                "gap_ci": None,
                "rule": bool(pair["accuracy_gap"] > 0 and gap > 0),
                "verdict": None,
                "p_supported": None,
                "p_refuted": None,
            }
            if drawn:
                shift_gaps = drawn[weaker][shift] - drawn[stronger][shift]
                part["gap_ci"] = interval(shift_gaps, confidence_level)
                part |= evidence(pair["accuracy_gap"], gap, gaps, shift_gaps, clusters)
                part["verdict"] = verdict(part["p_supported"], part["p_refuted"], confidence_level)
            pair[shift] = part
        pairs.append(pair)
    for shift in SHIFTS:
        add_holm([pair[shift] for pair in pairs], confidence_level)
    differing = [pair for pair in pairs if pair["accuracy_gap"] > 0]
    return {
        "n": len(everything),
        "clusters": clusters,
        "few_clusters": clusters < FEW_CLUSTERS,
        "confidence_level": confidence_level,
        "models": {
            model: {
                key: value
                for figure in ("accuracy", *SHIFTS)
                for key, value in (
                    (figure, point[model][figure]),
                    (f"{figure}_ci", interval(drawn[model][figure], confidence_level) if drawn else None),
                )
            }
            for model in models
        },
        "pairs": pairs,
        "share": {
            shift: sum(pair[shift]["rule"] for pair in differing) / len(differing) if differing else None
            for shift in SHIFTS
        },
    }


def _namer(model: str) -> Name:
    return lambda position: f"row {position} of {model!r}"
