"""The authors' release as parquet shards in the cache: its TSV files are read once, a row at a time."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from medq_deg.data.encoding import pixels_only
from medq_deg.data.features import encoded, features
from medq_deg.data.known import cache_folder, remembered
from medq_deg.data.schema import row, row_seed
from medq_deg.data.shards import ROW_GROUP_BYTES
from medq_deg.data.sources import LoadReport, read_release
from medq_deg.data.stored import ContentDigest
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import replace_file
from medq_deg.taxonomy import SEVERITY_NAMES

REPORT: Final = "load_report.json"
"""The file beside the shards that says which rows of the release were skipped."""

_STAGE: Final = "reading the release"


def converted(folder: Path, progress: Callable[[str, int, int], None]) -> tuple[Path, str]:
    """Return the folder of the shards that hold the rows of a local copy of the release, and their content's SHA-256.

    They are made when the files are met for the first time or were changed since, and kept in the cache of `datasets`.
    Processes that ask at the same time wait for the first of them.

    Parameters
    ----------
    folder : Path
        With the authors' TSV files.
    progress : callable
        Called with a stage, rows done, and 0, since their number is not known before.

    Raises
    ------
    MedqDegError
        As `read_release`, if no row is usable, or if the cache cannot be written.
    """
    if not folder.is_dir():
        raise MedqDegError(f"{folder} is not a folder; the release's TSV files are needed")
    cache = cache_folder() / "release"
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):
            for left in cache.glob(".part-*"):  # of a process that was killed: the lock is ours
                shutil.rmtree(left)
            content = remembered("release", files, lambda: _convert(folder, cache, progress))
            if not (cache / content / REPORT).exists():  # remembered, but the cache was cleared in part
                content = _convert(folder, cache, progress)
    except OSError as error:
        raise MedqDegError(
            f"{cache}: the rows of the release cannot be stored ({error.strerror or error}); name another folder in "
            "the environment variable HF_DATASETS_CACHE"
        ) from None
    return cache / content, content


def _convert(folder: Path, cache: Path, progress: Callable[[str, int, int], None]) -> str:
    """Write the shards under a temporary name, and rename them to their content's; return that."""
    report, digest = LoadReport(), ContentDigest()
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=cache))
    try:
        (work / "data").mkdir()
        with ExitStack() as open_files:
            splits = [open_files.enter_context(_Split(work / "data" / f"{n}-00000.parquet")) for n in SEVERITY_NAMES]
            for done, (columns, image) in enumerate(_rows(folder, report), 1):
                splits[columns["severity"]].add(columns, image)
                digest.add(columns, image)
                progress(_STAGE, done, 0)
        if not report.rows_kept:
            raise MedqDegError(f"{folder}: holds no usable row of the release: {'; '.join(str(report).splitlines())}")
        with replace_file(work / REPORT) as file:
            file.write(json.dumps(report.as_dict(), indent=2).encode() + b"\n")
        target = cache / digest.hexdigest()
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return digest.hexdigest()


def _rows(folder: Path, report: LoadReport) -> Iterator[tuple[dict[str, Any], bytes]]:
    for record in read_release(folder, report):
        seed = row_seed(0, record.key, record.degradation) if record.severity else 0
        try:
            image = pixels_only(record.image)
        except ImageError:
            report.drop("image that cannot be degraded", record.where)
            continue
        yield row(record.as_question(record.key), record.degradation, record.severity, seed), image


class _Split:
    """The file of one split, of which a row group is in memory."""

    def __init__(self, path: Path) -> None:
        self._schema = features().arrow_schema
        self._writer = pq.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def add(self, columns: dict[str, Any], image: bytes) -> None:
        self._rows.append({**encoded(columns), "image": {"bytes": image, "path": None}})
        self._size += len(image)
        if self._size >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._size = [], 0

    def __enter__(self) -> _Split:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self._flush()
        self._writer.close()
