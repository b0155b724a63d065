"""Two models on the same rows: how far each figure differs, with intervals and p-values that know the pairing.

Only figures that are means over rows are compared. Rows of the same clean question share their difficulty, so
questions, not rows, are drawn for the intervals and tested for the p-values, by the test of `medq_deg.metrics.johnson`.

References
----------
Many hypotheses: S. Holm, Scand. J. Statist. 6, 1979.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, cluster_sums, partition, ratio_intervals
from medq_deg.metrics.cells import check_severities
from medq_deg.metrics.dunning_kruger import holm, missing_answers
from medq_deg.metrics.johnson import TOO_FEW, MeanTest, mean_test
from medq_deg.metrics.rows import RunRows, Source
from medq_deg.metrics.sums import Rows, row_values
from medq_deg.metrics.votes import FloatArray, IntArray, Invalid, VoteTable, encode
from medq_deg.taxonomy import SEVERITY_NAMES

COMPARED: Final = ("accuracy", "calibration_shift", "agreement_shift")
"""The figures that are compared; each is the mean of one value for each row."""


def compare(
    first: Iterable[Mapping[str, Any]],
    second: Iterable[Mapping[str, Any]],
    by: Sequence[str | Sequence[str]] = ("severity",),
    *,
    figures: Sequence[str] = COMPARED,
    source: Source = "votes",
    invalid: Invalid = "wrong",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two models on the same rows, as a whole and broken down by columns.

    Parameters
    ----------
    first, second : iterables of N mappings
        The rows of two runs as `summarize` takes them, with the same ids in the same order.
    by, source, invalid, confidence_level, n_resamples, seed
        As in `summarize`. With ``invalid="drop"`` a row counts where enough of its votes can be read in both runs.
    figures : sequence of names in `COMPARED`
        Leave ``calibration_shift`` out where the runs have different numbers of votes: the paper's confidence depends
        on it.

    Returns
    -------
    dict
        ``overall``: ``n``, ``clusters``, ``few_clusters`` and, for each figure, ``first``, ``second``, ``difference``
        (second - first), ``difference_ci`` (None for one question only), ``p``: two-sided, of the hypothesis that the
        models do not differ, the larger of those with missing answers as wrong ones and dropped; ``verdict``: the
        second is "higher" or "lower" beyond chance under both treatments, else "undecided"; ``reason``: "too few
        questions" where verdict is None and p not to be trusted, or that answers are missing where the treatments
        disagree; ``p_holm``
        and ``verdict_holm``: adjusted by Holm's method over the cells of its breakdown, and in a breakdown ``p_page``
        and ``verdict_page``: over the cells of all breakdowns; each figure by itself.
        ``by``: the same for each cell of each breakdown. ``change_from_l0``: the same of the change that degradation
        makes, L1 and L2 each against the clean row of its question (``n`` counts such pairs); empty without clean rows.
        Then ``missing`` (share of the votes of ``first`` and of ``second``), ``figures``, ``source``, ``invalid``,
        ``confidence_level``, ``n_resamples`` and ``seed``.

    Raises
    ------
    MedqDegError
        If the rows are not the same questions, or as in `summarize`.
    """
    check_settings(confidence_level, n_resamples, seed)
    unknown = [name for name in figures if name not in COMPARED]
    if unknown or not figures:
        raise MedqDegError(f"figures must be some of {', '.join(COMPARED)}, got {list(figures)!r}.")
    runs = RunRows(first), RunRows(second)
    _check_same(*runs)
    breakdowns = runs[0].breakdowns(by)
    cluster = partition(runs[0].column("question_id"), len(runs[0]))
    tables = [encode(**run.encoded(source), invalid=invalid) for run in runs]
    everything = np.arange(len(cluster))
    missing = _missing(tables, everything)
    treatments = _treatments(tables, figures)

    def cells(chosen: Mapping[str, IntArray], values: Sequence[_Values]) -> dict[str, dict[str, Any]]:
        found = {}
        for key, at in chosen.items():
            lost = _missing(tables, at)
            told = missing_answers(lost[1], lost[0], where="in the second run", than="in the first")
            parts = [each.at(at, cluster) for each in values]
            found[key] = _cell(parts, figures, told, confidence_level, n_resamples, seed)
        _adjust(list(found.values()), figures, "holm", confidence_level)
        return found

    severities = runs[0].severities()
    severity = None if severities is None else check_severities(severities, len(cluster))
    clean = _clean_rows(severity, cluster)
    degraded = {
        name: np.flatnonzero((clean >= 0) & (severity == level)) for level, name in enumerate(SEVERITY_NAMES) if level
    }
    by_column = {name: cells(chosen, treatments) for name, chosen in breakdowns.items()}
    _adjust([cell for found in by_column.values() for cell in found.values()], figures, "page", confidence_level)
    return {
        "overall": cells({"all": everything}, treatments)["all"],
        "by": by_column,
        "change_from_l0": cells(
            {name: at for name, at in degraded.items() if at.size}, [each.minus(clean) for each in treatments]
        ),
        "missing": {"first": missing[0], "second": missing[1]},
        "figures": list(figures),
        "source": source,
        "invalid": invalid,
        "confidence_level": confidence_level,
        "n_resamples": int(n_resamples),
        "seed": int(seed),
    }


