"""Degraded images by reference: a path that says which clean image, and what to do to it.

A row of `apply_plan`, or of a dataset under `OnTheFly`, has an ordinary `datasets.Image` column. Its images hold no
bytes, only paths such as ``medq-deg://sparse_view-L2/file=...&row=17&seed=5/q7.png``, and this module is the file
system (fsspec's protocol "medq-deg") that makes the image when such a path is opened. That is why nothing that is
done to a dataset can bring a clean image back: there is none beneath a transform that could be lost, and what is
concatenated, renamed, cast, formatted, mapped, pickled or written to a file is the reference. Two other ways were
weighed. A transform is lost by whatever sets a format, and then its clean images show. A feature type of our own,
which degrades on decoding, is not equal to `datasets.Image`, so such rows cannot be concatenated with others; and who
reads the columns without knowing the type sees the clean bytes that it must store.

Who opens such a path needs this package installed, not imported: fsspec finds it by its entry point. Without it there
is an error that names the protocol, and no image. Files that are meant for others do not hold references:
`push_to_hub` stores images in place of paths by itself, and here `to_parquet` and `save_to_disk` are taught to.

A reference names the Arrow file of the cache in which the clean image lies, and that file's size and time. If the
file is gone or another, there is an error, and not another image.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.io import parquet
from datasets.table import ConcatenationTable, MemoryMappedTable
from fsspec.spec import AbstractFileSystem
from numpy.typing import NDArray
from PIL import Image

from medq_deg.data.known import cache_folder
from medq_deg.degradations import degrade
from medq_deg.encoding import encode_png
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import file_hash
from medq_deg.images import open_image, pixels
from medq_deg.seeds import derive_seed

PROTOCOL: Final = "medq-deg"
_START: Final = f"{PROTOCOL}://"
_BATCH: Final = 32
_ADVICE: Final = "make the rows again, or store their images with apply_plan(..., cached=True)"


def reference(place: str, degradation: str, severity: int, name: str, **recipe: Any) -> str:
    """Return the path of a degraded image.

    Parameters
    ----------
    place : str
        Where the clean image lies, see `places_of`.
    degradation, severity
        As in `medq_deg.degrade`.
    name : str
        What the file is called once the image is stored, without ending.
    **recipe
        `modality` and `options` (a dict) of `medq_deg.degrade`, and either `seed`, or `content_seed`: the seed is then
        derived from it and the clean image's pixels. What is None is left out.
    """
    recipe = {key: value for key, value in recipe.items() if value is not None}
    if "options" in recipe:
        recipe["options"] = json.dumps(recipe["options"])
    told = f"{place}&{urlencode(recipe)}" if recipe else place
    return f"{_START}{degradation}-L{severity}/{told}/{quote(name.replace('/', '_'), safe='')}.png"


def content_key(array: NDArray[np.uint8]) -> str:
    """Return what tells an image's pixels from others', for seeds."""
    told = ("L" if array.ndim == 2 else "RGB"), array.shape[1::-1]
    return hashlib.sha256(repr(told).encode() + array.tobytes()).hexdigest()


class DegradedImages(AbstractFileSystem):  # type: ignore[misc]
    """The file system of the protocol "medq-deg": reading a path makes an image, as PNG."""

    protocol = PROTOCOL

    def _open(self, path: str, mode: str = "rb", **options: Any) -> io.BytesIO:
        if mode != "rb":
            raise MedqDegError(f"an image that is made on the fly can only be read, not opened with mode {mode!r}")
        return io.BytesIO(_image(path))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return what is known of an image before it is made; the size is that of the clean one."""
        path = self._strip_protocol(path)
        return {"name": path, "type": "file", "size": len(_Reference.parse(path).clean())}


@dataclass(frozen=True)
class _Reference:
    """What a path says."""

    degradation: str
    severity: int
    fields: Mapping[str, str]
    name: str

    @classmethod
    def parse(cls, path: str) -> _Reference:
        try:
            head, told, name = path.split("/")
            degradation, _, severity = head.rpartition("-L")
            fields = dict(parse_qsl(told, strict_parsing=True))
            if not {"file", "stamp", "column", "row"} <= set(fields):
                raise ValueError
            return cls(degradation, int(severity), fields, name.removesuffix(".png"))
        except ValueError:
            raise MedqDegError(f"{_START}{path}: is no reference to an image") from None

    def clean(self) -> bytes:
        place = self.fields
        return encoded_image(_stored(place["file"], place["stamp"], place["column"], int(place["row"])))

    def seed(self, image: Image.Image) -> int:
        if "seed" in self.fields:
            return int(self.fields["seed"])
        return derive_seed(self.fields["content_seed"], content_key(pixels(image)), self.degradation)


