"""Parquet shards of rows with embedded images, each either complete or absent, resumable to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from medq_deg.data.features import features
from medq_deg.degradations import degrade
from medq_deg.encoding import Encoding
from medq_deg.engines.local import Engine
from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.images import open_image

SHARD_BYTES = 400 * 2**20
"""A shard is closed when its images reach this size."""

ROW_GROUP_BYTES = 16 * 2**20
"""A row group is closed when its images reach this size: what a streaming reader fetches at once."""


_AHEAD = 4
"""Pieces of work per worker that may wait for the writer."""


_AT_ONCE = 4
"""Images that go to a worker together."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to make one image."""

    image: Path
    degradation: str
    severity: int
    seed: int
    modality: str
    keep_marking: bool
    encoding: Encoding = field(default_factory=Encoding)


Task: TypeAlias = tuple[Job, bytes | None]


def make_image(job: Job, data: bytes | None = None) -> bytes:
    """Return the image of a row as it is stored: the clean one, or degraded.

    Parameters
    ----------
    job : Job
    data : bytes, optional
        The clean image's; without it its file is read.
    """
    data = job.image.read_bytes() if data is None else data
    if not job.severity:
        return job.encoding.encode(open_image(data))
    image = degrade(
        open_image(data),
        job.degradation,
        job.severity,
        job.seed,
        modality=job.modality,
        keep_marking=job.keep_marking,
    )
    return job.encoding.encode(image)


def make_images(engine: Engine, jobs: Sequence[Job]) -> Iterator[bytes]:
    """Yield the image of each job, in order; at most a few per worker are held at once.

    Raises
    ------
    MedqDegError
        If a job's degradation is one that other processes cannot import, or an image cannot be made.
    """

    def pieces() -> Iterator[list[Task]]:
        for at in range(0, len(jobs), _AT_ONCE):
            yield [_task(job, engine) for job in jobs[at : at + _AT_ONCE]]

    for made in engine.map(make_each, pieces(), ahead=_AHEAD):
        if isinstance(made, MedqDegError):
            raise made
        yield from made


def _task(job: Job, engine: Engine) -> Task:
    if job.degradation in engine.only_here:
        raise MedqDegError(
            f"{job.degradation} cannot go to worker processes, as its function cannot be imported by name: "
            "define it in a module, or build with one worker"
        )
    # Workers of another machine do not see this one's files.
    return job, None if engine.shares_files else job.image.read_bytes()


def make_each(tasks: Sequence[Task]) -> list[bytes]:
    """Return the images of some jobs, whose clean images are read from their files where they do not come along."""
    return [make_image(job, data) for job, data in tasks]


def write_split(
    folder: Path,
    split: str,
    rows: Sequence[dict[str, Any]],
    jobs: Sequence[Job],
    *,
    engine: Engine,
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
    engine : Engine
        Makes the images.
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
    images = make_images(engine, jobs[done:])
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
