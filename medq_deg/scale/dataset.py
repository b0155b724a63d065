"""A parquet data set of images, degraded file by file on an engine: resumable, in order, nothing lost.

Each file of the result appears under the name of its source when it is complete, so that a job that was stopped goes on
with those that are missing. What decides the result is written beside them, and another job with other settings is
refused, as is one that runs at the same time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs

import medq_deg
from medq_deg.degradations.version import DEGRADATION_VERSION, code_fingerprint
from medq_deg.engines.local import Engine
from medq_deg.errors import MedqDegError
from medq_deg.files import clear_parts
from medq_deg.scale.hold import hold_place
from medq_deg.scale.places import (
    SCRATCH,
    Found,
    Place,
    check_bucket,
    clear,
    is_address,
    open_place,
    parquet_files,
    replace_place,
    telling,
)
from medq_deg.scale.streaming import FileTask, check_schema, degrade_file, opened
from medq_deg.scale.table import Recipe, class_names

_SETTINGS: Final = f"{SCRATCH}/settings.json"
_CHECKED_AT_ONCE: Final = 32
_AHEAD: Final = 64
"""Files per worker that may be in work or wait to be counted."""

_MOST_FAILED: Final = 10
"""Files that may fail before a job gives up: a broken file keeps no other from being made, a full disk does."""


@dataclass
class DatasetReport:
    """What became of a data set.

    Attributes
    ----------
    files, kept : int
        All files, and those that were complete before.
    rows : int
    reasons : Counter
        Why images are missing, and how many for each reason.
    """

    files: int = 0
    kept: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> int:
        """Rows without an image."""
        return sum(self.reasons.values())


def degrade_dataset(
    source: str,
    target: str,
    recipe: Recipe,
    engine: Engine,
    *,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> DatasetReport:
    """Degrade the images of a parquet data set, or go on with what was begun.

    Parameters
    ----------
    source : str
        Address of a folder of parquet files with the same columns, or of one such file: a path, or ``s3://``, ``gs://``
        or ``hf://datasets/``.
    target : str
        Address of a folder. Files get the names that they have below `source`.
    recipe : Recipe
    engine : Engine
        The result does not depend on it.
    progress : callable
        Called with the stage, what is done of it and the total: files while they are checked, then rows.

    Raises
    ------
    MedqDegError
        If an address or a bucket cannot be used, the files differ in their columns, a column is missing or of another
        type, the target holds something else or the result of other settings, another job is writing there, or files
        failed.
    """
    # Workers may stand in another folder.
    source, target = (each if is_address(each) else str(Path(each).absolute()) for each in (source, target))
    start, out = open_place(source), open_place(target)
    if target.lower().startswith("hf://"):
        raise MedqDegError(
            f"{target}: every file would be a commit there; write to a disk or a bucket, and send the whole with "
            "`hf upload-large-folder`"
        )
    folder, files = parquet_files(start)
    _refuse_overlap(folder, start, out)
    check_bucket(out)
    if out.info().type == pafs.FileType.File:
        raise MedqDegError(f"{target}: is a file; a data set goes to a folder")
    with opened(folder / files[0].name) as first:
        schema = first.schema_arrow
        recipe = recipe.for_schema(schema, str(folder / files[0].name))
        try:
            class_names(schema, recipe.columns)
        except MedqDegError as error:
            raise MedqDegError(f"{folder / files[0].name}: {error}") from None
    # Options of a file system follow a question mark, which a name cannot be put behind.
    source_of_files = source if folder is start else _parent(source)
    with hold_place(out):
        _claim(out, recipe)
        total = _check(files, source_of_files, schema, engine, progress)
        tasks = [FileTask(file, source_of_files, target, recipe, schema) for file in files]
        try:
            return _run(tasks, engine, total, progress)
        finally:
            _tidy(out, files)


def _parent(address: str) -> str:
    path, question, options = address.partition("?")
    folder = path.rpartition("/")[0] or "."
    return f"{folder}{question}{options}"


def _refuse_overlap(folder: Place, start: Place, out: Place) -> None:
    if type(folder.system) is not type(out.system) or not folder.system.equals(out.system):
        return
    inside, outside = out.path.rstrip("/") + "/", start.path.rstrip("/") + "/"
    if inside.startswith(outside) or (folder.path.rstrip("/") + "/").startswith(inside):
        raise MedqDegError(f"the output {out} must not lie inside the input {start}, nor around it")


def _settings(recipe: Recipe) -> dict[str, Any]:
    settings = {
        **recipe.settings(),
        "degradation_version": DEGRADATION_VERSION,
        "code": code_fingerprint(),
        "version": medq_deg.__version__,
    }
    return dict(json.loads(json.dumps(settings)))


def _claim(out: Place, recipe: Recipe) -> None:
    """Begin in an empty folder, or check that what was begun there is the same."""
    wanted, told = _settings(recipe), out / _SETTINGS
    if told.exists():
        try:
            before = json.loads(told.read())
        except ValueError:
            before = None
        if not isinstance(before, dict):
            raise MedqDegError(f"{told}: holds no settings of a job; choose another folder")
        changed = [key for key in {**before, **wanted} if before.get(key) != wanted.get(key)]
        if changed:
            what = "; ".join(f"{key} was {before.get(key)!r}, is {wanted.get(key)!r}" for key in changed)
            raise MedqDegError(f"{out}: holds a result of other settings: {what}. Choose another folder")
        return
    with telling(out):
        inside = out.system.get_file_info(pafs.FileSelector(out.path, allow_not_found=True))
    if any(info.base_name not in (SCRATCH, ".lock") for info in inside):
        raise MedqDegError(f"{out}: is not empty and holds no result of this command; choose another folder")
    with replace_place(told, out / SCRATCH) as file:
        file.write(json.dumps(wanted, indent=2).encode() + b"\n")


def _check(
    files: Sequence[Found],
    source: str,
    schema: pa.Schema,
    engine: Engine,
    progress: Callable[[str, int, int], None],
) -> int:
    """Compare the columns of all files; return how many rows they have."""
    rows = done = 0
    pieces = [files[at : at + _CHECKED_AT_ONCE] for at in range(0, len(files), _CHECKED_AT_ONCE)]
    for piece, counted in zip(
        pieces, engine.map(partial(count_rows, source=source, schema=schema), pieces, ahead=_AHEAD), strict=True
    ):
        if isinstance(counted, MedqDegError):
            raise counted
        rows, done = rows + counted, done + len(piece)
        progress("checking files", done, len(files))
    return rows


def count_rows(files: Sequence[Found], source: str, schema: pa.Schema) -> int:
    """Return how many rows some files have.

    Raises
    ------
    MedqDegError
        If one cannot be read, or its columns are not those of `schema`.
    """
    folder = open_place(source)
    rows = 0
    for file in files:
        with opened(folder / file.name) as parquet:
            check_schema(folder / file.name, parquet.schema_arrow, schema)
            rows += parquet.metadata.num_rows
    return rows


def _run(
    tasks: Sequence[FileTask], engine: Engine, total: int, progress: Callable[[str, int, int], None]
) -> DatasetReport:
    report, failed = DatasetReport(len(tasks)), []
    progress("degrading", 0, total)
    for done in engine.map(degrade_file, tasks, ahead=_AHEAD):
        if isinstance(done, MedqDegError):
            failed.append(done)
            if len(failed) == _MOST_FAILED:
                break
            continue
        report.rows += done.rows
        report.kept += done.kept
        report.reasons.update(done.reasons)
        progress("degrading", report.rows, total)
    if failed:
        raise MedqDegError(
            f"{failed[0]} ({len(failed)} of {len(tasks)} files failed; the same command goes on with what is missing)"
        )
    return report


def _tidy(out: Place, files: Sequence[Found]) -> None:
    """Remove what jobs that were killed left half-written."""
    clear(out / f"{SCRATCH}/parts")
    if out.local:
        for folder in {Path(out.path, file.name).parent for file in files} | {Path(out.path, SCRATCH)}:
            if folder.is_dir():
                clear_parts(folder)
