"""One process, or several that a launcher such as accelerate or torchrun started, sharing the rows of one run.

The processes claim rows one by one from a counter in the launcher's key-value store, so a slow one holds up nothing but
the rows it has claimed. No collective operation is used: nothing waits with a timeout while others work.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Protocol

_PATIENCE = timedelta(days=30)


class Processes(Protocol):
    """The processes of a run, seen from one of them; `rank` 0 of `count` leads."""

    rank: int
    count: int

    def share(self, todo: Sequence[int] | None) -> Iterator[int]:
        """Return an iterator over this process's part of the list that rank 0 gives."""
        ...

    def add_done(self, rows: int) -> int:
        """Count rows as done, and return how many are done in all processes."""
        ...

    def finish(self) -> None:
        """Say that this process has nothing left to do; rank 0 returns when all have said so."""
        ...


class OneProcess:
    """A run in this process alone."""

    rank, count = 0, 1

    def __init__(self) -> None:
        self._done = 0

    def share(self, todo: Sequence[int] | None) -> Iterator[int]:
        """Return the list as it is."""
        return iter(todo or ())

    def add_done(self, rows: int) -> int:
        """Count."""
        self._done += rows
        return self._done

    def finish(self) -> None:
        """Return at once."""


class LaunchedProcesses:
    """The processes that a launcher started, by the environment that it set."""

    def __init__(self) -> None:
        from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

        store, self.rank, self.count = next(rendezvous("env://", timeout=_PATIENCE))
        self._store = PrefixStore("medq-deg", store)

    def share(self, todo: Sequence[int] | None) -> Iterator[int]:
        """Return an iterator over indices that no other process gets; the others first wait for rank 0's list."""
        if not self.rank:
            self._store.set("todo", json.dumps(list(todo or ())))
        return self._claim(json.loads(self._store.get("todo")))

    def _claim(self, shared: Sequence[int]) -> Iterator[int]:
        while (place := self._store.add("claimed", 1) - 1) < len(shared):
            yield shared[place]

    def add_done(self, rows: int) -> int:
        """Count."""
        return int(self._store.add("done", rows))

    def finish(self) -> None:
        """Tell rank 0, which may serve the store and therefore leaves last."""
        self._store.set(f"finished-{self.rank}", "")
        if not self.rank:
            self._store.wait([f"finished-{rank}" for rank in range(self.count)], _PATIENCE)


def processes() -> Processes:
    """Return the processes of this run: what a launcher started, or this one alone."""
    return LaunchedProcesses() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else OneProcess()
