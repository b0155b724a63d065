"""One file of a data set, from its source to its target in batches: memory does not grow with the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from medq_deg.data.shards import ROW_GROUP_BYTES
from medq_deg.errors import MedqDegError
from medq_deg.scale.places import SCRATCH, Found, Place, open_place, replace_place, telling
from medq_deg.scale.table import Recipe, class_names, degrade_batch, result_schema

_MOST_ROWS: Final = 1024
_READ: Final = 4 * 2**20
"""Bytes that are fetched at once, of a file and of a column chunk, which may be as large as the file."""

_SOURCE: Final = b"medq_deg.source_bytes"
_REASONS: Final = 20
"""Different reasons of one file that are counted by themselves."""


@dataclass(frozen=True)
class FileTask:
    """What a worker needs to make one file.

    Attributes
    ----------
    file : Found
    source, target : str
        Addresses of the two folders.
    recipe : Recipe
        With the columns of the data set.
    schema : pyarrow.Schema
        That of every file.
    """

    file: Found
    source: str
    target: str
    recipe: Recipe
    schema: pa.Schema


@dataclass
class FileDone:
    """What became of a file: its rows, how many have no image and why, and whether it was there before."""

    name: str
    rows: int
    kept: bool
    reasons: Counter[str] = field(default_factory=Counter)


def degrade_file(task: FileTask) -> FileDone:
    """Make one file of the result, unless it is there: what is there is complete.

    Raises
    ------
    MedqDegError
        If the file cannot be read or written, or its columns are not those of the data set.
    """
    source, target = open_place(task.source), open_place(task.target)
    goal = target / task.file.name
    if goal.exists():
        done = _done_before(goal, task)
        if done is not None:
            return done
    start = source / task.file.name
    recipe = task.recipe
    rows = 0
    reasons: Counter[str] = Counter()
    with opened(start) as parquet:
        check_schema(start, parquet.schema_arrow, task.schema)
        names = class_names(parquet.schema_arrow, recipe.columns)
        schema = result_schema(parquet.schema_arrow, recipe.columns)
        marked = schema.with_metadata({**(schema.metadata or {}), _SOURCE: str(task.file.size).encode()})
        with replace_place(goal, target / SCRATCH) as sink, pq.ParquetWriter(sink, marked) as writer:
            for batch in _batches(start, parquet, recipe.columns.image):
                made = degrade_batch(batch, recipe, names, source, marked)
                writer.write_table(made)
                rows += made.num_rows
                _count(reasons, made[recipe.columns.error])
    return FileDone(task.file.name, rows, False, reasons)


def _batches(start: Place, parquet: pq.ParquetFile, column: str) -> Iterator[pa.RecordBatch]:
    batches = parquet.iter_batches(_rows_at_once(parquet, column))
    while True:
        # What a store says while it is read is told of the source, not of the target.
        with telling(start):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _rows_at_once(parquet: pq.ParquetFile, column: str) -> int:
    """Return how many rows hold about as many bytes of images as a row group should."""
    metadata = parquet.metadata
    size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = (group.column(index) for index in range(group.num_columns))
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] == column)
    return int(min(_MOST_ROWS, max(1, ROW_GROUP_BYTES * metadata.num_rows // max(1, size))))


@contextmanager
def opened(place: Place) -> Iterator[pq.ParquetFile]:
    """Open a parquet file so that it is read piece by piece."""
    # What goes wrong while it is open is not this file's fault: only opening it is told of it.
    with telling(place):
        file = place.system.open_input_file(place.path)
    with file:
        try:
            parquet = pq.ParquetFile(file, buffer_size=_READ, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            told = " ".join(str(error).split())[:150]
            raise MedqDegError(f"{place}: is no parquet file that can be read ({told})") from None
        with parquet:
            yield parquet


def _done_before(goal: Place, task: FileTask) -> FileDone | None:
    """Return what a finished file holds; None if its source has changed since."""
    with opened(goal) as parquet:
        told = (parquet.schema_arrow.metadata or {}).get(_SOURCE)
        if told is None or task.recipe.columns.error not in parquet.schema_arrow.names:
            raise MedqDegError(f"{goal}: was not made by this job; choose another folder")
        if told != str(task.file.size).encode():
            return None
        reasons: Counter[str] = Counter()
        _count(reasons, parquet.read(columns=[task.recipe.columns.error]).column(0))
        return FileDone(task.file.name, parquet.metadata.num_rows, True, reasons)


def _count(reasons: Counter[str], column: pa.ChunkedArray) -> None:
    for entry in column.drop_null().value_counts().to_pylist():
        known = entry["values"] in reasons or len(reasons) < _REASONS
        reasons[entry["values"] if known else "other reasons"] += entry["counts"]


def check_schema(place: Place, found: pa.Schema, wanted: pa.Schema) -> None:
    """Raise `MedqDegError` that names the first column in which a file differs from the others."""
    if found.equals(wanted):
        return
    told = _difference(_types(found), _types(wanted))
    raise MedqDegError(f"{place}: its columns differ from those of the first file: {told}")


def _types(schema: pa.Schema) -> dict[str, str]:
    return {column.name: f"{column.type}" for column in schema}


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    for name in [*wanted, *found]:
        if found.get(name) != wanted.get(name):
            return f"{name!r} is {found.get(name, 'missing')} here, {wanted.get(name, 'missing')} there"
    return f"they stand in another order, {', '.join(found)} here, {', '.join(wanted)} there"
