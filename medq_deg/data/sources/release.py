"""The authors' release: TSVs of clean (`good`) and degraded (`simulate`) rows, for `dev` and `test`.

Which clean row a degraded row comes from is not written in the files; `_CleanRows` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from medq_deg.data.schema import Question
from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, SourceRecord
from medq_deg.data.sources.fields import (
    answer_by_letter,
    content_hash,
    index_of,
    options_in_columns,
    question_of,
    skills_of,
    text_of,
    texts,
)
from medq_deg.data.sources.finish import collect
from medq_deg.data.sources.images import TableImages
from medq_deg.data.sources.modality import modality_and_image
from medq_deg.data.sources.readers import Table, check_folder
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import NO_DEGRADATION, TASK_OF_SKILL, resolve_degradation, resolve_severity

NEEDED = "the release's folder, with MedQ-Robust-{good,simulate}-{dev,test}.tsv"
_NEEDED_FILE = "a TSV with index, question, A, B, ..., answer, and image or image_path"
_FILE: Final = re.compile(r".*[-_](good|simulate)(?:[-_](dev|test))?\.tsv", re.IGNORECASE)
_SKILL_COLUMNS: Final = ("skills", "skill", "capability", "clinical vqa task", "question type")
_DOUBTFUL_SKILL_COLUMNS: Final = ("task", "l2 category", "category")
_SAMPLE: Final = 200
_ENOUGH: Final = 0.9

ORPHAN = "degraded row whose clean row is not in the good files"
UNTOLD = "degraded row with several possible clean rows"


@dataclass(frozen=True)
class _File:
    table: Table
    split: str
    clean: bool


def read_release(folder: Path, report: LoadReport) -> Iterator[SourceRecord]:
    """Read the release, clean rows first.

    A clean row's key is ``<split>-<index>``. A degraded row has the key of its clean row, found in this order:

    1. By index, where the two files of a split share their indices: the degraded row's index, or what stands before
       its first "_", "-" or ":", is that of a clean row with the same question, options and answer. Whether they share
       them is judged on the first 200 degraded rows, of which 90 % must agree, since two running numbers that mean
       nothing to each other also agree now and then where questions follow a template.
    2. By question, options and answer, where only one clean row has them.
    3. Where no clean row has them, the key is their hash, so that the rows of one question still belong together;
       where several have, it is that hash with the row's own index, since joining rows of different images would be
       worse than leaving them apart. Both are counted in the report's notes.

    Indices may repeat in a file as long as degradation or severity differ. Severity and degradation come from their
    columns, or for a clean file from its name.

    Raises
    ------
    MedqDegError
        If the folder has no such file, or a file is empty, not UTF-8 or lacks a column.
    """
    check_folder(folder, NEEDED)
    files = []
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match:
            table = Table(path, "\t", ("index", "question", "a", "b", "answer"), _NEEDED_FILE)
            if not {"image", "image path"} & table.columns:
                raise MedqDegError(f"{path}, line 1: no column 'image' or 'image_path'; needed is {_NEEDED_FILE}")
            files.append(_File(table, (match[2] or "all").casefold(), match[1].casefold() == "good"))
    if not files:
        raise MedqDegError(f"{folder} has none of the release's TSVs; needed is {NEEDED}")
    return _records(sorted(files, key=lambda file: not file.clean), report)


def _records(files: list[_File], report: LoadReport) -> Iterator[SourceRecord]:
    clean = _CleanRows()
    taken: set[tuple[str, str, int]] = set()
    return chain.from_iterable(_records_of_file(file, clean, taken, report) for file in files)


def _records_of_file(
    file: _File, clean: _CleanRows, taken: set[tuple[str, str, int]], report: LoadReport
) -> Iterator[SourceRecord]:
    images = TableImages(file.table, file.table.path.parent)
    seen: set[tuple[str, str, int]] = set()
    rows = iter(file.table.rows())
    if not file.clean:
        first = list(islice(rows, _SAMPLE))
        clean.judge(file.split, first)
        rows = chain(first, rows)

    def convert(row: Row) -> SourceRecord:
        images.remember(row)
        index, question = _asked(row)
        degradation, severity = _degradation_of(row, file)
        if (index, degradation, severity) in seen:
            raise BadRow(Reason.DUPLICATE_INDEX, index)
        seen.add((index, degradation, severity))
        note = None
        if severity == 0:
            key = clean.add(file.split, index, question)
        else:
            key, note = clean.key_of(file.split, index, question)
        if (key, degradation, severity) in taken:
            raise BadRow(Reason.DUPLICATE_ROW, f"{key}, {degradation}, L{severity}")
        modality, image = modality_and_image(
            [row.cells.get("modality")], question.question, lambda: images.image_of(row)
        )
        record = SourceRecord(
            source="release",
            key=key,
            where=row.where,
            question=question.question,
            options=question.options,
            answer=question.answer,
            modality=modality,
            skills=_skills(row),
            degradation=degradation,
            severity=severity,
            image=image,
        )
        taken.add((key, degradation, severity))
        if note:
            report.note(note, row.where)
        return record

    return collect(rows, convert, report)


def _asked(row: Row) -> tuple[str, Question]:
    """Return a row's index and what it asks; its modality is not read yet."""
    index = index_of(row.cells["index"])
    text = question_of(row.cells["question"])
    options = options_in_columns(row.cells)
    return index, Question(index, text, texts(options), answer_by_letter(row.cells["answer"], options), modality="")


