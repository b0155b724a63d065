"""Keeping two jobs off one output, also where the output is in an object store that knows no locks.

There a job lays down a ticket, and refreshes it while it lives. Whoever finds another's ticket watches it: if it is
refreshed, its job lives and the newcomer is refused; if not, its job was killed and the ticket is taken away. A store
that shows at once what was written (S3, GCS) lets at most one job through: of two that come together, the one that
writes its ticket second sees the first.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs

from medq_deg.errors import MedqDegError
from medq_deg.files import hold_folder
from medq_deg.scale.places import SCRATCH, Place, clear, remove, telling

REFRESH: Final = 5.0
"""Seconds between two signs of life."""

PATIENCE: Final = 20.0
"""Seconds without a sign of life after which a job is taken for dead."""


@contextmanager
def hold_place(out: Place, *, refresh: float = REFRESH, patience: float = PATIENCE) -> Iterator[None]:
    """Hold an output folder for this job.

    Parameters
    ----------
    out : Place
    refresh, patience : float
        Seconds; for folders of object stores.

    Raises
    ------
    MedqDegError
        If another job holds it.
    """
    told = f"{out}: another job is writing here; wait until it ends, or choose another folder"
    if out.local:
        with hold_folder(Path(out.path), told):
            yield
        return
    jobs = out / f"{SCRATCH}/jobs"
    _let_die(jobs, told, patience)
    own = jobs / uuid.uuid4().hex
    _refresh(own)
    try:
        if set(_tickets(jobs)) - {own.path}:
            raise MedqDegError(told)
        ended = threading.Event()
        life = threading.Thread(target=_live, args=(own, ended, refresh), daemon=True)
        life.start()
        try:
            yield
        finally:
            ended.set()
            life.join()
    finally:
        remove(own)
        clear(jobs)  # the empty folder that pyarrow leaves


def _let_die(jobs: Place, told: str, patience: float) -> None:
    """Return once no ticket is left: at once, or when those that are there were not refreshed for a while."""
    before = _tickets(jobs)
    waited = time.monotonic() + patience
    while before and time.monotonic() < waited:
        time.sleep(min(1.0, patience / 10))
        now = _tickets(jobs)
        if any(before.get(path) != moment for path, moment in now.items()):
            raise MedqDegError(told)
        before = now
    for path in before:
        remove(Place(path, jobs.system, path))


def _tickets(jobs: Place) -> dict[str, datetime]:
    with telling(jobs):
        found = jobs.system.get_file_info(pafs.FileSelector(jobs.path, allow_not_found=True))
    return {info.path: info.mtime for info in found if info.type == pafs.FileType.File}


def _refresh(ticket: Place) -> None:
    with telling(ticket), ticket.system.open_output_stream(ticket.path) as file:
        file.write(b"a job is writing here\n")


def _live(ticket: Place, ended: threading.Event, refresh: float) -> None:
    while not ended.wait(refresh):
        try:
            _refresh(ticket)
        except (MedqDegError, OSError, pa.ArrowException):
            continue  # the store was away for a moment: the next sign of life tells
