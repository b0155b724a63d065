"""The columns of a row, what they must hold, and the ids and seeds that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

from medq_deg.errors import MedqDegError, shown
from medq_deg.seeds import derive_seed
from medq_deg.taxonomy import (
    LEVEL_OF_TASK,
    NO_DEGRADATION,
    TASK_OF_SKILL,
    category_of,
    resolve_degradation,
    resolve_severity,
)

COLUMNS: Final = (
    "id",
    "question_id",
    "image",
    "question",
    "options",
    "answer",
    "modality",
    "skills",
    "task",
    "level",
    "degradation",
    "category",
    "severity",
    "source",
    "seed",
)
"""Every column of a row, in order. A row is a mapping, as `datasets` gives them."""

TEXT_COLUMNS: Final = tuple(name for name in COLUMNS if name != "image")
"""Every column but the image."""

TOLD_COLUMNS: Final = (
    "question_id",
    "answer",
    "modality",
    "skills",
    "task",
    "level",
    "degradation",
    "category",
    "severity",
    "source",
)
"""What goes with a row's answers where they are shown or published: enough to score them again, beside the id and the
number of options, but no image and no text of a source."""

MANIFEST: Final = "manifest.json"
"""The file of a build that says what was built; it is there once the build is finished."""

LETTERS: Final = ascii_uppercase
"""Letters of the options, in order: 26 at most."""


@dataclass(frozen=True)
class Question:
    """What is asked about one image, without the image.

    Attributes
    ----------
    question_id : str
        The same in all rows that are made from this question.
    question : str
    options : tuple of str
        2 to 26, none empty, none twice.
    answer : str
        Letter of the right option, "A" for the first.
    modality : str
        One of `medq_deg.taxonomy.MODALITIES`.
    skills : tuple of str
        Names of the paper where known, else the source's own.
    source : str
        Name of the source it comes from, "release" or "demo".
    """

    question_id: str
    question: str
    options: tuple[str, ...]
    answer: str
    modality: str
    skills: tuple[str, ...] = ()
    source: str = ""

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Question:
        """Return the question of a row, whatever else the row holds."""
        return cls(
            question_id=row["question_id"],
            question=row["question"],
            options=tuple(row["options"]),
            answer=row["answer"],
            modality=row["modality"],
            skills=tuple(row["skills"]),
            source=row["source"],
        )

    def check(self) -> None:
        """Raise `MedqDegError` unless text, options and answer fit together; see `check_question`."""
        check_question(self.question_id, self.question, self.options, self.answer)


def row(question: Question, degradation: str, severity: int, seed: int) -> dict[str, Any]:
    """Return the columns of a row but its image: what is asked, and what was done to the image.

    Parameters
    ----------
    question : Question
    degradation : str
        A degradation's name; "none" for a clean row.
    severity : int
        1 or 2; 0 for a clean row.
    seed : int
        Seed of the degradation; 0 for a clean row.

    Returns
    -------
    dict
        `TEXT_COLUMNS`, in order. Labels are names; `task` and `level` are "" where no skill is known.

    Raises
    ------
    MedqDegError
        For an unknown degradation or severity, and for a severity of 0 with a degradation or the reverse.
    """
    degradation = resolve_degradation(degradation, allow_none=True)
    severity = resolve_severity(severity)
    if (severity == 0) != (degradation == NO_DEGRADATION):
        raise MedqDegError(
            f"question {question.question_id!r}: severity 0 belongs to degradation {NO_DEGRADATION!r} and no other, "
            f"got severity {severity} with {degradation!r}"
        )
    task, level = task_and_level(question.skills)
    return {
        "id": row_id(question.question_id, degradation, severity),
        "question_id": question.question_id,
        "question": question.question,
        "options": list(question.options),
        "answer": question.answer,
        "modality": question.modality,
        "skills": list(question.skills),
        "task": task,
        "level": level,
        "degradation": degradation,
        "category": category_of(degradation),
        "severity": severity,
        "source": question.source,
        "seed": seed,
    }


def row_id(question_id: str, degradation: str, severity: int) -> str:
    """Return ``<question_id>/<degradation>/L<severity>``."""
    return f"{question_id}/{degradation}/L{severity}"


def row_seed(seed: int, question_id: str, degradation: str) -> int:
    """Return the seed of a row's degradation; L1 and L2 of a question share it."""
    return derive_seed(seed, question_id, degradation)


