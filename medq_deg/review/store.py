"""Verdicts in a review database: saved click by click, finished question by question, undone one by one.

Every click carries a name of its own. One that comes twice (a double click, a connection lost before the answer, a page
sent again) changes nothing the second time. A click tells which click it builds upon; if something else is stored by
then (another tab, an old page), nothing is changed and the page is shown what is stored.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from medq_deg.errors import MedqDegError
from medq_deg.review import assignment
from medq_deg.review.catalogue import Catalogue
from medq_deg.review.database import Database
from medq_deg.review.terms import DELETE, MOST_COMMENT, MOST_PER_QUESTION, REASONS, VERDICTS
from medq_deg.storable import storable

NO_CLICK: Final = ""
"""What a page builds upon where nothing was stored yet."""

_SEEN: Final = 60.0
"""Seconds after which it is noted again that somebody is there."""

_FIELDS: Final = ("verdict", "reason", "comment", "severity_l1", "severity_l2")


class NotYoursError(MedqDegError):
    """A question was never given to this reviewer."""


@dataclass(frozen=True)
class Verdict:
    """What a reviewer says about one degradation of a question.

    Attributes
    ----------
    verdict : {"keep", "delete"}, optional
        None: not decided yet.
    reason : str, optional
        A key of `REASONS`; only with "delete".
    comment : str
    severity_l1, severity_l2 : {0, 1, 2}, optional
        What the image at L1, and at L2, really looks like; None where the label is right.
    """

    verdict: str | None = None
    reason: str | None = None
    comment: str = ""
    severity_l1: int | None = None
    severity_l2: int | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: a deletion has its reason."""
        return self.verdict is not None and (self.verdict != DELETE or self.reason is not None)

    def checked(self) -> Verdict:
        """Return it with a comment that any program can read, or raise `MedqDegError`."""
        if self.verdict is not None and self.verdict not in VERDICTS:
            raise MedqDegError(f"a verdict is {' or '.join(VERDICTS)}, got {self.verdict[:40]!r}")
        if self.reason is not None and self.reason not in REASONS:
            raise MedqDegError(f"unknown reason {self.reason[:40]!r}; allowed: {', '.join(REASONS)}")
        if len(self.comment) > MOST_COMMENT:
            raise MedqDegError(f"a comment has at most {MOST_COMMENT:,} characters, this one has {len(self.comment):,}")
        for value in (self.severity_l1, self.severity_l2):
            if value not in (None, 0, 1, 2):
                raise MedqDegError(f"a severity is 0, 1 or 2, got {value}")
        return Verdict(
            self.verdict,
            self.reason if self.verdict == DELETE else None,
            storable(self.comment).strip(),
            self.severity_l1,
            self.severity_l2,
        )


@dataclass(frozen=True)
class Held:
    """A verdict, and the click that made it so."""

    verdict: Verdict
    click: str = NO_CLICK


@dataclass(frozen=True)
class Place:
    """Where a reviewer is: a question, its state, and the ones before and after it among their own."""

    question: int
    state: Literal["open", "skipped", "lapsed", "done"]
    nth: int
    previous: int | None
    next: int | None
    pairs: tuple[Held, ...]


@dataclass(frozen=True)
class Progress:
    """How far the review is.

    Attributes
    ----------
    questions, done : int
        All, and those that have all their reviewers.
    mine : int
        Those that this reviewer has finished.
    skipped : int
        Those that this reviewer has put off.
    """

    questions: int
    done: int
    mine: int
    skipped: int

    @property
    def left(self) -> int:
        """Questions that still need a reviewer."""
        return self.questions - self.done


