"""The report of one cell, that is of any subset of the rows: figures, intervals, severities, paired changes.

The dicts that end up in ``metrics.json`` are made here and nowhere else. A cell's intervals depend on its own
rows and the seed alone, so a cell of a breakdown equals a report on the same rows by themselves.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, cluster_sums, partition
from medq_deg.metrics.caveats import ClusterWarning, PairingWarning
from medq_deg.metrics.dunning_kruger import Evidence, evidence, intra_model_rule, judge, missing_answers
from medq_deg.metrics.figures import FIGURES, SHIFTS
from medq_deg.metrics.sums import ClusterSums, Drawn, Rows, resample, row_values
from medq_deg.metrics.votes import FloatArray, IntArray, VoteTable
from medq_deg.taxonomy import SEVERITIES, SEVERITY_NAMES

VERDICT_LEVEL = 0.95
"""Confidence of the verdicts when no interval is asked for."""

Figures = dict[str, FloatArray]


@dataclass(frozen=True)
class Study:
    """All rows of one model, and how they are to be reported.

    Attributes
    ----------
    table : VoteTable
        The N rows.
    rows : Rows
        Their scores.
    other : Rows, or None
        Their scores with missing answers treated the other way; None where none is missing.
    cluster : (N,) int
        The cluster of each row.
    severity : (N,) int, or None
        The severity of each row.
    clean : (N,) int
        For each degraded row the position of its own clean row, -1 where it has none.
    confidence_level : float, or None
        Level of the intervals; None for no intervals.
    n_resamples, seed : int
        Settings of the bootstrap.
    """

    table: VoteTable
    rows: Rows
    other: Rows | None
    cluster: IntArray
    severity: IntArray | None
    clean: IntArray
    confidence_level: float | None
    n_resamples: int
    seed: int


def make_study(
    table: VoteTable,
    *,
    groups: Sequence[Any] | None,
    severities: Sequence[int | str] | None,
    confidence_level: float | None,
    n_resamples: int,
    seed: int,
) -> Study:
    """Check what belongs to the rows of `table` and pair each degraded row with its own clean row.

    Raises
    ------
    MedqDegError
        If a length, a severity or a setting of the bootstrap is wrong.

    Warns
    -----
    PairingWarning
        If a degraded row has no clean row, or more than one, in its group.
    ClusterWarning
        If intervals are asked for and there is one cluster only.
    """
    check_settings(confidence_level, n_resamples, seed)
    cluster = partition(groups, len(table.choices))
    if confidence_level is not None and np.all(cluster == cluster[0]):
        warnings.warn(
            "all rows are in one cluster: nothing can be said about intervals, they are None.",
            ClusterWarning,
            stacklevel=3,
        )
    severity = None if severities is None else check_severities(severities, len(cluster))
    clean = np.full(len(cluster), -1)
    if severity is not None:
        found = np.bincount(cluster, severity == 0)
        position = np.full(found.size, -1)
        position[cluster[severity == 0]] = np.flatnonzero(severity == 0)
        position[found != 1] = -1
        degraded = severity > 0
        clean[degraded] = position[cluster[degraded]]
        lost = int((degraded & (clean < 0)).sum())
        if lost and not degraded.all():
            advice = "" if groups is not None else " Give groups (question ids) to pair them."
            warnings.warn(
                f"{lost} of {int(degraded.sum())} degraded rows have no single clean row (severity 0) in"
                f" their group and are left out of the paired comparisons.{advice}",
                PairingWarning,
                stacklevel=3,
            )
    other = None if table.other is None else Rows.of(table.other)
    return Study(table, Rows.of(table), other, cluster, severity, clean, confidence_level, n_resamples, seed)


def describe(study: Study, chosen: IntArray | None = None) -> dict[str, Any]:
    """Report on the rows at the positions `chosen`, by default all.

    Returns
    -------
    dict
        ``n``, ``clusters``, ``few_clusters``, ``trials`` (with ``trials_min`` and ``trials_max``), each name
        in `FIGURES`, and ``<name>_ci`` if intervals are asked for. If the rows have severities:
        ``by_severity``, where L1 and L2 have ``change_from_l0``, and ``dunning_kruger``. A figure that is
        undefined is None, and ``<name>_reason`` says why.
    """
    chosen = np.arange(len(study.cluster)) if chosen is None else chosen
    present = np.unique(study.cluster[chosen])

    def sums(positions: IntArray) -> ClusterSums:
        local = np.searchsorted(present, study.cluster[positions])
        return ClusterSums(study.rows, positions, local.astype(np.int64), present.size)

    sets = {"all": sums(chosen)}
    members = {"all": chosen}
    paired: list[str] = []
    if study.severity is not None:
        for severity in SEVERITIES:
            name = SEVERITY_NAMES[severity]
            mine = chosen[study.severity[chosen] == severity]
            if not mine.size:
                continue
            members[name] = mine
            sets[name] = sets["all"] if mine.size == chosen.size else sums(mine)
            both = mine[_has_pair(study, mine)]
            if both.size:
                paired.append(name)
                members[f"{name} degraded"] = both
                sets[f"{name} degraded"] = sets[name] if both.size == mine.size else sums(both)
                sets[f"{name} clean"] = sums(study.clean[both])
    point = {name: which.figures() for name, which in sets.items()}
    drawn = _resample(study, sets, paired, present.size)
    level = study.confidence_level

    report = _head(study, chosen, present.size)
    report |= _with_intervals(FIGURES, point["all"], drawn.get("all"), level)
    if study.severity is not None:
        report["by_severity"] = {}
        for name in SEVERITY_NAMES:
            if name in members:
                part = _head(study, members[name], np.unique(study.cluster[members[name]]).size)
                part |= _with_intervals(FIGURES, point[name], drawn.get(name), level)
                if name in paired:
                    part["change_from_l0"] = {
                        "pairs": len(members[f"{name} degraded"]),
                        **_with_intervals(FIGURES, *_change(point, drawn, name), level, change=True),
                    }
                report["by_severity"][name] = part
        report["dunning_kruger"] = _dunning_kruger(study, members, point, drawn)
    return report


def check_severities(severities: Sequence[int | str], rows: int) -> IntArray:
    """Return the severities of all rows as numbers, or raise `MedqDegError` that names the first wrong one.

    A severity is 0, 1 or 2, or its name "L0", "L1" or "L2".
    """
    if not hasattr(severities, "__len__"):
        raise MedqDegError(f"severities must hold one value for each row, got {severities!r}.")
    if len(severities) != rows:
        raise MedqDegError(
            f"severities has {len(severities)} values but there are {rows} rows: one is needed for each row."
        )
    numbers = np.empty(rows, np.int64)
    for position, severity in enumerate(severities):
        number = SEVERITY_NAMES.index(severity) if severity in SEVERITY_NAMES else severity
        if isinstance(number, (bool, float, str)) or number not in SEVERITIES:
            raise MedqDegError(
                f"the severity of row {position} must be 0, 1 or 2, got {severity!r} (the names L0, L1 and L2 will do)."
            )
        numbers[position] = number
    return numbers


def _has_pair(study: Study, positions: IntArray) -> Any:
    """Say which rows, and their clean rows, both count."""
    clean = study.clean[positions]
    counted = study.rows.counted > 0
    return (clean >= 0) & counted[positions] & counted[clean]


def _resample(study: Study, sets: dict[str, ClusterSums], paired: list[str], clusters: int) -> dict[str, Drawn]:
    """Compute the figures of each set in each resample; all sets see the same clusters drawn."""
    if study.confidence_level is None:
        wanted = [f"{name} {side}" for name in paired if name == "L2" for side in ("degraded", "clean")]
    else:
        wanted = list(sets)
    if clusters < 2 or not wanted:
        return {}
    different = {id(sets[name]): sets[name] for name in wanted}
    drawn = resample(list(different.values()), study.n_resamples, study.seed)
    by_set = dict(zip(different, drawn, strict=True))
    return {name: by_set[id(sets[name])] for name in wanted}


def _head(study: Study, positions: IntArray, clusters: int) -> dict[str, Any]:
    """Say how much data a cell holds."""
    counted = positions[study.table.counted[positions]]
    head: dict[str, Any] = {
        "n": int(counted.size),
        "clusters": int(clusters),
        "few_clusters": bool(clusters < FEW_CLUSTERS),
        "trials": None,
        "trials_min": None,
        "trials_max": None,
    }
    if counted.size and not study.table.exact:
        trials = study.table.trials[counted]
        low, high = int(trials.min()), int(trials.max())
        mean = low if low == high else float(trials.mean())
        head |= {"trials": mean, "trials_min": low, "trials_max": high}
    return head


def _with_intervals(
    names: Iterable[str], point: Figures, drawn: Drawn | None, level: float | None, *, change: bool = False
) -> dict[str, Any]:
    """Turn arrays into numbers, each followed by its interval if one is asked for."""
    result: dict[str, Any] = {}
    for name in names:
        result[name] = _number(point[name])
        if result[name] is None:
            result[f"{name}_reason"] = FIGURES[name].undefined
        if level is not None:
            result[f"{name}_ci"] = None
            if drawn is not None and result[name] is not None:
                result[f"{name}_ci"] = _interval(name, result[name], drawn, level, change=change)
    return result


def _interval(name: str, value: float, drawn: Drawn, level: float, *, change: bool) -> list[float] | None:
    """Return the interval of a figure, or of a change of it, within its range."""
    found = drawn.interval(name, value, level)
    figure = FIGURES[name]
    low, high = (figure.low - figure.high, figure.high - figure.low) if change else (figure.low, figure.high)
    return found and [max(found[0], low), min(found[1], high)]


def _number(value: FloatArray) -> float | None:
    number = float(value[0])
    return None if math.isnan(number) else number


def _change(point: dict[str, Figures], drawn: dict[str, Drawn], severity: str) -> tuple[Figures, Drawn | None]:
    """Return each figure of the degraded rows minus that of their clean rows, observed and resampled."""
    degraded, clean = f"{severity} degraded", f"{severity} clean"
    observed = {name: point[degraded][name] - point[clean][name] for name in FIGURES}
    return observed, drawn[degraded] - drawn[clean] if degraded in drawn else None


def _dunning_kruger(
    study: Study, members: dict[str, IntArray], point: dict[str, Figures], drawn: dict[str, Drawn]
) -> dict[str, Any] | None:
    """Apply the paper's rule and the paired verdicts to L0 and L2, for each of the three shifts.

    A breakdown by degradation has no clean rows of its own: the rule then takes the clean rows of its
    questions.
    """
    clean = "L0" if "L0" in members else "L2 clean"
    if clean not in point or "L2" not in members:
        return None
    level = VERDICT_LEVEL if study.confidence_level is None else study.confidence_level
    both = members.get("L2 degraded", np.empty(0, np.int64))
    clusters = int(np.unique(study.cluster[both]).size)
    before, after = point[clean], point["L2"]
    missing = {"l0": 1 - float(before["parse_rate"][0]), "l2": 1 - float(after["parse_rate"][0])}
    result: dict[str, Any] = {
        "rule": None,
        "verdict": None,
        "reason": None,
        "confidence_level": level,
        "pairs": int(both.size),
        "clusters": clusters,
        "few_clusters": clusters < FEW_CLUSTERS,
        "missing_l0": missing["l0"],
        "missing_l2": missing["l2"],
        "accuracy_l0": _number(before["accuracy"]),
        "accuracy_l2": _number(after["accuracy"]),
        "accuracy_drop": None,
        "accuracy_drop_ci": None,
    }
    change: Figures | None = None
    changes: Drawn | None = None
    if both.size:
        change, changes = _change(point, drawn, "L2")
        result["accuracy_drop"] = -float(change["accuracy"][0])
        if changes is not None:
            lost = _interval("accuracy", float(change["accuracy"][0]), changes, level, change=True)
            result["accuracy_drop_ci"] = lost and [-lost[1], -lost[0]]
    weighed = _weigh(study, both)
    for shift in SHIFTS:
        part: dict[str, Any] = {
            "rule": None,
            "l0": _number(before[shift]),
            "l2": _number(after[shift]),
            "change": None if change is None else _number(change[shift]),
            "change_ci": None,
        }
        if None not in (part["l0"], part["l2"]):
            part["rule"] = intra_model_rule(result["accuracy_l0"], result["accuracy_l2"], part["l0"], part["l2"])
        if changes is not None and part["change"] is not None:
            part["change_ci"] = _interval(shift, part["change"], changes, level, change=True)
        part |= judge(weighed[shift], level, missing_answers(missing["l2"], missing["l0"]))
        result[shift] = part
    for key in ("rule", "verdict", "reason"):
        result[key] = result["calibration_shift"][key]
    return result


def _weigh(study: Study, degraded: IntArray) -> dict[str, list[Evidence]]:
    """Weigh the effect on the given pairs, for each shift under each treatment of missing answers."""
    weighed: dict[str, list[Evidence]] = {shift: [] for shift in SHIFTS}
    for rows in (study.rows, study.other):
        if rows is None:
            continue
        both = degraded[(rows.counted[degraded] > 0) & (rows.counted[study.clean[degraded]] > 0)]
        keys = ("accuracy", *SHIFTS)
        gained = row_values(rows, keys, both) - row_values(rows, keys, study.clean[both])
        changes = cluster_sums(gained, study.cluster[both])
        for place, shift in enumerate(SHIFTS, start=1):
            weighed[shift].append(evidence(-changes[:, 0], changes[:, place], FIGURES[shift].undefined))
    return weighed
