"""Which question a reviewer gets: as many independent reviewers for each as were asked for, never one more.

A question has slots, one for each reviewer that it needs. Whoever opens a question takes a slot, so that two people
never hold the same one. A slot is free again when its holder skips the question, or was not seen for `LEASE` seconds;
what they had given by then stays and is shown to them when they come back. A verdict that comes after that is kept too,
in a further slot if need be. Questions that have begun are filled first, then come the others in the review's order.
"""

from __future__ import annotations

import sqlite3
from typing import Final

LEASE: Final = 3600.0
"""Seconds after which an open question of somebody who is not there goes to another; an open page is there."""


def take(tables: sqlite3.Connection, reviewer: int, slots: int, now: float) -> int | None:
    """Return the question that a reviewer works on next, and hold it for them; None if there is none.

    Parameters
    ----------
    tables : sqlite3.Connection
        Within a transaction that writes.
    reviewer : int
    slots : int
        Reviewers that each question needs.
    now : float
        Seconds since the epoch.
    """
    release_lapsed(tables, reviewer, now)
    for find in (_open, _lapsed, fresh, _skipped):
        question = find(tables, reviewer, slots)
        if question is not None:
            hold(tables, question, reviewer, slots, now)
            return question
    return None


def release_lapsed(tables: sqlite3.Connection, reviewer: int, now: float) -> None:
    """Free the slots of those who were not seen for long, but not the reviewer's own."""
    tables.execute(
        "UPDATE questions SET taken = taken - "
        "(SELECT COUNT(*) FROM assignments a WHERE a.question = questions.question AND a.state = 'open' "
        " AND a.seen < ? AND a.reviewer <> ?) "
        "WHERE question IN (SELECT question FROM assignments WHERE state = 'open' AND seen < ? AND reviewer <> ?)",
        (now - LEASE, reviewer, now - LEASE, reviewer),
    )
    tables.execute(
        "UPDATE assignments SET state = 'lapsed', slot = NULL WHERE state = 'open' AND seen < ? AND reviewer <> ?",
        (now - LEASE, reviewer),
    )


def hold(tables: sqlite3.Connection, question: int, reviewer: int, slots: int, now: float) -> None:
    """Give a reviewer a slot of a question: a free one, or, for one who held it before, a further one."""
    held = tables.execute(
        "SELECT slot FROM assignments WHERE question = ? AND reviewer = ?", (question, reviewer)
    ).fetchone()
    if held is not None and held[0] is not None:
        return
    used = {row[0] for row in tables.execute("SELECT slot FROM assignments WHERE question = ?", (question,))}
    slot = next(number for number in range(1, slots + len(used) + 2) if number not in used)
    tables.execute("UPDATE questions SET taken = taken + 1 WHERE question = ?", (question,))
    if held is not None:
        tables.execute(
            "UPDATE assignments SET slot = ?, state = 'open', seen = ? WHERE question = ? AND reviewer = ?",
            (slot, now, question, reviewer),
        )
        return
    tables.execute(
        "INSERT INTO assignments (question, reviewer, slot, state, nth, given, seen) VALUES (?, ?, ?, 'open', "
        "(SELECT COALESCE(MAX(nth), 0) + 1 FROM assignments WHERE reviewer = ?), ?, ?)",
        (question, reviewer, slot, reviewer, now, now),
    )


def let_go(tables: sqlite3.Connection, question: int, reviewer: int) -> None:
    """Free a reviewer's slot: the question is skipped."""
    freed = tables.execute(
        "UPDATE assignments SET state = 'skipped', slot = NULL, "
        "nth = (SELECT MAX(nth) + 1 FROM assignments WHERE reviewer = ?) "
        "WHERE question = ? AND reviewer = ? AND slot IS NOT NULL",
        (reviewer, question, reviewer),
    )
    tables.execute("UPDATE questions SET taken = taken - ? WHERE question = ?", (freed.rowcount, question))


def _open(tables: sqlite3.Connection, reviewer: int, slots: int) -> int | None:
    return _first(
        tables,
        "SELECT question FROM assignments WHERE reviewer = ? AND state = 'open' ORDER BY nth LIMIT 1",
        (reviewer,),
    )


def _lapsed(tables: sqlite3.Connection, reviewer: int, slots: int) -> int | None:
    return _own(tables, reviewer, slots, "lapsed")


def _skipped(tables: sqlite3.Connection, reviewer: int, slots: int) -> int | None:
    return _own(tables, reviewer, slots, "skipped")


def _own(tables: sqlite3.Connection, reviewer: int, slots: int, state: str) -> int | None:
    return _first(
        tables,
        "SELECT a.question FROM assignments a JOIN questions q USING (question) "
        "WHERE a.reviewer = ? AND a.state = ? AND q.taken < ? ORDER BY a.nth LIMIT 1",
        (reviewer, state, slots),
    )


def fresh(tables: sqlite3.Connection, reviewer: int, slots: int) -> int | None:
    """Return the question nearest to having all its reviewers, among those the reviewer never had."""
    for taken in reversed(range(slots)):
        found = _first(
            tables,
            "SELECT q.question FROM questions q WHERE q.taken = ? AND NOT EXISTS "
            "(SELECT 1 FROM assignments a WHERE a.question = q.question AND a.reviewer = ?) ORDER BY q.turn LIMIT 1",
            (taken, reviewer),
        )
        if found is not None:
            return found
    return None


def _first(tables: sqlite3.Connection, query: str, values: tuple[object, ...]) -> int | None:
    row = tables.execute(query, values).fetchone()
    return None if row is None else int(row[0])
