"""Rows whose images are references stay degraded through whatever is done to a dataset."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Image, concatenate_datasets, interleave_datasets
from numpy.typing import NDArray
from PIL import Image as PillowImage

import medq_deg
from medq_deg.data import known
from medq_deg.data.features import encoded, features
from medq_deg.data.reference import places_of
from medq_deg.data.schema import Question, row
from medq_deg.demo import read_image
from medq_deg.encoding import encode_png
from medq_deg.errors import ImageError, MedqDegError

SOURCES = {
    "ct_abdomen.png": "CT",
    "mri_liver.png": "MRI",
    "us_pelvis.png": "ultrasound",
    "histo_hgsc_nest.png": "histopathology",
}


def cut(name: str) -> PillowImage.Image:
    return read_image(name).crop((100, 100, 196, 180))


def clean_rows() -> Iterator[dict[str, Any]]:
    for name, modality in SOURCES.items():
        question = Question(name, "What is shown?", ("this", "that"), "A", modality, (), "folder")
        yield {**encoded(row(question, "none", 0, 0)), "image": {"bytes": encode_png(cut(name)), "path": None}}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    cache = tmp_path_factory.mktemp("cache")
    return Dataset.from_generator(clean_rows, features=features(), cache_dir=str(cache))


@pytest.fixture(scope="module")
def plan(clean: Dataset) -> medq_deg.data.plan.Plan:
    return medq_deg.make_plan(clean, seed=3)


@pytest.fixture(scope="module")
def wanted(plan: Any) -> dict[str, NDArray[np.uint8]]:
    made = {}
    for planned in plan:
        image = cut(planned.question_id)
        modality = SOURCES[planned.question_id]
        if planned.severity:
            image = medq_deg.degrade(image, planned.degradation, planned.severity, planned.seed, modality=modality)
        made[planned.id] = np.asarray(image)
    return made


@pytest.fixture(scope="module")
def rows(clean: Dataset, plan: Any) -> Dataset:
    return medq_deg.apply_plan(clean, plan)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


def in_memory(rows: Dataset) -> Dataset:
    return Dataset.from_list(list(rows), features=rows.features)


def check(found: Any, wanted: dict[str, NDArray[np.uint8]], column: str = "image") -> None:
    count = 0
    for each in found:
        assert np.array_equal(np.asarray(each[column]).squeeze(), wanted[each["id"]]), each["id"]
        count += 1
    assert count


def through_parquet(rows: Dataset, folder: Path) -> Dataset:
    rows.to_parquet(str(folder / "rows.parquet"))
    return Dataset.from_parquet(str(folder / "rows.parquet"), cache_dir=str(folder / "c"))


def through_json(rows: Dataset, folder: Path) -> Dataset:
    rows.to_json(str(folder / "rows.jsonl"))
    read = Dataset.from_json(str(folder / "rows.jsonl"), cache_dir=str(folder / "c"))
    return read.cast_column("image", Image())


def through_disk(rows: Dataset, folder: Path) -> Dataset:
    rows.save_to_disk(str(folder / "saved"))
    return datasets.load_from_disk(str(folder / "saved"))


def beside(ids: Any, rows: Dataset) -> list[dict[str, Any]]:
    return [{"id": name, **made} for name, made in zip(ids, rows, strict=True)]


WAYS: dict[str, Callable[[Dataset, Path], Any]] = {
    "as they are": lambda rows, _: rows,
    "to_parquet": through_parquet,
    "to_json": through_json,
    "save_to_disk": through_disk,
    "concatenate_datasets": lambda rows, _: concatenate_datasets([rows, rows.select(range(2)).with_format("numpy")]),
    "interleave_datasets": lambda rows, _: interleave_datasets([rows, rows.shuffle(seed=1)]),
    "cast_column": lambda rows, _: rows.cast_column("seed", datasets.Value("uint64")),
    "with_format numpy": lambda rows, _: beside(rows["id"], rows.select_columns("image").with_format("numpy")),
    "with_format None": lambda rows, _: rows.with_format("numpy").with_format(None),
    "with_transform": lambda rows, _: rows.with_transform(lambda batch: batch),
    "DatasetDict": lambda rows, _: datasets.DatasetDict({"a": rows}).with_format(None)["a"],
    "to_iterable_dataset": lambda rows, _: rows.to_iterable_dataset(num_shards=2).shuffle(seed=1, buffer_size=5),
    "map that leaves the image": lambda rows, _: rows.map(lambda row: {"length": len(row["question"])}),
    "map that reads the image": lambda rows, _: rows.map(lambda row: {"width": row["image"].width}),
    "filter, shuffle, split": lambda rows, _: rows.filter(lambda row: row["severity"] > 0)
    .shuffle(seed=2)
    .train_test_split(0.5, seed=1)["train"],
    "pickle": lambda rows, _: pickle.loads(pickle.dumps(rows)),
    "sort and flatten": lambda rows, _: rows.sort("seed").flatten_indices(),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_degraded_rows_stay_degraded(way: str, rows: Dataset, wanted: Any, tmp_path: Path) -> None:
    check(WAYS[way](rows, tmp_path), wanted)


def test_a_renamed_column_stays_degraded(rows: Dataset, wanted: Any) -> None:
    check(rows.rename_column("image", "scan"), wanted, column="scan")


def test_several_processes_see_the_same_images(rows: Dataset, wanted: Any) -> None:
    check(rows.map(lambda row: {"width": row["image"].width}, num_proc=2), wanted)


@pytest.mark.parametrize(
    "change",
    [
        lambda clean: clean.shuffle(seed=1),
        lambda clean: concatenate_datasets([clean.select(range(1, 4)), clean.select(range(1))]),
        lambda clean: concatenate_datasets([clean.select([2, 3]), in_memory(clean.select(range(2)))]),
        in_memory,
        lambda clean: clean.rename_column("image", "x").add_column("n", list(range(4))).rename_column("x", "image"),
        lambda clean: clean.map(lambda row: {"image": row["image"]}),
        lambda clean: clean.filter(lambda row: True).sort("question_id"),
    ],
)  # fmt: skip
def test_clean_images_are_found_wherever_they_lie(
    change: Callable[[Dataset], Dataset], clean: Dataset, plan: Any, wanted: Any
) -> None:
    check(medq_deg.apply_plan(change(clean), plan), wanted)


def test_images_that_lie_in_files_are_not_copied(clean: Dataset) -> None:
    for change in (clean, clean.shuffle(seed=1), clean.select(range(2)), clean.rename_column("image", "picture")):
        places_of(change, next(name for name in ("image", "picture") if name in change.column_names))
    assert not (known.cache_folder() / "images").exists()
    places_of(in_memory(clean), "image")
    assert len(list((known.cache_folder() / "images").iterdir())) == 1


def test_no_column_but_the_image_is_needed_and_labels_touch_no_image(
    rows: Dataset, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(rows["id"])
    for name, each in zip(names, rows.select_columns(["image"]), strict=True):
        assert np.array_equal(np.asarray(each["image"]), wanted[name])

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("an image was made")

    monkeypatch.setattr("medq_deg.data.reference._image", refuse)
    assert len(list(rows["answer"])) == len(rows)
    assert len(list(rows.select_columns(["severity"]))) == len(rows)
    assert rows.filter(lambda severity: severity == 2, input_columns="severity").num_rows


def test_a_parquet_file_and_a_saved_folder_hold_the_degraded_images_themselves(
    rows: Dataset, wanted: Any, tmp_path: Path
) -> None:
    rows.to_parquet(str(tmp_path / "rows.parquet"))
    for each in pq.read_table(tmp_path / "rows.parquet").to_pylist():
        stored = PillowImage.open(io.BytesIO(each["image"]["bytes"]))
        assert np.array_equal(np.asarray(stored), wanted[each["id"]])
        assert "/" not in each["image"]["path"]
    rows.save_to_disk(str(tmp_path / "saved"))
    saved = datasets.load_from_disk(str(tmp_path / "saved")).cast_column("image", Image(decode=False))
    assert all(each["image"]["bytes"] for each in saved)


@pytest.mark.slow
def test_one_process_sees_degraded_images_without_importing_the_package_and_another_that_lacks_it_sees_none(
    rows: Dataset, wanted: Any, tmp_path: Path
) -> None:
    rows.select_columns(["id", "image"]).to_json(str(tmp_path / "rows.jsonl"))
    code = (
        "import datasets, hashlib, sys\n"
        "if 'without' in sys.argv:\n"
        "    from fsspec.registry import _registry, known_implementations\n"
        "    _registry.pop('medq-deg', None); known_implementations.pop('medq-deg', None)\n"
        "rows = datasets.Dataset.from_json('rows.jsonl', cache_dir='c').cast_column('image', datasets.Image())\n"
        "for row in rows:\n"
        "    print(row['id'], hashlib.sha256(row['image'].tobytes()).hexdigest())\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = [sys.executable, "-c", code, *arguments]
        return subprocess.run(done, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ)

    seen = run()
    assert seen.returncode == 0, seen.stderr
    told = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in wanted.items()}
    assert dict(line.rsplit(" ", 1) for line in seen.stdout.splitlines()) == told
    without = run("without")
    assert without.returncode != 0
    assert "medq-deg" in without.stderr
    assert without.stdout == ""


@pytest.mark.slow
def test_a_spawned_worker_sees_the_same_images(rows: Dataset, wanted: Any) -> None:
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(rows, batch_size=4, num_workers=1, multiprocessing_context="spawn", collate_fn=list)
    check((each for batch in loader for each in batch), wanted)


def test_clean_images_that_are_gone_or_changed_are_an_error_and_not_another_image(
    clean: Dataset, plan: Any, tmp_path: Path
) -> None:
    clean.save_to_disk(str(tmp_path / "clean"))
    rows = medq_deg.apply_plan(datasets.load_from_disk(str(tmp_path / "clean")), plan)
    file = next((tmp_path / "clean").glob("*.arrow"))
    other = in_memory(clean.select([3, 2, 1, 0]))
    file.unlink()
    with pytest.raises(MedqDegError, match=r"are gone; make the rows again, or store their images with .*cached=True"):
        rows[0]
    other.save_to_disk(str(tmp_path / "other"))
    file.write_bytes(next((tmp_path / "other").glob("*.arrow")).read_bytes())
    with pytest.raises(MedqDegError, match="were changed"):
        rows[0]


def test_clean_rows_with_other_labels_are_refused_by_column(clean: Dataset, plan: Any) -> None:
    with pytest.raises(MedqDegError, match="column 'modality' of the clean rows must be ClassLabel"):
        medq_deg.apply_plan(clean.cast_column("modality", datasets.Value("string")), plan)


def test_cached_rows_need_nothing_else(clean: Dataset, plan: Any, wanted: Any, tmp_path: Path) -> None:
    rows = medq_deg.apply_plan(clean, plan, cached=True)
    assert all(each["image"]["bytes"] for each in rows.cast_column("image", Image(decode=False)))
    check(rows, wanted)
    check(concatenate_datasets([rows, medq_deg.apply_plan(clean, plan)]), wanted)


def test_a_reference_names_its_row_and_no_pixel(rows: Dataset, tmp_path: Path) -> None:
    rows.to_json(str(tmp_path / "rows.jsonl"))
    for line in (tmp_path / "rows.jsonl").read_text().splitlines():
        each = json.loads(line)
        assert each["image"]["bytes"] is None
        assert each["image"]["path"].startswith("medq-deg://")


@pytest.mark.parametrize("path", ["", "x", "bubble-L1/row=1/q.png", "bubble/file=a&stamp=b&column=c&row=1/q.png"])
def test_a_path_that_says_nothing_is_refused(path: str) -> None:
    with pytest.raises(MedqDegError, match="is no reference to an image"):
        Image().decode_example({"bytes": None, "path": f"medq-deg://{path}"})


def test_what_is_no_image_is_refused_by_its_name(clean: Dataset, plan: Any) -> None:
    broken = [{**each, "image": {"bytes": b"no image", "path": None}} for each in clean.with_format(None)]
    rows = medq_deg.apply_plan(Dataset.from_list(broken, features=clean.features), plan)
    with pytest.raises(ImageError, match=r"ct_abdomen\.png_none_L0.*not an image"):
        rows[0]