def _content(question: Question) -> str:
    return content_hash(question.question, *question.options, question.answer)


class _CleanRows:
    """The clean rows that were read: their indices and a hash of what they ask, never their images."""

    def __init__(self) -> None:
        self._content: dict[tuple[str, str], str] = {}
        self._keys: dict[str, list[str]] = {}
        self._shared: set[str] = set()

    def add(self, split: str, index: str, question: Question) -> str:
        key, content = f"{split}-{index}", _content(question)
        if self._content.setdefault((split, index), content) == content:
            keys = self._keys.setdefault(content, [])
            if key not in keys:
                keys.append(key)
        return key

    def judge(self, split: str, rows: Iterable[Row]) -> None:
        """Find out from some degraded rows whether their indices are those of the clean rows of their split."""
        agree, known = 0, 0
        for row in rows:
            try:
                if row.problem is not None:
                    continue
                given, question = _asked(row)
            except BadRow:
                continue
            index = self._index_of(split, given)
            if index is not None:
                known += 1
                agree += self._content[split, index] == _content(question)
        if known and agree >= _ENOUGH * known:
            self._shared.add(split)

    def key_of(self, split: str, given: str, question: Question) -> tuple[str, str | None]:
        """Return the key of a degraded row's clean row, and what the report should note about it."""
        content = _content(question)
        index = self._index_of(split, given) if split in self._shared else None
        if index is not None and self._content[split, index] == content:
            return f"{split}-{index}", None
        keys = self._keys.get(content, [])
        if not keys:
            return content, ORPHAN
        if len(keys) > 1:
            return f"{content}.{split}-{given}", UNTOLD
        return keys[0], None

    def _index_of(self, split: str, given: str) -> str | None:
        candidates = (given, re.split(r"[_:-]", given, maxsplit=1)[0])
        return next((index for index in candidates if (split, index) in self._content), None)


def _degradation_of(row: Row, file: _File) -> tuple[str, int]:
    """Return degradation and severity. L0 is clean whatever degradation it is listed under."""
    word = _first(row, "degradation severity", "severity")
    name = _first(row, "degradation type", "degradation")
    if word:
        try:
            severity = resolve_severity(word)
        except MedqDegError:
            raise BadRow(Reason.UNKNOWN_SEVERITY, word) from None
    elif file.clean:
        severity = 0
    else:
        raise BadRow(Reason.UNKNOWN_SEVERITY, "none given")
    if severity == 0:
        return NO_DEGRADATION, 0
    try:
        return resolve_degradation(name), severity
    except MedqDegError:
        raise BadRow(Reason.UNKNOWN_DEGRADATION, name or "none given") from None


def _first(row: Row, *columns: str) -> str:
    return next((text for text in (text_of(row.cells.get(column)) for column in columns) if text), "")


def _skills(row: Row) -> tuple[str, ...]:
    skills = skills_of(_first(row, *_SKILL_COLUMNS))
    if skills:
        return skills
    # These columns may hold something else, so only what is surely a skill is taken from them.
    found: Any = skills_of(*(row.cells.get(column) for column in _DOUBTFUL_SKILL_COLUMNS))
    return tuple(skill for skill in found if skill in TASK_OF_SKILL)
