"""Every number on the page ``docs/metrics.md``, computed; ``--check`` compares, ``--write`` puts them in.

On the page each computed number is followed by a comment with its name, ``0.445<!--guess_4_3-->``. The check fails if
a number differs, if a name is unknown or unused, or if the page has a decimal number or percentage without a name.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from medq_deg.metrics import (  # noqa: E402
    SHIFTS,
    MetricWarning,
    calibration_shift,
    inter_model_rule,
    intra_model_rule,
)
from medq_deg.metrics.scores import score_rows  # noqa: E402
from medq_deg.metrics.votes import INTERPRETABLE_TRIALS, encode  # noqa: E402
from tests.metrics.models import (  # noqa: E402
    chance,
    hesitating_model,
    outcomes,
    questions_and_votes,
    spelled,
)

PAGE = Path(__file__).with_name("metrics.md")
# The paper's figures are not ours to ship: they lie in the folder that MEDQ_SHARED names.
PUBLISHED = Path(os.environ.get("MEDQ_SHARED", ROOT.parent / "shared")) / "paper" / "published_calibration.csv"
NAMED = re.compile(r"(?P<value>[^\s|(<>]+)<!--(?P<name>\w+)-->")
UNNAMED = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+|(?:\.\d+)? ?%)(?![\w.%]*<!--)(?![\d.])")
# The paper's number on arXiv is a name, not a result.
NO_RESULT = ("2603.07769",)

SAMPLES = 100
QUESTIONS = 600


def expectations(shares: list[float], trials: int) -> dict[str, float]:
    """Exact expectation of each score over all vote counts, for a calibrated model: the truth follows `shares` too."""
    options = len(shares)
    result: dict[str, float] = {}
    for truth, weight in enumerate(shares):
        counts = list(outcomes(trials, options))
        answers = ["ABCDE"[truth]] * len(counts)
        scores = score_rows(encode([spelled(count) for count in counts], None, answers, options))
        chances = np.array([chance(count, shares) for count in counts])
        for name in ("accuracy", "majority", "confidence", "confidence_corrected", "agreement"):
            result[name] = result.get(name, 0.0) + weight * float(chances @ getattr(scores, name))
    return result


def guessing() -> dict[str, str]:
    """Return the confidence of a model that guesses: in truth 0."""
    numbers = {}
    for options in (2, 3, 4, 5):
        for trials in (3, 10):
            expected = expectations([1 / options] * options, trials)
            numbers[f"guess_{options}_{trials}"] = f"{expected['confidence']:.3f}"
            if trials >= INTERPRETABLE_TRIALS:
                numbers[f"guess_corrected_{options}_{trials}"] = f"{expected['confidence_corrected']:.3f}"
        tied = sum(
            chance(count, [1 / options] * options)
            for count in outcomes(10, options)
            if sorted(count)[-1] == sorted(count)[-2]
        )
        numbers[f"ties_{options}"] = f"{tied:.1%}"
    return numbers


def calibrated() -> dict[str, str]:
    """Return the shifts of a perfectly calibrated model that hesitates between options, K = 4."""
    numbers = {}
    for top in (90, 75, 60):
        shares = {"two": [top / 100, 1 - top / 100, 0.0, 0.0], "all": [top / 100] + [(1 - top / 100) / 3] * 3}
        for spread, row in shares.items():
            accuracy = sum(share**2 for share in row)
            entropy = -sum(share * math.log(share) for share in row if share)
            votes = expectations(row, 10)
            name = f"{spread}_{top}"
            numbers[f"accuracy_{name}"] = f"{accuracy:.2f}"
            numbers[f"true_{name}"] = f"{1 - entropy / math.log(4) - accuracy:+.2f}"
            numbers[f"plug_{name}"] = f"{votes['confidence'] - accuracy:+.2f}"
            numbers[f"corrected_{name}"] = f"{votes['confidence_corrected'] - accuracy:+.2f}"
            # Rounding may leave a minus sign in front of 0.
            numbers[f"agreement_{name}"] = f"{votes['agreement'] - accuracy + 0.0:+.2f}".replace("-0.00", "+0.00")
    return numbers


def rules() -> dict[str, str]:
    """Count how often rule and verdict announce an effect that a perfectly calibrated model does not have."""
    numbers = {"samples": str(SAMPLES), "questions": str(QUESTIONS)}
    for trials in (3, 10):
        rng = np.random.default_rng(trials)
        fired, supported = dict.fromkeys(SHIFTS, 0), dict.fromkeys(SHIFTS, 0)
        for sample in range(SAMPLES):
            model = hesitating_model(QUESTIONS, rng, trials)
            result = calibration_shift(**model, n_resamples=200, seed=sample)["dunning_kruger"]
            for shift in SHIFTS:
                fired[shift] += bool(result[shift]["rule"])
                supported[shift] += result[shift]["verdict"] == "supported"
        for shift, short in zip(SHIFTS, ("plug", "corrected", "agreement"), strict=True):
            if short == "corrected" and trials < INTERPRETABLE_TRIALS:
                continue
            numbers[f"rule_{short}_{trials}"] = f"{fired[shift] / SAMPLES:.0%}"
            numbers[f"verdict_{short}_{trials}"] = f"{supported[shift] / SAMPLES:.0%}"
    return numbers


def published() -> dict[str, str]:
    """Apply the paper's rules to the paper's figures."""
    with PUBLISHED.open() as lines:
        rows = list(csv.DictReader(lines))
    needed = [f"{level}_{figure}" for level in ("l0", "l2") for figure in ("accuracy", "confidence", "shift")]
    complete = [row for row in rows if all(row[key] for key in needed)]
    holds = [
        intra_model_rule(*(float(row[key]) for key in ("l0_accuracy", "l2_accuracy", "l0_shift", "l2_shift")))
        for row in complete
    ]
    pairs = inter_model_rule({row["model"]: (float(row["l2_accuracy"]), float(row["l2_shift"])) for row in complete})
    return {
        "published_complete": str(len(complete)),
        "published_intra": str(sum(holds)),
        "published_pairs": str(len(pairs["pairs"])),
        "published_inter": f"{pairs['share']:.0%}",
    }


def intervals() -> dict[str, str]:
    """Compare an interval over questions with one that takes the rows of one question for independent."""
    votes, answers, groups = questions_and_votes(1000, np.random.default_rng(0), per_question=5)
    widths = []
    for labels in (groups, None):
        low, high = calibration_shift(votes, answers, 4, labels, confidence_level=0.95)["accuracy_ci"]
        widths.append(high - low)
    return {
        "clustered_half": f"{widths[0] / 2:.3f}",
        "independent_half": f"{widths[1] / 2:.3f}",
        "calibrated_ece": f"{calibration_shift(votes, answers, 4, groups)['ece']:.3f}",
    }


def numbers() -> dict[str, str]:
    """Compute all numbers of the page, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        return guessing() | calibrated() | rules() | published() | intervals()