def _image(path: str) -> bytes:
    wanted = _Reference.parse(path)
    try:
        image = open_image(wanted.clean())
        if wanted.severity:
            modality, options = wanted.fields.get("modality"), json.loads(wanted.fields.get("options", "{}"))
            seed = wanted.seed(image)
            image = degrade(image, wanted.degradation, wanted.severity, seed, modality=modality, **options)
    except ImageError as error:
        raise ImageError(f"the image {wanted.name!r} cannot be made: {error}") from None
    return encode_png(image)


def encoded_image(value: Any) -> bytes:
    """Return the bytes of an image as `datasets` stores it: a struct of bytes and path, or one of the two alone."""
    if isinstance(value, bytes):
        return value
    path, data = (value, None) if isinstance(value, str) else ((value or {}).get("path"), (value or {}).get("bytes"))
    if data is not None:
        return bytes(data)
    if path is None:
        raise ImageError("the row has no image")
    try:
        with datasets.utils.file_utils.xopen(path, "rb") as file:
            return bytes(file.read())
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def _stored(file: str, stamp: str, column: str, row: int) -> Any:
    try:
        found = _stamp(file)
    except OSError:
        raise MedqDegError(f"{file}: the clean images of these rows are gone; {_ADVICE}") from None
    if found != stamp:
        raise MedqDegError(f"{file}: the clean images of these rows were changed; {_ADVICE}")
    return _mapped(file, stamp).column(column)[row].as_py()


@functools.lru_cache(64)
def _mapped(file: str, stamp: str) -> pa.Table:
    del stamp  # another stamp is another file
    return MemoryMappedTable.from_file(file).table


def _stamp(file: str) -> str:
    status = os.stat(file)
    return f"{status.st_size}-{status.st_mtime_ns}"


def places_of(dataset: datasets.Dataset, column: str) -> list[str]:
    """Return where the image of each row lies, in a form for `reference`.

    A dataset that was loaded lies in Arrow files already. Images that are only in memory, or in a table that was
    changed in a way that is not followed here, are first written to the cache of `datasets`, once.
    """
    rows = len(dataset)
    plain = dataset.with_format(None).select_columns([column])
    segments = _segments(plain.data, column)
    if segments is not None:
        places = [(prefix, row) for prefix, first, count in segments for row in range(first, first + count)]
        if plain._indices is not None:
            places = [places[index] for index in plain._indices.column(0).to_pylist()]
    else:
        places = [(_prefix(_copied(plain), column), row) for row in range(rows)]
    return [f"{prefix}&row={row}" for prefix, row in places]


def _prefix(file: str, column: str) -> str:
    file = os.path.abspath(file)
    return urlencode({"file": file, "stamp": _stamp(file), "column": column})


def _segments(table: Any, column: str) -> list[tuple[str, int, int]] | None:
    """Return prefix, first row and number of rows of each part of a table in a file; None if a part is in no file."""
    if isinstance(table, ConcatenationTable):
        parts: list[tuple[str, int, int]] = []
        for blocks in table.blocks:  # these lie side by side
            holder = next((block for block in blocks if column in block.column_names), None)
            found = _segments(holder, column)
            if found is None:
                return None
            parts += found
        return parts
    if not isinstance(table, MemoryMappedTable):
        return None
    whole = _mapped(table.path, _stamp(table.path))
    # Names of the columns now, each with its name in the file; None for one that was added since.
    names: list[tuple[str, str | None]] = [(name, name) for name in whole.column_names]
    first, count = 0, whole.num_rows
    for action, arguments, named in table.replays or ():
        values = [*arguments, *named.values()]
        if action == "slice":
            offset, length = _slice(*arguments, **named)
            first, count = first + offset, min(length, count - offset) if length is not None else count - offset
        elif action == "rename_columns":
            names = [(new, origin) for new, (_, origin) in zip(values[0], names, strict=True)]
        elif action == "select":
            names = [next(each for each in names if each[0] == wanted) for wanted in values[0]]
        elif action == "drop":
            names = [each for each in names if each[0] not in values[0]]
        elif action == "remove_column":
            del names[values[0]]
        elif action not in ("cast", "replace_schema_metadata", "combine_chunks"):
            return None
    origin = dict(names).get(column)
    return None if origin is None else [(_prefix(table.path, origin), first, count)]


