"""The embedded demonstration set: 20 real images with simple questions. Not the benchmark: see NOTICE.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from medq_deg.data.plan import make_plan
from medq_deg.data.planned import PlannedRows
from medq_deg.data.schema import Question, check_question, row
from medq_deg.taxonomy import NO_DEGRADATION

FOLDER = Path(__file__).parent
NOTE = "a demonstration on 20 images, not the benchmark: its scores say nothing about medical ability"


class DemoQuestions(Sequence[dict[str, Any]]):
    """Clean rows of the demo set; images are read, and cut to the `box` of the record if it has one, on access.

    Parameters
    ----------
    records : sequence of dict, optional
        Questions in the form of `read_records`, which is what is taken without it.
    """

    def __init__(self, records: Sequence[dict[str, Any]] | None = None) -> None:
        self._records = read_records() if records is None else records
        for record in self._records:
            check_question(record["question_id"], record["question"], record["options"], record["answer"])

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        record = self._records[index]
        image, box = read_image(record["image"]), record.get("box")
        columns = row(Question.of_row({**record, "source": "demo"}), NO_DEGRADATION, severity=0, seed=0)
        return {**columns, "image": image.crop(box) if box else image}


def read_records() -> list[dict[str, Any]]:
    """Return the demo's questions as they are stored: id, name of the image, question, options, answer, skills."""
    return [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


SHOWCASE = {
    "CT": "ct_chest_mediastinum",
    "MRI": "mri_liver",
    "histopathology": "histo_hgsc_stroma",
    "dermoscopy": "skin_nevus_photo",
    "X-ray": "xray_chest_pa",
    "ultrasound": "us_pelvis",
}


def read_image(name: str) -> Image.Image:
    """Return one of the demo's images by the name of its file, such as ``"mri_liver.png"``."""
    return _decoded(name).copy()


@lru_cache(32)
def _decoded(name: str) -> Image.Image:
    with Image.open(FOLDER / "images" / name) as image:
        image.load()
    return image


def showcase() -> list[tuple[str, str, Image.Image]]:
    """Return name, modality and image of one good example per modality that the demo has."""
    return [(name, modality, read_image(f"{name}.png")) for modality, name in SHOWCASE.items()]


def rows(seed: int = 0) -> PlannedRows:
    """Return the demo's rows at L0, L1 and L2, each question with one to three degradations that suit it."""
    questions = DemoQuestions()
    return PlannedRows(questions, make_plan(questions, seed))
