"""Which degradations each clean question gets, decided question by question from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medq_deg.data.schema import row_id, row_seed
from medq_deg.seeds import check_seed, derive_seed
from medq_deg.taxonomy import NO_DEGRADATION, applicable

MOST_DEGRADATIONS = 3
"""Each question gets one to three degradations (paper, section on the construction)."""


@dataclass(frozen=True)
class PlannedRow:
    """One row to make: a clean question, a degradation and a severity.

    Attributes
    ----------
    id, question_id, degradation : str
    severity : int
        0 for the clean row, else 1 or 2.
    seed : int
        Seed of the degradation; 0 for the clean row.
    """

    id: str
    question_id: str
    degradation: str
    severity: int
    seed: int


def choose_degradations(question_id: str, modality: str, seed: int) -> tuple[str, ...]:
    """Return one to three different degradations that suit a question's modality.

    The choice depends on the question and the seed alone, so questions can be added without changing others.
    """
    names = applicable(modality)
    rng = random.Random(derive_seed(seed, question_id, "plan"))
    return tuple(rng.sample(names, rng.randint(1, min(MOST_DEGRADATIONS, len(names)))))


def make_plan(clean: Iterable[Mapping[str, Any]], seed: int = 0) -> list[PlannedRow]:
    """Return the rows to make from clean questions: each at L0, then at L1 and L2 of its degradations.

    Parameters
    ----------
    clean : iterable of mappings
        Rows with `question_id` and `modality`.
    seed : int
        Seed of the choice and of every degradation, 0 or more.
    """
    check_seed(seed)
    plan = []
    for row in clean:
        question = row["question_id"]
        plan.append(PlannedRow(row_id(question, NO_DEGRADATION, 0), question, NO_DEGRADATION, 0, 0))
        for degradation in choose_degradations(question, row["modality"], seed):
            own = row_seed(seed, question, degradation)
            plan += [PlannedRow(row_id(question, degradation, s), question, degradation, s, own) for s in (1, 2)]
    return plan
