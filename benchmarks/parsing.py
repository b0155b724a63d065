"""Time the parsers on ordinary replies and on texts made to be slow: repeated tags, boxes, letters, braces, quotes.

    python benchmarks/parsing.py [--megabytes 1] [--repeats 3]

With --megabytes 0.016 each text is as long as what "strict" reads as a whole; the limit stays half a second.
Prints the median time of a megabyte of each text, slowest first, as a ratio to one megabyte's limit of half a second,
and how time grows from an eighth of the length to the whole, where 8 is linear.
"""

from __future__ import annotations

import argparse
import statistics
import time

from medq_deg import parse_answer
from medq_deg.models.parsing import PARSERS

LIMIT = 0.5
UNITS = (
    "\\boxed{B} ",
    "<answer>B</answer>",
    "The answer is A.\n",
    "Final Answer: \\boxed{B}\n",
    '{"answer": "B"}\n',
    '"',
    "{",
    "\\boxed{",
    "<answer>",
    "<think>",
    "</think>",
    "A ",
    "A.\n",
    "(A) finding ",
    "the answer is ",
    "so, most likely ",
    "A. finding number 0 of the lung\n",
    "\u0301\u0327",
    "$\n",
    "\\\n",
    "(",
    "wait, ",
    "B\n",
    " ",
    "\n",
    "\ud800",
    "The angle is blunted, which suggests that fluid is present. ",
)
OPTIONS = tuple(f"finding number {number} of the lung" for number in range(26))


def seconds(text: str, parser: str, repeats: int) -> float:
    """Return the median processor time of reading a text."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        parse_answer(text, OPTIONS, parser)
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print one line for each parser and text."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=float, default=1)
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    length = int(chosen.megabytes * 1_000_000)
    rows = []
    for parser in PARSERS:
        for unit in UNITS:
            whole = unit * (length // len(unit))
            took = seconds(whole, parser, chosen.repeats)
            rows.append((took, took / max(seconds(whole[: length // 8], parser, chosen.repeats), 1e-6), parser, unit))
    for took, growth, parser, unit in sorted(rows, reverse=True):
        limit = took / (LIMIT * max(chosen.megabytes, 1))
        print(f"{limit:6.3f} of the limit, {growth:6.1f} x from an eighth: {parser} on {unit!r}")


if __name__ == "__main__":
    main()
