"""What every source gives (`SourceRecord`) and what is said about a read (`LoadReport`).

A bad row is a `BadRow`: it is skipped and counted. A bad file is a `MedqDegError`: the read stops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias

from medq_deg.data.schema import Question
from medq_deg.errors import MedqDegError
from medq_deg.storable import storable
from medq_deg.taxonomy import NO_DEGRADATION, TASK_OF_SKILL


@dataclass(frozen=True)
class SourceRecord:
    """One usable question about one image, as a source holds it.

    Attributes
    ----------
    source : str
        Name of the source: that of its `Source`, "release" or "demo".
    key : str
        Id within the source that stays the same from read to read, such as the index of a TSV's row. In the release
        a clean question and its degraded rows share it.
    where : str
        File and line or record, for messages.
    image : bytes
        The encoded image exactly as the source holds it. Only its header has been checked.
    question : str
        As the source holds it.
    options : tuple of str
        2 to 26, none empty, none twice; without the space around them.
    answer : str
        Letter of the right option, "A" for the first.
    modality : str
        One of `medq_deg.taxonomy.MODALITIES`.
    skills : tuple of str
        Names of the paper where known, else the source's own.
    degradation, severity : str, int
        "none" and 0 but for the release.
    """

    source: str
    key: str
    where: str
    image: bytes = field(repr=False)
    question: str
    options: tuple[str, ...]
    answer: str
    modality: str
    skills: tuple[str, ...]
    degradation: str = NO_DEGRADATION
    severity: int = 0

    def as_question(self, question_id: str) -> Question:
        """Return what is asked, under the id that it gets."""
        return Question(question_id, self.question, self.options, self.answer, self.modality, self.skills, self.source)


class Reason(str, Enum):
    """Why a row was skipped; the values are what a report shows."""

    TRUNCATED = "truncated row"
    TOO_MANY_COLUMNS = "more cells than columns"
    BROKEN_QUOTES = "quotes that are not closed, or text after a closing quote"
    NOT_AN_OBJECT = "not a JSON object"
    FIELD_TYPE = "a field holds a list, an object or a truth value where text is needed"
    NO_INDEX = "no index"
    DUPLICATE_INDEX = "duplicate index"
    DUPLICATE_ROW = "same clean question, degradation and severity as an earlier row"
    NO_QUESTION = "no question"
    FEW_OPTIONS = "fewer than 2 options"
    MANY_OPTIONS = "more than 26 options"
    OPTION_TWICE = "the right option or a letter twice"
    NO_ANSWER = "no answer"
    ANSWER_WITHOUT_OPTION = "answer letter without option"
    ANSWER_MATCHES_NONE = "answer text matches no option"
    ANSWER_MATCHES_SEVERAL = "answer text matches several options"
    MODALITY_OUTSIDE = "modality outside the seven"
    MODALITY_UNKNOWN = "no modality in the columns, and none that the question says is pictured"
    MODALITY_AMBIGUOUS = "the question names several modalities"
    COLOUR_AGAINST = "the question names a gray modality, but the image is in colour"
    NO_IMAGE = "no image"
    SEVERAL_IMAGES = "several images"
    NOT_BASE64 = "invalid base64"
    BAD_REFERENCE = "image is the index of a row that is not there or holds no image"
    AMBIGUOUS_REFERENCE = "image is an index that several rows have"
    NOT_A_IMAGE = "not an image that can be read"
    IMAGE_MISSING = "image missing on disk"
    IMAGE_UNREADABLE = "image cannot be read from disk"
    IMAGE_TOO_LARGE = "image file larger than 64 MiB"
    PATH_OUTSIDE = "image path leaves the folder"
    SYMLINK_LOOP = "image path is a symlink loop"
    UNKNOWN_SEVERITY = "unknown severity"
    UNKNOWN_DEGRADATION = "unknown degradation"


class BadRow(Exception):  # noqa: N818
    """A row that cannot be used.

    Parameters
    ----------
    reason : Reason
        Rows are counted by it.
    detail : str
        What was found; shown beside the first few places.
    modality : str, optional
        Name to count among the unknown modalities.
    """

    def __init__(self, reason: Reason, detail: str = "", *, modality: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = _shortened(detail)
        self.modality = modality


@dataclass(frozen=True)
class Row:
    """A row of a table or a record of a JSON file, before anything is known about it.

    `cells` has folded names (`medq_deg.data.sources.fields.fold_column`). `problem` is set when the row could not even
    be taken apart.
    """

    where: str
    cells: Mapping[str, Any]
    offset: int = 0
    problem: BadRow | None = None


_PLACES_SHOWN: Final = 5
_NAMES_COUNTED: Final = 1000
_NAMES_SHOWN: Final = 10
_OTHER_NAMES: Final = "(other names)"


@dataclass
class _Places:
    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        self.count += 1
        if len(self.first) < _PLACES_SHOWN:
            self.first.append(place)

    def __str__(self) -> str:
        return "; ".join(self.first) + (", ..." if self.count > len(self.first) else "")

    def as_dict(self) -> dict[str, Any]:
        return {"count": self.count, "first": list(self.first)}


class LoadReport:
    """What became of the rows of one read.

    Attributes
    ----------
    rows_read, rows_kept : int
        After the read has ended, `rows_read` is `rows_kept` plus all that were skipped.
    unknown_modalities, unknown_skills : collections.Counter
        Names outside the paper's. Rows of an unknown modality are skipped, rows of an unknown skill are kept.
    """

    def __init__(self) -> None:
        self.rows_read = 0
        self.rows_kept = 0
        self.unknown_modalities: Counter[str] = Counter()
        self.unknown_skills: Counter[str] = Counter()
        self._skipped: dict[str, _Places] = {}
        self._notes: dict[str, _Places] = {}

    @property
    def skipped(self) -> dict[str, int]:
        """Number of skipped rows by reason, the most frequent reason first."""
        return {reason: places.count for reason, places in _by_count(self._skipped)}

    @property
    def notes(self) -> dict[str, int]:
        """Number of rows that were kept although something about them is worth knowing, by what it is."""
        return {text: places.count for text, places in _by_count(self._notes)}

    def skip(self, problem: BadRow, where: str) -> None:
        """Count a row that is skipped."""
        place = storable(f"{where}: {problem.detail}" if problem.detail else where)
        self._skipped.setdefault(problem.reason.value, _Places()).add(place)
        if problem.modality is not None:
            _count(self.unknown_modalities, problem.modality)

    def keep(self, record: SourceRecord) -> None:
        """Count a row that is kept, and those of its skills that are not the paper's."""
        self.rows_kept += 1
        for skill in record.skills:
            if skill not in TASK_OF_SKILL:
                _count(self.unknown_skills, skill)

    def drop(self, reason: str, where: str) -> None:
        """Count a row as skipped after all that was kept before: a later step cannot use it."""
        self.rows_kept -= 1
        self._skipped.setdefault(reason, _Places()).add(storable(where))

    def note(self, text: str, where: str) -> None:
        """Count a row that is kept although `text` is true of it."""
        self._notes.setdefault(text, _Places()).add(storable(where))

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "skipped": {reason: places.as_dict() for reason, places in _by_count(self._skipped)},
            "notes": {text: places.as_dict() for text, places in _by_count(self._notes)},
            "unknown_modalities": dict(self.unknown_modalities.most_common()),
            "unknown_skills": dict(self.unknown_skills.most_common()),
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> LoadReport:
        """Return the report that `as_dict` told of; raise `MedqDegError` if it is none."""
        report = cls()
        try:
            report.rows_read, report.rows_kept = int(told["rows_read"]), int(told["rows_kept"])
            report.unknown_modalities.update({str(name): int(n) for name, n in told["unknown_modalities"].items()})
            report.unknown_skills.update({str(name): int(n) for name, n in told["unknown_skills"].items()})
            for group, places in ((report._skipped, told["skipped"]), (report._notes, told["notes"])):
                for text, found in places.items():
                    group[text] = _Places(int(found["count"]), [str(place) for place in found["first"]])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise MedqDegError("the load report of this build is damaged; build into another folder") from None
        return report

    def reasons(self) -> str:
        """Return why rows were skipped, each reason with the places of the first, in one line."""
        return (
            "; ".join(f"{places.count:,} x {text} ({places})" for text, places in _by_count(self._skipped))
            or "they hold no row"
        )

    def __str__(self) -> str:
        lines = [f"{self.rows_read:,} rows read, {self.rows_kept:,} kept"]
        for title, group in (("skipped", self._skipped), ("kept, but", self._notes)):
            lines += [f"{title}: {places.count:,} x {text} ({places})" for text, places in _by_count(group)]
        for title, names in (("modalities", self.unknown_modalities), ("skills", self.unknown_skills)):
            if names:
                counted = ", ".join(f"{name} ({count:,})" for name, count in names.most_common(_NAMES_SHOWN))
                more = f", and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
                lines.append(f"unknown {title}: {counted}{more}")
        return "\n".join(lines)


