"""The file of a review: SQLite in WAL mode, one writer at a time, every commit on the disk before it is told.

Only what opening, checking and copying it needs is here; `medq_deg.review.store` knows what the tables mean.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from medq_deg.errors import MedqDegError

_APPLICATION: Final = 0x4D514452
_VERSION: Final = 1
_WAIT: Final = 30.0
"""Seconds to wait for another process that writes."""

_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE questions (
    question INTEGER PRIMARY KEY,          -- place in the catalogue, from 0
    question_id TEXT NOT NULL UNIQUE,
    modality TEXT NOT NULL,
    turn INTEGER NOT NULL,                 -- order in which questions are given out
    taken INTEGER NOT NULL DEFAULT 0       -- slots in use
);
CREATE INDEX questions_by_turn ON questions (taken, turn);
CREATE TABLE pairs (
    question INTEGER NOT NULL REFERENCES questions,
    pair INTEGER NOT NULL,
    degradation TEXT NOT NULL,
    PRIMARY KEY (question, pair)
) WITHOUT ROWID;
CREATE TABLE reviewers (
    reviewer INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    token_hash TEXT UNIQUE,                -- none: revoked, or the one reviewer at this computer
    invited REAL NOT NULL
);
CREATE TABLE sessions (
    session_hash TEXT PRIMARY KEY,
    reviewer INTEGER NOT NULL REFERENCES reviewers,
    csrf TEXT NOT NULL,
    begun REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE assignments (
    question INTEGER NOT NULL REFERENCES questions,
    reviewer INTEGER NOT NULL REFERENCES reviewers,
    slot INTEGER,                          -- none: skipped, or lapsed
    state TEXT NOT NULL CHECK (state IN ('open', 'skipped', 'lapsed', 'done')),
    nth INTEGER NOT NULL,                  -- order within the reviewer's own
    given REAL NOT NULL,
    seen REAL NOT NULL,
    finished REAL,
    seconds REAL,
    PRIMARY KEY (question, reviewer),
    UNIQUE (question, slot)
) WITHOUT ROWID;
CREATE INDEX assignments_of ON assignments (reviewer, nth);
CREATE INDEX assignments_in ON assignments (state, seen);
CREATE TABLE verdicts (
    question INTEGER NOT NULL,
    reviewer INTEGER NOT NULL,
    pair INTEGER NOT NULL,
    verdict TEXT CHECK (verdict IN ('keep', 'delete')),
    reason TEXT,
    comment TEXT NOT NULL DEFAULT '',
    severity_l1 INTEGER CHECK (severity_l1 IN (0, 1, 2)),
    severity_l2 INTEGER CHECK (severity_l2 IN (0, 1, 2)),
    saved REAL NOT NULL,
    click TEXT NOT NULL,                   -- the click that made it so
    PRIMARY KEY (question, reviewer, pair)
) WITHOUT ROWID;
CREATE TABLE clicks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reviewer INTEGER NOT NULL,
    click TEXT NOT NULL,
    kind TEXT NOT NULL,
    question INTEGER,
    pair INTEGER,
    before TEXT,
    after TEXT,
    at REAL NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0,
    UNIQUE (reviewer, click)
);
"""


