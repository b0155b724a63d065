"""Images that are degraded when they are read: a plan over clean rows, or one degradation over any dataset.

Both give datasets whose images are references (`medq_deg.data.reference`): whatever is done to such a dataset, its
images are the degraded ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa
from datasets.fingerprint import Hasher
from datasets.table import embed_table_storage
from PIL import Image

from medq_deg.data.features import features
from medq_deg.data.plan import Plan
from medq_deg.data.reference import as_storage, content_key, places_of, reference, with_references
from medq_deg.data.schema import COLUMNS
from medq_deg.degradations import DEGRADATIONS, degrade
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.images import pixels
from medq_deg.seeds import check_seed, derive_seed
from medq_deg.taxonomy import (
    CATEGORY_LABELS,
    DEGRADATION_LABELS,
    MODALITIES,
    category_of,
    resolve_degradation,
    resolve_modality,
    resolve_severity,
)

_STREAM_SHARDS, _STORE_BATCH = 64, 16
_DEGRADATION_CODES = {name: code for code, name in enumerate(DEGRADATION_LABELS)}
_CATEGORY_CODES = {name: code for code, name in enumerate(CATEGORY_LABELS)}


def apply_plan(
    clean: datasets.Dataset, plan: Plan, cached: bool = False, streaming: bool = False
) -> datasets.Dataset | datasets.IterableDataset:
    """Return the rows of a plan over clean rows.

    Parameters
    ----------
    clean : datasets.Dataset
        Clean rows with the columns of `medq_deg.data.schema`, each question once.
    plan : Plan
        From `medq_deg.make_plan`.
    cached : bool
        False: no image is stored; each is degraded when it is read, see `medq_deg.data.reference`. True: every
        image is made now and stored in the cache of `datasets`, so that the rows no longer need the clean ones, nor
        this package. Both give the same pixels.
    streaming : bool
        Return a `datasets.IterableDataset` whose images are made as it is iterated.

    Returns
    -------
    datasets.Dataset or datasets.IterableDataset
        One row per row of the plan, in its order. Its fingerprint follows from the clean rows, the plan and the code of
        the degradations. Its other columns can be read without an image being made.

    Raises
    ------
    MedqDegError
        If `clean` is no `datasets.Dataset` or lacks a column, or the plan is none or names a question that the clean
        rows do not have; when an image is read, if it cannot be degraded or the clean rows are gone.
    """
    _check_dataset(clean, "apply_plan")
    if not isinstance(plan, Plan):
        raise MedqDegError(f"a plan from medq_deg.make_plan is needed, got {type(plan).__name__}")
    wanted = features()
    lacking = [name for name in ("image", *_kept(wanted)) if name not in clean.column_names]
    if lacking:
        raise MedqDegError(f"the clean rows lack the columns {', '.join(lacking)}; theirs are {_listed(clean)}")
    _check_images(clean, "image")
    _check_types(clean, wanted)
    plain = clean.with_format(None)
    place = {question: index for index, question in enumerate(plain["question_id"])}
    missing = next((row.question_id for row in plan if row.question_id not in place), None)
    if missing is not None:
        raise MedqDegError(f"the plan has question {missing!r}, which the clean rows do not have")
    sources = [place[row.question_id] for row in plan]
    columns = plain.select_columns(_kept(wanted)).with_format("arrow")[:]
    table = columns.take(pa.array(sources, pa.int64())).combine_chunks()
    images, modalities = places_of(plain, "image"), [_modality(code) for code in plain["modality"]]
    made = {
        "id": pa.array([row.id for row in plan], pa.string()),
        "degradation": pa.array([_DEGRADATION_CODES[row.degradation] for row in plan], pa.int64()),
        "category": pa.array([_CATEGORY_CODES[category_of(row.degradation)] for row in plan], pa.int64()),
        "severity": pa.array([row.severity for row in plan], pa.int32()),
        "seed": pa.array([row.seed for row in plan], pa.int64()),
        "image": as_storage(
            [
                reference(
                    images[source],
                    row.degradation,
                    row.severity,
                    row.id,
                    seed=row.seed,
                    modality=modalities[source],
                    options={"keep_marking": True} if row.keep_marking else None,
                )
                for row, source in zip(plan, sources, strict=True)
            ]
        ),
    }
    digest = Hasher.hash(
        [clean._fingerprint, [(row.id, row.keep_marking) for row in plan], plan.seed, code_fingerprint()]
    )
    rows = datasets.Dataset(
        datasets.table.InMemoryTable(
            pa.table({name: made[name] if name in made else table.column(name) for name in COLUMNS}).cast(
                wanted.arrow_schema
            )
        ),
        info=datasets.DatasetInfo(features=wanted),
        fingerprint=digest,
    )
    if streaming:
        return rows.to_iterable_dataset(num_shards=max(1, min(len(plan), _STREAM_SHARDS)))
    if not cached:
        return rows
    stored = rows.with_format("arrow").map(
        embed_table_storage,
        batched=True,
        batch_size=_STORE_BATCH,
        features=wanted,
        new_fingerprint=f"{digest}c",
        desc="Degrading images",
    )
    return stored.with_format(None)


def _check_types(clean: datasets.Dataset, wanted: datasets.Features) -> None:
    """Raise `MedqDegError` unless the columns that are taken over hold what the rows of a plan hold."""
    for name in _kept(wanted):
        found, needed = clean.features.arrow_schema.field(name).type, wanted.arrow_schema.field(name).type
        if found != needed or getattr(clean.features[name], "names", None) != getattr(wanted[name], "names", None):
            raise MedqDegError(
                f"column {name!r} of the clean rows must be {wanted[name]}, it is {clean.features[name]}: cast it with "
                f"cast_column({name!r}, medq_deg.data.features.features()[{name!r}])"
            )


def _kept(wanted: datasets.Features) -> list[str]:
    """Return the columns that the rows of a plan take over from the clean ones."""
    return [name for name in wanted if name not in ("id", "degradation", "category", "severity", "seed", "image")]


def _modality(value: int | str) -> str:
    return MODALITIES[value] if isinstance(value, int) else resolve_modality(value)


class OnTheFly:
    """One degradation for any dataset with a column of images.

    ``dataset.with_transform(medq_deg.OnTheFly("gaussian_noise", severity=2))``. The images of what this returns are
    references, see `medq_deg.data.reference`: unlike under other transforms, they stay degraded whatever is done next.
    A stream, and whoever wants the images stored, uses ``dataset.map(medq_deg.OnTheFly(...), batched=True)``.

    Each image's seed is derived from `seed` and the row's id, or, without ids, from the image's own pixels, so that
    order, shuffling and workers change nothing.

    Parameters
    ----------
    degradation, severity, modality
        As in `medq_deg.degrade`.
    seed : int
        0 or more.
    column : str
        Column of images.
    id_column : str, optional
        Column whose values tell rows apart.
    **options
        Further arguments of `medq_deg.degrade`.

    Raises
    ------
    MedqDegError
        On construction for a bad argument; on use for a missing column or an image that cannot be used.
    """

    def __init__(
        self,
        degradation: str,
        severity: int | str,
        seed: int = 0,
        *,
        modality: str | None = None,
        column: str = "image",
        id_column: str | None = None,
        **options: Any,
    ) -> None:
        self.degradation = resolve_degradation(degradation)
        self.severity = resolve_severity(severity)
        self.seed = check_seed(seed)
        self.modality = resolve_modality(modality) if modality is not None else None
        self.column = column
        self.id_column = id_column
        self.options = options
        self.code = code_fingerprint()  # part of the state that `datasets` hashes
        names = {name: value for name, value in options.items() if name not in ("rounding", "keep_marking")}
        DEGRADATIONS[self.degradation].check_parameters(names)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return a batch with degraded images, for ``map(..., batched=True)``."""
        if not isinstance(batch, Mapping):
            raise MedqDegError(
                f"OnTheFly works on batches of rows, got {type(batch).__name__}: use dataset.with_transform(...), or "
                "dataset.map(..., batched=True)"
            )
        for name in (self.column, self.id_column):
            if name is not None and name not in batch:
                raise MedqDegError(f"no column {name!r}; the columns are {', '.join(batch)}")
        images = batch[self.column]
        if not isinstance(images, Sequence) or isinstance(images, (str, bytes)):
            raise MedqDegError(
                f"OnTheFly works on batches, column {self.column!r} holds one row alone: use map(..., batched=True)"
            )
        keys = batch[self.id_column] if self.id_column else [None] * len(images)
        made = [self._degraded(image, key, row) for row, (image, key) in enumerate(zip(images, keys, strict=True))]
        return {name: made if name == self.column else list(values) for name, values in batch.items()}

    def _degraded(self, image: Any, key: Any, row: int) -> Image.Image:
        _check_image(image, f"row {row} of the batch, column {self.column!r}")
        key = content_key(pixels(image)) if key is None else key
        made: Image.Image = degrade(
            image,
            self.degradation,
            self.severity,
            derive_seed(self.seed, key, self.degradation),
            modality=self.modality,
            **self.options,
        )
        return made

    def applied(self, dataset: datasets.Dataset) -> datasets.Dataset:
        """Return a dataset whose images are references to degraded ones: what ``with_transform`` does with this."""
        for name in (self.column, self.id_column):
            if name is not None and name not in dataset.column_names:
                raise MedqDegError(f"no column {name!r}; the columns are {_listed(dataset)}")
        _check_images(dataset, self.column)
        places = places_of(dataset, self.column)
        return with_references(dataset, self.column, list(self._references(dataset, places)), self._digest(dataset))

    def _references(self, dataset: datasets.Dataset, places: Sequence[str]) -> Iterator[str]:
        ids = dataset.with_format(None)[self.id_column] if self.id_column else [None] * len(places)
        for number, (place, key) in enumerate(zip(places, ids, strict=True)):
            seed = (
                {"content_seed": self.seed} if key is None else {"seed": derive_seed(self.seed, key, self.degradation)}
            )
            yield reference(
                place,
                self.degradation,
                self.severity,
                f"{number if key is None else key}_{self.degradation}_L{self.severity}",
                modality=self.modality,
                options=self.options or None,
                **seed,
            )

    def _digest(self, dataset: datasets.Dataset) -> str:
        return str(Hasher.hash([dataset._fingerprint, sorted(vars(self).items(), key=str)]))


