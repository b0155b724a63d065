"""The engine for clusters: Dask's scheduler, which retries, spills and shows what it does; nothing of that is ours."""

from __future__ import annotations

import logging
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from medq_deg.degradations import Degradation
from medq_deg.degradations.version import code_fingerprint
from medq_deg.engines.local import Item, Result, outcome, prepare, sendable
from medq_deg.errors import MedqDegError

if TYPE_CHECKING:
    from distributed import Client, Future

RETRIES: Final = 3
"""Tries after a failed one. A worker that dies counts for itself, see Dask's `allowed-failures`."""

SAME: Final = ("medq-deg", "numpy", "scipy", "opencv-python-headless", "pillow", "pyarrow", "distributed")
"""Packages that decide the bytes of a result, or how the machines understand each other."""

_PATIENCE: Final = "10 s"


@contextmanager
def dask_engine(cluster: str | None, workers: int) -> Iterator[DaskEngine]:
    """Connect to a cluster, or start one of processes of this machine.

    Parameters
    ----------
    cluster : str, optional
        Address of a scheduler, such as ``tcp://10.0.0.1:8786``; without it workers are started here.
    workers : int
        Processes to start here.

    Raises
    ------
    MedqDegError
        If Dask is not installed, no scheduler answers, it has no workers, or one of them has another version of Python
        or of a package that decides the result.
    """
    try:
        import dask.config
        from distributed import Client, LocalCluster
    except ImportError:
        raise MedqDegError("--engine dask needs Dask: pip install 'medq-deg[scale]'") from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a scheduler that went is told of in one sentence, here
    if workers < 1:
        raise MedqDegError(f"workers must be 1 or more, got {workers}")
    if cluster is None:
        # Nobody looks at the profile of workers that have no dashboard, and it takes 5 % of a core.
        with dask.config.set({"distributed.worker.profile.enabled": False}):
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        with local, Client(local) as client:
            yield DaskEngine(client, "the cluster on this machine")
        return
    try:
        client = Client(cluster, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        raise MedqDegError(
            f"{cluster}: no Dask scheduler answers there ({' '.join(str(error).split())[:150]}); an address is "
            "tcp://HOST:8786"
        ) from None
    try:
        yield DaskEngine(client, cluster)
    finally:
        client.close()


class DaskEngine:
    """Workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    name : str
        Of the cluster, for messages.

    Raises
    ------
    MedqDegError
        If it has no workers, or one that cannot make the same bytes.
    """

    shares_files = False

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        try:
            client.wait_for_workers(1, timeout=30)
        except TimeoutError:
            raise MedqDegError(f"{name}: the scheduler has no worker; start some with `dask worker {name}`") from None
        check_workers(client)
        self.workers = sum(client.nthreads().values())
        self._added, self.only_here = sendable()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
    ) -> Iterator[Result | MedqDegError]:
        """Yield the result of each item, in order, or the error that it ended with."""
        run = partial(_run, function, self._added, versions_here())
        waiting: deque[Future] = deque()
        try:
            for item in items:
                waiting.append(self._client.submit(run, item, retries=RETRIES, pure=False))
                if len(waiting) >= ahead * self.workers:
                    yield self._outcome(waiting.popleft())
            while waiting:
                yield self._outcome(waiting.popleft())
        finally:
            if waiting and self._client.status == "running":
                self._client.cancel(list(waiting))

    def _outcome(self, future: Future) -> Any:
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            return outcome(future.result)
        except KilledWorker as error:
            return MedqDegError(
                f"{error.last_worker.address}: the worker died over this piece, and {error.allowed_failures} before "
                "it, perhaps for want of memory"
            )
        except (CancelledError, CommClosedError, TimeoutError):
            raise MedqDegError(
                f"{self._name}: the scheduler is gone, or has forgotten this job; start it again, and the same command "
                "goes on with what is missing"
            ) from None


def _run(function: Callable[[Any], Any], added: Sequence[Degradation], wanted: Mapping[str, str], item: Any) -> Any:
    """Do one item in a worker, which may have come later than the check of all workers."""
    found = versions_here()
    refuse_other("this worker", found, wanted)
    prepare(added)
    return function(item)


def versions_here() -> dict[str, str]:
    """Return the versions that have to be the same everywhere, of Python, of packages and of our code."""
    packages = {name: _version(name) for name in SAME}
    return {"Python": _minor(platform.python_version()), **packages, "code of the degradations": code_fingerprint()}


def check_workers(client: Client) -> None:
    """Raise `MedqDegError` if a worker has another version than this process, naming both.

    What is asked first are functions of Python's own library, which a worker without this package knows too.
    """
    wanted = versions_here()
    questions: dict[str, Callable[[], str]] = {"Python": platform.python_version}
    questions |= {name: partial(version, name) for name in SAME}
    questions["code of the degradations"] = code_fingerprint
    for name, ask in questions.items():
        for address, answer in sorted(client.run(ask, on_error="return").items()):
            found = "none" if isinstance(answer, BaseException) else str(answer)
            found = _minor(found) if name == "Python" else found
            refuse_other(f"the worker {address}", {name: found}, {name: wanted[name]})


def refuse_other(who: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raise `MedqDegError` that names both versions of the first thing in which a worker differs."""
    for name, mine in wanted.items():
        if found[name] != mine:
            raise MedqDegError(f"{who} has {name} {found[name]}, this program has {mine}: install the same on both")


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])


@cache
def _version(name: str) -> str:
    return version(name)
