"""The rows of a parquet data set: which columns say what is done to an image, and doing it to a batch of them.

An image that cannot be used becomes a null with its reason in a column beside it; the batch goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import pyarrow as pa

from medq_deg.data.encoding import pixels_only
from medq_deg.degradations import degrade
from medq_deg.degradations.apply import Rounding
from medq_deg.encoding import Encoding
from medq_deg.errors import MedqDegError
from medq_deg.images import open_image
from medq_deg.scale.places import Place, is_address, open_place
from medq_deg.seeds import check_seed, derive_seed
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How `datasets` stores an image."""

_HUGGINGFACE: Final = b"huggingface"
_OPTIONS: Final = {"degradation": "--type", "severity": "--severity", "seed": None, "modality": "--modality"}
"""Columns that say what is done to a row, and the options that say it for all rows; `--seed` is for rows without."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a data set.

    Attributes
    ----------
    image : str
        Encoded images: binary, or structs of bytes and path as `datasets` stores them.
    degradation, severity, seed, modality : str, optional
        What is done to each row; by default the column of that name, if there is one.
    error : str
        The column that is added: why an image is missing.
    """

    image: str = "image"
    degradation: str | None = None
    severity: str | None = None
    seed: str | None = None
    modality: str | None = None
    error: str = "error"


@dataclass(frozen=True)
class Recipe:
    """What is done to every row.

    Attributes
    ----------
    degradation, severity, modality : optional
        For all rows, where no column says it for each.
    seed : int
        Rows without a seed of their own get one from this and the bytes of their image: the same image gets the same
        draws, wherever it stands.
    rounding, keep_marking
        As in `medq_deg.degrade`.
    encoding : Encoding
    columns : Columns
    """

    degradation: str | None = None
    severity: int | None = None
    modality: str | None = None
    seed: int = 0
    rounding: Rounding = "nearest"
    keep_marking: bool = False
    encoding: Encoding = field(default_factory=Encoding)
    columns: Columns = field(default_factory=Columns)

    def for_schema(self, schema: pa.Schema, name: str) -> Recipe:
        """Return the recipe with the columns that a data set has.

        Parameters
        ----------
        schema : pyarrow.Schema
        name : str
            Of the file, for messages.

        Raises
        ------
        MedqDegError
            For a column that is missing or of another type, or that says what an option says too, and if nothing says
            which degradation or severity is wanted.
        """
        check_seed(self.seed)
        given = self.columns
        _image_type(schema, given.image, name)
        if given.error in schema.names:
            raise MedqDegError(f"{name}: has a column {given.error!r} already; name another for the reasons")
        found: dict[str, Any] = {}
        for what, option in _OPTIONS.items():
            wanted, value = getattr(given, what), getattr(self, what)
            column = wanted or what
            if wanted is not None and wanted not in schema.names:
                raise MedqDegError(f"{name}: has no column {wanted!r}; it has {', '.join(schema.names)}")
            found[what] = column if column in schema.names else None
            if found[what] and option and value is not None:
                raise MedqDegError(
                    f"{name}: its column {column!r} says the {what} of each row, and {option} {value} another: leave "
                    "the option out, or the column"
                )
            if found[what]:
                _check_type(schema.field(column), what, name)
            elif value is None and what in ("degradation", "severity"):
                raise MedqDegError(f"{name}: has no column {what!r}, so {option} is needed")
        return replace(self, columns=replace(given, **found))

    def settings(self) -> dict[str, Any]:
        """Return what decides the result, for JSON."""
        return asdict(self)


def _image_type(schema: pa.Schema, column: str, name: str) -> pa.DataType:
    if column not in schema.names:
        raise MedqDegError(f"{name}: has no column {column!r} of images; it has {', '.join(schema.names)}")
    kind = schema.field(column).type
    parts = {part.name: part.type for part in kind} if pa.types.is_struct(kind) else {"bytes": kind}
    if set(parts) > {"bytes", "path"} or not _is_binary(parts.get("bytes")):
        raise MedqDegError(
            f"{name}: column {column!r} must hold encoded images, as binary or as structs of bytes and path, got {kind}"
        )
    return kind


