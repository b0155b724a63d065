"""Every number on the page ``docs/metrics.md``, computed; ``--check`` compares, ``--write`` puts them in.

On the page each computed number is followed by a comment with its name, ``0.445<!--guess_4_3-->``. The check fails if
a number differs, if a name is unknown or unused, or if the page has a decimal number or percentage without a name.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from medq_deg.metrics import (  # noqa: E402
    SHIFTS,
    MetricWarning,
    calibration_shift,
    deferral,
    inter_model_rule,
    intra_model_rule,
)
from medq_deg.metrics.bootstrap import draws, interval, ratio_intervals  # noqa: E402
from medq_deg.metrics.distributions import student_above  # noqa: E402
from medq_deg.metrics.johnson import mean_test  # noqa: E402
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
PUBLISHED = ROOT / "medq_deg" / "results" / "paper" / "calibration.csv"
NAMED = re.compile(r"(?P<value>[^\s|(<>]+)<!--(?P<name>\w+)-->")
UNNAMED = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+|(?:\.\d+)? ?%)(?![\w.%]*<!--)(?![\d.])")
# The paper's number on arXiv is a name, not a result.
NO_RESULT = ("2603.07769",)

SAMPLES = 100
SIMULATIONS = 500
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
    }


def little_votes() -> dict[str, str]:
    """Return the ECE of a calibrated model by number of votes, and what refusals do to a row."""
    found = {}
    for trials in (5, 10, 20, 40):
        votes, answers, groups = questions_and_votes(2000, np.random.default_rng(0), trials=trials, per_question=1)
        found[f"ece_{trials}"] = f"{calibration_shift(votes, answers, 4, groups)['ece']:.3f}"
    sure, half, none = (
        calibration_shift([["A"] * said + [None] * (10 - said)], ["B"], 4)["confidence"] for said in (10, 5, 0)
    )
    return found | {"refusing_never": f"{sure:.1f}", "refusing_half": f"{half:.1f}", "refusing_always": f"{none:.1f}"}


def small_samples() -> dict[str, str]:
    """Return how often intervals of 20 questions cover the truth, and how often tests of 60 skewed ones err."""
    rng = np.random.default_rng(1)
    covered = {"percentile": 0, "studentised": 0}
    chance = 0.7
    for sample in range(SIMULATIONS):
        shares = rng.binomial(10, rng.beta(3, 3 * (1 - chance) / chance, size=20)) / 10
        sums = shares[:, None], np.ones((20, 1))
        drawn = np.concatenate([weights @ shares for weights in draws(20, 400, sample)]) / 20
        for name, bounds in (
            ("percentile", interval(drawn, 0.95)),
            ("studentised", ratio_intervals(*sums, 0.95, 400, sample, (0.0, 1.0))[0]),
        ):
            covered[name] += bounds is not None and bounds[0] <= chance <= bounds[1]
    numbers = {f"covered_{name}": f"{count / SIMULATIONS:.2f}" for name, count in covered.items()}
    plain = corrected = 0
    for _ in range(4 * SIMULATIONS):
        changes = 1 - rng.gamma(2.0, 0.5, size=60)
        t = changes.mean() / changes.std(ddof=1) * math.sqrt(60)
        plain += student_above(t, 59) <= 0.025
        told = mean_test(changes)
        corrected += told.enough and told.above <= 0.025
    return numbers | {
        "errs_plain": f"{plain / SIMULATIONS / 4:.1%}",
        "errs_johnson": f"{corrected / SIMULATIONS / 4:.1%}",
    }


def orders() -> dict[str, str]:
    """Return what orders of the options say of a model that sees nothing and favours a letter, exactly."""
    prior = np.array([0.7, 0.1, 0.1, 0.1])
    every = np.array(list(permutations(range(4))))
    chances = np.empty((24, 4))
    np.put_along_axis(chances, every, prior[None], axis=1)
    within = float((chances**2).sum(axis=1).mean())
    over = float((chances.mean(axis=0) ** 2).sum())
    return {"letter_within": f"{within - 0.25:+.2f}", "letter_over": f"{over - 0.25:+.2f}".replace("-0.00", "+0.00")}


def deferring() -> dict[str, str]:
    """Return how often a threshold breaks its promise, chosen as it looks and chosen by the tests."""
    rng = np.random.default_rng(3)
    mass = np.array([0.6, 0.1, 0.08, 0.07, 0.05, 0.10])
    risk = np.array([0.030, 0.10, 0.1422, 0.25, 0.3, 0.4])
    true = np.cumsum(mass * risk) / np.cumsum(mass)
    broken = naive = 0
    for _ in range(SIMULATIONS):
        level = rng.choice(6, size=300, p=mass)
        wrong = rng.random(300) < risk[level]
        rows = [
            {
                "question_id": place,
                "severity": 0,
                "answer": "A",
                "num_choices": 3,
                "votes": ["B" if bad else "A"] * (10 - lost) + ["C"] * lost,
            }
            for place, (lost, bad) in enumerate(zip(level.tolist(), wrong.tolist(), strict=True))
        ]
        needed = deferral(rows, n_resamples=2)["votes_needed"]
        broken += needed is not None and true[10 - needed] > 0.05
        looks = [place for place in range(5) if wrong[level <= place].mean() <= 0.05]
        naive += bool(looks) and true[max(looks)] > 0.05
    return {"broken_naive": f"{naive / SIMULATIONS:.0%}", "broken_tested": f"{broken / SIMULATIONS:.0%}"}


def subsets() -> dict[str, str]:
    """Return the error of a subset of whole questions against the whole set, in points, for an invented model.

    4,306 questions with one to three degradations each; rows of a question share its difficulty, degradations differ.
    """
    rng = np.random.default_rng(4)
    amount = rng.choice([1, 2, 3], size=4306, p=[0.15, 0.31, 0.54])
    question = np.repeat(np.arange(4306), amount)
    base, shared = rng.normal(0, 3, size=4306), rng.normal(0, 1.2, size=question.size)
    clean = rng.binomial(10, 1 / (1 + np.exp(-0.9 - base - rng.normal(0, 0.6, size=4306)))) / 10
    effect = rng.normal(0, 0.8, size=18)[rng.integers(18, size=question.size)]
    noise = effect + rng.normal(0, 1.3, size=question.size)
    severe = rng.binomial(10, 1 / (1 + np.exp(-0.1 - base[question] - 1.5 * shared - noise))) / 10
    drop = severe - clean[question]
    found = {}
    for wanted in (1000, 3000):
        errors = []
        for _ in range(SIMULATIONS):
            order = rng.permutation(4306)
            taken = np.zeros(4306, bool)
            taken[order[np.cumsum(1 + 2 * amount[order]) <= wanted]] = True
            inside = taken[question]
            errors.append((severe[inside].mean() - severe.mean(), drop[inside].mean() - drop.mean()))
        for name, error in zip(("accuracy", "drop"), np.sqrt(np.mean(np.square(errors), axis=0)), strict=True):
            found[f"subset_{name}_{wanted}"] = f"{100 * error:.1f}"
    return found


def numbers() -> dict[str, str]:
    """Compute all numbers of the page, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        exact = guessing() | calibrated() | orders() | published()
        return exact | rules() | intervals() | little_votes() | small_samples() | deferring() | subsets()


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
