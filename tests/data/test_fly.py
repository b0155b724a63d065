"""One degradation over any dataset: the same images by every way, and mistakes that end in a sentence."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features, Image, Value, concatenate_datasets
from numpy.typing import NDArray
from PIL import Image as PillowImage

import medq_deg
from medq_deg.demo import read_image
from medq_deg.encoding import encode_png
from medq_deg.errors import ImageError, MedqDegError

NAMES = ("ct_abdomen.png", "mri_liver.png", "us_pelvis.png")
NOISE = medq_deg.OnTheFly("gaussian_noise", severity=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


def stored(name: str) -> dict[str, Any]:
    return {"bytes": encode_png(read_image(name).crop((100, 100, 196, 180))), "path": None}


def images(*values: Any, **options: Any) -> Dataset:
    columns = {"image": list(values), "id": [f"r{i}" for i in range(len(values))]}
    return Dataset.from_dict(columns, features=Features({"image": Image(**options), "id": Value("string")}))


@pytest.fixture
def rows() -> Dataset:
    return images(*map(stored, NAMES))


def arrays(rows: Any) -> list[NDArray[np.uint8]]:
    return [np.asarray(row["image"]).squeeze() for row in rows]


def equal(found: Any, wanted: list[NDArray[np.uint8]]) -> bool:
    found = arrays(found)
    return len(found) == len(wanted) and all(map(np.array_equal, found, wanted))


@pytest.mark.parametrize(
    "transform", [NOISE, medq_deg.OnTheFly("gaussian_noise", 2, id_column="id", modality="CT", rounding="truncate")]
)
def test_a_transform_a_map_and_a_stream_give_the_same_images(transform: medq_deg.OnTheFly, rows: Dataset) -> None:
    wanted = arrays(rows.map(transform, batched=True))
    assert not equal(rows, wanted)
    assert equal(rows.with_transform(transform), wanted)
    assert equal(rows.to_iterable_dataset().map(transform, batched=True), wanted)
    rows.set_transform(transform)
    assert equal(rows, wanted)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.with_format("numpy"),
        lambda rows: rows.with_format("numpy").with_format(None),
        lambda rows: rows.with_transform(lambda batch: batch),
        lambda rows: concatenate_datasets([rows.select([0]), rows.select([1, 2]).with_format("numpy")]),
        lambda rows: rows.rename_column("image", "x").rename_column("x", "image"),
        lambda rows: rows.select_columns("image"),
        lambda rows: rows.cast_column("image", Image(decode=False)).cast_column("image", Image()),
        lambda rows: DatasetDict({"a": rows}).with_format("numpy")["a"],
        lambda rows: rows.to_iterable_dataset(),
    ],
)
def test_nothing_brings_the_clean_images_back(change: Callable[[Dataset], Any], rows: Dataset) -> None:
    wanted = arrays(rows.map(NOISE, batched=True))
    assert equal(change(rows.with_transform(NOISE)), wanted)


def test_two_severities_can_be_concatenated(rows: Dataset) -> None:
    both = [medq_deg.OnTheFly("gaussian_noise", severity) for severity in (1, 2)]
    wanted = [array for transform in both for array in arrays(rows.map(transform, batched=True))]
    assert equal(concatenate_datasets([rows.with_transform(transform) for transform in both]), wanted)


def test_a_degradation_can_follow_another(rows: Dataset) -> None:
    bubble = medq_deg.OnTheFly("bubble", 1, seed=4)
    wanted = arrays(rows.map(NOISE, batched=True).map(bubble, batched=True))
    assert equal(rows.with_transform(NOISE).with_transform(bubble), wanted)


def test_all_splits_can_be_degraded_at_once_and_formats_of_columns_stay(rows: Dataset) -> None:
    splits = DatasetDict({"train": rows, "test": rows.select([2])}).with_transform(NOISE, columns=["image"])
    wanted = arrays(rows.map(NOISE, batched=True))
    assert equal(splits["train"], wanted)
    assert equal(splits["test"], wanted[2:])
    assert list(splits["train"][0]) == ["image"]


def test_the_fingerprint_follows_the_transform_and_the_rows(rows: Dataset) -> None:
    same = [rows.with_transform(medq_deg.OnTheFly("bubble", 1, seed=5))._fingerprint for _ in range(2)]
    assert same[0] == same[1]
    others = [medq_deg.OnTheFly("bubble", 1, seed=6), medq_deg.OnTheFly("bubble", 2, seed=5)]
    assert len({same[0], *(rows.with_transform(other)._fingerprint for other in others)}) == 3
    assert rows.select([0]).with_transform(others[0])._fingerprint != rows.with_transform(others[0])._fingerprint


def broken() -> dict[str, Any]:
    file = io.BytesIO()
    read_image(NAMES[0]).convert("L").save(file, "JPEG")
    return {"bytes": file.getvalue()[:3000], "path": None}


def deep() -> dict[str, Any]:
    file = io.BytesIO()
    PillowImage.fromarray(np.full((64, 64), 40_000, np.uint16)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda: images(stored(NAMES[0]), None).with_transform(NOISE)[:2], "the row has no image"),
        (lambda: images(stored(NAMES[0]), None).map(NOISE, batched=True), "row 1 of the batch, column 'image'"),
        (lambda: images(stored(NAMES[0]), decode=False).with_transform(NOISE), "not decoded: cast_column"),
        (lambda: images(stored(NAMES[0]), decode=False).map(NOISE, batched=True), "not decoded; cast_column"),
        (lambda: images(stored(NAMES[0])).map(NOISE), r"one row alone: use map\(..., batched=True\)"),
        (lambda: next(iter(images(stored(NAMES[0])).to_iterable_dataset().map(NOISE))), "one row alone"),
        (lambda: listed().with_transform(NOISE), "must hold one image a row"),
        (lambda: listed().map(NOISE, batched=True), "a list of 1 images"),
        (lambda: images(broken()).with_transform(NOISE)[0], "'0_gaussian_noise_L2' cannot be made: .*broken"),
        (lambda: images(deep()).with_transform(NOISE)[0], "8 bits a channel"),
        (lambda: images(stored(NAMES[0])).with_transform(medq_deg.OnTheFly("bubble", 1, column="x")), "no column"),
        (lambda: NOISE(images(stored(NAMES[0]))), "works on batches of rows, got Dataset"),
        (lambda: medq_deg.make_plan(DatasetDict({"L0": images()})), "take one split"),
        (lambda: medq_deg.make_plan(images()), "lack the columns question_id, modality"),
        (lambda: medq_deg.make_plan(None), "rows are wanted, got NoneType"),
        (lambda: medq_deg.apply_plan(DatasetDict({"L0": images()}), plan()), "takes one split of clean rows"),
        (lambda: medq_deg.apply_plan(images(stored(NAMES[0])).to_iterable_dataset(), plan()), "got a stream"),
        (lambda: medq_deg.apply_plan([], plan()), "takes a datasets.Dataset of clean rows, got list"),
        (lambda: medq_deg.apply_plan(images(), plan()), "lack the columns question_id"),
        (lambda: medq_deg.apply_plan(images(), None), "a plan from medq_deg.make_plan is needed, got NoneType"),
    ],
)  # fmt: skip
def test_a_mistake_ends_in_a_sentence(mistake: Callable[[], object], told: str) -> None:
    with pytest.raises(MedqDegError, match=told) as error:
        mistake()
    assert "\n" not in str(error.value)


def test_a_missing_image_is_an_image_error_that_names_its_row() -> None:
    with pytest.raises(ImageError, match="'1_gaussian_noise_L2' cannot be made"):
        images(stored(NAMES[0]), None).with_transform(NOISE)[1]


def listed() -> Dataset:
    columns = Features({"image": [Image()], "id": Value("string")})
    return Dataset.from_dict({"image": [[stored(NAMES[0])]], "id": ["r0"]}, features=columns)


def plan() -> Any:
    return medq_deg.make_plan([{"question_id": "q", "modality": "CT"}])
