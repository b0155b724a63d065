"""What the image adds: a run that saw the images beside one that was asked the clean questions without them.

References
----------
On questions that need no image: L. Chen et al., Are we on the right way for evaluating large vision-language models?,
NeurIPS 2024.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, draws, interval, ratio_intervals
from medq_deg.metrics.cells import check_severities
from medq_deg.metrics.rows import RunRows, Source
from medq_deg.metrics.scores import score_rows
from medq_deg.metrics.votes import FloatArray, IntArray, VoteTable, encode
from medq_deg.taxonomy import SEVERITIES, SEVERITY_NAMES

LEAST_GAIN: Final = 4
"""Bootstrap standard deviations that the visual gain must reach before it is divided by."""

TOO_LITTLE: Final = "the image adds too little to say"
"""Why the visual gain kept is withheld."""


def visual_gain(
    rows: Iterable[Mapping[str, Any]],
    blind: Iterable[Mapping[str, Any]],
    *,
    source: Source = "votes",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare a run with its blind baseline, on the questions that are in both.

    Parameters
    ----------
    rows : iterable of mappings
        The run, as `medq_deg.metrics.summarize` takes it, with severities.
    blind : iterable of mappings
        The clean rows (severity 0) asked without their image, by the same model, prompt and parser.
    source, confidence_level, n_resamples, seed
        As in `medq_deg.metrics.summarize`; questions are drawn once for both runs.

    Returns
    -------
    dict
        ``questions`` in both, ``few_clusters``, ``chance`` (mean of 1 / K); ``blind_accuracy``: a right vote counts 1,
        a wrong one 0, one that names no option 1 / K, since a refusal is no evidence that the image helps;
        ``blind_agreement_shift`` and ``blind_parse_rate``; ``accuracy``: at L0, L1 and L2 of the run; ``visual_gain``:
        accuracy at L0 minus blind accuracy; ``visual_gain_sd``: its standard deviation over resamples;
        ``image_helps``: whether its interval lies above 0; ``kept``: for L1 and L2 (accuracy - blind accuracy) /
        visual gain, not clipped, or None; ``kept_reason``: why it is withheld, None if it is not. ``blind_accuracy``,
        ``visual_gain`` and the values of ``accuracy`` and ``kept`` have intervals in ``<name>_ci``.

    Raises
    ------
    MedqDegError
        If a blind row is not clean, a question occurs twice among the clean rows of a run, no question is in both, or
        the answer or number of options of a question differs; or as in `summarize`.
    """
    check_settings(confidence_level, n_resamples, seed)
    run, other = RunRows(rows), RunRows(blind)
    severity, blind_severity = _severities(run, "the run"), _severities(other, "the blind run")
    if np.any(blind_severity > 0):
        first = int(np.flatnonzero(blind_severity > 0)[0])
        raise MedqDegError(f"a blind run has clean rows only, but {other.name(first)} has severity above 0.")
    table, blind_table = encode(**run.encoded(source)), encode(**other.encoded(source))
    place = _questions(run, severity, other)
    _check_same(run, table, severity, other, blind_table)
    count = len(place)

    scores = score_rows(table)
    blind_scores = score_rows(blind_table)
    questions = np.array([place.get(str(name), -1) for name in run.column("question_id")], np.int64)
    blind_questions = np.array([place.get(str(name), -1) for name in other.column("question_id")], np.int64)
    shared = np.flatnonzero(blind_questions >= 0)
    unread = 1 - np.minimum(blind_table.parsed / blind_table.asked, 1.0)
    credited = blind_scores.accuracy + unread / blind_table.choices

    def sums(at: IntArray, of: IntArray, values: FloatArray) -> FloatArray:
        counted = np.bincount(of[at], minlength=count).astype(np.float64)
        return np.stack([np.bincount(of[at], values[at], count).astype(np.float64), counted], axis=1)

    parts = {"blind": sums(shared, blind_questions, credited)}
    for level in SEVERITIES:
        at = np.flatnonzero((severity == level) & (questions >= 0))
        if at.size:
            parts[SEVERITY_NAMES[level]] = sums(at, questions, scores.accuracy)
    intervals = dict(
        zip(
            parts,
            ratio_intervals(
                np.stack([each[:, 0] for each in parts.values()], axis=1),
                np.stack([each[:, 1] for each in parts.values()], axis=1),
                confidence_level,
                n_resamples,
                seed,
                bounds=(0.0, 1.0),
            ),
            strict=True,
        )
    )
    point = {name: float(each[:, 0].sum() / each[:, 1].sum()) for name, each in parts.items()}
    drawn = _drawn(parts, count, n_resamples, seed)
    gain = point["L0"] - point["blind"]
    gains = drawn["L0"] - drawn["blind"]
    # Every question has one clean and one blind row, so the gain is a mean of differences.
    differences = parts["L0"][:, :1] - parts["blind"][:, :1]
    (gain_ci,) = ratio_intervals(
        differences, np.ones_like(differences), confidence_level, n_resamples, seed, bounds=(-1.0, 1.0)
    )
    sd = float(gains.std(ddof=1)) if count > 1 else None
    enough = sd is not None and gain > 0 and gain >= LEAST_GAIN * sd
    degraded = [name for name in SEVERITY_NAMES[1:] if name in parts]
    kept = {name: (point[name] - point["blind"]) / gain if enough else None for name in degraded}
    with np.errstate(invalid="ignore", divide="ignore"):
        kept_ci = {
            name: interval((drawn[name] - drawn["blind"]) / gains, confidence_level) if enough else None
            for name in degraded
        }
    return {
        "questions": count,
        "few_clusters": count < FEW_CLUSTERS,
        "confidence_level": confidence_level,
        "chance": float(np.mean(1 / blind_table.choices[shared])),
        "blind_accuracy": point["blind"],
        "blind_accuracy_ci": intervals["blind"],
        "blind_agreement_shift": float((blind_scores.agreement - blind_scores.accuracy)[shared].mean()),
        "blind_parse_rate": float(blind_table.parsed[shared].sum() / blind_table.asked[shared].sum()),
        "accuracy": {name: point[name] for name in parts if name != "blind"},
        "accuracy_ci": {name: intervals[name] for name in parts if name != "blind"},
        "visual_gain": gain,
        "visual_gain_ci": gain_ci,
        "visual_gain_sd": sd,
        "image_helps": bool(gain_ci is not None and gain_ci[0] > 0),
        "kept": kept,
        "kept_ci": kept_ci,
        "kept_reason": None if enough else TOO_LITTLE,
    }


