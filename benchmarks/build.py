"""Build a benchmark of the paper's size from a generated source, and report rate, memory and disk.

The source is a TSV in GMAI-MMBench's format with 4,306 questions about images of 512 x 512 px, made from the demo
set: each a crop of a real image of its modality, scaled, with noise of its own, so that all differ and compress as
real ones do. (The demo has no endoscopy; those rows show skin.) The build meets the published counts.

    python benchmarks/build.py --folder SCRATCH [--questions 4306] [--workers 2]

SCRATCH needs about 20 GB at full size. The build's speed is rows per second and process, reading and writing included.
"""

from __future__ import annotations

import argparse
import base64
import resource
import shutil
import time
from pathlib import Path

import cv2
import numpy as np

from medq_deg.data.build import build
from medq_deg.demo import FOLDER

SHARES = {
    "CT": 1490,
    "MRI": 900,
    "X-ray": 700,
    "ultrasound": 420,
    "histopathology": 330,
    "dermoscopy": 250,
    "endoscopy": 216,
}
PREFIXES = {"CT": "ct", "MRI": "mri", "X-ray": "xray", "ultrasound": "us", "histopathology": "histo"}
SIDE = 512


def write_source(path: Path, questions: int) -> None:
    """Write the TSV, one row at a time."""
    total = sum(SHARES.values())
    with path.open("w", encoding="utf-8") as file:
        file.write("index\timage\tquestion\tA\tB\tC\tD\tanswer\tmodality\n")
        index = 0
        for modality, share in SHARES.items():
            files = sorted((FOLDER / "images").glob(f"{PREFIXES.get(modality, 'skin')}_*.png"))
            images = [cv2.imread(str(name), cv2.IMREAD_UNCHANGED) for name in files]
            for _ in range(max(round(share * questions / total), 1)):
                rng = np.random.default_rng(index)
                source = images[index % len(images)]
                height, width = (round(side * rng.uniform(0.6, 1)) for side in source.shape[:2])
                top, left = (
                    int(rng.integers(0, s - n + 1)) for s, n in zip(source.shape, (height, width), strict=False)
                )
                image = cv2.resize(source[top : top + height, left : left + width], (SIDE, SIDE)).astype(np.float32)
                image += rng.normal(0, 1, image.shape)
                png = cv2.imencode(".png", np.clip(image, 0, 255).astype(np.uint8))[1].tobytes()
                text = base64.b64encode(png).decode()
                file.write(
                    f"{index}\t{text}\tWhat does image {index} show?\ta\tb\tc\td\t{'ABCD'[index % 4]}\t{modality}\n"
                )
                index += 1


def main() -> None:
    """Generate, build, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="empty scratch folder")
    parser.add_argument("--questions", type=int, default=4306)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    source, out = options.folder / "source.tsv", options.folder / "built"
    write_source(source, options.questions)
    print(f"source: {source.stat().st_size / 1e9:.2f} GB", flush=True)
    stages: dict[str, float] = {}
    start = time.perf_counter()

    def progress(stage: str, done: int, total: int) -> None:
        stages.setdefault(stage, time.perf_counter() - start)

    quotas = "published" if options.questions == sum(SHARES.values()) else None
    manifest = build({"gmai": source}, out, quotas=quotas, workers=options.workers, progress=progress)
    seconds = time.perf_counter() - start
    rows = sum(manifest["counts"]["severity"].values())
    own, children = (
        resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    size = sum(path.stat().st_size for path in (out / "data").iterdir())
    print(f"rows: {manifest['counts']['severity']}, quotas unmet: {manifest['unmet_quotas']}")
    print(f"time: {seconds:.0f} s with {options.workers} workers, of which reading {stages['writing rows']:.0f} s")
    print(f"rate: {rows / seconds / options.workers:.0f} rows/s and process")
    print(f"memory: {own:.2f} GiB in the writer, {children:.2f} GiB in the largest worker")
    print(f"disk: {size / 1e9:.2f} GB in {len(manifest['shards'])} shards")
    shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
