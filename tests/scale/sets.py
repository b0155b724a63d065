"""Small parquet data sets of the demo's images, and the commands that work on them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from medq_deg.demo import FOLDER

KINDS = ("gaussian_noise", "low_resolution", "exposure", "gaussian_blur", "object_rotation")
NAMES = ("ct_abdomen", "mri_liver", "histo_hgsc_nest")
MODALITIES = {"ct": "CT", "mri": "MRI", "histo": "Histopathology"}
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("image", IMAGE),
        ("degradation", pa.string()),
        ("severity", pa.int32()),
        ("seed", pa.int64()),
        ("modality", pa.string()),
    ]
)


def png(name: str, side: int = 64) -> bytes:
    """One of the demo's images, small."""
    buffer = io.BytesIO()
    with Image.open(FOLDER / "images" / f"{name}.png") as image:
        image.resize((side, side)).save(buffer, "PNG")
    return buffer.getvalue()


def rows(count: int, side: int = 64) -> list[dict[str, Any]]:
    """Rows that ask for degradations of 0 to 2, in turn."""
    made = {name: png(name, side) for name in NAMES}
    return [
        {
            "id": number,
            "image": {"bytes": made[name], "path": None},
            "degradation": KINDS[number % len(KINDS)],
            "severity": number % 3,
            "seed": number,
            "modality": MODALITIES[name.split("_")[0]],
        }
        for number in range(count)
        for name in [NAMES[number % len(NAMES)]]
    ]


def write(folder: Path, content: Sequence[dict[str, Any]], files: int, schema: pa.Schema = SCHEMA) -> Path:
    """Write rows to files of equal size."""
    folder.mkdir(parents=True, exist_ok=True)
    per = -(-len(content) // files)
    for number in range(files):
        table = pa.Table.from_pylist(list(content[number * per : (number + 1) * per]), schema=schema)
        pq.write_table(table, folder / f"part-{number:03d}.parquet", row_group_size=7)
    return folder


def read(folder: Path) -> list[dict[str, Any]]:
    """All rows of a folder, in the order of its files."""
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def contents(folder: Path) -> dict[str, bytes]:
    """The finished files of a folder by their names."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `medq-deg` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "medq_deg", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, **environment},
    )


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the block ends."""
    process = subprocess.Popen(
        [str(each) for each in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
