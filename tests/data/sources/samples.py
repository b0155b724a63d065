"""Images and tables in the formats of the sources."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medq_deg.demo import FOLDER

IMAGES = [path.read_bytes() for path in sorted((FOLDER / "images").glob("*.png"))]
IMAGE = min(IMAGES, key=len)
OTHER = min((image for image in IMAGES if image != IMAGE), key=len)


def encoded(image: bytes = IMAGE) -> str:
    return base64.b64encode(image).decode()


def write_tsv(path: Path, rows: Sequence[Mapping[str, Any]], delimiter: str = "\t") -> Path:
    """As pandas writes it: quotes only where needed, nothing for NaN."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, records: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path
