"""One process, or several that a launcher such as accelerate or torchrun started, sharing the rows of one run.

The processes claim rows one by one from a counter in the launcher's key-value store, so a slow one holds up nothing but
the rows it has claimed. No collective operation is used: nothing waits with a timeout while others work.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from datetime import timedelta
from typing import Protocol

from medq_deg.errors import MedqDegError

_MEETING = timedelta(minutes=10)
"""For which the processes of a launcher wait for one another at the start."""

_PATIENCE = timedelta(days=30)
"""For which they wait while others work."""


class Processes(Protocol):
    """The processes of a run, seen from one of them; `rank` 0 of `size` leads."""

    rank: int
    size: int

    def for_run(self, name: str) -> Processes:
        """Return the same processes for one of several runs after one another, with counts of its own."""
        ...

    def share(self, todo: Sequence[int] | None) -> Iterator[int]:
        """Return an iterator over this process's part of the list that rank 0 gives."""
        ...

    def count(self, what: str, rows: int) -> int:
        """Add to a count that all processes share, and return it."""
        ...

    def tell(self, what: str, text: str) -> None:
        """Leave a text for rank 0."""
        ...

    def told(self, what: str) -> list[str]:
        """Return the texts that the other processes left; rank 0 asks once all have finished."""
        ...

    def finish(self) -> None:
        """Return when every process has nothing left to do."""
        ...


class OneProcess:
    """A run in this process alone."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def for_run(self, name: str) -> OneProcess:
        """Return this process with counts of its own."""
        del name
        return OneProcess()

    def share(self, todo: Sequence[int] | None) -> Iterator[int]:
        """Return the list as it is."""
        return iter(todo or ())

    def count(self, what: str, rows: int) -> int:
        """Count."""
        self._counts[what] += rows
        return self._counts[what]

    def tell(self, what: str, text: str) -> None:
        """There is no other process to tell."""

    def told(self, what: str) -> list[str]:
        """Return nothing."""
        del what
        return []

    def finish(self) -> None:
        """Return at once."""


class LaunchedProcesses:
    """The processes that a launcher started, by the environment that it set."""

    def __init__(self) -> None:
        from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

        try:
            store, self.rank, self.size = next(rendezvous("env://", timeout=_MEETING))
        except (ValueError, RuntimeError) as error:
            raise MedqDegError(
                f"WORLD_SIZE is {os.environ['WORLD_SIZE']!r}, but the processes of a launcher do not meet: {error}"
            ) from None
        store.set_timeout(_PATIENCE)
        self._store = PrefixStore("medq-deg", store)

    def for_run(self, name: str) -> LaunchedProcesses:
        """Return the same processes with a part of the store of its own."""
        from torch.distributed import PrefixStore  # type: ignore[attr-defined]

        other = copy(self)
        other._store = PrefixStore(name, self._store)
        return other

    def share(self, todo: Sequence[int] | None) -> Iterator[int]:
        """Return an iterator over indices that no other process gets; the others first wait for rank 0's list."""
        if not self.rank:
            self._store.set("todo", json.dumps(list(todo or ())))
        return self._claim(json.loads(self._store.get("todo")))

    def _claim(self, shared: Sequence[int]) -> Iterator[int]:
        while (place := self._store.add("claimed", 1) - 1) < len(shared):
            yield shared[place]

    def count(self, what: str, rows: int) -> int:
        """Count."""
        return int(self._store.add(f"count-{what}", rows))

    def tell(self, what: str, text: str) -> None:
        """Leave a text in the store."""
        self._store.set(f"told-{what}-{self.rank}", text)

    def told(self, what: str) -> list[str]:
        """Return the texts of ranks 1 and up."""
        return [self._store.get(f"told-{what}-{rank}").decode() for rank in range(1, self.size)]

    def finish(self) -> None:
        """Wait for all: a process that leaves early takes the others with it, and rank 0 may serve the store."""
        self._store.set(f"finished-{self.rank}", "")
        self._store.wait([f"finished-{rank}" for rank in range(self.size)], _PATIENCE)
        self._store.set(f"left-{self.rank}", "")
        if not self.rank:
            self._store.wait([f"left-{rank}" for rank in range(self.size)], _PATIENCE)


def processes() -> Processes:
    """Return the processes of this run: what a launcher started, or this one alone."""
    return OneProcess() if os.environ.get("WORLD_SIZE", "1") == "1" else LaunchedProcesses()