Reader: TypeAlias = Callable[[Path, LoadReport], Iterator[SourceRecord]]
"""Reads a file or a folder, and tells the report what became of each row."""


@dataclass(frozen=True)
class Source:
    """A source that `build` can read.

    Attributes
    ----------
    name : str
        What the column `source` of its rows holds, in lower-case letters, digits and underscores.
    read : callable
        ``f(path, report)`` that yields a `SourceRecord` for each usable row and counts every row in the report;
        `medq_deg.data.sources.collect` does the counting.
    title, licence : str
        The data set and its licence, as a dataset card names them.
    needed : str
        What the path must be, for messages and help.
    order : int
        Sources are read by it, then by name: of two equal questions the first is kept.

    Raises
    ------
    MedqDegError
        If a field is of another kind.
    """

    name: str
    read: Reader
    title: str = ""
    licence: str = "ask its makers"
    needed: str = "a file or folder"
    order: int = 100

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", self.name)):
            raise MedqDegError(f"a source's name must be lower-case letters, digits and _, got {self.name!r}")
        if not callable(self.read):
            raise MedqDegError(f"source {self.name}: read must be a function, got {self.read!r}")
        for what, text in (("title", self.title), ("licence", self.licence), ("needed", self.needed)):
            if not isinstance(text, str):
                raise MedqDegError(f"source {self.name}: {what} must be a text, got {text!r}")


def _by_count(group: Mapping[str, _Places]) -> list[tuple[str, _Places]]:
    return sorted(group.items(), key=lambda item: (-item[1].count, item[0]))


def _count(names: Counter[str], name: str) -> None:
    # A column of free text must not fill the report, or the memory.
    short = _shortened(name)
    names[short if short in names or len(names) < _NAMES_COUNTED else _OTHER_NAMES] += 1


def _shortened(text: str, most: int = 80) -> str:
    text = " ".join(storable(text[: 4 * most]).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
