"""What a coordinator watches: progress, removal rates, reasons, agreement and time, with intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from medq_deg.metrics.bootstrap import check_settings
from medq_deg.review.agreement import Agreement, agreements
from medq_deg.review.results import Pair, Review, check_rule, reviewed
from medq_deg.review.terms import REASONS


@dataclass(frozen=True)
class Rate:
    """How many of some pairs are removed.

    Attributes
    ----------
    name : str
        Degradation, modality or "all".
    pairs, removed : int
        Reviewed ones, and those of them that the rule removes.
    rate : float
    interval : [float, float]
        Wilson's, on the effective number of pairs: see `removal_interval`.
    """

    name: str
    pairs: int
    removed: int
    rate: float
    interval: list[float]


@dataclass(frozen=True)
class Times:
    """Seconds per question: median and quartiles, over finished questions."""

    reviewer: str
    questions: int
    median: float | None
    quartiles: list[float] | None


@dataclass(frozen=True)
class Report:
    """All figures of a review."""

    name: str
    fingerprint: str
    rule: str
    confidence_level: float
    reviewers_per_question: int
    questions: int
    finished: int
    begun: int
    pairs: int
    reviewed: int
    tied: int
    removal: Rate | None
    by_degradation: list[Rate]
    by_modality: list[Rate]
    reasons: dict[str, int]
    corrected: dict[str, int]
    agreement: list[Agreement]
    time: Times
    by_reviewer: list[Times]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def make_report(review: Review, rule: str = "majority", confidence_level: float = 0.95, seed: int = 0) -> Report:
    """Return the figures of a review.

    Parameters
    ----------
    review : Review
    rule : {"majority", "any", "all"}
        Decides which pairs count as removed.
    confidence_level : float
        Of every interval, between 0 and 1.
    seed : int
        Of the bootstrap of the agreement.

    Raises
    ------
    MedqDegError
        For another rule, or a level that is none.
    """
    check_rule(rule)
    check_settings(confidence_level, 2, seed)
    told = reviewed(review.pairs)
    opinions = [opinion for pair in told for opinion in pair.opinions]
    done = Counter(visit.question_id for visit in review.visits if visit.state == "done")
    return Report(
        name=review.name,
        fingerprint=review.fingerprint,
        rule=rule,
        confidence_level=confidence_level,
        reviewers_per_question=review.slots,
        questions=review.questions,
        finished=sum(count >= review.slots for count in done.values()),
        begun=len({visit.question_id for visit in review.visits}),
        pairs=len(review.pairs),
        reviewed=len(told),
        tied=sum(pair.tied for pair in told),
        removal=_rate("all", told, rule, confidence_level) if told else None,
        by_degradation=_rates(told, lambda pair: pair.degradation, rule, confidence_level),
        by_modality=_rates(told, lambda pair: pair.modality, rule, confidence_level),
        reasons={
            reason: count
            for reason in REASONS
            if (count := sum(opinion.verdict.reason == reason for opinion in opinions))
        },
        corrected={
            level: sum(getattr(opinion.verdict, f"severity_{level.lower()}") is not None for opinion in opinions)
            for level in ("L1", "L2")
        },
        agreement=agreements(told, confidence_level, seed),
        time=_times("all", (visit.seconds for visit in review.visits)),
        by_reviewer=[
            _times(name, (visit.seconds for visit in review.visits if visit.reviewer == name))
            for name in review.reviewers
        ],
    )


def _rates(pairs: Sequence[Pair], key: Callable[[Pair], str], rule: str, level: float) -> list[Rate]:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(key(pair), []).append(pair)
    return [_rate(name, groups[name], rule, level) for name in sorted(groups)]


def _rate(name: str, pairs: Sequence[Pair], rule: str, level: float) -> Rate:
    gone = [pair.removed(rule) for pair in pairs]
    bounds = removal_interval(gone, [pair.question_id for pair in pairs], level)
    return Rate(name, len(pairs), sum(gone), sum(gone) / len(pairs), bounds)


def removal_interval(removed: Sequence[bool], questions: Sequence[str], confidence_level: float = 0.95) -> list[float]:
    """Return Wilson's interval of a rate of pairs, on as many pairs as they are worth.

    The pairs of a question share their image, and often their fate. Their number is therefore divided by the design
    effect, the ratio of the variance over questions to that of independent pairs; where nothing or everything is
    removed that ratio is unknown, and the number of questions is taken. Where each question has one pair, this is
    Wilson's interval.

    Parameters
    ----------
    removed : N bools
    questions : N str
        The question of each pair.
    confidence_level : float

    References
    ----------
    - E. B. Wilson, Probable inference, J. Am. Stat. Assoc. 22, 1927.
    - E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number of positive counts
      estimated from survey data, Surv. Methodol. 24, 1998 (the effective size).
    - C. Franco et al., Comparative study of confidence intervals for proportions in complex sample surveys, J. Surv.
      Stat. Methodol. 7, 2019 (Wilson's interval on it).
    """
    from statsmodels.stats.proportion import proportion_confint

    total, gone = len(removed), sum(removed)
    clusters: dict[str, list[int]] = {}
    for question, one in zip(questions, removed, strict=True):
        clusters.setdefault(question, []).append(int(one))
    rate = gone / total
    effective = float(len(clusters))
    if 0 < gone < total and 1 < len(clusters) < total:
        apart = [sum(each) - rate * len(each) for each in clusters.values()]
        variance = len(apart) / (len(apart) - 1) * math.fsum(value * value for value in apart) / total**2
        effect = max(1.0, variance / (rate * (1 - rate) / total))
        effective = total / effect
    low, high = proportion_confint(rate * effective, effective, alpha=1 - confidence_level, method="wilson")
    return [float(low) if gone else 0.0, float(high) if gone < total else 1.0]


def _times(name: str, seconds: Iterable[float | None]) -> Times:
    given = [value for value in seconds if value is not None]
    if not given:
        return Times(name, 0, None, None)
    low, middle, high = (float(value) for value in np.quantile(given, [0.25, 0.5, 0.75]))
    return Times(name, len(given), middle, [low, high])
