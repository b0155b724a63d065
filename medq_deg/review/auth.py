"""Who may review: invitations, sessions, and how often somebody may try.

Tokens and session keys are random numbers of 256 bits, so a plain SHA-256 of them is kept: it cannot be turned back,
and there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from medq_deg.errors import MedqDegError
from medq_deg.review.database import Database
from medq_deg.review.terms import LOCAL, MOST_NAME

SESSION_SECONDS: Final = 30 * 86_400
"""How long a session lasts."""

TRIES: Final = 5
PER_SECONDS: Final = 300.0
"""An address may give this many wrong tokens in this time."""

TRIES_OF_ALL: Final = 100
"""All addresses together may give this many wrong tokens in that time."""

_NAME: Final = re.compile(r"[^\W_](?:[\w .'@-]*[\w.])?")


@dataclass(frozen=True)
class Session:
    """Who is asking.

    Attributes
    ----------
    reviewer : int
    name : str
    csrf : str
        What every form of this session carries.
    """

    reviewer: int
    name: str
    csrf: str


def hashed(secret: str) -> str:
    """Return what is kept of a token or a session key."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class Auth:
    """Reviewers and their sessions in a review database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def invite(self, name: str) -> str:
        """Return a new access token for a reviewer; an earlier one, and its sessions, are no longer valid.

        Raises
        ------
        MedqDegError
            For a name that is empty, too long, or not letters, digits and blanks.
        """
        name = checked_name(name)
        token = secrets.token_urlsafe(32)
        with self._database.writing() as tables:
            tables.execute(
                "INSERT INTO reviewers (name, token_hash, invited) VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash, invited = excluded.invited",
                (name, hashed(token), time.time()),
            )
            _end_sessions(tables, name)
        return token

    def revoke(self, name: str) -> None:
        """Take a reviewer's access away; what they have given stays.

        Raises
        ------
        MedqDegError
            If nobody of that name was invited.
        """
        with self._database.writing() as tables:
            changed = tables.execute(
                "UPDATE reviewers SET token_hash = NULL WHERE name = ? AND token_hash IS NOT NULL", (name,)
            )
            if not changed.rowcount:
                raise MedqDegError(f"no reviewer {name!r} has access; invited: {', '.join(self.invited()) or 'nobody'}")
            _end_sessions(tables, name)

    def invited(self) -> list[str]:
        """Return the names of those who have access by a token."""
        with self._database.reading() as tables:
            rows = tables.execute("SELECT name FROM reviewers WHERE token_hash IS NOT NULL ORDER BY name").fetchall()
        return [str(row[0]) for row in rows]

    def log_in(self, token: str) -> tuple[str, Session] | None:
        """Return a new session key and its session; None for a wrong token."""
        with self._database.reading() as tables:
            row = tables.execute(
                "SELECT reviewer, name FROM reviewers WHERE token_hash = ?", (hashed(token.strip()),)
            ).fetchone()
        return None if row is None else self._begin(int(row[0]), str(row[1]))

    def log_in_locally(self) -> tuple[str, Session]:
        """Return a session of the one reviewer at this computer."""
        with self._database.writing() as tables:
            tables.execute(
                "INSERT INTO reviewers (name, invited) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                (LOCAL, time.time()),
            )
            row = tables.execute("SELECT reviewer FROM reviewers WHERE name = ?", (LOCAL,)).fetchone()
        return self._begin(int(row[0]), LOCAL)

    def _begin(self, reviewer: int, name: str) -> tuple[str, Session]:
        key, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        now = time.time()
        with self._database.writing() as tables:
            tables.execute("DELETE FROM sessions WHERE begun < ?", (now - SESSION_SECONDS,))
            tables.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (hashed(key), reviewer, csrf, now))
        return key, Session(reviewer, name, csrf)

    def session(self, key: str) -> Session | None:
        """Return the session of a key, if there is one that has not ended."""
        with self._database.reading() as tables:
            row = tables.execute(
                "SELECT reviewer, name, csrf FROM sessions JOIN reviewers USING (reviewer) "
                "WHERE session_hash = ? AND begun > ?",
                (hashed(key), time.time() - SESSION_SECONDS),
            ).fetchone()
        return None if row is None else Session(int(row[0]), str(row[1]), str(row[2]))

    def log_out(self, key: str) -> None:
        """End a session."""
        with self._database.writing() as tables:
            tables.execute("DELETE FROM sessions WHERE session_hash = ?", (hashed(key),))


def _end_sessions(tables: sqlite3.Connection, name: str) -> None:
    tables.execute("DELETE FROM sessions WHERE reviewer = (SELECT reviewer FROM reviewers WHERE name = ?)", (name,))


def checked_name(name: str) -> str:
    """Return a reviewer's name without blanks around it, or raise `MedqDegError`."""
    name = name.strip()
    if len(name) > MOST_NAME or not _NAME.fullmatch(name):
        shown = name if len(name) <= MOST_NAME else f"{name[:MOST_NAME]}..."
        raise MedqDegError(
            f"a reviewer's name has 1 to {MOST_NAME} letters, digits, blanks, and . ' @ - within it, got {shown!r}"
        )
    if name.casefold() == LOCAL:
        raise MedqDegError(f"the name {LOCAL!r} stands for whoever reviews without an invitation; choose another one")
    return name


class Limiter:
    """Counts wrong tokens by address; kept in memory, as tokens cannot be guessed anyway.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Return the seconds until an address may try again; 0 if it may now."""
        with self._lock:
            now = self._clock()
            for each in list(self._wrong):
                times = self._wrong[each]
                while times and times[0] <= now - PER_SECONDS:
                    times.popleft()
                if not times:
                    del self._wrong[each]
            own = self._wrong.get(address, deque())
            if len(own) >= TRIES:
                return own[-TRIES] + PER_SECONDS - now
            everybody = sorted(moment for times in self._wrong.values() for moment in times)
            if len(everybody) >= TRIES_OF_ALL:
                return everybody[-TRIES_OF_ALL] + PER_SECONDS - now
            return 0.0

    def wrong(self, address: str) -> None:
        """Note that an address gave a wrong token."""
        with self._lock:
            self._wrong.setdefault(address, deque()).append(self._clock())
