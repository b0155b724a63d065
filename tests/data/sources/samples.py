"""Pictures and tables in the formats of the sources."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medq_deg.demo import FOLDER

PICTURES = [path.read_bytes() for path in sorted((FOLDER / "images").glob("*.png"))]
PICTURE = min(PICTURES, key=len)
OTHER = min((picture for picture in PICTURES if picture != PICTURE), key=len)


def encoded(picture: bytes = PICTURE) -> str:
    return base64.b64encode(picture).decode()


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
