"""What a review found: the verdicts of finished questions by pair, and the rules that turn them into a decision.

A pair is a question with one degradation; its rows at L1 and L2 are kept or removed together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medq_deg.errors import UnknownNameError
from medq_deg.review.database import Database
from medq_deg.review.store import Verdict
from medq_deg.review.terms import DELETE

RULES: Final[Mapping[str, str]] = {
    "majority": "more than half of its reviewers delete it; a tie keeps it",
    "any": "at least one of its reviewers deletes it",
    "all": "every one of its reviewers deletes it",
}
"""How the verdicts of several reviewers become one decision: a pair is removed if ..."""


@dataclass(frozen=True)
class Opinion:
    """What one reviewer said about a pair, once the question was finished.

    Attributes
    ----------
    reviewer : str
        Name.
    verdict : Verdict
    saved : float
        Seconds since the epoch.
    """

    reviewer: str
    verdict: Verdict
    saved: float


@dataclass(frozen=True)
class Pair:
    """A question with one degradation, and what was said about it; no opinion if nobody finished it yet."""

    question_id: str
    modality: str
    degradation: str
    opinions: tuple[Opinion, ...]

    @property
    def deletions(self) -> int:
        """Reviewers who delete it."""
        return sum(opinion.verdict.verdict == DELETE for opinion in self.opinions)

    def removed(self, rule: str) -> bool:
        """Whether a rule of `RULES` removes it; what nobody reviewed stays.

        Raises
        ------
        UnknownNameError
            For another rule.
        """
        check_rule(rule)
        given = len(self.opinions)
        needed = {"majority": given // 2 + 1, "any": 1, "all": given}[rule]
        return given > 0 and self.deletions >= needed

    @property
    def tied(self) -> bool:
        """Whether as many keep it as delete it."""
        return bool(self.opinions) and 2 * self.deletions == len(self.opinions)


@dataclass(frozen=True)
class Visit:
    """A question in a reviewer's hands: its state, and the time that it took once it was done."""

    question_id: str
    reviewer: str
    state: str
    seconds: float | None


@dataclass(frozen=True)
class Review:
    """All that a database holds.

    Attributes
    ----------
    name, fingerprint : str
        Of the data; empty if the review was never served.
    slots : int
        Reviewers that each question needs.
    questions : int
    pairs : tuple of Pair
        In the order of the data.
    visits : tuple of Visit
    reviewers : tuple of str
        Everybody who was invited or has reviewed.
    """

    name: str
    fingerprint: str
    slots: int
    questions: int
    pairs: tuple[Pair, ...]
    visits: tuple[Visit, ...]
    reviewers: tuple[str, ...]


def check_rule(rule: str) -> None:
    """Raise `UnknownNameError` unless a rule is one of `RULES`."""
    if rule not in RULES:
        raise UnknownNameError("rule", rule, RULES)


def read_review(database: Database) -> Review:
    """Return all that a database holds, as of one moment."""
    with database.reading() as tables:
        opinions: dict[tuple[int, int], list[Opinion]] = {}
        for row in tables.execute(
            "SELECT v.*, r.name FROM verdicts v JOIN assignments a USING (question, reviewer) "
            "JOIN reviewers r USING (reviewer) WHERE a.state = 'done' ORDER BY a.finished, v.reviewer"
        ):
            verdict = Verdict(row["verdict"], row["reason"], row["comment"], row["severity_l1"], row["severity_l2"])
            opinions.setdefault((row["question"], row["pair"]), []).append(Opinion(row["name"], verdict, row["saved"]))
        pairs = tuple(
            Pair(
                row["question_id"],
                row["modality"],
                row["degradation"],
                tuple(opinions.get((row["question"], row["pair"]), ())),
            )
            for row in tables.execute(
                "SELECT question, pair, question_id, modality, degradation FROM pairs JOIN questions USING (question) "
                "ORDER BY question, pair"
            )
        )
        visits = tuple(
            Visit(row["question_id"], row["name"], row["state"], row["seconds"])
            for row in tables.execute(
                "SELECT q.question_id, r.name, a.state, a.seconds FROM assignments a "
                "JOIN questions q USING (question) JOIN reviewers r USING (reviewer) ORDER BY a.question, a.reviewer"
            )
        )
        meta = dict(tables.execute("SELECT key, value FROM meta").fetchall())
        questions = tables.execute("SELECT COUNT(*) FROM questions").fetchone()[0]
        names = tuple(row[0] for row in tables.execute("SELECT name FROM reviewers ORDER BY reviewer"))
    return Review(
        meta.get("name", ""),
        meta.get("fingerprint", ""),
        int(meta.get("slots", 1)),
        questions,
        pairs,
        visits,
        names,
    )


def reviewed(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that somebody has finished."""
    return [pair for pair in pairs if pair.opinions]
