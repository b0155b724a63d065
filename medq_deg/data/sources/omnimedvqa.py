"""OmniMedVQA: a folder with one JSON list per data set under `QA_information`, and the images under `Images`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, Source, SourceRecord
from medq_deg.data.sources.fields import (
    answer_by_text,
    index_of,
    options_in_columns,
    question_of,
    skills_of,
    texts,
)
from medq_deg.data.sources.finish import collect
from medq_deg.data.sources.images import image_from_file, only_one
from medq_deg.data.sources.modality import modality_and_image
from medq_deg.data.sources.readers import check_folder, json_rows
from medq_deg.errors import MedqDegError

NEEDED = "OmniMedVQA's folder, with QA_information/{Open-access,Restricted-access}/<dataset>.json and Images/"
_NEEDED_FILE = "a JSON list of OmniMedVQA's records"
_REQUIRED = ("question id", "question", "gt answer", "image path", "option a", "option b")


def read_omnimedvqa(folder: Path, report: LoadReport) -> Iterator[SourceRecord]:
    """Read OmniMedVQA's JSON files in the order of their names, each image when its row is reached.

    The key is ``<file>:<question_id>``, because an id is promised to be unique only within its file. The answer is a
    text: it belongs to the one option that is the same but for case, spaces and a final stop.

    Raises
    ------
    MedqDegError
        If the folder or a file is missing, or a file is empty, not UTF-8, no JSON list, or lacks a field throughout.
    """
    check_folder(folder, NEEDED)
    information = folder / "QA_information"
    files = sorted(path for path in information.glob("*/*.json") if not path.name.startswith("."))
    if not files:
        raise MedqDegError(f"{information}: no <dataset>.json one folder below; needed is {NEEDED}")
    return _records(folder, files, report)


def _records(folder: Path, files: list[Path], report: LoadReport) -> Iterator[SourceRecord]:
    for file in files:
        yield from _records_of_file(folder, file, report)


def _records_of_file(folder: Path, file: Path, report: LoadReport) -> Iterator[SourceRecord]:
    seen: set[str] = set()

    def convert(row: Row) -> SourceRecord:
        index = index_of(row.cells.get("question id"))
        if index in seen:
            raise BadRow(Reason.DUPLICATE_INDEX, index)
        seen.add(index)
        question = question_of(row.cells.get("question"))
        options = options_in_columns(row.cells, prefix="option ")
        # At least one record of the Chest CT Scan file says "modality".
        modality, image = modality_and_image(
            [row.cells.get("modality type"), row.cells.get("modality")],
            question,
            lambda: image_from_file(folder, only_one(row.cells.get("image path"))),
        )
        return SourceRecord(
            source="omnimedvqa",
            key=f"{file.stem}:{index}",
            where=row.where,
            question=question,
            options=texts(options),
            answer=answer_by_text(row.cells.get("gt answer"), options),
            modality=modality,
            skills=skills_of(row.cells.get("question type")),
            image=image,
        )

    return collect(json_rows(file, _REQUIRED, _NEEDED_FILE), convert, report)


SOURCE = Source(
    "omnimedvqa",
    read_omnimedvqa,
    "OmniMedVQA (`foreverbeliever/OmniMedVQA`)",
    "that of each of its data sets; open-access and restricted-access parts differ",
    NEEDED,
    order=1,
)
