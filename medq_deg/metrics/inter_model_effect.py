"""Several models on the same rows: the inter-model Dunning-Kruger effect, with its noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, cluster_sums, partition
from medq_deg.metrics.dunning_kruger import Evidence, add_holm, evidence, judge, missing_answers
from medq_deg.metrics.figures import FIGURES, SHIFTS
from medq_deg.metrics.sums import ClusterSums, Drawn, Rows, resample, row_values
from medq_deg.metrics.votes import IntArray, Invalid, Name, Votes, VoteTable, encode


def inter_model(
    models: Mapping[str, Votes],
    answers: Sequence[str],
    num_choices: int | Sequence[int],
    groups: Sequence[Any] | None = None,
    *,
    invalid: Invalid = "wrong",
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
    rows = {model: Rows.of(table) for model, table in tables.items()}
    sums = {model: ClusterSums(rows[model], everything, cluster, clusters) for model in models}
    point = {model: {key: float(v[0]) for key, v in each.figures().items()} for model, each in sums.items()}
    drawn: dict[str, Drawn] = {}
    if clusters > 1:
        drawn = dict(zip(sums, resample(list(sums.values()), n_resamples, seed), strict=True))

    def gap(of: str, minus: str, key: str) -> dict[str, Any]:
        value = point[of][key] - point[minus][key]
        known = bool(drawn) and not math.isnan(value)
        bounds = (drawn[of] - drawn[minus]).interval(key, value, confidence_level) if known else None
        return {"gap": None if math.isnan(value) else value, "gap_ci": bounds}

    treatments = {model: _treatments(table, rows[model]) for model, table in tables.items()}
    pairs = []
    for one, other in combinations(models, 2):
        weaker, stronger = sorted((one, other), key=lambda model: point[model]["accuracy"])
        told = gap(stronger, weaker, "accuracy")
        pair: dict[str, Any] = {
            "weaker": weaker,
            "stronger": stronger,
            "accuracy_gap": told["gap"],
            "accuracy_gap_ci": told["gap_ci"],
        }
        weighed = _weigh(treatments[weaker], treatments[stronger], cluster)
        lost = [1 - point[model]["parse_rate"] for model in (weaker, stronger)]
        missing = missing_answers(lost[0], lost[1], where=f"of {weaker}", than=f"of {stronger}")
        for shift in SHIFTS:
            part = gap(weaker, stronger, shift)
            part["rule"] = bool(pair["accuracy_gap"] > 0 and (part["gap"] or 0.0) > 0)
            pair[shift] = part | judge(weighed[shift], confidence_level, missing)
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
                    (figure, None if math.isnan(point[model][figure]) else point[model][figure]),
                    (
                        f"{figure}_ci",
                        drawn[model].interval(figure, point[model][figure], confidence_level) if drawn else None,
                    ),
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


def _treatments(table: VoteTable, rows: Rows) -> dict[str, Rows]:
    """Return the rows with missing answers treated as is reported, and the other way."""
    return {"reported": rows, "other": rows if table.other is None else Rows.of(table.other)}


def _weigh(weaker: dict[str, Rows], stronger: dict[str, Rows], cluster: IntArray) -> dict[str, list[Evidence]]:
    """Weigh "the weaker model is less accurate and has the higher shift", for each shift and treatment."""
    weighed: dict[str, list[Evidence]] = {shift: [] for shift in SHIFTS}
    for treatment in ("reported", "other"):
        first, second = weaker[treatment], stronger[treatment]
        if treatment == "other" and first is weaker["reported"] and second is stronger["reported"]:
            continue
        both = np.flatnonzero((first.counted > 0) & (second.counted > 0))
        keys = ("accuracy", *SHIFTS)
        gaps = cluster_sums(row_values(first, keys, both) - row_values(second, keys, both), cluster[both])
        for place, shift in enumerate(SHIFTS, start=1):
            weighed[shift].append(evidence(-gaps[:, 0], gaps[:, place], FIGURES[shift].undefined))
    return weighed


def _namer(model: str) -> Name:
    return lambda position: f"row {position} of {model!r}"
