"""A full disk, and files that are larger than a worker's memory should be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medq_deg.encoding import encode_png
from tests.scale.sets import SCHEMA, command, contents, read, rows, write


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", mounted], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_full_disk_ends_in_a_sentence_and_the_same_command_goes_on(disk: Path, tmp_path: Path, engine: str) -> None:
    if engine == "dask":
        pytest.importorskip("distributed")
    source = write(tmp_path / "in", rows(96, 256), 12)
    out = disk / "out"
    full = command("degrade", source, out, "--engine", engine)
    assert full.returncode == 2
    assert "No space left on device" in full.stderr
    assert "files failed; the same command goes on with what is missing" in full.stderr
    assert "Traceback" not in full.stderr
    before = contents(out)
    assert 0 < len(before) < 12
    read(out)  # each is whole
    assert list(out.rglob("*.part*")) == []

    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    done = command("degrade", source, out, "--engine", engine)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of which were there before" in done.stdout
    whole = command("degrade", source, tmp_path / "wanted")
    assert whole.returncode == 0
    assert contents(out) == contents(tmp_path / "wanted")


PEAK = """
import sys
from medq_deg.engines.local import LocalEngine
from medq_deg.scale.dataset import degrade_dataset
from medq_deg.scale.table import Recipe
with LocalEngine(1) as engine:
    degrade_dataset(sys.argv[1], sys.argv[2], Recipe(), engine)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(source: Path, target: Path) -> int:
    """Most KiB of memory that degrading takes."""
    done = subprocess.run([sys.executable, "-c", PEAK, source, target], capture_output=True, text=True, check=True)
    return int(done.stdout)


def one_group(folder: Path, count: int, data: bytes) -> Path:
    """Write one file with a single row group, of pages of a few images: a page is the least that parquet reads."""
    folder.mkdir()
    columns = [
        pa.array(range(count), pa.int64()),
        pa.array([{"bytes": data, "path": None}] * count, SCHEMA.field("image").type),
        pa.array(["exposure"] * count),
        pa.array([0] * count, pa.int32()),
        pa.array([0] * count, pa.int64()),
        pa.array([None] * count, pa.string()),
    ]
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    with pq.ParquetWriter(
        folder / "a.parquet", SCHEMA, use_dictionary=False, compression="none", write_batch_size=4
    ) as writer:
        writer.write_table(table, row_group_size=count)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is told by Linux")
def test_memory_does_not_grow_with_a_file_of_one_row_group(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    data = encode_png(Image.fromarray(noise), 1)
    small = peak(one_group(tmp_path / "small", 400, data), tmp_path / "a")  # 100 MB
    large = peak(one_group(tmp_path / "large", 1200, data), tmp_path / "b")  # 300 MB
    assert large - small < 40 * 1024