@dataclass(frozen=True)
class _Values:
    """What each row of two runs adds to each figure, under one treatment of missing answers.

    Attributes
    ----------
    first, second : (N, F) float
    counted : (N,) bool
        Rows that count in both runs.
    """

    first: FloatArray
    second: FloatArray
    counted: npt.NDArray[np.bool_]

    def minus(self, clean: IntArray) -> _Values:
        """Return each row minus the row at its position in `clean`."""
        return _Values(
            self.first - self.first[clean], self.second - self.second[clean], self.counted & self.counted[clean]
        )

    def at(self, chosen: IntArray, cluster: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
        """Return the values of the chosen rows that count, and their clusters."""
        kept = chosen[self.counted[chosen]]
        return self.first[kept], self.second[kept], cluster[kept]


def _treatments(tables: Sequence[VoteTable], figures: Sequence[str]) -> list[_Values]:
    """Return the values with missing answers treated as is reported and, where any is missing, the other way."""
    others = [table if table.other is None else table.other for table in tables]
    chosen = [tables] if all(table.other is None for table in tables) else [tables, others]
    everything = np.arange(len(tables[0].choices))
    result = []
    for first, second in chosen:
        values = [row_values(Rows.of(table), figures, everything) for table in (first, second)]
        result.append(_Values(values[0], values[1], first.counted & second.counted))
    return result


def _missing(tables: Sequence[VoteTable], at: IntArray) -> list[float]:
    """Return the share of the votes of the chosen rows that name no option, for each run; 0 without rows."""
    if not at.size:
        return [0.0] * len(tables)
    return [1 - float(table.parsed[at].sum() / table.asked[at].sum()) for table in tables]


def _adjust(cells: Sequence[dict[str, Any]], figures: Sequence[str], suffix: str, confidence_level: float) -> None:
    """Add p-values and verdicts adjusted by Holm's method over the cells, each figure by itself, in place."""
    for figure in figures:
        parts = [cell[figure] for cell in cells]
        for part, p in zip(parts, holm([part["p"] for part in parts]), strict=True):
            part[f"p_{suffix}"] = p
            judged = part["verdict"] is not None
            part[f"verdict_{suffix}"] = _direction(p, part["difference"], confidence_level) if judged else None


def _direction(p: float, difference: float, confidence_level: float) -> str:
    if p > 1 - confidence_level:
        return "undecided"
    return "higher" if difference > 0 else "lower"


def _check_same(first: RunRows, second: RunRows) -> None:
    if not len(first) or len(first) != len(second):
        raise MedqDegError(f"both runs must have the same rows, got {len(first)} and {len(second)}.")
    for key in ("id", "question_id", "answer"):
        for position, (mine, other) in enumerate(zip(first.column(key), second.column(key), strict=True)):
            if mine != other:
                raise MedqDegError(
                    f"both runs must have the same rows in the same order, but the {key} of row {position} is"
                    f" {mine!r} in the first and {other!r} in the second."
                )


def _clean_rows(severity: IntArray | None, cluster: IntArray) -> IntArray:
    """Return the position of the one clean row of each degraded row's question, -1 where there is none."""
    if severity is None:
        return np.full(len(cluster), -1)
    at = np.flatnonzero(severity == 0)
    of_cluster = np.full(int(cluster.max()) + 1, -1)
    of_cluster[cluster[at]] = at
    of_cluster[np.bincount(cluster[at], minlength=of_cluster.size) != 1] = -1
    return np.where(severity > 0, of_cluster[cluster], -1)


def _cell(
    treatments: Sequence[tuple[FloatArray, FloatArray, IntArray]],
    figures: Sequence[str],
    missing: str,
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Compare the values of the rows of one cell, (n, F) each, under each treatment of missing answers."""
    first, second, cluster = treatments[0]
    n = len(cluster)
    clusters = int(np.unique(cluster).size)
    cell: dict[str, Any] = {"n": n, "clusters": clusters, "few_clusters": clusters < FEW_CLUSTERS}
    sums = [cluster_sums(two - one, of) for one, two, of in treatments]
    rows = cluster_sums(np.ones((n, len(figures))), cluster)
    intervals = ratio_intervals(sums[0], rows, confidence_level, n_resamples, seed)
    for place, figure in enumerate(figures):
        told: dict[str, Any] = {"first": None, "second": None, "difference": None}
        if n:
            means = float(first[:, place].mean()), float(second[:, place].mean())
            told = {"first": means[0], "second": means[1], "difference": means[1] - means[0]}
        tests = [mean_test(each[:, place]) for each in sums]
        cell[figure] = {
            **told,
            "difference_ci": intervals[place],
            **_judged(tests, told["difference"], missing, confidence_level),
        }
    return cell


def _judged(
    tests: Sequence[MeanTest], difference: float | None, missing: str, confidence_level: float
) -> dict[str, Any]:
    """Say whether the second run is higher or lower beyond chance, under all treatments of missing answers."""
    enough = tests[0].enough
    judged = [test for test in tests if test.enough or not enough]
    unsure = float(len(judged) < len(tests))
    above = max(unsure, *(test.above for test in judged))
    below = max(unsure, *(test.below for test in judged))
    p = min(1.0, 2 * min(above, below))
    if difference is None or not enough:
        return {"p": p, "verdict": None, "reason": TOO_FEW}
    alone = {_direction(test.two_sided, test.below - test.above, confidence_level) for test in judged}
    return {
        "p": p,
        "verdict": _direction(p, difference, confidence_level),
        "reason": missing if len(alone) > 1 or unsure else None,
    }
