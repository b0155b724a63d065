"""MedXpertQA MM: JSON lines and a folder of images, laid out as on the Hub or as in the authors' repository."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, Source, SourceRecord
from medq_deg.data.sources.fields import (
    Options,
    answer_by_letter,
    index_of,
    options_in_field,
    question_of,
    skills_of,
    text_of,
    texts,
)
from medq_deg.data.sources.finish import collect
from medq_deg.data.sources.images import image_from_file, only_one
from medq_deg.data.sources.modality import modality_and_image
from medq_deg.data.sources.readers import check_folder, jsonl_rows
from medq_deg.errors import MedqDegError

NEEDED = "MedXpertQA's folder, with MM/dev.jsonl or MM/test.jsonl and the unpacked images/"
_NEEDED_FILE = "MedXpertQA MM's JSON lines"
_REQUIRED = ("id", "question", "options", "label", "images")
_REPOSITORY = ("", "eval/data/medxpertqa/input/", "data/medxpertqa/input/", "input/")
# The repository has all questions, and a sample of them.
_INPUTS = ("medxpertqa_mm_input.jsonl", "medxpertqa_sampled_mm_input.jsonl")
_LAYOUTS = (
    ("MM/dev.jsonl", "MM/test.jsonl"),
    ("dev.jsonl", "test.jsonl"),
    *((f"{place}{name}",) for name in _INPUTS for place in _REPOSITORY),
)
_IMAGE_FOLDERS = ("images", "MM/images", "../images", "eval/data/medxpertqa/images", "data/medxpertqa/images")
_TAIL = "Answer Choices:"


def read_medxpertqa(folder: Path, report: LoadReport) -> Iterator[SourceRecord]:
    """Read MedXpertQA MM's questions that have one image.

    The key is the id. The options that the question repeats at its end are cut, if they are the same. There is no
    modality: it is taken from the question's words, or from a field `modality` that you add. Skills are the medical
    task with the question type ("Diagnosis-Reasoning"), then the body system.

    Raises
    ------
    MedqDegError
        If the folder, its questions or its images are missing, or a file is empty, not UTF-8 or lacks a field.
    """
    check_folder(folder, NEEDED)
    for layout in _LAYOUTS:
        files = [folder / name for name in layout if (folder / name).is_file()]
        if files:
            break
    else:
        raise MedqDegError(f"{folder} has no MM/dev.jsonl and no MM/test.jsonl; needed is {NEEDED}")
    images = next((folder / name for name in _IMAGE_FOLDERS if (folder / name).is_dir()), None)
    if images is None:
        unpack = "; unpack images.zip there" if (folder / "images.zip").exists() else ""
        raise MedqDegError(f"{folder} has no folder images{unpack}; needed is {NEEDED}")
    return _records(files, images, report)


def _records(files: list[Path], images: Path, report: LoadReport) -> Iterator[SourceRecord]:
    seen: set[str] = set()

    def convert(row: Row) -> SourceRecord:
        index = index_of(row.cells.get("id"))
        if index in seen:
            raise BadRow(Reason.DUPLICATE_INDEX, index)
        seen.add(index)
        options = options_in_field(row.cells.get("options"))
        question = question_of(without_options(question_of(row.cells.get("question")), options))
        modality, image = modality_and_image(
            [row.cells.get("modality")],
            question,
            lambda: image_from_file(images, _only_image(row.cells.get("images"))),
        )
        return SourceRecord(
            source="medxpertqa",
            key=index,
            where=row.where,
            question=question,
            options=texts(options),
            answer=answer_by_letter(row.cells.get("label"), options),
            modality=modality,
            skills=_skills(row),
            image=image,
        )

    rows = chain.from_iterable(jsonl_rows(file, _REQUIRED, _NEEDED_FILE) for file in files)
    return collect(rows, convert, report)


def without_options(question: str, options: Options) -> str:
    """Return a question without the options at its end, if they are the row's own.

    Examples
    --------
    >>> without_options("Which? Answer Choices: (A) Lung (B) Liver", [("A", "Lung"), ("B", "Liver")])
    'Which?'
    """
    before, found, tail = question.rpartition(_TAIL)
    expected = " ".join(f"({letter}) {text}" for letter, text in options)
    return before.rstrip() if found and _letters_only(tail) == _letters_only(expected) else question


def _letters_only(text: str) -> str:
    return "".join(text.casefold().split())


def _only_image(images: Any) -> str:
    entry = only_one(images)
    # The repository's file holds objects.
    name = text_of(entry.get("image_path") if isinstance(entry, dict) and "image_path" in entry else entry)
    if not name:
        raise BadRow(Reason.NO_IMAGE)
    # In the archive, and so in some copies, the names begin with the folder.
    return name.removeprefix("images/")


def _skills(row: Row) -> tuple[str, ...]:
    task, kind = text_of(row.cells.get("medical task")), text_of(row.cells.get("question type"))
    return skills_of(f"{task}-{kind}" if task and kind else task, row.cells.get("body system"))


SOURCE = Source("medxpertqa", read_medxpertqa, "MedXpertQA, MM (`TsinghuaC3I/MedXpertQA`)", "MIT", NEEDED, order=2)
