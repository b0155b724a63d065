"""What a harness's files say of each vote, and how it is joined with the rows of the data it is about.

Readers of result files yield `Said`; `gather` checks them against the rows and counts the votes. Every refusal names
the place in the file, the row and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medq_deg.errors import MedqDegError, shown
from medq_deg.harness.asked import LEAST_VOTES

_SHOWN = 60


@dataclass(frozen=True)
class Said:
    """One answer of a result file.

    Attributes
    ----------
    place : str
        Where it stands, such as "results.tsv, line 17".
    row_id : str
        Id of its row; empty if the file names none.
    text : str, optional
        What the model said; None for a request that failed.
    vote : int, optional
        Number of the vote within its row, from 0, where the file tells it.
    question, answer : str, optional
        Question, or prompt that holds it, and right letter as the file has them.
    asked : int, optional
        Votes of each row that were asked for, where the file tells it.
    finish : str, optional
        Why the answer ended, see `medq_deg.models.base.Finish`.
    """

    place: str
    row_id: str
    text: str | None
    vote: int | None = None
    question: str | None = None
    answer: str | None = None
    asked: int | None = None
    finish: str | None = None


@dataclass(frozen=True)
class Results:
    """What result files hold.

    Attributes
    ----------
    said : iterable of Said
        Their answers, read while one iterates.
    harness : dict
        Name, version and the like, for `run.json`.
    model : dict
        What the files tell of the model; may be empty.
    asked : int, optional
        Votes of each row, where the files tell it as a whole.
    severities : sequence of int, optional
        Severities that were asked, where the files tell; else those that occur.
    subset : int, optional
        Rows of the subset that was asked, where the files tell.
    parser : str, optional
        By which the harness read the answers.
    sampling : dict
        See `medq_deg.evaluation.sampling`.
    data : dict
        Name and version of the data that were asked, where the files tell.
    date : str, optional
        Day on which the model was asked, ISO 8601.
    """

    said: Iterable[Said]
    harness: Mapping[str, Any]
    model: Mapping[str, Any] = field(default_factory=dict)
    asked: int | None = None
    severities: Sequence[int] | None = None
    subset: int | None = None
    parser: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    date: str | None = None


@dataclass(frozen=True)
class Votes:
    """The answers to each row, in the order of the votes.

    Attributes
    ----------
    trials : int
        Votes that each row was asked for.
    rows : dict
        Answers by id of the row.
    """

    trials: int
    rows: dict[str, list[Said]]


def gather(results: Results, columns: Sequence[Mapping[str, Any]], data: str, *, partial: bool) -> Votes:
    """Join answers with rows, and count the votes.

    Parameters
    ----------
    results : Results
        Of a reader.
    columns : sequence of mappings
        All rows of the data.
    data : str
        What the data is called, for messages.
    partial : bool
        Accept rows with fewer votes than were asked for; they stay without an answer.

    Raises
    ------
    MedqDegError
        If an answer has no id, or the id, question or right letter of no row of the data; if a vote is there twice, or
        a row has more or, unless `partial`, fewer votes than were asked for.
    """
    by_id = {row["id"]: row for row in columns}
    rows: dict[str, list[Said]] = {}
    seen: dict[tuple[str, int], str] = {}
    asked = results.asked
    for each in results.said:
        _check(each, by_id, data)
        if each.vote is not None and (before := seen.setdefault((each.row_id, each.vote), each.place)) != each.place:
            raise MedqDegError(
                f"{each.place}: vote {each.vote + 1} of row {shown(each.row_id)} is there already, in {before}; give "
                "each "
                "file once, and the files of one model alone"
            )
        if each.asked is not None and asked not in (None, each.asked):
            raise MedqDegError(
                f"{each.place}: row {shown(each.row_id)} was asked for {each.asked} votes, rows before it for {asked}; "
                "import the files of one export together"
            )
        asked = each.asked if asked is None else asked
        rows.setdefault(each.row_id, []).append(each)
    if not rows:
        raise MedqDegError("the files hold no answers; was the harness run to its end?")
    trials = max(map(len, rows.values())) if asked is None else asked
    if trials < LEAST_VOTES:
        name, said = next(iter(rows.items()))
        raise MedqDegError(
            f"{said[0].place}: row {shown(name)} has 1 vote, and confidence needs {LEAST_VOTES} or more; ask for "
            "several, "
            "as docs/harnesses.md says for each harness"
        )
    for name, said in rows.items():
        if len(said) > trials:
            raise MedqDegError(
                f"{said[-1].place}: row {shown(name)} has {len(said)} votes, {trials} were asked for; give each file "
                "once, "
                "and the files of one model alone"
            )
        failed = any(each.text is None for each in said)
        if len(said) < trials and not failed and not partial:
            raise MedqDegError(
                f"{said[-1].place}: row {shown(name)} has {len(said)} of {trials} votes; run the harness again with "
                "the "
                "same settings to complete it, or import with --partial, which leaves such rows without an answer"
            )
    ordered = {name: sorted(said, key=lambda each: each.vote or 0) for name, said in rows.items()}
    return Votes(trials, ordered)


def check_complete(votes: Votes, expected: Sequence[Mapping[str, Any]], place: str, *, partial: bool) -> None:
    """Raise `MedqDegError` if an expected row has no answer, unless `partial`, or another row has one."""
    names = {row["id"] for row in expected}
    if foreign := next((name for name in votes.rows if name not in names), None):
        raise MedqDegError(
            f"{votes.rows[foreign][0].place}: row {foreign!r} is not among the {len(names)} rows that are asked for; "
            "give --subset the number that the export was made with"
        )
    lacking = [name for row in expected if (name := row["id"]) not in votes.rows]
    if lacking and not partial:
        raise MedqDegError(
            f"{place}: row {lacking[0]!r} is missing, {len(lacking)} of {len(names)} rows in all; run the harness "
            "again to complete them, give all its files, give --subset if the export had it, or import with --partial, "
            "which leaves them without an answer"
        )


def _check(said: Said, by_id: Mapping[str, Mapping[str, Any]], data: str) -> None:
    if not said.row_id:
        raise MedqDegError(
            f"{said.place}: names no row; export the data with `medq-deg data export`, which gives each row its id, "
            "and run the harness on that"
        )
    row = by_id.get(said.row_id)
    if row is None:
        raise MedqDegError(
            f"{said.place}: row {shown(said.row_id)} is not in the data {data!r}; name the data that was exported with "
            "--data"
        )
    if said.answer is not None and said.answer.strip().upper() != row["answer"]:
        raise MedqDegError(
            f"{said.place}: the right letter of row {shown(said.row_id)} is {shown(said.answer)}, in the data "
            f"{data!r} it is "
            f"{row['answer']!r}; name the data that was exported with --data"
        )
    if said.question is not None and _plain(row["question"]) not in _plain(said.question):
        raise MedqDegError(
            f"{said.place}: the question of row {shown(said.row_id)} is {said.question[:_SHOWN]!r}, in the data "
            f"{data!r} it "
            f"is {row['question'][:_SHOWN]!r}; name the data that was exported with --data"
        )


def _plain(text: str) -> str:
    # Spreadsheets and prompts change line ends and margins.
    return " ".join(text.split())
