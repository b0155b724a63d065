"""Invented models whose true calibration is known, and the exact distribution of small numbers of votes."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial, prod

import numpy as np

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def outcomes(trials: int, options: int) -> Iterator[tuple[int, ...]]:
    """All ways in which `trials` votes can fall on `options` options."""
    if options == 1:
        yield (trials,)
        return
    for first in range(trials + 1):
        for rest in outcomes(trials - first, options - 1):
            yield (first, *rest)


def chance(counts: tuple[int, ...], shares: list[float]) -> float:
    """Multinomial probability of `counts` when a vote falls on option i with probability ``shares[i]``."""
    ways = factorial(sum(counts)) / prod(factorial(count) for count in counts)
    return ways * prod(share**count for share, count in zip(shares, counts, strict=True))


def spelled(counts: tuple[int, ...]) -> list[str]:
    return [letter for letter, count in zip(LETTERS, counts, strict=False) for _ in range(count)]


def sampled_votes(shares: np.ndarray, trials: int, rng: np.random.Generator) -> list[list[str]]:
    """Draw `trials` letters for each row of `shares` (N, K)."""
    steps = shares.cumsum(axis=1)
    drawn = (rng.random((len(shares), trials))[:, :, None] > steps[:, None, :-1]).sum(axis=2)
    return np.array(list(LETTERS))[drawn].tolist()


def questions_and_votes(
    questions: int, rng: np.random.Generator, sharpness: float = 1.0, trials: int = 10, per_question: int = 2
) -> tuple[list[list[str]], list[str], list[int]]:
    """Votes, answers and groups of a model that believes `p` and votes as ``p ** sharpness``.

    The truth follows `p`, so the model is calibrated with sharpness 1 and overconfident above. The rows of a question
    share truth and belief, so they are far from independent.
    """
    belief = rng.dirichlet(np.full(4, 0.7), size=questions)
    truth = (belief.cumsum(axis=1)[:, :-1] < rng.random(questions)[:, None]).sum(axis=1)
    shares = belief**sharpness
    shares /= shares.sum(axis=1, keepdims=True)
    votes = sampled_votes(np.repeat(shares, per_question, axis=0), trials, rng)
    answers = [LETTERS[code] for code in np.repeat(truth, per_question)]
    return votes, answers, np.repeat(np.arange(questions), per_question).tolist()


def hesitating_model(
    questions: int, rng: np.random.Generator, trials: int, clean: float = 0.9, degraded: float = 0.55
) -> dict[str, list]:
    """Arguments of `calibration_shift` for a perfectly calibrated model that hesitates between two of four options.

    On a clean image its favourite has probability `clean` and is right that often; on a degraded one `degraded`.
    """
    truth = rng.integers(4, size=questions)
    votes, severities = [], []
    for severity, top in ((0, clean), (2, degraded)):
        other = (truth + rng.integers(1, 4, size=questions)) % 4
        right = rng.random(questions) < top
        shares = np.zeros((questions, 4))
        shares[np.arange(questions), np.where(right, truth, other)] = top
        shares[np.arange(questions), np.where(right, other, truth)] = 1 - top
        votes += sampled_votes(shares, trials, rng)
        severities += [severity] * questions
    return {
        "votes": votes,
        "answers": [LETTERS[code] for code in truth] * 2,
        "num_choices": 4,
        "groups": list(range(questions)) * 2,
        "severities": severities,
    }