def problems(page: str, computed: dict[str, str]) -> list[str]:
    """Say in which places the page and the numbers disagree."""
    found = []
    used = set()
    for match in NAMED.finditer(page):
        name, value = match["name"], match["value"]
        used.add(name)
        if name not in computed:
            found.append(f"{name}: the page names a number that is not computed")
        elif value != computed[name]:
            found.append(f"{name}: the page says {value}, computed is {computed[name]}")
    found += [f"{name}: computed, but not on the page" for name in computed if name not in used]
    for match in UNNAMED.finditer(page):
        if match.group() not in NO_RESULT:
            found.append(f"{match.group()}: a number on the page without a name")
    return found


def main() -> int:
    """Compare the page with the numbers, or write them into it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the page disagrees")
    parser.add_argument("--write", action="store_true", help="put the numbers into the page")
    arguments = parser.parse_args()
    computed = numbers()
    if not (arguments.check or arguments.write):
        sys.stdout.writelines(f"{name} = {value}\n" for name, value in computed.items())
        return 0
    page = PAGE.read_text(encoding="utf-8")
    if arguments.write:
        page = NAMED.sub(lambda match: f"{computed.get(match['name'], match['value'])}<!--{match['name']}-->", page)
        PAGE.write_text(page, encoding="utf-8")
    found = problems(page, computed)
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