def check_question(question_id: str, question: str, options: Sequence[str], answer: str) -> None:
    """Raise `MedqDegError` unless a question has 2 to 26 different options and the answer is the letter of one."""
    if not question.strip():
        raise MedqDegError(f"question {shown(question_id)} has no text")
    if not 2 <= len(options) <= len(LETTERS):
        raise MedqDegError(f"question {shown(question_id)} must have 2 to {len(LETTERS)} options, got {len(options)}")
    if any(not option.strip() for option in options):
        raise MedqDegError(f"question {shown(question_id)} has an empty option: {shown(list(options))}")
    if len(set(options)) < len(options):
        raise MedqDegError(f"question {shown(question_id)} has an option twice: {shown(list(options))}")
    allowed = LETTERS[: len(options)]
    if len(answer) != 1 or answer not in allowed:
        raise MedqDegError(
            f"question {shown(question_id)} has answer {shown(answer)}, which is no option; "
            f"allowed: {', '.join(allowed)}"
        )


def unsound(row: Mapping[str, Any], names: Sequence[str] = COLUMNS) -> str:
    """Return the first of some columns that does not hold what it should in a stored row; empty if all do."""
    for name in names:
        value = row.get(name)
        if name == "image":
            sound = isinstance(value, dict) and isinstance(value.get("bytes"), bytes)
        elif name in ("options", "skills"):
            sound = isinstance(value, list) and all(isinstance(text, str) for text in value)
        elif name in ("severity", "seed"):
            sound = isinstance(value, int)
        elif name in ("id", "question_id", "question", "answer"):
            sound = isinstance(value, str)
        else:
            sound = isinstance(value, (str, int))  # the number of a label
        if not sound:
            return name
    return ""


def task_and_level(skills: Sequence[str]) -> tuple[str, str]:
    """Return the task and level of a row's first known skill, or two empty strings if none is known."""
    for skill in skills:
        if skill in TASK_OF_SKILL:
            task = TASK_OF_SKILL[skill]
            return task, LEVEL_OF_TASK[task]
    return "", ""


def columns_of(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield some columns of rows as plain values, without reading images that are not asked for.

    Parameters
    ----------
    rows : iterable of mappings
        A `datasets.Dataset` is read without its transform, by column, and its class labels become names. Rows with a
        method `columns` are asked for what it yields.
    names : sequence of str
        Columns to yield.

    Raises
    ------
    MedqDegError
        If `rows` is several splits or holds no rows, or a row lacks a column.
    """
    if isinstance(rows, Mapping):
        raise MedqDegError(f"rows are wanted, got a mapping of {', '.join(map(str, rows))}: take one split of it")
    if not isinstance(rows, Iterable):
        raise MedqDegError(f"rows are wanted, got {type(rows).__name__}")
    features = getattr(rows, "features", None)
    if features is None:
        columns = getattr(rows, "columns", None)
        for row in columns() if callable(columns) else rows:
            _check_columns(row, names)
            yield {name: list(row[name]) if name in ("options", "skills") else row[name] for name in names}
        return
    _check_columns(features, names)
    labels = {name: features[name].int2str for name in names if hasattr(features[name], "int2str")}
    plain = rows.with_format(None).select_columns(list(names))  # type: ignore[attr-defined]
    for row in plain:
        # -1 is how `datasets` writes a label that is missing.
        codes = {name: row[name] for name in labels if isinstance(row[name], int)}
        yield {**row, **{name: labels[name](code) if code >= 0 else "" for name, code in codes.items()}}


def _check_columns(found: object, names: Sequence[str]) -> None:
    if not isinstance(found, Mapping):
        raise MedqDegError(f"a row is a mapping of columns, got {type(found).__name__}")
    lacking = [name for name in names if name not in found]
    if lacking:
        raise MedqDegError(f"the rows lack the columns {', '.join(lacking)}; theirs are {', '.join(map(str, found))}")
