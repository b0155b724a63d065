"""Memory and time of opening a generated release: `python benchmarks/release.py [MEGABYTES]`.

Writes TSV files in the form of the authors' release, opens them in a process of its own as `release:DIR`, reads every
row with its image, and opens them again. Prints the peak of that process's memory beside the files' size.
"""

from __future__ import annotations

import base64
import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, IMAGES = 900, 16
COLUMNS = ("index", "image", "question", "A", "B", "answer", "modality", "degradation_type", "degradation_severity")

READ = """
import resource, sys, time
import medq_deg
times = []
for turn in range(2):
    began = time.perf_counter()
    data = medq_deg.open_data("release:" + sys.argv[1])
    times.append(time.perf_counter() - began)
began = time.perf_counter()
rows = sum(row["image"].width > 0 for row in data)
times.append(time.perf_counter() - began)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, *times)
"""


def write(folder: Path, megabytes: int) -> int:
    """Write the files, and return their size in bytes."""
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(IMAGES):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE), np.uint8)).save(file, "PNG", compress_level=0)
        encoded.append(base64.b64encode(file.getvalue()).decode())
    questions = max(1, megabytes * 10**6 // (len(encoded[0]) * 3))
    with (
        (folder / "MedQ-Robust-good-test.tsv").open("w", newline="") as good,
        (folder / "MedQ-Robust-simulate-test.tsv").open("w", newline="") as simulated,
    ):
        writers = [csv.writer(file, delimiter="\t") for file in (good, simulated)]
        for writer in writers:
            writer.writerow(COLUMNS)
        for index in range(questions):
            row = [
                index,
                encoded[index % IMAGES],
                f"What does MRI image {index} show?",
                "liver",
                "spleen",
                "A",
                "MRI",
            ]
            writers[0].writerow([*row, "", ""])
            for word in ("mild", "severe"):
                writers[1].writerow([*row, "ghosting", word])
    return sum(path.stat().st_size for path in folder.iterdir())


def main() -> None:
    """Measure and print."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "release"
        folder.mkdir()
        size = write(folder, megabytes)
        subprocess.run(
            [sys.executable, "-c", "import time; time.sleep(2.5)"], check=True
        )  # files that are just written
        environment = {**os.environ, "HF_DATASETS_CACHE": str(Path(place) / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", READ, str(folder)], env=environment, capture_output=True, text=True, check=True
        )
    rows, peak, first, again, read = map(float, done.stdout.split())
    print(f"{size / 1e9:.2f} GB of TSV files, {rows:.0f} rows; peak memory {peak:.0f} MiB")
    print(f"opened in {first:.1f} s, again in {again:.2f} s; every row and image read in {read:.1f} s")


if __name__ == "__main__":
    main()
