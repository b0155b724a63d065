"""The clean set: records of all sources, without duplicates and images that cannot be degraded."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medq_deg.data.schema import Question
from medq_deg.data.sources import LoadReport, SourceRecord
from medq_deg.encoding import encode_png
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import parse_json, replace_file
from medq_deg.images import open_image
from medq_deg.taxonomy import MODALITIES


@dataclass(frozen=True)
class CleanPair:
    """A clean question and the name of its image's file in the folder of images."""

    question: Question
    image: str


def collect(records: Iterable[SourceRecord], folder: Path, report: LoadReport) -> list[CleanPair]:
    """Keep the first of equal records, and write each image once.

    Two records are equal if their images have the same pixels, and their questions and options the same words.

    Parameters
    ----------
    records : iterable of SourceRecord
        In the order of the sources; read one at a time.
    folder : Path
        Where images go, named by their content.
    report : LoadReport
        Counts what is left out here too: duplicates, invalid questions, images that cannot be degraded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    ids: set[str] = set()
    pairs = []
    images = _Images(folder)
    for record in records:
        question = record.as_question(f"{record.source}-{record.key}")
        try:
            question.check()
            name, content = images.keep(record.image)
        except MedqDegError as error:
            reason = "image that cannot be degraded" if isinstance(error, ImageError) else "invalid question"
            report.drop(reason, record.where)
            continue
        asked = _digest(content, record)
        if asked in seen or question.question_id in ids:
            report.drop("duplicate", record.where)
            continue
        seen.add(asked)
        ids.add(question.question_id)
        pairs.append(CleanPair(question, name))
    return pairs


class _Images:
    """The folder of images. One that was met before is not decoded again: many questions may share an image."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._met: dict[bytes, tuple[str, bytes]] = {}

    def keep(self, data: bytes) -> tuple[str, bytes]:
        """Write an encoded image's pixels as PNG, if they are not there yet; return name and digest of the pixels."""
        encoded = hashlib.sha256(data).digest()
        if encoded not in self._met:
            image = open_image(data)
            pixels = hashlib.sha256(repr((image.mode, image.size)).encode() + image.tobytes())
            name = pixels.hexdigest()
            if not (self._folder / name).exists():
                with replace_file(self._folder / name) as file:
                    file.write(encode_png(image))
            self._met[encoded] = name, pixels.digest()
        return self._met[encoded]


def _digest(pixels: bytes, record: SourceRecord) -> bytes:
    words = [" ".join(text.casefold().split()) for text in (record.question, *record.options)]
    return hashlib.sha256(pixels + json.dumps(words).encode()).digest()


def write_pairs(pairs: Iterable[CleanPair], path: Path) -> None:
    """Write clean pairs as JSON lines; the file appears only when it is complete."""
    with replace_file(path) as file:
        file.writelines(json.dumps(asdict(pair)).encode() + b"\n" for pair in pairs)


def read_pairs(path: Path) -> list[CleanPair]:
    """Read what `write_pairs` wrote; raise `MedqDegError` that names the line if it is something else."""
    pairs = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                found = parse_json(line)
                pairs.append(CleanPair(_question(found["question"]), _name(found["image"])))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise MedqDegError(
                    f"{path}, line {number}: is no clean question; remove the folder {path.parent} to begin anew"
                ) from None
    return pairs


def _question(found: Mapping[str, Any]) -> Question:
    question = Question.of_row(found)
    question.check()
    texts = (question.question_id, question.modality, question.source, *question.options, *question.skills)
    if question.modality not in MODALITIES or not all(isinstance(text, str) for text in texts):
        raise TypeError
    return question


def _name(found: object) -> str:
    if not isinstance(found, str) or not re.fullmatch("[0-9a-f]{64}", found):
        raise TypeError
    return found
