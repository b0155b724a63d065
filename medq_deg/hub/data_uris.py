"""A build with its images as data URIs, the one form in which inspect-ai's reader of `eval.yaml` takes them.

It is a configuration of its own beside the shards, a third larger than they are; nothing of ours reads it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from medq_deg.data.stored import rows_of_group, shards_of
from medq_deg.files import replace_file

CONFIG: Final = "inspect"
"""Name of the configuration, and of its folder."""

IMAGE: Final = "image_uri"
METADATA: Final = ("id", "question_id", "modality", "degradation", "severity")
"""Columns that inspect-ai carries along with a sample."""

_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in METADATA if name != "severity"),
        ("severity", pa.int32()),
        ("question", pa.string()),
        ("options", pa.list_(pa.string())),
        ("answer", pa.string()),
        (IMAGE, pa.large_string()),
    ]
)


def write_data_uris(folder: Path) -> None:
    """Write ``inspect/L0-*.parquet`` and so on beside the shards of a build, a row group in memory at a time."""
    target = folder / CONFIG
    shards = [path for paths in shards_of(folder).values() for path in paths]
    for path in target.glob("*.parquet"):
        if path.name not in {shard.name for shard in shards}:
            path.unlink()
    for path in shards:
        with replace_file(target / path.name) as file, pq.ParquetWriter(file, _SCHEMA) as writer:
            for group in range(pq.read_metadata(path).num_row_groups):
                rows = [_row(row) for row in rows_of_group(path, group)]
                writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in _SCHEMA.names if name != IMAGE}, IMAGE: data_uri(row["image"]["bytes"])}


def data_uri(data: bytes) -> str:
    """Return an encoded image as a data URI; its bytes stay as they are."""
    with Image.open(io.BytesIO(data)) as image:
        kind = Image.MIME[str(image.format)]
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
