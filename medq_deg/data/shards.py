"""Parquet shards of rows with embedded images, each either complete or absent, resumable to the byte."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from medq_deg.data.encoding import encode_png
from medq_deg.data.features import features
from medq_deg.degradations import DEGRADATIONS, Degradation, degrade, register
from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.images import open_image
from medq_deg.taxonomy import DEGRADATION_NAMES

SHARD_BYTES = 400 * 2**20
"""A shard is closed when its images reach this size."""

ROW_GROUP_BYTES = 16 * 2**20
"""A row group is closed when its images reach this size: what a streaming reader fetches at once."""


_AHEAD = 8
"""Images per worker that may wait for the writer."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to make one image."""

    image: Path
    degradation: str
    severity: int
    seed: int
    modality: str
    keep_marking: bool


def make_image(job: Job) -> bytes:
    """Return the image of a row as PNG: the clean one as it was collected, or degraded."""
    data = job.image.read_bytes()
    if not job.severity:
        return data
    image = degrade(
        open_image(data),
        job.degradation,
        job.severity,
        job.seed,
        modality=job.modality,
        keep_marking=job.keep_marking,
    )
    return encode_png(image)


def _start_worker(added: Sequence[Degradation]) -> None:
    """Make a new process know what the program registered, beyond what entry points name."""
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


class Workers:
    """Processes that make images, kept for a whole build: a new process has to import and to build kernels.

    They know the degradations that the program has registered before, if their functions can be imported by name.

    Parameters
    ----------
    count : int
        1 works in this process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None
        self._only_here: frozenset[str] = frozenset()

    def __enter__(self) -> Workers:
        if self.count > 1:
            added = [entry for name, entry in DEGRADATIONS.items() if name not in DEGRADATION_NAMES]
            sent = [entry for entry in added if _can_be_sent(entry)]
            self._only_here = frozenset(entry.name for entry in added) - {entry.name for entry in sent}
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, context, initializer=_start_worker, initargs=(sent,))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def make(self, jobs: Sequence[Job]) -> Iterator[bytes]:
        """Yield the image of each job, in order; at most a few per worker are held at once.

        Raises
        ------
        MedqDegError
            If a job's degradation is one that other processes cannot import.
        """
        if self._pool is None:
            yield from map(make_image, jobs)
            return
        waiting: deque[Future[bytes]] = deque()
        for job in jobs:
            if job.degradation in self._only_here:
                raise MedqDegError(
                    f"{job.degradation} cannot go to worker processes, as its function cannot be imported by name: "
                    "define it in a module, or build with one worker"
                )
            waiting.append(self._pool.submit(make_image, job))
            if len(waiting) >= _AHEAD * self.count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def write_split(
    folder: Path,
    split: str,
    rows: Sequence[dict[str, Any]],
    jobs: Sequence[Job],
    *,
    workers: Workers,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int], None] = lambda rows: None,
) -> list[Path]:
    """Write the rows of a split as shards ``<split>-00000.parquet`` and so on, going on after the shards that exist.

    Where a shard ends depends on the images alone, so a build that was stopped ends with the same bytes.

    Parameters
    ----------
    folder : Path
        Folder of the shards.
    split : str
    rows : sequence of dicts
        Rows without images, encoded as `features` wants them.
    jobs : sequence of Job
        One for each row.
    workers : Workers
        Make the images.
    shard_bytes : int
        Size of the images at which a shard is closed.
    progress : callable
        Called with the number of rows made or found.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    done = 0
    while (path := folder / f"{split}-{len(paths):05d}.parquet").exists():
        done += pq.read_metadata(path).num_rows
        paths.append(path)
    progress(done)
    schema = features().arrow_schema
    images = workers.make(jobs[done:])
    while done < len(rows):
        path = folder / f"{split}-{len(paths):05d}.parquet"
        size = 0
        with replace_file(path) as file, pq.ParquetWriter(file, schema) as writer:
            while done < len(rows) and size < shard_bytes:
                group: list[dict[str, Any]] = []
                group_size = 0
                while done < len(rows) and group_size < ROW_GROUP_BYTES and size + group_size < shard_bytes:
                    data = next(images)
                    group.append({**rows[done], "image": {"bytes": data, "path": None}})
                    group_size += len(data)
                    done += 1
                    progress(1)
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                size += group_size
        paths.append(path)
    return paths
