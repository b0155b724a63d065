"""Pictures that are degraded when they are read: a plan over clean rows, or one degradation over any dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa
from datasets.fingerprint import Hasher
from PIL import Image

from medq_deg.data.features import features
from medq_deg.data.plan import Plan
from medq_deg.data.schema import COLUMNS
from medq_deg.degradations import DEGRADATIONS, degrade
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import MedqDegError
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

_STREAM_SHARDS, _STREAM_BATCH = 64, 16
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
        False: no picture is stored; each is degraded when it is read, by a transform that survives `select`,
        `shuffle`, `map`, pickling and workers. The `image` column is empty beneath it: `with_format(None)` shows that.
        True: every picture is made now and stored in the cache of `datasets`. Both give the same pixels.
    streaming : bool
        Return a `datasets.IterableDataset` whose pictures are made as it is iterated.

    Returns
    -------
    datasets.Dataset or datasets.IterableDataset
        One row per row of the plan, in its order. Its fingerprint follows from the clean rows, the plan and the code of
        the degradations.

    Raises
    ------
    MedqDegError
        If the plan names a question that the clean rows do not have.
    """
    place = {question: index for index, question in enumerate(clean.with_format(None)["question_id"])}
    missing = next((row.question_id for row in plan if row.question_id not in place), None)
    if missing is not None:
        raise MedqDegError(f"the plan has question {missing!r}, which the clean rows do not have")
    sources = [place[row.question_id] for row in plan]
    wanted = features()
    table = clean.with_format(None).remove_columns("image").flatten_indices().data.table
    table = table.take(pa.array(sources, pa.int64())).combine_chunks()
    made = {
        "id": pa.array([row.id for row in plan], pa.string()),
        "degradation": pa.array([_DEGRADATION_CODES[row.degradation] for row in plan], pa.int64()),
        "category": pa.array([_CATEGORY_CODES[category_of(row.degradation)] for row in plan], pa.int64()),
        "severity": pa.array([row.severity for row in plan], pa.int32()),
        "seed": pa.array([row.seed for row in plan], pa.int64()),
        "image": pa.nulls(len(plan), wanted["image"].pa_type),
    }
    columns = {name: made[name] if name in made else table.column(name) for name in COLUMNS}
    digest = Hasher.hash([clean._fingerprint, [row.id for row in plan], plan.seed, code_fingerprint()])
    rows = datasets.Dataset(
        datasets.table.InMemoryTable(pa.table(columns).cast(wanted.arrow_schema)),
        info=datasets.DatasetInfo(features=wanted),
        fingerprint=digest,
    )
    transform = PlanTransform(clean.select_columns(["question_id", "image"]), digest)
    if streaming:
        shards = min(len(plan), _STREAM_SHARDS)
        return rows.to_iterable_dataset(num_shards=shards).map(transform, batched=True, batch_size=_STREAM_BATCH)
    lazy = rows.with_transform(transform)
    return lazy.map(_keep, features=wanted, new_fingerprint=f"{digest}c") if cached else lazy


def _keep(row: dict[str, Any]) -> dict[str, Any]:
    return row


class PlanTransform:
    """Fills the picture of planned rows from the clean ones.

    It holds the clean pictures' dataset (a memory map, no pixels) and no random state, so that `datasets` can hash
    and pickle it.
    """

    def __init__(self, clean: datasets.Dataset, digest: str) -> None:
        self._clean = clean.with_format(None)
        self._digest = digest
        self._place: dict[str, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_clean": self._clean, "_digest": self._digest, "_place": None}

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the batch with pictures, if the columns that they need are there."""
        result = {name: list(values) for name, values in batch.items()}
        if "image" not in result:
            return result
        lacking = {"question_id", "degradation", "severity", "seed", "modality"} - set(result)
        if lacking:
            raise MedqDegError(f"a picture that is made on the fly needs the columns {', '.join(sorted(lacking))} too")
        if self._place is None:
            self._place = {question: index for index, question in enumerate(self._clean["question_id"])}
        keys = ("question_id", "degradation", "severity", "seed", "modality")
        planned = zip(*(result[name] for name in keys), strict=True)
        result["image"] = [self._picture(self._place[question], *rest) for question, *rest in planned]
        return result

    def _picture(self, place: int, degradation: int, severity: int, seed: int, modality: int) -> Image.Image:
        image: Image.Image = self._clean[place]["image"]
        if not severity:
            return image
        return degrade(image, DEGRADATION_LABELS[degradation], severity, seed, modality=MODALITIES[modality])


class OnTheFly:
    """One degradation as a transform for any dataset with a column of pictures.

    ``dataset.with_transform(medq_deg.OnTheFly("gaussian_noise", severity=2))``. Each picture's seed is derived from
    `seed` and the row's id, or, without ids, from the picture's own pixels, so that order, shuffling and workers change
    nothing.

    Parameters
    ----------
    degradation, severity, modality
        As in `medq_deg.degrade`.
    seed : int
        0 or more.
    column : str
        Column of pictures.
    id_column : str, optional
        Column whose values tell rows apart.
    **options
        Further arguments of `medq_deg.degrade`.

    Raises
    ------
    MedqDegError
        On construction for a bad argument; on use for a missing column or a picture that cannot be used.
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
        """Return the batch with degraded pictures."""
        result = {name: list(values) for name, values in batch.items()}
        for name in (self.column, self.id_column):
            if name is not None and name not in result:
                raise MedqDegError(f"no column {name!r}; the columns are {', '.join(result)}")
        images = result[self.column]
        ids = result[self.id_column] if self.id_column else [_content(image) for image in images]
        result[self.column] = [
            degrade(
                image,
                self.degradation,
                self.severity,
                derive_seed(self.seed, key, self.degradation),
                modality=self.modality,
                **self.options,
            )
            for image, key in zip(images, ids, strict=True)
        ]
        return result


def _content(image: Image.Image) -> str:
    array = pixels(image)
    mode, size = ("L" if array.ndim == 2 else "RGB"), array.shape[1::-1]
    return hashlib.sha256(repr((mode, size)).encode() + array.tobytes()).hexdigest()
