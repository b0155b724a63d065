"""What became of each answer from the clean image to the degraded one, and how often it became wrong and sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from medq_deg.metrics.bootstrap import draws, interval, partition
from medq_deg.taxonomy import SEVERITY_NAMES

SURE: Final = 0.8
"""A model is called sure of a row if its favourite answer has at least this share of the votes."""

OUTCOMES: Final[Mapping[str, str]] = {
    "lost-sure": "right when clean, wrong and sure when degraded",
    "lost": "right when clean, wrong and unsure when degraded",
    "wrong": "wrong when clean and when degraded",
    "gained": "wrong when clean, right when degraded",
    "kept": "right when clean and when degraded",
    "unclear": "no readable favourite answer, or none at all",
}
"""What can become of an answer from the clean image to the most degraded one, what matters most first."""


@dataclass(frozen=True)
class Pair:
    """The rows of a question with one degradation, by severity, with the clean row; and what became of the answer."""

    question_id: str
    degradation: str
    rows: Mapping[str, Mapping[str, Any]]
    outcome: str


@dataclass(frozen=True)
class Share:
    """So many of so many, with the range of the share by cluster bootstrap; None where there is none."""

    count: int
    total: int
    interval: tuple[float, float] | None

    @property
    def share(self) -> float:
        """The share, 0 of nothing."""
        return self.count / self.total if self.total else 0.0


def pairs_of(rows: Sequence[Mapping[str, Any]], source: str) -> list[Pair]:
    """Pair the severely degraded rows of a run with their clean ones.

    Parameters
    ----------
    rows : sequence of mappings
        Answered rows, with `votes` or `probabilities`.
    source : {"votes", "probabilities"}
        What the run is scored by.

    Returns
    -------
    list of Pair
        Of each question and degradation that has a clean and a severe row, in the order of the rows.
    """
    clean = {row["question_id"]: row for row in rows if row["severity"] == 0}
    degraded: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["severity"] and row["question_id"] in clean:
            place = degraded.setdefault((row["question_id"], row["degradation"]), {})
            place[SEVERITY_NAMES[row["severity"]]] = row
    pairs = []
    for (question, degradation), found in degraded.items():
        if "L2" in found:
            together = {"L0": clean[question], **dict(sorted(found.items()))}
            pairs.append(Pair(question, degradation, together, outcome(together, source)))
    return pairs


def outcome(rows: Mapping[str, Mapping[str, Any]], source: str) -> str:
    """Compare the favourite answers to the clean and the most degraded image; return a key of `OUTCOMES`."""
    if "L0" not in rows or len(rows) < 2:
        return "unclear"
    before, after = (favourite(rows[name], source) for name in ("L0", list(rows)[-1]))
    if before is None or after is None:
        return "unclear"
    answer = rows["L0"]["answer"]
    right = before[0] == answer, after[0] == answer
    if right == (True, False):
        return "lost-sure" if after[1] >= SURE else "lost"
    return {(True, True): "kept", (False, True): "gained"}.get(right, "wrong")


def favourite(row: Mapping[str, Any], source: str) -> tuple[str, float] | None:
    """Return the one most frequent letter and its share; None for a tie or where no answer could be read."""
    shares: dict[str | None, float] = dict(Counter(vote or None for vote in row["votes"]))
    if source == "probabilities":
        shares = dict(row["probabilities"] or {})
        shares[None] = 1 - sum(shares.values())
    total = sum(shares.values())
    most = max(shares.values(), default=0)
    best = [letter for letter, share in shares.items() if share == most]
    if len(best) != 1 or best[0] is None or not total:
        return None
    return best[0], most / total


def sure_and_wrong(
    pairs: Sequence[Pair], *, confidence_level: float = 0.95, n_resamples: int = 1000, seed: int = 0
) -> Share:
    """Count the pairs that were right when clean and are wrong and sure when severely degraded.

    The range draws questions with all their pairs. Where no pair went that way no resample can have one: the upper end
    is then the exact one for none of so many questions, ``1 - (1 - level) ** (1 / questions)``.
    """
    lost = np.array([pair.outcome == "lost-sure" for pair in pairs], np.float64)
    if not pairs:
        return Share(0, 0, None)
    cluster = partition([pair.question_id for pair in pairs], len(pairs))
    clusters = int(cluster.max()) + 1
    if not lost.any():
        return Share(0, len(pairs), (0.0, 1 - (1 - confidence_level) ** (1 / clusters)))
    top = np.bincount(cluster, lost, clusters)
    bottom = np.bincount(cluster, minlength=clusters).astype(np.float64)
    weights = np.concatenate(list(draws(clusters, n_resamples, seed)))
    found = interval((weights @ top) / (weights @ bottom), confidence_level)
    return Share(int(lost.sum()), len(pairs), (found[0], found[1]) if found else None)


def clearest(pairs: Sequence[Pair], source: str) -> list[Pair]:
    """Return the pairs that became wrong and sure, those first that were surest when right and when wrong."""

    def key(pair: Pair) -> float:
        found = (favourite(pair.rows[name], source) for name in ("L0", "L2"))
        return -sum(each[1] for each in found if each)

    return sorted((pair for pair in pairs if pair.outcome == "lost-sure"), key=key)
