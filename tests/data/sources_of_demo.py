"""A user's own folder of images and questions, made from the demo set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from medq_deg import demo


def write_folder(folder: Path, count: int = 12, every: int = 7) -> Path:
    """Write `count` of the demo's questions with their images as a source of the kind "folder"."""
    folder.mkdir(parents=True, exist_ok=True)
    records = demo.DemoQuestions()._records[::every][:count]
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for record in records:
            shutil.copy(demo.FOLDER / "images" / record["image"], folder / record["image"])
            fields = {name: record[name] for name in ("question", "options", "answer", "modality", "image")}
            file.write(json.dumps(fields) + "\n")
    return folder