def _is_binary(kind: pa.DataType | None) -> bool:
    types = pa.types
    return kind is not None and (types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _check_type(column: pa.Field, what: str, name: str) -> None:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    whole = pa.types.is_integer(kind)
    allowed = {
        "degradation": ("names, or class labels", text or whole),
        "modality": ("names, or class labels", text or whole),
        "severity": ("0, 1 or 2, or their names", text or whole),
        "seed": ("integers", whole),
    }[what]
    if not allowed[1] and not pa.types.is_null(kind):
        raise MedqDegError(f"{name}: column {column.name!r} must hold {allowed[0]}, got {column.type}")


def result_schema(schema: pa.Schema, columns: Columns) -> pa.Schema:
    """Return the schema of the result: the same, and a column of reasons, which `datasets` is told of."""
    metadata = dict(schema.metadata or {})
    if _HUGGINGFACE in metadata:
        told = json.loads(metadata[_HUGGINGFACE])
        told.get("info", {}).get("features", {})[columns.error] = {"dtype": "string", "_type": "Value"}
        metadata[_HUGGINGFACE] = json.dumps(told).encode()
    place = schema.get_field_index(columns.image)
    image = schema.field(place)
    plain = image.with_nullable(True).with_type(IMAGE if pa.types.is_struct(image.type) else image.type)
    return schema.set(place, plain).append(pa.field(columns.error, pa.string())).with_metadata(metadata)


def class_names(schema: pa.Schema, columns: Columns) -> dict[str, list[str]]:
    """Return the names of the class labels by the columns that hold their numbers.

    Raises
    ------
    MedqDegError
        If a column of degradations or modalities holds numbers without names.
    """
    told = json.loads((schema.metadata or {}).get(_HUGGINGFACE, b"{}")).get("info", {}).get("features", {})
    names = {}
    for what in ("degradation", "modality"):
        column = getattr(columns, what)
        if column is None or not pa.types.is_integer(schema.field(column).type):
            continue
        if not (isinstance(told.get(column), dict) and told[column].get("names")):
            raise MedqDegError(f"column {column!r} holds numbers, and nothing in the file names them")
        names[column] = told[column]["names"]
    return names


def degrade_batch(
    batch: pa.RecordBatch, recipe: Recipe, names: Mapping[str, Sequence[str]], base: Place, schema: pa.Schema
) -> pa.Table:
    """Return the rows of a batch with degraded images and the reasons where there is none.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    recipe : Recipe
        As `Recipe.for_schema` returned it.
    names : mapping
        As from `class_names`.
    base : Place
        Folder from which the paths of images without bytes count.
    schema : pyarrow.Schema
        Of the result.
    """
    images: list[Any] = []
    errors: list[str | None] = []
    struct = pa.types.is_struct(schema.field(recipe.columns.image).type)
    for row in _rows(batch, recipe.columns, names):
        try:
            data = _degraded(row, recipe, base)
        except _NotToday as error:
            raise MedqDegError(str(error)) from None
        except Exception as error:  # noqa: BLE001 - whatever a decoder or a registered degradation raises over an image
            images.append(None)
            errors.append(_told(error))
        else:
            images.append({"bytes": data, "path": None} if struct else data)
            errors.append(None)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns[recipe.columns.image] = pa.array(images, schema.field(recipe.columns.image).type)
    columns[recipe.columns.error] = pa.array(errors, pa.string())
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


class _NotToday(Exception):  # noqa: N818 - it says that another try may do better
    """A store could not be asked: no fault of the row's."""


def _told(error: Exception) -> str:
    if isinstance(error, MedqDegError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _rows(batch: pa.RecordBatch, columns: Columns, names: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    read = {"image": columns.image, **{what: getattr(columns, what) for what in _OPTIONS}}
    lists = {what: batch.column(column).to_pylist() for what, column in read.items() if column is not None}
    for what, column in read.items():
        if column in names:
            lists[what] = [_label(code, names[column]) for code in lists[what]]
    for values in zip(*lists.values(), strict=True):
        yield dict(zip(lists, values, strict=True))


def _label(code: int | None, names: Sequence[str]) -> str | None:
    return names[code] if code is not None and 0 <= code < len(names) else None


def _degraded(row: Mapping[str, Any], recipe: Recipe, base: Place) -> bytes:
    data = _encoded(row["image"], base)
    image = open_image(data)
    severity = resolve_severity(_value(row, recipe, "severity"))
    if not severity:
        return pixels_only(data)
    modality = row.get("modality") or recipe.modality
    seed = row.get("seed")
    name = resolve_degradation(_value(row, recipe, "degradation"))
    result = degrade(
        image,
        name,
        severity,
        derive_seed(recipe.seed, hashlib.sha256(data).hexdigest()) if seed is None else seed,
        modality=resolve_modality(modality) if modality is not None else None,
        rounding=recipe.rounding,
        keep_marking=recipe.keep_marking,
    )
    return recipe.encoding.encode(result)


def _value(row: Mapping[str, Any], recipe: Recipe, what: str) -> Any:
    value = row[what] if what in row else getattr(recipe, what)
    if value is None:
        raise MedqDegError(f"the row says no {what}")
    return value


def _encoded(value: Any, base: Place) -> bytes:
    data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if data is not None:
        return bytes(data)
    if path is None:
        raise MedqDegError("the row has no image")
    place = open_place(path) if is_address(path) or path.startswith("/") else base / path
    try:
        found = place.exists()
        if found:
            return place.read()
    except MedqDegError as error:
        raise _NotToday(str(error)) from None
    raise MedqDegError(f"no such file: {path}")
