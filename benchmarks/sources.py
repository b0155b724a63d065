"""Read a generated source of OmniMedVQA's size and shape, and report what a row costs, with known and unknown names.

63,489 questions in 42 files about 200 images of 512 x 512 px. Once all skills and modalities have the paper's names,
once every question type is one that the paper does not know and a quarter of the modalities is outside the seven. The
ratio of the two, of medians taken in turn, says what an unknown name costs.

    python benchmarks/sources.py --folder SCRATCH [--rows 63489] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image

from medq_deg.data.sources import LoadReport, read_omnimedvqa

FILES = 42
IMAGES = 200
KNOWN = (
    ("Disease Diagnosis", "Lesion Grading"),
    ("CT(Computed Tomography)", "MR (Mag-netic Resonance Imaging)", "X-Ray"),
)
UNKNOWN = (
    tuple(f"Recognition of kind {number}" for number in range(300)),
    ("CT(Computed Tomography)", "ultrasound", "X-Ray", "Fundus Photography"),
)


def write_source(folder: Path, rows: int, types: tuple[str, ...], modalities: tuple[str, ...]) -> None:
    """Write a source whose question types and modalities take turns."""
    (folder / "QA_information" / "Open-access").mkdir(parents=True, exist_ok=True)
    (folder / "Images").mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        small = rng.integers(0, 256, (64, 64), np.uint8)
        Image.fromarray(small).resize((512, 512)).save(folder / "Images" / f"{number}.png")
    for file in range(FILES):
        records = [
            {
                "dataset": f"set {file}",
                "question_id": f"{file}_{number}",
                "question_type": types[number % len(types)],
                "question": f"What does image {number} show?",
                "gt_answer": "Liver.",
                "image_path": f"Images/{number % IMAGES}.png",
                "option_A": "Lung",
                "option_B": "Liver",
                "modality_type": modalities[number % len(modalities)],
            }
            for number in range(file, rows, FILES)
        ]
        (folder / "QA_information" / "Open-access" / f"set{file}.json").write_text(json.dumps(records))


def seconds(folder: Path) -> tuple[float, float, int]:
    """Read a source once; return the seconds on the clock and of the processor, and the rows read."""
    report = LoadReport()
    clock, processor = time.perf_counter(), time.process_time()
    for _ in read_omnimedvqa(folder, report):
        pass
    return time.perf_counter() - clock, time.process_time() - processor, report.rows_read


def main() -> None:
    """Write both sources, read them in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=63_489)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sources = {"known names": KNOWN, "unknown names": UNKNOWN}
    for name, (types, modalities) in sources.items():
        write_source(arguments.folder / name, arguments.rows, types, modalities)
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in sources}
    for _ in range(arguments.repeats):
        for name, runs in taken.items():
            runs.append(seconds(arguments.folder / name))
    medians = {}
    for name, runs in taken.items():
        clock, processor = (statistics.median(run[part] for run in runs) for part in (0, 1))
        medians[name] = processor / runs[0][2]
        print(f"{name}: {runs[0][2]:,} rows in {clock:.1f} s, {processor:.1f} s of the processor")
    print(f"a row with unknown names costs {medians['unknown names'] / medians['known names']:.2f} of one with known")


if __name__ == "__main__":
    main()
