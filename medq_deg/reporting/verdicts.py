"""The Dunning-Kruger verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medq_deg.reporting.collect import Run
from medq_deg.reporting.figures import NOUNS, ORDER, cells
from medq_deg.reporting.text import between, percent, points, signed, words

MEANING = {
    "supported": "on severely degraded images it is less often right, yet agrees with itself as if it were not",
    "refuted": "its accuracy did not fall, or its sureness fell with it",
    "undecided": "the data do not say whether its sureness falls as its accuracy does",
}


def verdict_of(run: Run) -> dict[str, Any]:
    """Say what became of a run from L0 to L2.

    Returns
    -------
    dict
        ``verdict`` (of the agreement shift; "none" where there is none), ``rule`` (the paper's, None where it does not
        apply), ``sentences``, ``cells`` (sentences about the cells of breakdowns).
    """
    effect = run.summary.get("dunning_kruger")
    if not effect or effect["accuracy_drop"] is None:
        lacks = [name for name in ("L0", "L2") if not run.at(name)]
        reason = f"the run has no rows at {' and '.join(lacks)}" if lacks else "no row has its clean row"
        return {"verdict": "none", "rule": None, "sentences": [f"Nothing can be said: {reason}."], "cells": []}
    agreement, shift = effect["agreement_shift"], effect["calibration_shift"]
    verdict = agreement["verdict"] or "none"
    drop = _interval(_negated(effect["accuracy_drop_ci"]), points)
    sentences = [
        f"Accuracy went from {percent(effect['accuracy_l0'])} on clean images (L0) to "
        f"{percent(effect['accuracy_l2'])} on severely degraded ones (L2). Each image compared with its own "
        f"clean one, the change is {points(-effect['accuracy_drop'])} points{drop}.",
        f"The agreement shift went from {signed(agreement['l0'])} to {signed(agreement['l2'])}; compared in the same "
        f"way, the change is {signed(agreement['change'])}{_interval(agreement['change_ci'], signed)}. "
        f"{_told(agreement)}",
        f"The paper's rule, which compares two averages of its calibration shift ({signed(shift['l0'])} and "
        f"{signed(shift['l2'])}), says {'yes' if effect['rule'] else 'no'}; with its noise this is "
        f"{outcome(shift)}.",
    ]
    if effect["few_clusters"]:
        sentences.append(f"This rests on {effect['clusters']} questions only: too few for intervals to be trusted.")
    return {"verdict": verdict, "rule": effect["rule"], "sentences": sentences, "cells": _cells(run)}


def outcome(part: Mapping[str, Any]) -> str:
    """Write a verdict with the reason why it is undecided or not given."""
    if part["verdict"] is None:
        return f"not judged: {part['reason']}"
    return f"{part['verdict']}: {part['reason']}" if part["reason"] else str(part["verdict"])


def _told(part: Mapping[str, Any]) -> str:
    if part["verdict"] is None:
        return f"Whether there is an effect is not judged: {part['reason']}."
    return f"The effect is {part['verdict']}: {part['reason'] or MEANING[part['verdict']]}."


def _cells(run: Run) -> list[str]:
    """Name the cells of each breakdown where the effect is supported after Holm's correction."""
    sentences = []
    for by in ORDER:
        found: dict[str, list[str]] = {"supported": [], "refuted": []}
        tested = 0
        for name in cells([run], by):
            effect = run.summary["by"][by][name].get("dunning_kruger")
            part = effect["agreement_shift"] if effect else {}
            tested += part.get("verdict_holm") is not None
            mark = " †" if part.get("verdict_page") == part.get("verdict_holm") else ""
            found.get(part.get("verdict_holm") or "", []).append(words(name) + mark)
        told = [f"{verdict} for {', '.join(names)}" for verdict, names in found.items() if names]
        if tested:
            undecided = tested - sum(map(len, found.values()))
            rest = f"undecided for {f'the other {undecided}' if told else f'all {tested}'}"
            sentences.append(f"By {NOUNS.get(by, by)}: {'; '.join([*told, *([rest] if undecided else [])])}.")
    if any("†" in sentence for sentence in sentences):
        sentences.append("† also after correction for all parts of the data on this page.")
    return sentences


def between_models(comparison: Mapping[str, Any]) -> list[str]:
    """Say how many pairs of models follow the inter-model rule, and list those that are decided."""
    pairs = comparison["pairs"]
    decided: dict[str, list[str]] = {"supported": [], "refuted": [], "undecided": [], "not judged": []}
    for pair in pairs:
        part = pair["agreement_shift"]
        decided[part.get("verdict_holm") or part["verdict"] or "not judged"].append(
            f"{pair['weaker']} and {pair['stronger']}"
        )
    differing = sum(pair["accuracy_gap"] > 0 for pair in pairs)
    share = comparison["share"]
    sentences = [
        f"Compared at {comparison['severity']} on {comparison['n']} rows of {comparison['clusters']} questions that "
        f"all {len(comparison['runs'])} have answered, by their votes."
    ]
    if differing:
        sentences.append(
            f"Of {differing} pair{'s' if differing > 1 else ''} that differ in accuracy, in "
            f"{percent(share['calibration_shift'])} the less accurate model has the larger calibration shift (the "
            f"paper's rule), in {percent(share['agreement_shift'])} the larger agreement shift."
        )
    for verdict in ("supported", "refuted"):
        if names := decided[verdict]:
            more = f", and {len(names) - _MOST_PAIRS} more pairs" if len(names) > _MOST_PAIRS else ""
            sentences.append(
                f"With its noise, after Holm's correction, {verdict} for: {'; '.join(names[:_MOST_PAIRS])}{more}."
            )
    if undecided := len(decided["undecided"]):
        sentences.append(f"Undecided for {undecided} of {len(pairs)} pair{'s' if len(pairs) > 1 else ''}.")
    if few := len(decided["not judged"]):
        sentences.append(
            f"Not judged for {few} of {len(pairs)} pair{'s' if len(pairs) > 1 else ''}: too few questions."
        )
    return sentences


_MOST_PAIRS = 10


def _interval(interval: Sequence[float] | None, write: Any) -> str:
    return f" (95 % interval {between(interval, write)})" if interval else ""


def _negated(interval: Sequence[float] | None) -> list[float] | None:
    return [-interval[1], -interval[0]] if interval else None