class Store:
    """The review of one dataset.

    Parameters
    ----------
    database : Database
    catalogue : Catalogue
        What is reviewed; a new database is bound to it.
    slots : int, optional
        Reviewers that each question needs, 1 to 3; without it what the database says, else 1.
    clock : callable
        Seconds since the epoch.

    Raises
    ------
    MedqDegError
        If the database belongs to another dataset, or `slots` is out of range.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        slots: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if slots is not None and not 1 <= slots <= MOST_PER_QUESTION:
            raise MedqDegError(f"reviewers per question must be 1 to {MOST_PER_QUESTION}, got {slots}")
        self.database = database
        self.catalogue = catalogue
        self._clock = clock
        with database.writing() as tables:
            check_fingerprint(database, catalogue.name, catalogue.fingerprint)
            if database.meta("fingerprint") is None:
                _bind(tables, catalogue)
            if slots is not None:
                _note(tables, "slots", str(slots))
        self.slots = int(database.meta("slots") or 1)

    def take(self, reviewer: int) -> int | None:
        """Return the question that a reviewer works on next, and hold it for them; None if there is none."""
        with self.database.writing() as tables:
            return assignment.take(tables, reviewer, self.slots, self._clock())

    def ahead(self, reviewer: int) -> int | None:
        """Return the question that a reviewer would get next if nobody else took it; nothing is held."""
        with self.database.reading() as tables:
            return assignment.fresh(tables, reviewer, self.slots)

    def place(self, reviewer: int, question: int) -> Place:
        """Return a reviewer's own question, and note that they are there.

        Raises
        ------
        NotYoursError
            If it was never given to them.
        """
        with self.database.writing() as tables:
            row = _assigned(tables, reviewer, question)
            self._seen(tables, reviewer, question)
            around = [
                _number(
                    tables.execute(
                        "SELECT question FROM assignments "
                        f"WHERE reviewer = ? AND nth {side} ? ORDER BY nth {way} LIMIT 1",
                        (reviewer, row["nth"]),
                    ).fetchone()
                )
                for side, way in (("<", "DESC"), (">", "ASC"))
            ]
            held = {
                each["pair"]: Held(_verdict(each), each["click"])
                for each in tables.execute(
                    "SELECT * FROM verdicts WHERE question = ? AND reviewer = ?", (question, reviewer)
                )
            }
        pairs = tuple(held.get(pair, Held(Verdict())) for pair in range(len(self.catalogue[question].pairs)))
        return Place(question, row["state"], row["nth"], around[0], around[1], pairs)

    def seen(self, reviewer: int, question: int) -> None:
        """Note that a reviewer still has a question open."""
        with self.database.writing() as tables:
            self._seen(tables, reviewer, question)

    def _seen(self, tables: sqlite3.Connection, reviewer: int, question: int) -> None:
        now = self._clock()
        tables.execute(
            # Not each time: every change is waited for.
            "UPDATE assignments SET seen = ? WHERE reviewer = ? AND question = ? AND seen < ?",
            (now, reviewer, question, now - _SEEN),
        )

    def save(
        self, reviewer: int, question: int, pair: int, verdict: Verdict, click: str, known: Collection[str]
    ) -> tuple[Held, bool]:
        """Store a verdict.

        Parameters
        ----------
        reviewer, question, pair : int
        verdict : Verdict
        click : str
            Name of this click; one that was stored before changes nothing.
        known : collection of str
            Clicks that the page builds upon: the one it was shown, and its own that it has no answer to.

        Returns
        -------
        Held, bool
            What is stored now, and whether that is what the click wanted: False if something else was stored since.

        Raises
        ------
        MedqDegError
            For a verdict that is none, or a question that was never given to this reviewer.
        """
        verdict = verdict.checked()
        now = self._clock()
        with self.database.writing() as tables:
            _assigned(tables, reviewer, question)
            if not 0 <= pair < len(self.catalogue[question].pairs):
                raise NotYoursError(f"question {question} has no degradation of number {pair}")
            before = _stored(tables, reviewer, question, pair)
            if _clicked(tables, reviewer, click) is not None:
                return before, True
            if before.click not in known:
                return before, False
            assignment.hold(tables, question, reviewer, self.slots, now)
            _write(tables, reviewer, question, pair, verdict, click, now)
            _log(tables, reviewer, click, "verdict", question, pair, _as_json(before.verdict), _as_json(verdict), now)
            if not verdict.complete:
                self._reopen(tables, reviewer, question)
        return Held(verdict, click), True

    def finish(self, reviewer: int, question: int, click: str, seconds: float | None = None) -> list[int]:
        """Mark a question as done, unless something is missing.

        Parameters
        ----------
        reviewer, question : int
        click : str
        seconds : float, optional
            Time that the reviewer worked on it; never more than has passed since it was given out.

        Returns
        -------
        list of int
            The degradations that have no verdict, or no reason, yet; empty if the question is done.
        """
        now = self._clock()
        with self.database.writing() as tables:
            row = _assigned(tables, reviewer, question)
            pairs = range(len(self.catalogue[question].pairs))
            missing = [pair for pair in pairs if not _stored(tables, reviewer, question, pair).verdict.complete]
            if missing or row["state"] == "done" or _clicked(tables, reviewer, click) is not None:
                return missing
            assignment.hold(tables, question, reviewer, self.slots, now)
            passed = max(0.0, now - row["given"])
            tables.execute(
                "UPDATE assignments SET state = 'done', finished = ?, seconds = ? WHERE question = ? AND reviewer = ?",
                (now, passed if seconds is None else min(max(0.0, seconds), passed), question, reviewer),
            )
            _log(tables, reviewer, click, "done", question, None, row["state"], "done", now)
        return []

    def go_on(
        self, reviewer: int, question: int, click: str, seconds: float | None = None
    ) -> tuple[list[int], int | None]:
        """Finish a question and return what is missing, as `finish` does, and the question that comes after it.

        That is the one after it among the reviewer's own, or else a new one; None if there is none. Both are one
        transaction, so that the disk is waited for once.
        """
        with self.database.writing():
            missing = self.finish(reviewer, question, click, seconds)
            if missing:
                return missing, None
            after = self.place(reviewer, question).next
            return [], after if after is not None else self.take(reviewer)

    def skip(self, reviewer: int, question: int, click: str) -> None:
        """Put a question off: somebody else may get it, and if not it comes again at the end."""
        now = self._clock()
        with self.database.writing() as tables:
            row = _assigned(tables, reviewer, question)
            if row["state"] == "open" and _clicked(tables, reviewer, click) is None:
                assignment.let_go(tables, question, reviewer)
                _log(tables, reviewer, click, "skip", question, None, "open", "skipped", now)

    def undo(self, reviewer: int, click: str) -> int | None:
        """Take back a reviewer's last click that was not taken back yet, and return its question; None if none is."""
        now = self._clock()
        with self.database.writing() as tables:
            again = _clicked(tables, reviewer, click)
            if again is not None:
                return _number((again["question"],))
            last = tables.execute(
                "SELECT * FROM clicks WHERE reviewer = ? AND undone = 0 AND kind <> 'undo' "
                "ORDER BY number DESC LIMIT 1",
                (reviewer,),
            ).fetchone()
            if last is None:
                return None
            question = int(last["question"])
            tables.execute("UPDATE clicks SET undone = 1 WHERE number = ?", (last["number"],))
            _log(tables, reviewer, click, "undo", question, last["pair"], last["after"], last["before"], now)
            assignment.hold(tables, question, reviewer, self.slots, now)
            if last["kind"] == "verdict":
                verdict = Verdict(**json.loads(last["before"]))
                _write(tables, reviewer, question, last["pair"], verdict, click, now)
                if verdict.complete:
                    return question
            self._reopen(tables, reviewer, question)
        return question

    def _reopen(self, tables: sqlite3.Connection, reviewer: int, question: int) -> None:
        tables.execute(
            "UPDATE assignments SET state = 'open', finished = NULL, seconds = NULL "
            "WHERE question = ? AND reviewer = ? AND state = 'done'",
            (question, reviewer),
        )

    def progress(self, reviewer: int) -> Progress:
        """Return how far the review, and a reviewer, is."""
        with self.database.reading() as tables:
            done = tables.execute(
                "SELECT COUNT(*) FROM (SELECT 1 FROM assignments WHERE state = 'done' GROUP BY question "
                "HAVING COUNT(*) >= ?)",
                (self.slots,),
            ).fetchone()[0]
            own = dict(
                tables.execute(
                    "SELECT state, COUNT(*) FROM assignments WHERE reviewer = ? GROUP BY state", (reviewer,)
                ).fetchall()
            )
        return Progress(len(self.catalogue), done, own.get("done", 0), own.get("skipped", 0))


