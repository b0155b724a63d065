"""A user's own images and questions: a folder with one CSV, TSV or JSONL file, and images anywhere inside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, Source, SourceRecord
from medq_deg.data.sources.fields import (
    Options,
    answer_by_either,
    content_hash,
    index_of,
    options_in_columns,
    options_in_field,
    parsed_list,
    question_of,
    skills_of,
    text_of,
    texts,
)
from medq_deg.data.sources.finish import collect
from medq_deg.data.sources.images import image_from_file, only_one, scan_from_file
from medq_deg.data.sources.modality import modality_and_image
from medq_deg.data.sources.readers import Table, check_folder, jsonl_rows
from medq_deg.errors import MedqDegError

NEEDED = (
    "a folder with images and one CSV, TSV or JSONL of question, options (or A, B, ...), answer, modality and image"
)
_REQUIRED = ("question", "answer", "image")


def read_folder(folder: Path, report: LoadReport) -> Iterator[SourceRecord]:
    """Read a folder of images and its one table of questions.

    A CSV may be parted by commas, semicolons or tabs, in UTF-8 or UTF-16, as spreadsheets write it. Columns, in any
    case: `question`; `options` as a list (in a CSV a JSON list), or `A`, `B`, ... or `option_A`, ...; `answer` as a
    letter or as the text of an option; `image` as a path from the folder; `modality`, without which a DICOM file's own
    and then the question's words decide; and, if you like, `id`, `skills`, and `window` and `frame` as in
    `medq_deg.read_image`, for DICOM, NIfTI and images of 16 bits. The key is the id, or else a hash of image path,
    question, options and answer: it survives a change of the order.

    Raises
    ------
    MedqDegError
        If the folder has no table or several, or the table is empty, not UTF-8 or lacks a column.
    """
    check_folder(folder, NEEDED)
    tables = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.casefold() in (".csv", ".tsv", ".jsonl") and not path.name.startswith(".")
    )
    if len(tables) != 1:
        names = ", ".join(path.name for path in tables[:5]) or "none"
        raise MedqDegError(
            f"{folder} must have one CSV, TSV or JSONL file at its top, found {names}; needed is {NEEDED}"
        )
    if tables[0].suffix.casefold() == ".jsonl":
        return _records(folder, jsonl_rows(tables[0], _REQUIRED, NEEDED), report)
    delimiters = "\t,;" if tables[0].suffix.casefold() == ".tsv" else ",;\t"
    table = Table(tables[0], delimiters, _REQUIRED, NEEDED)
    if not {"options", "a", "option a"} & table.columns:
        raise MedqDegError(f"{tables[0]}, line 1: no column 'options', 'A' or 'option_A'; needed is {NEEDED}")
    return _records(folder, table.rows(), report)


def _records(folder: Path, rows: Iterator[Row], report: LoadReport) -> Iterator[SourceRecord]:
    seen: set[str] = set()

    def convert(row: Row) -> SourceRecord:
        question = question_of(row.cells.get("question"))
        options = _options(row)
        answer = answer_by_either(row.cells.get("answer"), options)
        name = text_of(only_one(row.cells.get("image")))
        given = row.cells.get("id", row.cells.get("index"))
        chosen = [text_of(row.cells.get(name)) for name in ("window", "frame")]
        content = [name, question, *texts(options), answer, *filter(None, chosen)]
        key = index_of(given) if text_of(given) else content_hash(*content)
        if key in seen:
            raise BadRow(Reason.DUPLICATE_INDEX, key)
        seen.add(key)
        scan = scan_from_file(folder, name, *chosen)
        modality, image = modality_and_image(
            [row.cells.get("modality") or (scan and scan.modality)],
            question,
            lambda: scan.image if scan else image_from_file(folder, name),
        )
        return SourceRecord(
            source="folder",
            key=key,
            where=row.where,
            question=question,
            options=texts(options),
            answer=answer,
            modality=modality,
            skills=skills_of(row.cells.get("skills", row.cells.get("skill"))),
            image=image,
        )

    return collect(rows, convert, report)


def _options(row: Row) -> Options:
    value: Any = row.cells.get("options")
    if isinstance(value, str) and value.strip():
        value = parsed_list(value.strip())
        if value is None:
            raise BadRow(Reason.FIELD_TYPE, f"options {row.cells['options']!r}")
    if value:
        return options_in_field(value)
    prefix = "option " if "option a" in row.cells else ""
    return options_in_columns(row.cells, prefix)


SOURCE = Source("folder", read_folder, "images of whoever built this data set", "ask them", NEEDED, order=3)
