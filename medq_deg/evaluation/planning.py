"""What a run will take, before it begins: rows, conversations and votes, of the whole data and of subsets of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.subset import expected_error

SIZES: Final = (1000, 3000)
"""Subsets that a user is told about."""


@dataclass(frozen=True)
class Plan:
    """What is to be asked.

    Attributes
    ----------
    rows, questions : int
        Rows, and the questions that they belong to.
    conversations : int
        Prompts to be answered: one for each order of each row. An endpoint takes a request for each where one request
        brings several answers, else one for each vote.
    votes : int
        Answers to sample.
    of : int
        Rows of the whole data that would be asked.
    """

    rows: int
    questions: int
    conversations: int
    votes: int
    of: int

    def __str__(self) -> str:
        told = f"{self.rows} rows of {self.questions} questions, {self.conversations} to {self.votes} requests"
        return f"{told} for {self.votes} votes"


def plan_run(rows: Sequence[Mapping[str, Any]], trials: int, controls: Controls) -> Plan:
    """Return what a run with these controls asks; `rows` need no image.

    Raises
    ------
    MedqDegError
        As `Controls.choose`.
    """
    asked = [rows[place] for place in controls.choose(rows)]
    return Plan(
        rows=len(asked),
        questions=len({row["question_id"] for row in asked}),
        conversations=sum(min(controls.orders, factorial(len(row["options"]))) for row in asked),
        votes=len(asked) * trials,
        of=len(replace(controls, subset=None).choose(rows)),
    )


def plan_sentences(rows: Sequence[Mapping[str, Any]], trials: int, controls: Controls) -> list[str]:
    """Say what a run takes, and what subsets of 1,000 and 3,000 rows would take, with the errors to expect of them."""
    plan = plan_run(rows, trials, controls)
    sentences = [f"to ask: {plan}"]
    if controls.subset is not None and controls.subset < len(rows):
        sentences.append(f"the subset's {error_sentence(controls.subset, len(rows))}")
    for size in SIZES:
        if size < min(len(rows), controls.subset or len(rows)):
            try:
                smaller = plan_run(rows, trials, replace(controls, subset=size))
            except MedqDegError:
                continue  # hardly a question fits
            sentences.append(f"with --subset {size}: {smaller}; {error_sentence(size, len(rows))}")
    return sentences


def error_sentence(rows: int, of: int) -> str:
    """Say what error to expect of a subset, against the whole."""
    accuracy, drop = expected_error(rows, of)
    return (
        f"standard error against all {of} rows: about {accuracy:.1f} points of accuracy at L2, {drop:.1f} of the "
        "paired drop from L0"
    )
