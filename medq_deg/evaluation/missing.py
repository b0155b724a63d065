"""Votes that name no option, by why: the answer was cut off, it was refused, or nobody can read it.

A cut-off answer that names an option all the same is a vote like any other and is not counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from medq_deg.taxonomy import SEVERITY_NAMES

REASONS: Final = ("cut_off", "refused", "unread")
_REASON_OF: Final = {"length": "cut_off", "refused": "refused"}

FIRST_ROWS: Final = 20
"""Rows after which a run is judged that cannot come to anything."""


@dataclass
class Missing:
    """Counts of votes.

    Attributes
    ----------
    votes : int
        All votes.
    cut_off, refused, unread : int
        Votes that name no option: ended at the limit of tokens, refused by the model or a filter, or not clearly an
        answer. Where the model does not say how its answers ended, all are unread.
    """

    votes: int = 0
    cut_off: int = 0
    refused: int = 0
    unread: int = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Count the votes of an answered row."""
        votes, finish = record["votes"], record.get("finish") or ()
        self.votes += len(votes)
        for number, vote in enumerate(votes):
            if vote in (None, ""):
                end = finish[number] if number < len(finish) else None
                reason = _REASON_OF.get(end, "unread") if isinstance(end, str) else "unread"
                setattr(self, reason, getattr(self, reason) + 1)

    @property
    def missing(self) -> int:
        """Votes that name no option."""
        return self.cut_off + self.refused + self.unread

    def share(self, reason: str) -> float:
        """Return a count of `REASONS`, or "missing", as a share of all votes; 0 without votes."""
        return float(getattr(self, reason)) / self.votes if self.votes else 0.0

    def by_reason(self) -> str:
        """Return the counts in words."""
        return ", ".join(f"{getattr(self, reason)} {reason.replace('_', ' ')}" for reason in REASONS)

    def shares(self) -> list[str]:
        """Return the counts that are not 0 in words, each with its share."""
        return [
            f"{count} votes {reason.replace('_', ' ')} ({self.share(reason):.0%})"
            for reason in REASONS
            if (count := getattr(self, reason))
        ]

    def hopeless(self) -> str:
        """Say why there is no point in going on, or nothing."""
        if self.votes and self.share("cut_off") > 0.5:
            return f"{self.share('cut_off'):.0%} of the votes were cut off before they named an option"
        if self.votes and self.missing == self.votes:
            return f"not one of the {self.votes} votes names an option ({self.by_reason()})"
        return ""

    def as_dict(self) -> dict[str, int]:
        """Return the counts, ready for JSON."""
        return {"votes": self.votes, **{reason: getattr(self, reason) for reason in REASONS}}


def missing_by_severity(rows: Iterable[Mapping[str, Any]]) -> dict[str, Missing]:
    """Count the votes of joined rows at each severity that has rows, L0 to L2."""
    counts = {name: Missing() for name in SEVERITY_NAMES}
    for row in rows:
        counts[SEVERITY_NAMES[row["severity"]]].add(row)
    return {name: count for name, count in counts.items() if count.votes}


ADVICE: Final = (
    "raise --max-new-tokens, give a reasoning model a smaller reasoning budget, or look at prompt and answers with "
    "--try 3"
)


def missing_sentences(by_severity: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Say, for each severity, how many votes name no option and why; nothing where all do.

    Parameters
    ----------
    by_severity : mapping
        From severity name to `Missing.as_dict`.
    """
    counts = {name: Missing(**count) for name, count in by_severity.items()}
    if not any(count.missing for count in counts.values()):
        return []
    told = [f"{name} {count.by_reason()} of {count.votes}" for name, count in counts.items()]
    sentences = [f"Votes that name no option: {'; '.join(told)}."]
    if any(count.cut_off for count in counts.values()):
        sentences.append(f"Answers that were cut off say nothing about the model: {ADVICE}.")
    return sentences
