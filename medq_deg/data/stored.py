"""Rows in parquet shards, as `medq-deg build` writes them: read from disk row by row, and known by their content."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

from medq_deg.data.features import features
from medq_deg.data.schema import COLUMNS, TEXT_COLUMNS, unsound
from medq_deg.errors import MedqDegError, RowError, shown
from medq_deg.images import open_image
from medq_deg.taxonomy import SEVERITY_NAMES

UNREADABLE: Final = (OSError, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What pyarrow and `datasets` raise for a file in which a byte is another."""

_BATCH: Final = 32
"""Rows with images that are held at once where every row is looked at."""


def shards_of(folder: Path) -> dict[str, list[Path]]:
    """Return the shards of each split, ``data/L0-*.parquet`` and so on, in order; a split may have none."""
    return {name: sorted((folder / "data").glob(f"{name}-*.parquet")) for name in SEVERITY_NAMES}


class StoredRows(Sequence[dict[str, Any]]):
    """Rows of parquet shards, of which one row group with its images is in memory at a time.

    Parameters
    ----------
    shards : iterable of Path
        With the columns of `medq_deg.data.schema`; read in this order.

    Raises
    ------
    MedqDegError
        If a file is no parquet file or lacks a column.
    """

    def __init__(self, shards: Iterable[Path]) -> None:
        self.groups: list[tuple[Path, int]] = []
        """File and number of each row group."""
        self._starts: list[int] = []
        self._count = 0
        self._held: tuple[int, list[dict[str, Any]]] = (-1, [])
        for path in shards:
            metadata = _checked(path).metadata
            for group in range(metadata.num_row_groups):
                self.groups.append((path, group))
                self._starts.append(self._count)
                self._count += metadata.row_group(group).num_rows

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        place = range(self._count)[index]
        number = bisect_right(self._starts, place) - 1
        if self._held[0] != number:
            self._held = number, list(rows_of_group(*self.groups[number]))
        row = self._held[1][place - self._starts[number]]
        try:
            return {**row, "image": open_image(row["image"]["bytes"])}
        except MedqDegError as error:
            raise RowError(row["id"], error) from None

    def columns(self) -> Iterator[dict[str, Any]]:
        """Yield the rows without their images, which are not read."""
        for path in dict.fromkeys(path for path, _ in self.groups):
            with _reading(path), pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=list(TEXT_COLUMNS)):
                    yield from _named(path, batch, file.schema_arrow, TEXT_COLUMNS)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the images behind: a worker process reads its own."""
        return {**self.__dict__, "_held": (-1, [])}


def rows_of_group(path: Path, group: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a row group with the names of their labels and their images as they are stored."""
    with _reading(path), pq.ParquetFile(path) as file:
        table = file.read_row_group(group, columns=list(COLUMNS))
        yield from _named(path, table, file.schema_arrow, COLUMNS)


def content_of(shards: Iterable[Path]) -> str:
    """Return a SHA-256 over everything that the rows hold, whatever the files are called and cut into."""
    digest = ContentDigest()
    for path in shards:
        with _reading(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, columns=list(COLUMNS)):
                for row in _named(path, batch, file.schema_arrow, COLUMNS):
                    digest.add(row, row["image"]["bytes"])
    return digest.hexdigest()


class ContentDigest:
    """A SHA-256 over rows and their encoded images, in order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, row: Mapping[str, Any], image: bytes) -> None:
        """Take in one row, with the names of its labels."""
        columns = [row[name] for name in TEXT_COLUMNS]
        self._digest.update(json.dumps(columns).encode() + hashlib.sha256(image).digest())

    def hexdigest(self) -> str:
        """Return the digest of the rows so far."""
        return self._digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into a sentence that names it."""
    try:
        yield
    except MedqDegError:
        raise
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:100] or type(error).__name__
        raise MedqDegError(f"{path}: cannot be read ({told}); `medq-deg data verify` says what is damaged") from None


def _checked(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
        found = Features.from_arrow_schema(file.schema_arrow)
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:100] or type(error).__name__
        raise MedqDegError(f"{path}: is no parquet file that can be read ({told})") from None
    lacking = [name for name in COLUMNS if name not in file.schema_arrow.names]
    if lacking:
        raise MedqDegError(f"{path}: lacks the columns {', '.join(lacking)}")
    nameless = [
        name
        for name, feature in features().items()
        if hasattr(feature, "names")
        and pa.types.is_integer(file.schema_arrow.field(name).type)
        and not hasattr(found.get(name), "names")
    ]
    if nameless:
        raise MedqDegError(
            f"{path}: the numbers in {', '.join(nameless)} have no names, since the file has lost the description that "
            "`datasets` writes beside them; make it again with `medq-deg build`"
        )
    return file


def _named(
    path: Path, data: pa.Table | pa.RecordBatch, schema: pa.Schema, names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield rows in the order of `names`, class labels by the names that the file itself gives them."""
    labels = {
        name: feature for name, feature in Features.from_arrow_schema(schema).items() if hasattr(feature, "names")
    }
    for row in data.to_pylist():
        for name, feature in labels.items():
            if isinstance(row.get(name), int):
                row[name] = feature.names[row[name]] if row[name] >= 0 else ""
        if wrong := unsound(row, names):
            raise MedqDegError(f"{path}: the {wrong} of row {shown(row.get('id'))} is {shown(row.get(wrong))}")
        yield {name: row[name] for name in names}