def _listed(dataset: datasets.Dataset) -> str:
    return ", ".join(dataset.column_names)


def _check_dataset(clean: Any, what: str) -> None:
    if isinstance(clean, (datasets.DatasetDict, datasets.IterableDatasetDict)):
        raise MedqDegError(f"{what} takes one split of clean rows, got all of {', '.join(clean)}: take the one of L0")
    if isinstance(clean, datasets.IterableDataset):
        raise MedqDegError(
            f"{what} needs clean rows that can be read in any order, got a stream: load them without streaming=True, "
            "and let the result stream with apply_plan(..., streaming=True)"
        )
    if not isinstance(clean, datasets.Dataset):
        raise MedqDegError(f"{what} takes a datasets.Dataset of clean rows, got {type(clean).__name__}")


def _check_images(dataset: datasets.Dataset, column: str) -> None:
    """Raise `MedqDegError` unless a column holds one image a row."""
    feature = dataset.features[column]
    if not isinstance(feature, datasets.Image):
        raise MedqDegError(
            f"column {column!r} must hold one image a row (datasets.Image), it holds {feature}; take images out of "
            "lists with map, or cast the column"
        )
    if not feature.decode:
        raise MedqDegError(
            f"the images of column {column!r} are not decoded: cast_column({column!r}, datasets.Image()) first"
        )