def _slice(offset: int = 0, length: int | None = None) -> tuple[int, int | None]:
    return offset, length


def _copied(dataset: datasets.Dataset) -> str:
    """Write the one column of a dataset, in its order, to a file of the cache that is named by its content."""
    folder = cache_folder() / "images"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file, pa.ipc.new_stream(file, dataset.features.arrow_schema) as writer:
                for batch in dataset.with_format("arrow").iter(_BATCH):
                    writer.write_table(batch)
            target = folder / f"{file_hash(Path(part))}.arrow"
            if not target.exists():
                os.replace(part, target)
        finally:
            Path(part).unlink(missing_ok=True)
    except OSError as error:
        raise MedqDegError(
            f"{folder}: the clean images cannot be stored ({error.strerror}); name another folder in the environment "
            "variable HF_DATASETS_CACHE"
        ) from None
    return str(target)


def with_references(dataset: datasets.Dataset, column: str, paths: Sequence[str], fingerprint: str) -> datasets.Dataset:
    """Return a dataset whose images are references, the other columns, the order and the features as they are."""
    table = dataset.data
    spread: list[str | None] = [None] * len(table)
    order = range(len(table)) if dataset._indices is None else dataset._indices.column(0).to_pylist()
    for row, path in zip(order, paths, strict=True):
        spread[row] = path
    made = datasets.table.InMemoryTable(pa.table({column: as_storage(spread)}))
    table = datasets.table.concat_tables([table.drop([column]), made], axis=1).select(dataset.column_names)
    return datasets.Dataset(table, dataset.info.copy(), dataset.split, dataset._indices, fingerprint)


def as_storage(paths: Sequence[str | None]) -> pa.StructArray:
    """Return paths as the storage of an Image column."""
    missing = pa.nulls(len(paths), pa.binary())
    return pa.StructArray.from_arrays([missing, pa.array(paths, pa.string())], ["bytes", "path"])


def embedded(storage: pa.StructArray) -> pa.StructArray:
    """Return the storage of an Image column with the images in place of our references; others stay as they are."""
    if not _is_ours(storage).true_count:
        return storage
    rows = storage.to_pylist()
    for number, row in enumerate(rows):
        if row is not None and row["bytes"] is None and (row["path"] or "").startswith(_START):
            path = row["path"]
            rows[number] = {"bytes": _image(path.removeprefix(_START)), "path": path.rpartition("/")[2]}
    return pa.array(rows, storage.type)


def _is_ours(storage: pa.StructArray) -> pa.BooleanArray:
    return pc.fill_null(pc.starts_with(storage.field("path"), _START), False)


def _embedded_table(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if field.type == datasets.Image.pa_type:
            chunks = [embedded(chunk) for chunk in table.column(place).chunks]
            table = table.set_column(place, field, pa.chunked_array(chunks, field.type))
    return table


def _teach_writers() -> None:
    """Let what writes files for others store our images in place of references.

    `datasets` leaves paths in what `to_parquet` writes, and since 4.8.5 those that are not local in what `save_to_disk`
    writes.
    """
    query, embed = parquet.query_table, datasets.Image.embed_storage
    if getattr(query, "knows_medq_deg", False):
        return

    @functools.wraps(query)
    def query_table(*arguments: Any, **options: Any) -> pa.Table:
        return _embedded_table(query(*arguments, **options))

    @functools.wraps(embed)
    def embed_storage(self: datasets.Image, storage: pa.StructArray, *arguments: Any, **options: Any) -> Any:
        return embed(self, embedded(storage), *arguments, **options)

    query_table.knows_medq_deg = True  # type: ignore[attr-defined]
    parquet.query_table, datasets.Image.embed_storage = query_table, embed_storage


_teach_writers()