class Database:
    """A review database that is open; threads take turns.

    Parameters
    ----------
    path : Path
    create : bool
        Make it if there is none.
    writable : bool
        False opens it for reading alone, also while a server writes to it.

    Raises
    ------
    MedqDegError
        If there is none, it is something else, or it cannot be read or written.
    """

    def __init__(self, path: Path, *, create: bool = False, writable: bool = True) -> None:
        self.path = path
        self._lock = threading.RLock()
        if not path.exists() and not create:
            raise MedqDegError(f"{path}: no such review database; `medq-deg review DIR --db {path}` makes one")
        if path.is_dir():
            raise MedqDegError(f"{path}: is a folder, a review database is a file")
        if create and not path.parent.is_dir():
            raise MedqDegError(f"{path}: its folder does not exist")
        _check_header(path)
        try:
            self._connection = _connect(path, writable)
            self._begin(create, writable)
        except sqlite3.Error as error:
            raise _told(path, error) from None

    def _begin(self, create: bool, writable: bool) -> None:
        self._connection.row_factory = sqlite3.Row
        empty = self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
        if not (create and empty):
            self._check()  # before anything of a foreign file is changed
        if writable:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        if create and empty:
            with self.writing() as tables:
                # Within the transaction, as two commands may make it at the same time.
                if not tables.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                    for statement in _TABLES.split(";"):
                        tables.execute(statement)
                    tables.execute("INSERT INTO meta VALUES ('created', ?)", (str(time.time()),))
                    tables.execute(f"PRAGMA application_id = {_APPLICATION}")
                    tables.execute(f"PRAGMA user_version = {_VERSION}")
            self._check()

    def _check(self) -> None:
        found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found != _APPLICATION:
            self._connection.close()
            raise MedqDegError(f"{self.path}: is a database, but not of a review")
        if version != _VERSION:
            self._connection.close()
            raise MedqDegError(f"{self.path}: is a review database of version {version}, this program knows {_VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection within a transaction, which is on the disk when this ends, or undone if it fails.

        Within another one it is part of that one.

        Raises
        ------
        MedqDegError
            If the database cannot be written.
        """
        with self._lock:
            try:
                within = self._connection.in_transaction
                if within:
                    yield self._connection
                    return
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _told(self.path, error) from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection; what is read within is of one moment.

        Raises
        ------
        MedqDegError
            If the database cannot be read.
        """
        with self._lock:
            try:
                inside = self._connection.in_transaction
                if not inside:
                    self._connection.execute("BEGIN")
                try:
                    yield self._connection
                finally:
                    if not inside and self._connection.in_transaction:
                        self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise _told(self.path, error) from None

    def meta(self, key: str) -> str | None:
        """Return one of the notes about the review, such as the fingerprint of its data."""
        with self.reading() as tables:
            row = tables.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to a new file, also while a server writes to the database.

        Raises
        ------
        MedqDegError
            If the file exists or cannot be written.
        """
        if os.path.lexists(target):
            raise MedqDegError(f"{target}: exists; choose another name for the copy")
        try:
            part = target.with_name(f".{target.name}.part")
            part.unlink(missing_ok=True)
            copy = sqlite3.connect(part)
            try:
                with self._lock:
                    self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()
            os.replace(part, target)
        except sqlite3.Error as error:
            raise _told(target, error) from None

    def close(self) -> None:
        """Close it; the write-ahead log is merged into the file if nobody else has it open."""
        with self._lock:
            self._connection.close()


def _connect(path: Path, writable: bool) -> sqlite3.Connection:
    if writable:
        if path.exists() and not os.access(path, os.W_OK):
            raise MedqDegError(f"{path}: cannot be written")
        if not os.access(path.parent, os.W_OK):
            raise MedqDegError(f"{path.parent}: is a folder that cannot be written, which a review database needs")
        return _opened(str(path))
    uri = path.resolve().as_uri()
    connection = sqlite3.connect(
        f"{uri}?mode=ro", uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
        return connection
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        # A whole copy in a folder that cannot be written: nothing can be writing to it either.
        return sqlite3.connect(
            f"{uri}?immutable=1", uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )


def _opened(name: str) -> sqlite3.Connection:
    return sqlite3.connect(
        name, uri=name.startswith("file:"), timeout=_WAIT, isolation_level=None, check_same_thread=False
    )


def _check_header(path: Path) -> None:
    """Refuse what is no SQLite file before SQLite touches it."""
    if not path.exists():
        return
    with path.open("rb") as file:
        start = file.read(16)
    if start and start != b"SQLite format 3\0":
        raise MedqDegError(f"{path}: is no review database")


def _told(path: Path, error: sqlite3.Error) -> MedqDegError:
    text = str(error)
    if "locked" in text:
        return MedqDegError(f"{path}: another process has written to it for {_WAIT:.0f} seconds; try again")
    if isinstance(error, sqlite3.OperationalError) and ("readonly" in text or "unable to open" in text):
        return MedqDegError(f"{path}: cannot be written, nor may its folder ({text})")
    return MedqDegError(f"{path}: the review database cannot be used ({text})")