def _severities(run: RunRows, what: str) -> IntArray:
    severities = run.severities()
    if severities is None:
        raise MedqDegError(f"{what} must have a severity in each row: the visual gain is that of clean rows.")
    return check_severities(severities, len(run))


def _questions(run: RunRows, severity: IntArray, blind: RunRows) -> dict[str, int]:
    """Give a number to each question that has one clean row in each run, in the order of their names."""
    found = []
    for each, chosen in ((run, severity == 0), (blind, np.ones(len(blind), np.bool_))):
        names = [str(name) for name, clean in zip(each.column("question_id"), chosen, strict=True) if clean]
        if twice := next((name for name, count in Counter(names).items() if count > 1), None):
            raise MedqDegError(f"question {twice!r} has more than one clean row: which one to compare is not known.")
        found.append(set(names))
    both = sorted(found[0] & found[1])
    if not both:
        raise MedqDegError("the run and its blind baseline have no clean question in common.")
    return {name: place for place, name in enumerate(both)}


def _check_same(run: RunRows, table: VoteTable, severity: IntArray, blind: RunRows, blind_table: VoteTable) -> None:
    """Raise unless each question has the same right option and number of options in both runs."""
    clean = np.flatnonzero(severity == 0)
    seen = {str(run[at]["question_id"]): (table.answer[at], table.choices[at]) for at in clean.tolist()}
    for at, name in enumerate(map(str, blind.column("question_id"))):
        if name in seen and seen[name] != (blind_table.answer[at], blind_table.choices[at]):
            raise MedqDegError(f"question {name!r} has another answer or number of options in the blind run.")


def _drawn(parts: Mapping[str, FloatArray], count: int, n_resamples: int, seed: int) -> dict[str, FloatArray]:
    """Return the mean of each part in the same resamples of the questions."""
    joined = np.concatenate(list(parts.values()), axis=1)
    totals = np.concatenate([weights @ joined for weights in draws(count, n_resamples, seed, joined.shape[1])])
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: totals[:, 2 * place] / totals[:, 2 * place + 1] for place, name in enumerate(parts)}