def check_fingerprint(database: Database, name: str, fingerprint: str) -> None:
    """Raise `MedqDegError` if a database is bound to other data; one that is new is bound to none."""
    bound = database.meta("fingerprint")
    if bound is not None and bound != fingerprint:
        raise MedqDegError(
            f"{database.path}: is the review of another dataset, {database.meta('name')!r} with fingerprint "
            f"{bound[:16]}; {name!r} has {fingerprint[:16]}"
        )


def _bind(tables: sqlite3.Connection, catalogue: Catalogue) -> None:
    """Write down what is reviewed, and the order in which it is given out.

    The order is drawn once, from the data's fingerprint, so that a review that stops early is a fair sample.
    """
    order = list(range(len(catalogue)))
    random.Random(catalogue.fingerprint).shuffle(order)
    turn = {question: place for place, question in enumerate(order)}
    tables.executemany(
        "INSERT INTO questions (question, question_id, modality, turn) VALUES (?, ?, ?, ?)",
        (
            (number, each.question.question_id, each.question.modality, turn[number])
            for number, each in enumerate(catalogue.questions)
        ),
    )
    tables.executemany(
        "INSERT INTO pairs VALUES (?, ?, ?)",
        (
            (number, pair, degradation)
            for number, each in enumerate(catalogue.questions)
            for pair, degradation in enumerate(each.pairs)
        ),
    )
    _note(tables, "name", catalogue.name)
    _note(tables, "fingerprint", catalogue.fingerprint)


