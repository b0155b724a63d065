"""Reading tables, JSON and JSON lines row by row, with the place of each row and one clear error for a bad file.

A table is never held in memory: rows are parsed as they are asked for, and a row can be found again by the byte at
which it starts.
"""

from __future__ import annotations

import codecs
import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from medq_deg.data.sources.base import BadRow, Reason, Row
from medq_deg.data.sources.fields import fold_column
from medq_deg.errors import MedqDegError

LONGEST_RECORD: Final = 100_000_000
"""Bytes of one row: more than a 4096 x 4096 colour image needs in base64, so that an open quote ends somewhere."""


def check_file(path: Path, needed: str) -> None:
    """Raise `MedqDegError` unless `path` is a file with something in it; `needed` says what it should be."""
    try:
        if path.is_dir():
            raise MedqDegError(f"{path} is a folder; needed is {needed}")
        if not path.is_file():
            raise MedqDegError(f"{path}: no such file; needed is {needed}")
        if path.stat().st_size == 0:
            raise MedqDegError(f"{path} is empty; needed is {needed}")
        if not os.access(path, os.R_OK):
            raise MedqDegError(f"{path}: you may not read it; needed is {needed}")
    except OSError as error:
        raise MedqDegError(f"{path} cannot be read ({error.strerror}); needed is {needed}") from None


def check_folder(path: Path, needed: str) -> None:
    """Raise `MedqDegError` unless `path` is a folder; `needed` says what should be in it."""
    if not path.is_dir():
        found = "is not a folder" if path.exists() else "no such folder"
        raise MedqDegError(f"{path}: {found}; needed is {needed}")


def _open(path: Path) -> BinaryIO:
    """Open a file of text as UTF-8, which one in UTF-16, as spreadsheets write it, is turned into."""
    file = path.open("rb")
    start = file.read(4)
    file.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        coding = "utf-16"
    elif len(start) == 4 and start[1] == start[3] == 0 != start[0]:
        coding = "utf-16-le"
    elif len(start) == 4 and start[0] == start[2] == 0 != start[1]:
        coding = "utf-16-be"
    else:
        return file
    with file:
        return BytesIO(file.read().decode(coding, "replace").encode("utf-8", "replace"))


class _RecordTooLong(Exception):  # noqa: N818
    pass


