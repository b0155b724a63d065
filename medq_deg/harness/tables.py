"""Result files of several formats as records: one mapping from column to value for each line, with its place."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.files import parse_json

SEPARATORS: Final = {".tsv": "\t", ".csv": ","}
FORMATS: Final = (".xlsx", *SEPARATORS, ".json", ".jsonl")
"""Endings that are read."""


def records_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and content of each record of a file; every cell of a table is text.

    Raises
    ------
    MedqDegError
        If the format is not one of `FORMATS`, the file is broken, or openpyxl is not there for Excel.
    """
    ending = path.suffix.lower()
    if ending in SEPARATORS:
        return _separated(path, SEPARATORS[ending])
    if ending == ".xlsx":
        return _excel(path)
    if ending == ".json":
        return _json(path)
    if ending == ".jsonl":
        return _json_lines(path)
    raise MedqDegError(f"{path}: cannot be read; allowed: {', '.join(FORMATS)}")


def _separated(path: Path, separator: str) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(sys.maxsize)  # an image may stand in a cell
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=separator)
        try:
            for record in reader:
                place = f"{path}, line {reader.line_num}"
                if None in record or None in record.values():
                    raise MedqDegError(f"{place}: has not as many cells as the head of the table")
                yield place, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise MedqDegError(f"{path}: is no table of text ({error})") from None


def _excel(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        raise MedqDegError(
            f"{path}: openpyxl is not installed, which reads Excel; install it with: pip install 'medq-deg[harnesses]'"
        ) from None
    try:
        # As they were written: an answer that begins with "=" is taken for a formula otherwise.
        sheet = load_workbook(path, read_only=True, data_only=False).worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        head = [str(name) for name in next(rows, ())]
        for number, cells in enumerate(rows, 2):
            yield (
                f"{path}, row {number}",
                {name: "" if cell is None else str(cell) for name, cell in zip(head, cells, strict=False)},
            )
    except MedqDegError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever a broken zip or XML makes it raise)
        raise MedqDegError(f"{path}: is no Excel file ({type(error).__name__}: {error})") from None


def _json(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        held = parse_json(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MedqDegError(f"{path}: is not valid JSON ({error})") from None
    if not isinstance(held, list):
        raise MedqDegError(f"{path}: a list of records is wanted, got {type(held).__name__}")
    for number, record in enumerate(held, 1):
        yield _checked(f"{path}, record {number}", record)


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                record = parse_json(line)
            except (ValueError, RecursionError) as error:
                raise MedqDegError(f"{place}: is not valid JSON ({error})") from None
            yield _checked(place, record)


def _checked(place: str, record: object) -> tuple[str, dict[str, Any]]:
    if not isinstance(record, dict):
        raise MedqDegError(f"{place}: is no record but {type(record).__name__}")
    return place, record
