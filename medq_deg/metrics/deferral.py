"""Safe deferral: answer only when sure, with a threshold that keeps a promise on clean images.

The threshold is chosen on L0 by Learn then Test with a fixed sequence of exact binomial tests, and applied to L1 and
L2, where nothing is promised: what becomes of it there is measured. A threshold chosen as "the lowest that looks right
enough" breaks its promise about half of the time.

References
----------
A. N. Angelopoulos, S. Bates, E. J. Candes, M. I. Jordan and L. Lei, Learn then Test: calibrating predictive algorithms
to achieve risk control, Ann. Appl. Stat. 19, 2025.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import check_settings, draws, interval, partition, ratio_intervals
from medq_deg.metrics.cells import check_severities
from medq_deg.metrics.distributions import binomial_at_most, clopper_pearson_upper
from medq_deg.metrics.rows import RunRows, Source
from medq_deg.metrics.votes import FloatArray, IntArray, encode
from medq_deg.taxonomy import SEVERITIES, SEVERITY_NAMES

TARGET: Final = 0.95
DELTA: Final = 0.05

_EXACT_THRESHOLDS: Final = tuple(round(0.99 - 0.01 * step, 2) for step in range(49))
_CLOSE = 1e-9


@dataclass(frozen=True)
class _Rows:
    """N rows: how large the share of the most frequent option is, whether it is right, and where they belong."""

    share: FloatArray
    wrong: npt.NDArray[np.bool_]
    cluster: IntArray
    severity: IntArray


def deferral(
    rows: Iterable[Mapping[str, Any]],
    *,
    target: float = TARGET,
    delta: float = DELTA,
    source: Source = "votes",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Choose on clean rows when a model may answer, and measure what the rule gives at each severity.

    A row is answered at threshold t if at least a share t of its votes name the same option. Thresholds are above one
    half, so that there are no ties. Votes that name no option count as votes.

    Parameters
    ----------
    rows : iterable of N mappings
        As `medq_deg.metrics.summarize` takes them, with severities.
    target : float, default 0.95
        Share of the answers that are to be right.
    delta : float, default 0.05
        How often, over repetitions with other clean questions, the promise may be broken.
    source, confidence_level, n_resamples, seed
        As in `medq_deg.metrics.summarize`.

    Returns
    -------
    dict
        ``target``, ``delta``, ``confidence_level``, ``source``, ``trials`` (votes per row, None for probabilities);
        ``questions``: clean questions that the threshold was chosen on; ``threshold``: the share, None where none keeps
        the promise; ``votes_needed``: the threshold in votes; ``reason``: why there is no threshold; ``by_severity``:
        what the chosen threshold gives, None without one; ``table``: for each threshold, strictest first,
        ``threshold``, ``votes_needed``, ``p_value`` (of "fewer than the target are right", on L0), ``tested`` and
        ``passed`` (whether the sequence reached it, and went on), and ``by_severity``.

        Each ``by_severity`` maps L0, L1, L2 to ``rows``, ``rows_answered``, ``questions_answered``, ``rows_wrong``,
        ``answered`` (share of the rows) and ``right`` (share of the answered rows that are right; None where none is
        answered), each with ``<name>_ci``. At L0 there is one row to a question, and ``right_at_least``, the exact
        lower bound at level 1 - delta. With a threshold, L1 and L2 have ``right_change``, the share right among the
        answered minus that at L0, with an interval that draws questions once for both.

    Raises
    ------
    MedqDegError
        If target or delta is not between 0 and 1, rows have no severities or none is clean, or as in `summarize`.

    References
    ----------
    Learn then Test; C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.
    """
    for what, value in (("target", target), ("delta", delta)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < 1:
            raise MedqDegError(f"{what} must lie between 0 and 1, got {value!r}.")
    check_settings(confidence_level, n_resamples, seed)
    run = RunRows(rows)
    table = encode(**run.encoded(source))
    severities = run.severities()
    severity = None if severities is None else check_severities(severities, len(run))
    if severity is None or 0 not in severity:
        raise MedqDegError("deferral needs clean rows (severity 0): the threshold is chosen on them.")
    options = table.shares[:, :-1]
    data = _one_clean_row(
        _Rows(
            share=options.max(axis=1),
            wrong=options.argmax(axis=1) != table.answer,
            cluster=partition(run.column("question_id"), len(run)),
            severity=severity,
        )
    )
    trials = None if table.exact else int(table.trials.max())
    if trials is None:
        thresholds = list(_EXACT_THRESHOLDS)
    else:
        thresholds = [votes / trials for votes in range(trials, trials // 2, -1)]
    lines = [
        {
            "threshold": threshold,
            "votes_needed": None if trials is None else round(threshold * trials),
            **_tested(data, threshold, target),
            "by_severity": {
                SEVERITY_NAMES[severity]: _outcome(
                    data, threshold, severity, 1 - delta, confidence_level, n_resamples, seed
                )
                for severity in SEVERITIES
                if np.any(data.severity == severity)
            },
        }
        for threshold in thresholds
    ]
    chosen, reason = _fixed_sequence(lines, target, delta)
    if chosen is not None:
        _add_changes(chosen, data, confidence_level, n_resamples, seed)
    return {
        "target": float(target),
        "delta": float(delta),
        "confidence_level": confidence_level,
        "source": source,
        "trials": trials,
        "questions": int((data.severity == 0).sum()),
        "threshold": chosen and chosen["threshold"],
        "votes_needed": chosen and chosen["votes_needed"],
        "reason": reason,
        "by_severity": chosen and chosen["by_severity"],
        "table": lines,
    }


def _one_clean_row(data: _Rows) -> _Rows:
    """Keep the first clean row of each question: the binomial test wants independent ones."""
    clean = np.flatnonzero(data.severity == 0)
    first = clean[np.unique(data.cluster[clean], return_index=True)[1]]
    kept = np.sort(np.concatenate([first, np.flatnonzero(data.severity > 0)]))
    return _Rows(*(getattr(data, name)[kept] for name in ("share", "wrong", "cluster", "severity")))


def _tested(data: _Rows, threshold: float, target: float) -> dict[str, Any]:
    """Return the exact p-value of "of the clean rows answered, fewer than the target are right"."""
    answered = (data.severity == 0) & (data.share >= threshold - _CLOSE)
    count, wrong = int(answered.sum()), int(data.wrong[answered].sum())
    p_value = binomial_at_most(wrong, count, 1 - target) if count else 1.0
    return {"p_value": p_value, "tested": False, "passed": False}


def _fixed_sequence(
    lines: list[dict[str, Any]], target: float, delta: float
) -> tuple[dict[str, Any] | None, str | None]:
    """Go from the strictest threshold down while tests pass; return the last that passed, or why none did.

    Where the sequence begins depends on how many rows are answered, never on how many are right, so the promise holds.
    """
    least = math.ceil(math.log(delta) / math.log(target) - _CLOSE)
    chosen = None
    for line in lines:
        clean = line["by_severity"]["L0"]
        if clean["rows_answered"] < least and chosen is None:
            continue
        line["tested"] = True
        if line["p_value"] > delta:
            if chosen is None:
                return None, _no_threshold(line, target)
            break
        line["passed"] = True
        chosen = line
    if chosen is None:
        most = lines[-1]["by_severity"]["L0"]["rows_answered"]
        return None, (
            f"too few questions: at least {least} clean ones must be answered to promise {_percent(target)}, and at the"
            f" lowest threshold {most} are."
        )
    return chosen, None


def _no_threshold(line: Mapping[str, Any], target: float) -> str:
    clean = line["by_severity"]["L0"]
    alike = "all votes" if line["threshold"] == 1 else f"at least {_percent(line['threshold'])} of the votes"
    wrong = clean["rows_wrong"] / clean["rows_answered"]
    return (
        f"no threshold reaches {_percent(target)}: even of {clean['rows_answered']} rows with {alike} alike"
        f" {100 * wrong:.1f} % are wrong."
    )


def _add_changes(chosen: dict[str, Any], data: _Rows, confidence_level: float, n_resamples: int, seed: int) -> None:
    """Add how the share right among the answered rows changes from L0 to L1 and L2, in place; the threshold is held."""
    clusters = int(data.cluster.max()) + 1
    answered = data.share >= chosen["threshold"] - _CLOSE
    columns = []
    for severity in SEVERITIES:
        mine = answered & (data.severity == severity)
        for counted in (mine & ~data.wrong, mine):
            columns.append(np.bincount(data.cluster, counted.astype(np.float64), clusters))
    joined = np.stack(columns, axis=1)
    totals = np.concatenate([weights @ joined for weights in draws(clusters, n_resamples, seed, joined.shape[1])])
    with np.errstate(invalid="ignore", divide="ignore"):
        right = totals[:, 0::2] / totals[:, 1::2]
    clean = chosen["by_severity"]["L0"]
    for severity in SEVERITIES[1:]:
        level = chosen["by_severity"].get(SEVERITY_NAMES[severity])
        if level is not None:
            known = level["right"] is not None and clean["right"] is not None
            level["right_change"] = level["right"] - clean["right"] if known else None
            changes = right[:, severity] - right[:, 0]
            level["right_change_ci"] = interval(changes, confidence_level) if known else None


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _outcome(
    data: _Rows,
    threshold: float,
    severity: int,
    level: float,
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return what answering at `threshold` gives at one severity."""
    mine = data.severity == severity
    answered = data.share[mine] >= threshold - _CLOSE
    right = answered & ~data.wrong[mine]
    labels, local = np.unique(data.cluster[mine], return_inverse=True)
    sums = np.stack(
        [np.bincount(local, column, labels.size) for column in (answered, right, np.ones(local.size))], axis=1
    ).astype(np.float64)
    count, wrong = int(answered.sum()), int(answered.sum() - right.sum())
    questions = int((sums[:, 0] > 0).sum())
    answered_ci, right_ci = ratio_intervals(
        sums[:, :2], sums[:, [2, 0]], confidence_level, n_resamples, seed, bounds=(0.0, 1.0)
    )
    if not count:
        right_ci = None
    elif not wrong:
        # A bootstrap of rows that are all right would say [1, 1].
        right_ci = [(1 - confidence_level) ** (1 / questions), 1.0]
    told: dict[str, Any] = {
        "rows": int(mine.sum()),
        "rows_answered": count,
        "questions_answered": questions,
        "rows_wrong": wrong,
        "answered": float(answered.mean()),
        "answered_ci": answered_ci,
        "right": (count - wrong) / count if count else None,
        "right_ci": right_ci,
    }
    if severity == 0:
        told["right_at_least"] = 1 - clopper_pearson_upper(wrong, count, level) if count else None
    return told
