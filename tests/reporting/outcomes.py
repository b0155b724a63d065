"""Runs made so that each class of answer is given: what is said to a question follows from its number and severity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reporting.models import TRIALS, make_run

LETTERS = "ABCDEFGH"
Votes = list[str | None]


@dataclass(frozen=True)
class Scripted:
    """A model whose votes follow from the number of the question and the severity; None is a failed row."""

    name: str
    script: Callable[[int, int, str, str], Votes | None]
    numbers: Mapping[str, int]

    def record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        wrong = next(letter for letter in LETTERS if letter != row["answer"])
        votes = self.script(self.numbers[row["question_id"]], row["severity"], row["answer"], wrong)
        record = {"id": row["id"], "votes": votes or [], "texts": [], "probabilities": None}
        if votes is None:
            return {**record, "status": "failed", "error": "the server was away"}
        texts = ["I cannot tell." if vote is None else f"Answer: {vote}" for vote in votes]
        return {**record, "texts": texts, "status": "ok", "error": None}


def _always(right: Callable[[int, int], bool]) -> Callable[[int, int, str, str], Votes]:
    """Return a script of unanimous votes, but for one: a model that always agrees with itself was not sampled."""

    def votes(number: int, severity: int, answer: str, wrong: str) -> Votes:
        said = answer if right(number, severity) else wrong
        other = wrong if said == answer else answer
        return [*[said] * (TRIALS - 1), other if (number, severity) == (1, 0) else said]

    return votes


def _torn(number: int, severity: int, answer: str, wrong: str) -> Votes:
    """Lose two questions of five, and be torn about just these."""
    del wrong
    if severity and number % 5 < 2:
        others = [letter for letter in "ABC" if letter != answer][:2]
        return [answer] * 3 + [others[0]] * 4 + [others[1]] * 3
    return [answer] * TRIALS


def _mixed(number: int, severity: int, answer: str, wrong: str) -> Votes:
    """Become wrong and stay sure of some questions; stay wrong and become torn about as many others."""
    if number % 5 == 3:
        others = [letter for letter in "ABC" if letter != answer][:2]
        return [others[0]] * 5 + [others[1]] * 5 if severity else [wrong] * TRIALS
    return [wrong] * TRIALS if severity and number % 7 == 6 else [answer] * TRIALS


def _muttering(number: int, severity: int, answer: str, wrong: str) -> Votes:
    del wrong
    return [answer if place >= 3 * severity or number % 2 else None for place in range(TRIALS)]


SCRIPTS: Mapping[str, Callable[[int, int, str, str], Votes | None]] = {
    "incomplete": lambda number, severity, answer, wrong: None if number % 4 == 0 else [answer] * 9 + [wrong],
    "no_clean": _always(lambda number, severity: number % 5 > 0),
    "unreadable": _muttering,
    "few": _always(lambda number, severity: number % 3 > 0 or severity == 0),
    "guessing": _always(lambda number, severity: number % 4 == 0),
    "gained": _always(lambda number, severity: number % 2 > 0 or severity > 0),
    "kept": _always(lambda number, severity: number % 10 > 0),
    "falls_unnoticed": _always(lambda number, severity: number % 10 > 0 and (severity == 0 or number % 5 > 1)),
    "falls_noticed": _torn,
    "falls_unclear": _mixed,
    "undecided": _always(lambda number, severity: number % 30 != 1 if severity else number % 30 != 2),
}
"""What the model of each class says."""


def run_of(key: str, path: Path, rows: Sequence[Mapping[str, Any]], *, data_name: str = "demo") -> Path:
    """Write a run whose answer is of a class."""
    numbers = {name: place for place, name in enumerate(dict.fromkeys(row["question_id"] for row in rows))}
    if key == "no_clean":
        rows = [row for row in rows if row["severity"]]
    if key == "few":
        rows = [row for row in rows if numbers[row["question_id"]] < 20]
    return make_run(path, Scripted(f"model-{key}", SCRIPTS[key], numbers), rows, data_name=data_name)