def _check_image(image: Any, where: str) -> None:
    if image is None:
        raise ImageError(f"{where}: there is no image")
    if isinstance(image, (list, tuple)):
        raise ImageError(f"{where}: holds a list of {len(image)} images, one is needed")
    if isinstance(image, Mapping):
        raise ImageError(f"{where}: the image is not decoded; cast_column(..., datasets.Image()) first")


def _mend_transforms() -> None:
    """Let ``with_transform``, ``set_transform`` and ``set_format`` put references in place of an `OnTheFly` transform.

    Left to `datasets`, the clean images would stay beneath it, and be shown by everything that sets another format:
    `with_format`, `concatenate_datasets`, any writer of files.
    """
    original = datasets.Dataset.set_format
    if getattr(original, "knows_medq_deg", False):
        return

    @functools.wraps(original)
    def set_format(
        self: datasets.Dataset,
        type: str | None = None,
        columns: list[str] | None = None,
        output_all_columns: bool = False,
        **options: Any,
    ) -> None:
        transform = options.get("transform")
        if isinstance(transform, OnTheFly):
            made = transform.applied(self)
            self.__dict__.update(made.__dict__)
            type, options = None, {}
        original(self, type, columns, output_all_columns, **options)

    set_format.knows_medq_deg = True  # type: ignore[attr-defined]
    datasets.Dataset.set_format = set_format


_mend_transforms()
