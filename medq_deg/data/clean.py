"""The clean set: records of all sources, without duplicates and pictures that cannot be degraded."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from medq_deg.data.encoding import encode_png
from medq_deg.data.schema import check_question
from medq_deg.data.sources import LoadReport, SourceRecord
from medq_deg.degradations.apply import pixels
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import replace_file


@dataclass(frozen=True)
class CleanQuestion:
    """One clean question; `picture` is the name of its file in the folder of pictures."""

    question_id: str
    picture: str
    question: str
    options: tuple[str, ...]
    answer: str
    modality: str
    skills: tuple[str, ...]
    source: str


def collect(records: Iterable[SourceRecord], folder: Path, report: LoadReport) -> list[CleanQuestion]:
    """Keep the first of equal records, and write each picture once.

    Two records are equal if their pictures have the same pixels, and their questions and options the same words.

    Parameters
    ----------
    records : iterable of SourceRecord
        In the order of the sources; read one at a time.
    folder : Path
        Where pictures go, named by their content.
    report : LoadReport
        Counts what is left out here too: duplicates, invalid questions, pictures that cannot be degraded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    ids: set[str] = set()
    questions = []
    for record in records:
        question_id = f"{record.source}-{record.key}"
        try:
            check_question(question_id, record.question, record.options, record.answer)
            image, data = _usable(record.picture)
        except MedqDegError as error:
            reason = "picture that cannot be degraded" if isinstance(error, ImageError) else "invalid question"
            report.drop(reason, record.where)
            continue
        content = _digest(image, record)
        if content in seen or question_id in ids:
            report.drop("duplicate", record.where)
            continue
        seen.add(content)
        ids.add(question_id)
        name = hashlib.sha256(data).hexdigest()
        if not (folder / name).exists():
            with replace_file(folder / name) as file:
                file.write(data)
        questions.append(
            CleanQuestion(
                question_id,
                name,
                record.question,
                tuple(record.options),
                record.answer,
                record.modality,
                tuple(record.skills),
                record.source,
            )
        )
    return questions


def _usable(data: bytes) -> tuple[Image.Image, bytes]:
    """Return an upright picture of mode "L" or "RGB" and its encoded bytes, the source's own where they are that."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
            plain = image.mode in ("L", "RGB") and image.size == opened.size and getattr(opened, "n_frames", 1) == 1
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"the picture cannot be decoded: {error}") from None
    array = pixels(image)
    usable = image if plain else Image.fromarray(array)
    return usable, data if plain else encode_png(usable)


def _digest(image: Image.Image, record: SourceRecord) -> bytes:
    digest = hashlib.sha256(repr((image.mode, image.size)).encode())
    digest.update(np.asarray(image).tobytes())
    words = [" ".join(text.casefold().split()) for text in (record.question, *record.options)]
    digest.update(json.dumps(words).encode())
    return digest.digest()


def write_questions(questions: Iterable[CleanQuestion], path: Path) -> None:
    """Write clean questions as JSON lines; the file appears only when it is complete."""
    with replace_file(path) as file:
        file.writelines(json.dumps(asdict(question), ensure_ascii=False).encode() + b"\n" for question in questions)


def read_questions(path: Path) -> list[CleanQuestion]:
    """Read what `write_questions` wrote."""
    questions = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        questions.append(
            CleanQuestion(**{**fields, "options": tuple(fields["options"]), "skills": tuple(fields["skills"])})
        )
    return questions
