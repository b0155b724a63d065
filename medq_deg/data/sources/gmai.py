"""GMAI-MMBench: one TSV for VLMEvalKit, images in base64. Only the VAL file has answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, Source, SourceRecord
from medq_deg.data.sources.fields import (
    answer_by_letter,
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
from medq_deg.data.sources.readers import Table

NEEDED = (
    "the VAL file of GMAI-MMBench (TSV with index, image, question, A, B, ..., answer; the TEST files have no answer)"
)


def read_gmai(path: Path, report: LoadReport) -> Iterator[SourceRecord]:
    """Read GMAI-MMBench's TSV row by row.

    The key is the index. The skill is the "clinical VQA task", or, without that column, the "l2-category" where it
    names one. The "perceptual granularity" (image, box, mask or contour level) says how a question points at the
    image; it is no skill and is not read, nor is "category", which repeats the answer.

    Raises
    ------
    MedqDegError
        If the file is missing, empty, not UTF-8, or lacks a column.
    """
    table = Table(path, "\t", ("index", "image", "question", "a", "b", "answer"), NEEDED)
    return _records(table, report)


def _records(table: Table, report: LoadReport) -> Iterator[SourceRecord]:
    images = TableImages(table, table.path.parent)
    seen: set[str] = set()
    task_column = "clinical vqa task" if "clinical vqa task" in table.columns else "l2 category"

    def convert(row: Row) -> SourceRecord:
        images.remember(row)
        index = index_of(row.cells["index"])
        if index in seen:
            raise BadRow(Reason.DUPLICATE_INDEX, index)
        seen.add(index)
        question = question_of(row.cells["question"])
        options = options_in_columns(row.cells)
        modality, image = modality_and_image([row.cells.get("modality")], question, lambda: images.image_of(row))
        return SourceRecord(
            source="gmai",
            key=index,
            where=row.where,
            question=question,
            options=texts(options),
            answer=answer_by_letter(row.cells["answer"], options),
            modality=modality,
            skills=skills_of(text_of(row.cells.get(task_column))),
            image=image,
        )

    return collect(table.rows(), convert, report)


SOURCE = Source(
    "gmai", read_gmai, "GMAI-MMBench (`OpenGVLab/GMAI-MMBench`)", "terms to be accepted there", NEEDED, order=0
)