class _Lines:
    """Lines of a UTF-8 file for `csv.reader`, that know where they are and can go back."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._record = 0
        self.move(0, 1)

    def move(self, offset: int, line: int) -> None:
        self._file.seek(offset)
        self.offset, self.line = offset, line
        self.start_record()

    def start_record(self) -> None:
        self._record = 0
        self.second_line: int | None = None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._read(LONGEST_RECORD + 1)
        if not raw:
            raise StopIteration
        if len(raw) > LONGEST_RECORD:
            raise MedqDegError(f"{self._path}, line {self.line}: longer than {LONGEST_RECORD:,} bytes; is it a table?")
        if self._record + len(raw) > LONGEST_RECORD:
            raise _RecordTooLong
        try:
            text = raw.decode("utf-8-sig" if self.offset == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise MedqDegError(
                f"{self._path}, line {self.line}: not UTF-8 ({error.reason}); save it as UTF-8"
            ) from None
        self._record += len(raw)
        self.offset += len(raw)
        self.line += 1
        if self.second_line is None:
            self.second_line = self.offset
        return text

    def _read(self, most: int) -> bytes:
        try:
            return self._file.readline(most)
        except OSError as error:
            raise MedqDegError(f"{self._path}, line {self.line}: cannot be read ({error.strerror})") from None


class Table:
    """A CSV or TSV file with a header.

    Parameters
    ----------
    path : Path
        The header is read at once, the rows when they are asked for.
    delimiters : str
        Characters that may part the cells; the first that gives the required columns is taken. Several mean a file
        of a spreadsheet, which may be in UTF-16 too, and with semicolons where a comma belongs to numbers.
    required : sequence of str
        Folded names of the columns without which the file is of no use.
    needed : str
        What the file should be, for messages.

    Raises
    ------
    MedqDegError
        If the file is missing, empty, not UTF-8, has no row, two columns of one name, or lacks a column.
    """

    def __init__(self, path: Path, delimiters: str, required: Sequence[str], needed: str) -> None:
        check_file(path, needed)
        # The limit belongs to the whole process: it is raised, and never lowered for others.
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
        self.path, self._of_a_spreadsheet = path, len(delimiters) > 1
        with self._file() as file:
            lines = _Lines(file, path)
            start = self._start(lines)
            for self._delimiter in (*delimiters, delimiters[0]):
                lines.move(*start)
                try:
                    header = next(self._reader(lines), [])
                except (csv.Error, _RecordTooLong):
                    header = []
                self._columns = [fold_column(name) for name in header]
                if set(required) <= set(self._columns):
                    break
            if not header:
                raise MedqDegError(f"{path}, line 1: the header cannot be taken apart; needed is {needed}")
            self._first_row = (lines.offset, lines.line)
            self._check_header(required, needed)
            lines.start_record()
            if not any(line.strip() for line in lines):
                raise MedqDegError(f"{path} has a header but no rows; needed is {needed}")

    @cached_property
    def _converted(self) -> bytes | None:
        if not self._of_a_spreadsheet:
            return None
        with _open(self.path) as file:
            return file.getvalue() if isinstance(file, BytesIO) else None

    def _file(self) -> BinaryIO:
        return self.path.open("rb") if self._converted is None else BytesIO(self._converted)

    @staticmethod
    def _start(lines: _Lines) -> tuple[int, int]:
        # A spreadsheet may put the line "sep=;" before the header.
        first = next(iter(lines), "")
        return (lines.offset, lines.line) if re.fullmatch(r"sep=.\s*", first, re.IGNORECASE) else (0, 1)

    def _check_header(self, required: Sequence[str], needed: str) -> None:
        names = [name for name in self._columns if name]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise MedqDegError(f"{self.path}, line 1: the column {twice[0]!r} is there twice")
        missing = [name for name in required if name not in names]
        if missing:
            shown = ", ".join(name[:40] for name in names[:30]) or "none"
            raise MedqDegError(
                f"{self.path}, line 1: no column {', '.join(map(repr, missing))}; needed is {needed}; found: {shown}"
            )

    @property
    def columns(self) -> frozenset[str]:
        """Folded names of the columns."""
        return frozenset(name for name in self._columns if name)

    def rows(self, start: tuple[int, int] | None = None) -> Iterator[Row]:
        """Yield every row, bad ones with their problem set; `start` is the (offset, line) of the first.

        A row that is broken and spans several lines may have swallowed good rows, as an open quote does. So reading
        goes on at its second line; what comes then counts as part of the broken row until a line has all its cells.
        """
        with self._file() as file:
            lines = _Lines(file, self.path)
            lines.move(*(start or self._first_row))
            reader = self._reader(lines)
            recovering = False
            while True:
                offset, line = lines.offset, lines.line
                lines.start_record()
                cells: list[str] = []
                problem: BadRow | None
                try:
                    cells = next(reader)
                    problem = self._problem_of(cells)
                except StopIteration:
                    return
                except (csv.Error, _RecordTooLong):
                    problem = BadRow(Reason.BROKEN_QUOTES)
                if problem is None and not any(cells):
                    continue
                if problem is None or not recovering:
                    named = dict(zip(self._columns, cells, strict=False)) if problem is None else {}
                    yield Row(f"{self.path.name}, line {line}", named, offset, problem)
                    recovering = False
                if problem is not None and lines.second_line is not None and lines.second_line < lines.offset:
                    lines.move(lines.second_line, line + 1)
                    recovering = True

    def row_at(self, offset: int) -> Row:
        """Return the row that starts at a byte, as `rows` gave it."""
        return next(self.rows((offset, 0)))

    def _reader(self, lines: _Lines) -> Iterator[list[str]]:
        # Not strict, a lone quote would join the front of one row to the end of another, with the right number of
        # cells: a wrong question that nobody notices.
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _problem_of(self, cells: list[str]) -> BadRow | None:
        while len(cells) > len(self._columns) and not cells[-1].strip():
            cells.pop()
        if cells and len(cells) < len(self._columns):
            return BadRow(Reason.TRUNCATED, f"{len(cells)} of {len(self._columns)} cells")
        if len(cells) > len(self._columns):
            return BadRow(Reason.TOO_MANY_COLUMNS, f"{len(cells)} for {len(self._columns)}")
        if self._delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells):
            return BadRow(Reason.BROKEN_QUOTES)
        return None


def json_records(path: Path, needed: str) -> list[Any]:
    """Return the list that a JSON file holds.

    Raises
    ------
    MedqDegError
        If the file is missing, empty, not UTF-8, not JSON, not a list, or a list of nothing.
    """
    check_file(path, needed)
    try:
        with _open(path) as file:
            found = json.loads(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MedqDegError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise MedqDegError(f"{path}, line {error.lineno}: not JSON ({error.msg}); needed is {needed}") from None
    except (ValueError, RecursionError, OSError) as error:
        raise MedqDegError(f"{path} cannot be read ({error}); needed is {needed}") from None
    if not isinstance(found, list):
        raise MedqDegError(f"{path} holds {_json_kind(found)}; needed is {needed}")
    if not found:
        raise MedqDegError(f"{path} holds an empty list; needed is {needed}")
    return found


def json_rows(path: Path, required: Sequence[str], needed: str) -> Iterator[Row]:
    """Yield the records of a JSON file that holds a list."""
    records = json_records(path, needed)
    _check_fields(records, path, required, needed)
    for number, record in enumerate(records, 1):
        yield _row(f"{path.name}, record {number}", record)


def jsonl_rows(path: Path, required: Sequence[str], needed: str) -> Iterator[Row]:
    """Yield the records of a file with one JSON object a line; a broken line is a bad row."""
    check_file(path, needed)
    complete, last = False, None
    with _open(path) as file:
        lines = _Lines(file, path)
        for text in lines:
            lines.start_record()
            if not text.strip():
                continue
            where = f"{path.name}, line {lines.line - 1}"
            try:
                record = json.loads(text)
            except (ValueError, RecursionError):
                yield Row(where, {}, problem=BadRow(Reason.TRUNCATED, "not JSON"))
                continue
            last = record
            complete = complete or _has_fields(record, required)
            yield _row(where, record)
    if not complete:
        _check_fields([last], path, required, needed)


def _check_fields(records: Sequence[Any], path: Path, required: Sequence[str], needed: str) -> None:
    if any(_has_fields(record, required) for record in records):
        return
    last = next((record for record in records if isinstance(record, dict)), {})
    found = ", ".join(str(name)[:40] for name in list(last)[:30]) or "none"
    raise MedqDegError(f"{path}: no record has all of {', '.join(required)}; needed is {needed}; found: {found}")


def _has_fields(record: Any, required: Sequence[str]) -> bool:
    return isinstance(record, dict) and set(required) <= {fold_column(name) for name in record}


def _row(where: str, record: Any) -> Row:
    if not isinstance(record, dict):
        return Row(where, {}, problem=BadRow(Reason.NOT_AN_OBJECT, _json_kind(record)))
    return Row(where, {fold_column(name): value for name, value in record.items()})


def _json_kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")
