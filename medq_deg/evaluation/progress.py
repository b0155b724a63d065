"""How far a run is, and how right the model has been so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from medq_deg.evaluation.missing import Missing
from medq_deg.taxonomy import SEVERITY_NAMES


@dataclass(frozen=True)
class Progress:
    """A run at one moment.

    Attributes
    ----------
    done, total : int
        Rows answered, and rows in all.
    failed : int
        Rows that failed since the start.
    error : str, optional
        Why the row just asked failed, unless an earlier one failed in the same words.
    accuracy : mapping of str to float
        Share of right votes so far at each severity of which this process has seen rows.
    missing : Missing
        Votes so far that this process has seen, and those that name no option, by why.
    stopping : bool
        Whether the user has just asked to stop.
    """

    done: int
    total: int
    failed: int
    error: str | None
    accuracy: Mapping[str, float]
    missing: Missing = field(default_factory=Missing)
    stopping: bool = False

    @property
    def told(self) -> str:
        """How right the model is so far, which votes are missing and how many rows failed, in a line."""
        figures = [f"{name} {share:.2f}" for name, share in self.accuracy.items()]
        failed = [f"{self.failed} failed"] if self.failed else []
        accuracy = ["accuracy " + " ".join(figures)] if figures else []
        return ", ".join([*accuracy, *self.missing.shares(), *failed])


class Tally:
    """Counts answers as they come.

    Parameters
    ----------
    rows : sequence of mappings
        All rows of the run.
    total : int
        Rows to be answered.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], total: int) -> None:
        self.done, self.total, self.failed = 0, total, 0
        self._error: str | None = None
        self._told: set[str] = set()
        self._rows = rows
        self._votes = {name: [0, 0] for name in SEVERITY_NAMES}
        self.missing = Missing()

    def add(self, index: int, record: Mapping[str, Any]) -> None:
        """Count the record of a row."""
        self._error = None
        if record["status"] != "ok":
            self.failed += 1
            if record["error"] not in self._told:
                self._told.add(record["error"])
                self._error = f"{record['id']}: {record['error']}"
            return
        self.done += 1
        row = self._rows[index]
        right_and_all = self._votes[SEVERITY_NAMES[row["severity"]]]
        right_and_all[0] += sum(vote == row["answer"] for vote in record["votes"])
        right_and_all[1] += len(record["votes"])
        self.missing.add(record)

    def progress(self, done: int | None = None, *, stopping: bool = False) -> Progress:
        """Return where the run is; `done` counts the rows of other processes too."""
        accuracy = {name: right / votes for name, (right, votes) in self._votes.items() if votes}
        done = self.done if done is None else done
        error = None if stopping else self._error
        return Progress(done, self.total, self.failed, error, accuracy, replace(self.missing), stopping)
