"""Sharing a fixed number of each degradation out among questions: an integer transport problem.

Questions of one modality are alike, so what has to be found is how many questions of each modality get each
degradation. Those whole numbers are dealt to the questions of the modality in turn, like cards, which gives each
question about equally many, and no degradation twice.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from medq_deg.seeds import derive_seed
from medq_deg.taxonomy import applicable, resolve_modality

_MISS = 1000.0
"""Price of missing a quota by one question, against 1 for leaving the even share by one."""


def share_out(
    modalities: Mapping[str, str], quotas: Mapping[str, int], most: int, seed: int
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Choose degradations for every question so that each degradation is used as often as wanted.

    Parameters
    ----------
    modalities : mapping of str to str
        Modality of each question, by question id.
    quotas : mapping of str to int
        Wanted number of questions for each degradation.
    most : int
        Each question gets one to `most` different degradations that suit its modality.
    seed : int
        Decides which question gets what.

    Returns
    -------
    chosen : dict of str to tuple of str
        Degradations of each question, in the order of `modalities`.
    missed : dict of str to int
        Used minus wanted number of questions, for each degradation that misses its quota.
    """
    groups: dict[str, list[str]] = {}
    for question, modality in modalities.items():
        groups.setdefault(resolve_modality(modality), []).append(question)
    sizes = {modality: len(questions) for modality, questions in groups.items()}
    cells = [(modality, name) for modality in groups for name in applicable(modality)]
    if not cells:
        return {}, {name: -count for name, count in quotas.items() if count}
    counts = _solve(sizes, cells, quotas, most)
    dealt: dict[str, tuple[str, ...]] = {}
    for modality, questions in groups.items():
        dealt |= _deal(questions, {name: counts[m, name] for m, name in cells if m == modality}, seed)
    used = {name: sum(count for (_, n), count in counts.items() if n == name) for name in quotas}
    missed = {name: used[name] - wanted for name, wanted in quotas.items() if used[name] != wanted}
    return {question: dealt[question] for question in modalities}, missed


def _solve(
    sizes: Mapping[str, int], cells: Sequence[tuple[str, str]], quotas: Mapping[str, int], most: int
) -> dict[tuple[str, str], int]:
    """Find how many questions of each modality get each degradation.

    Variables: a count per cell; its excess over and shortfall from the even share; over- and underuse of each quota.
    """
    names = list(quotas)
    suited = {name: sum(sizes[m] for m, n in cells if n == name) for name in names}
    even = np.array([quotas[name] * sizes[m] / suited[name] for m, name in cells])
    n, q = len(cells), len(names)
    by_name = np.array([[float(cell[1] == name) for cell in cells] for name in names])
    by_modality = np.array([[float(cell[0] == modality) for cell in cells] for modality in sizes])
    identity, quota_identity = np.eye(n), np.eye(q)
    leaving = np.hstack([identity, -identity, identity, np.zeros((n, 2 * q))])
    missing = np.hstack([by_name, np.zeros((q, 2 * n)), -quota_identity, quota_identity])
    degrees = np.hstack([by_modality, np.zeros((len(sizes), 2 * n + 2 * q))])
    wanted = np.array([float(quotas[name]) for name in names])
    people = np.array([float(size) for size in sizes.values()])
    slots = np.array([min(most, len(applicable(modality))) for modality in sizes])
    upper = np.concatenate([[float(sizes[m]) for m, _ in cells], np.full(2 * n + 2 * q, np.inf)])
    result = milp(
        np.concatenate([np.zeros(n), np.ones(2 * n), np.full(2 * q, _MISS)]),
        integrality=np.concatenate([np.ones(n), np.zeros(2 * n + 2 * q)]),
        bounds=Bounds(np.zeros(upper.size), upper),
        constraints=[
            LinearConstraint(leaving, even, even),
            LinearConstraint(missing, wanted, wanted),
            LinearConstraint(degrees, people, people * slots),
        ],
    )
    return {cell: round(count) for cell, count in zip(cells, result.x[:n], strict=True)}


def _deal(questions: Sequence[str], counts: Mapping[str, int], seed: int) -> dict[str, tuple[str, ...]]:
    """Deal degradations to questions in turn.

    The cards lie sorted by degradation, none more often than there are questions, so nobody gets two alike.
    """
    order = sorted(questions, key=lambda question: derive_seed(seed, question, "order"))
    names = [name for name, count in counts.items() if count]
    random.Random(derive_seed(seed, *sorted(names), "deal")).shuffle(names)
    cards = [name for name in names for _ in range(counts[name])]
    return {question: tuple(cards[place :: len(order)]) for place, question in enumerate(order)}
