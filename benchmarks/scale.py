"""Rows per second of a core, and memory of each process, of `medq-deg degrade` on parquet data sets.

The images are the demo's at one size, with every degradation that suits them at both severities. Printed is a table as
in docs/scale.md. `--huge MIB` makes one file of that size with a single row group instead. Needs `medq-deg[scale]`.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

import medq_deg
from medq_deg.demo import FOLDER

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [("image", IMAGE), ("degradation", pa.string()), ("severity", pa.int32()), ("modality", pa.string())]
)
MODALITIES = {"ct": "CT", "mri": "MRI", "xray": "X-ray", "histo": "Histopathology", "us": "Ultrasound"}
ROWS_A_FILE = 500
ENGINES = {"local-1": [], "local-2": ["--workers", "2"], "dask-2": ["--engine", "dask", "--workers", "2"]}


def images(side: int) -> list[tuple[bytes, str]]:
    """Return the demo's images at one size, with their modalities."""
    found = []
    for path in sorted((FOLDER / "images").glob("*.png")):
        modality = MODALITIES.get(path.name.split("_")[0])
        if modality is not None:
            buffer = io.BytesIO()
            with Image.open(path) as image:
                image.resize((side, side), Image.Resampling.BICUBIC).save(buffer, "PNG")
            found.append((buffer.getvalue(), modality))
    return found


def write(folder: Path, rows: int, side: int) -> None:
    """Write a data set: every image with each degradation that suits it, in turn."""
    kinds = [
        {"image": {"bytes": data, "path": None}, "degradation": name, "severity": severity, "modality": modality}
        for data, modality in images(side)
        for name in medq_deg.applicable(modality)
        for severity in (1, 2)
    ]
    np.random.default_rng(0).shuffle(kinds)
    folder.mkdir(parents=True)
    for at in range(0, rows, ROWS_A_FILE):
        part = [kinds[number % len(kinds)] for number in range(at, min(rows, at + ROWS_A_FILE))]
        pq.write_table(pa.Table.from_pylist(part, schema=SCHEMA), folder / f"part-{at:07d}.parquet")


def write_huge(folder: Path, side: int, size: int) -> int:
    """Write one file of `size` bytes with a single row group, and return its rows."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (side, side), np.uint8)).save(buffer, "PNG", compress_level=1)
    data = buffer.getvalue()
    rows = size // len(data)
    folder.mkdir(parents=True)
    with pq.ParquetWriter(
        folder / "huge.parquet", SCHEMA, compression="none", use_dictionary=False, write_batch_size=8
    ) as writer:
        columns = [
            pa.array([{"bytes": data, "path": None}] * rows, IMAGE),
            pa.array(["exposure"] * rows),
            pa.array([0] * rows, pa.int32()),
            pa.array([None] * rows, pa.string()),
        ]
        writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), row_group_size=rows)
    return rows


def measure(source: Path, target: Path, options: list[str]) -> tuple[float, float, list[int]]:
    """Degrade a data set; return seconds, seconds of processors, and the peak memory of each process in bytes."""
    command = [sys.executable, "-m", "medq_deg", "degrade", str(source), str(target), *options]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks: dict[int, int] = {}
    spent: dict[int, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            try:
                tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            except psutil.Error:
                continue
            for each in tree:
                try:
                    peaks[each.pid] = max(peaks.get(each.pid, 0), each.memory_info().rss)
                    spent[each.pid] = sum(each.cpu_times()[:2])
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return time.perf_counter() - begun, sum(spent.values()), sorted(peaks.values(), reverse=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10000, 100000])
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--huge", type=int, default=0, metavar="MIB", help="one file of this size")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--scratch", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        print("| rows | engine | s | processor s | rows per processor s | memory of the largest processes, MiB |")
        print("|---|---|---|---|---|---|")
        for wanted in [0] if arguments.huge else arguments.rows:
            source, rows = Path(scratch) / f"in-{wanted}", wanted
            if arguments.huge:
                rows = write_huge(source, arguments.side, arguments.huge * 2**20)
            else:
                write(source, rows, arguments.side)
            for name in arguments.engines:
                target = Path(scratch) / f"out-{rows}-{name}"
                took, spent, peaks = measure(source, target, ENGINES[name])
                shown = ", ".join(f"{peak / 2**20:.0f}" for peak in peaks[:3])
                print(f"| {rows:,} | {name} | {took:.0f} | {spent:.0f} | {rows / spent:.0f} | {shown} |", flush=True)
                subprocess.run(["rm", "-rf", str(target)], check=True)


if __name__ == "__main__":
    main()
