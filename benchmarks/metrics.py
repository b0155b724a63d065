"""Time and peak memory of the statistics at the size of the paper: 24,894 rows x 10 votes, 1,000 resamples.

Run ``python benchmarks/metrics.py``; the rows are simulated, the work is that of a full report with all controls: all
figures with intervals, for all rows and broken down by severity, degradation, category, modality, task and skill;
verdicts under both treatments of missing answers; five orders of the options; a blind baseline; safe deferral.
``--scale 10`` takes ten times the questions, about 250,000 rows.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import Any

import numpy as np

from medq_deg import taxonomy
from medq_deg.metrics import deferral, order_figures, summarize, visual_gain
from medq_deg.metrics.votes import LETTERS

BREAKDOWNS = ("severity", "degradation", "category", "modality", "task", "skills")
SKILLS = [f"skill {number}" for number in range(1, 31)]
TASKS = [f"task {number}" for number in range(1, 7)]


def simulated_rows(questions: int, pairs: int, votes: int, seed: int) -> list[dict[str, Any]]:
    """Return the answers of an invented model: `questions` clean rows, `pairs` degraded ones at L1 and at L2.

    Every question has one to three degradations that suit its modality, and 2 to 5 options; about one vote in
    two hundred is unparsable.
    """
    rng = np.random.default_rng(seed)
    modality = rng.choice(taxonomy.MODALITIES, size=questions)
    amount = np.ones(questions, int)
    while amount.sum() < pairs:
        open_ones = np.flatnonzero(amount < 3)
        chosen = rng.choice(open_ones, size=min(pairs - amount.sum(), open_ones.size), replace=False)
        amount[chosen] += 1
    rows = []
    for question in range(questions):
        choices = int(rng.integers(2, 6))
        ability = rng.normal(1.0, 1.5, size=choices)
        fixed = {
            "question_id": f"q{question:05d}",
            "answer": LETTERS[int(rng.integers(choices))],
            "num_choices": choices,
            "modality": str(modality[question]),
            "task": str(rng.choice(TASKS)),
            "skills": [str(skill) for skill in rng.choice(SKILLS, size=1 + int(rng.random() < 0.2), replace=False)],
        }
        names = rng.choice(taxonomy.applicable(fixed["modality"]), size=amount[question], replace=False)
        cells = [("none", "none", 0)]
        cells += [(str(name), taxonomy.CATEGORY_OF[str(name)], severity) for name in names for severity in (1, 2)]
        for degradation, category, severity in cells:
            logits = ability / (1 + 0.3 * severity)
            logits[LETTERS.index(fixed["answer"])] += 1.5 / (1 + severity)
            shares = np.exp(logits - logits.max())
            drawn = rng.choice(choices, size=votes, p=shares / shares.sum())
            letters = [None if rng.random() < 0.005 else LETTERS[choice] for choice in drawn]
            rows.append(
                fixed
                | {
                    "id": f"{fixed['question_id']}/{degradation}/L{severity}",
                    "votes": letters,
                    "degradation": degradation,
                    "category": category,
                    "severity": severity,
                }
            )
    return rows


def in_orders(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows as if they had been asked in up to five orders of their options, rotations of the first."""
    told = []
    for row in rows:
        letters, votes = LETTERS[: row["num_choices"]], len(row["votes"])
        orders = [letters[turn:] + letters[:turn] for turn in range(max(2, min(5, len(letters), votes // 2)))]
        told.append(row | {"orders": orders, "order": [number * len(orders) // votes for number in range(votes)]})
    return told


def main() -> int:
    """Simulate, summarize, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=4306)
    parser.add_argument("--pairs", type=int, default=10294, help="degraded rows at each of L1 and L2")
    parser.add_argument("--votes", type=int, default=10)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--scale", type=int, default=1, help="times as many questions and pairs")
    arguments = parser.parse_args()

    size = arguments.questions * arguments.scale, arguments.pairs * arguments.scale
    rows = in_orders(simulated_rows(*size, arguments.votes, seed=0))
    blind = [row | {"votes": row["votes"][::-1]} for row in rows if row["severity"] == 0]
    before = _peak_mib()
    times = {}
    start, busy = time.perf_counter(), time.process_time()
    report = summarize(rows, by=BREAKDOWNS, n_resamples=arguments.resamples)
    times["figures and breakdowns"] = time.perf_counter() - start
    for name, work in {
        "option orders": lambda: order_figures(rows, n_resamples=arguments.resamples),
        "blind baseline": lambda: visual_gain(rows, blind, n_resamples=arguments.resamples),
        "safe deferral": lambda: deferral(rows, n_resamples=arguments.resamples),
    }.items():
        start = time.perf_counter()
        work()
        times[name] = time.perf_counter() - start
    busy = time.process_time() - busy
    cells = sum(len(cells) for cells in report["by"].values())
    print(f"rows                {len(rows):,} x {arguments.votes} votes, {report['clusters']:,} questions")
    print(f"resamples           {arguments.resamples:,}")
    print(f"cells               {cells} in {len(BREAKDOWNS)} breakdowns, and all rows")
    for name, seconds in times.items():
        print(f"{name:<24}{seconds:.1f} s")
    print(f"time in all             {sum(times.values()):.1f} s, of all processors {busy:.1f} s")
    print(f"peak memory         {_peak_mib():.0f} MiB ({before:.0f} MiB of it before the work began)")
    low, high = report["calibration_shift_ci"]
    print(f"calibration shift   {report['calibration_shift']:+.4f} [{low:+.4f}, {high:+.4f}]")
    return 0


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.exit(main())
