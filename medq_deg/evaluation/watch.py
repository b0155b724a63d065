"""Stopping a run that cannot come to anything: it is judged by the first rows that all its processes have answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from medq_deg.evaluation.missing import ADVICE, FIRST_ROWS, Missing
from medq_deg.evaluation.processes import Processes

_ROWS: Final = "watched rows"
_HOPELESS: Final = "hopeless"


class Watch:
    """Counts the votes of all processes, and judges them once.

    Parameters
    ----------
    processes : Processes
        Those that share the run.
    keep_going : bool
        Never find a run hopeless.
    """

    def __init__(self, processes: Processes, *, keep_going: bool) -> None:
        self._processes = processes
        self._judging = not keep_going
        self._reason = ""

    def begin(self, missing: Missing, rows: int) -> bool:
        """Take in what earlier starts have answered; return whether that is hopeless. Before any row is shared."""
        self._count(missing)
        return self._judge(rows)

    def see(self, record: Mapping[str, Any]) -> bool:
        """Count an answered or failed row; return whether the run is hopeless."""
        if record["status"] == "ok":
            here = Missing()
            here.add(record)
            self._count(here)
            self._judge(1)
        return bool(self._reason)

    @property
    def missing(self) -> Missing:
        """Votes of all processes and starts."""
        return Missing(**{name: self._processes.count(name, 0) for name in Missing().as_dict()})

    @property
    def stopped(self) -> str:
        """Why the run was stopped and what to do, by whatever process; empty if it was not."""
        if not self._processes.count(_HOPELESS, 0):
            return ""
        reason = self._reason or self.missing.hopeless() or "too many votes name no option"
        return (
            f"stopped after {self._processes.count(_ROWS, 0)} rows, since {reason}: {ADVICE}, then start anew in "
            "another folder; or go on all the same with --keep-going"
        )

    def _count(self, missing: Missing) -> None:
        for name, votes in missing.as_dict().items():
            self._processes.count(name, votes)

    def _judge(self, rows: int) -> bool:
        seen = self._processes.count(_ROWS, rows)
        if self._judging and seen >= FIRST_ROWS:
            self._judging = False
            self._reason = self.missing.hopeless()
            self._processes.count(_HOPELESS, int(bool(self._reason)))
        return bool(self._reason)
