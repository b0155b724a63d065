"""What an engine is, and the one of this machine: the process itself, or a pool of processes."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, TypeVar

import cv2

from medq_deg.degradations import DEGRADATIONS, Degradation, register
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import DEGRADATION_NAMES

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """What runs the work."""

    workers: int
    """Items that are worked on at the same time."""

    shares_files: bool
    """Whether what lies on this machine's disks is seen where the work is done."""

    only_here: frozenset[str]
    """Degradations that were registered here and cannot be known elsewhere."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
    ) -> Iterator[Result | MedqDegError]:
        """Yield the result of each item, in order, or the error that it ended with.

        Parameters
        ----------
        function : callable
            Can be imported by its name.
        items : iterable
            Read as far as they are needed.
        ahead : int
            Items per worker that may be in work or wait to be fetched.

        Raises
        ------
        MedqDegError
            If the engine itself can work no more.
        """
        ...


def sendable() -> tuple[list[Degradation], frozenset[str]]:
    """Return the degradations that the program registered and other processes can import, and the names of the rest."""
    added = [entry for name, entry in DEGRADATIONS.items() if name not in DEGRADATION_NAMES]
    sent = [entry for entry in added if _can_be_sent(entry)]
    return sent, frozenset(entry.name for entry in added) - {entry.name for entry in sent}


def prepare(added: Sequence[Degradation]) -> None:
    """Make a process know what the program registered, beyond what entry points name, and work on one core."""
    cv2.setNumThreads(1)
    for entry in added:
        if entry.name not in DEGRADATIONS:
            register(entry)


def _can_be_sent(entry: Degradation) -> bool:
    """Whether a new process can import the function: it can not where it was typed at a prompt, or is a lambda."""
    if entry.function.__module__ == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        return False
    try:
        pickle.dumps(entry)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


class LocalEngine:
    """The process itself, or others of this machine, which are kept: a new one has to import and to build kernels.

    They know the degradations that the program has registered before, if their functions can be imported by name.

    Parameters
    ----------
    workers : int
        1 works in the process itself.

    Raises
    ------
    MedqDegError
        For less than one worker.
    """

    shares_files = True

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise MedqDegError(f"workers must be 1 or more, got {workers}")
        self.workers = workers
        self.only_here: frozenset[str] = frozenset()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalEngine:
        if self.workers > 1:
            sent, self.only_here = sendable()
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, context, initializer=prepare, initargs=(sent,))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
    ) -> Iterator[Result | MedqDegError]:
        """Yield the result of each item, in order, or the error that it ended with."""
        if self._pool is None:
            for item in items:
                yield outcome(lambda item=item: function(item))  # type: ignore[misc]
            return
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._submit(function, item))
            if len(waiting) >= ahead * self.workers:
                yield outcome(waiting.popleft().result)
        while waiting:
            yield outcome(waiting.popleft().result)

    def _submit(self, function: Callable[[Item], Result], item: Item) -> Future[Result]:
        assert self._pool is not None
        try:
            return self._pool.submit(function, item)
        except BrokenProcessPool:
            raise MedqDegError(_KILLED) from None


_KILLED = (
    "a worker process was killed, perhaps for want of memory: use fewer --workers; the same command goes on with what "
    "is missing"
)


def outcome(result: Callable[[], Result]) -> Result | MedqDegError:
    """Return a result, or the error about an input or a disk that it ended with.

    Raises
    ------
    MedqDegError
        If the process that worked on it was killed.
    """
    try:
        return result()
    except BrokenProcessPool:
        raise MedqDegError(_KILLED) from None
    except MedqDegError as error:
        return error
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return MedqDegError(told)