def _note(tables: sqlite3.Connection, key: str, value: str) -> None:
    tables.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )


def _assigned(tables: sqlite3.Connection, reviewer: int, question: int) -> sqlite3.Row:
    row: sqlite3.Row | None = tables.execute(
        "SELECT * FROM assignments WHERE question = ? AND reviewer = ?", (question, reviewer)
    ).fetchone()
    if row is None:
        raise NotYoursError(f"question {question} was not given to this reviewer")
    return row


def _clicked(tables: sqlite3.Connection, reviewer: int, click: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = tables.execute(
        "SELECT * FROM clicks WHERE reviewer = ? AND click = ?", (reviewer, click)
    ).fetchone()
    return row


def _stored(tables: sqlite3.Connection, reviewer: int, question: int, pair: int) -> Held:
    row = tables.execute(
        "SELECT * FROM verdicts WHERE question = ? AND reviewer = ? AND pair = ?", (question, reviewer, pair)
    ).fetchone()
    return Held(Verdict()) if row is None else Held(_verdict(row), row["click"])


def _verdict(row: sqlite3.Row) -> Verdict:
    return Verdict(**{name: row[name] for name in _FIELDS})


def _as_json(verdict: Verdict) -> str:
    return json.dumps({name: getattr(verdict, name) for name in _FIELDS})


def _write(
    tables: sqlite3.Connection, reviewer: int, question: int, pair: int, verdict: Verdict, click: str, now: float
) -> None:
    values: Sequence[Any] = [getattr(verdict, name) for name in _FIELDS]
    tables.execute(
        "INSERT OR REPLACE INTO verdicts (question, reviewer, pair, verdict, reason, comment, severity_l1, "
        "severity_l2, saved, click) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (question, reviewer, pair, *values, now, click),
    )


def _log(
    tables: sqlite3.Connection,
    reviewer: int,
    click: str,
    kind: str,
    question: int,
    pair: int | None,
    before: str | None,
    after: str | None,
    now: float,
) -> None:
    tables.execute(
        "INSERT INTO clicks (reviewer, click, kind, question, pair, before, after, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (reviewer, click, kind, question, pair, before, after, now),
    )


def _number(row: Any) -> int | None:
    return None if row is None or row[0] is None else int(row[0])
