"""What becomes of the rows of a data set, on this machine alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import medq_deg
from medq_deg.degradations.folder import degrade_folder
from medq_deg.encoding import Encoding
from medq_deg.engines.local import LocalEngine
from medq_deg.errors import MedqDegError
from medq_deg.scale.dataset import DatasetReport, degrade_dataset
from medq_deg.scale.table import Columns, Recipe
from tests.scale.sets import IMAGE, SCHEMA, contents, png, read, rows, write


def degraded(source: Path, target: Path, recipe: Recipe | None = None, workers: int = 1) -> DatasetReport:
    with LocalEngine(workers) as engine:
        return degrade_dataset(str(source), str(target), recipe or Recipe(), engine)


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_each_row_is_what_degrade_makes_of_it(small: Path, tmp_path: Path) -> None:
    assert degraded(small, tmp_path / "out").rows == 60
    for before, after in zip(read(small), read(tmp_path / "out"), strict=True):
        image = Image.open(io.BytesIO(before["image"]["bytes"]))
        wanted = medq_deg.degrade(
            image, before["degradation"], before["severity"], before["seed"], modality=before["modality"]
        )
        assert np.array_equal(pixels(after["image"]["bytes"]), np.asarray(wanted))
        assert after["error"] is None
        assert {key: after[key] for key in before if key != "image"} == {
            key: before[key] for key in before if key != "image"
        }


def test_neither_workers_nor_the_number_of_files_change_a_row(tmp_path: Path) -> None:
    content = [{**row, "seed": None} for row in rows(40)]  # seeds are derived then
    sources = [write(tmp_path / f"in-{files}", content, files) for files in (1, 5)]
    made = [tmp_path / "one", tmp_path / "five"]
    for source, target, workers in zip(sources, made, (1, 2), strict=True):
        degraded(source, target, workers=workers)
    assert read(made[0]) == read(made[1])
    degraded(sources[1], tmp_path / "again")
    assert contents(tmp_path / "again") == contents(made[1])


def test_a_derived_seed_follows_the_image_and_the_job_seed(tmp_path: Path) -> None:
    content = [{**row, "seed": None, "severity": 2, "degradation": "gaussian_noise"} for row in rows(2)]
    first = write(tmp_path / "in", content + content[::-1], 1)
    degraded(first, tmp_path / "a")
    images = [row["image"]["bytes"] for row in read(tmp_path / "a")]
    assert images[0] == images[3]
    assert images[1] == images[2]
    degraded(first, tmp_path / "b", Recipe(seed=1))
    assert images[0] != read(tmp_path / "b")[0]["image"]["bytes"]


def test_options_say_for_all_rows_what_no_column_says(tmp_path: Path) -> None:
    schema = pa.schema([("scan", pa.binary())])
    write(tmp_path / "in", [{"scan": png("ct_abdomen")}], 1, schema)
    degraded(tmp_path / "in", tmp_path / "out", Recipe("reduce_contrast", 2, "CT", columns=Columns(image="scan")))
    after = read(tmp_path / "out")[0]
    wanted = medq_deg.degrade(Image.open(io.BytesIO(png("ct_abdomen"))), "reduce_contrast", 2, modality="CT")
    assert np.array_equal(pixels(after["scan"]), np.asarray(wanted))


def test_columns_are_named_by_option(tmp_path: Path) -> None:
    content = [{"kind": row["degradation"], "how": f"L{row['severity']}", **row} for row in rows(6)]
    schema = pa.schema([("kind", pa.string()), ("how", pa.string()), ("image", IMAGE)])
    write(tmp_path / "in", content, 1, schema)
    columns = Columns(degradation="kind", severity="how", error="why")
    degraded(tmp_path / "in", tmp_path / "out", Recipe(columns=columns))
    after = read(tmp_path / "out")
    assert [row["why"] for row in after] == [None] * 6
    assert after[1]["image"]["bytes"] != content[1]["image"]["bytes"]


def test_class_labels_are_read_by_their_names_and_datasets_reads_the_result(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "degradation": datasets.ClassLabel(names=["none", "reduce_contrast"]),
            "severity": datasets.Value("int32"),
        }
    )
    content = [{"image": {"bytes": png("ct_abdomen"), "path": None}, "degradation": 1, "severity": 2}]
    write(tmp_path / "in", content, 1, features.arrow_schema)
    degraded(tmp_path / "in", tmp_path / "out")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "out/*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.features["degradation"].names == ["none", "reduce_contrast"]
    assert loaded[0]["error"] is None
    wanted = medq_deg.degrade(Image.open(io.BytesIO(png("ct_abdomen"))), "reduce_contrast", 2)
    assert np.array_equal(np.asarray(loaded[0]["image"]), np.asarray(wanted))


def broken(tmp_path: Path) -> Path:
    good = rows(12)
    good[1]["image"] = {"bytes": b"no image", "path": None}
    good[2]["image"] = None
    good[3]["image"] = {"bytes": png("ct_abdomen")[:-40], "path": None}
    good[4]["severity"] = 7
    good[5]["severity"] = None
    good[7]["degradation"] = "fog"
    good[8]["image"] = {"bytes": png("ct_abdomen", 16), "path": None}
    good[9]["image"] = {"bytes": None, "path": "missing.png"}
    good[10]["seed"] = -1
    return write(tmp_path / "in", good, 2)


def test_a_broken_image_is_a_null_with_its_reason_and_the_rest_is_made(tmp_path: Path) -> None:
    report = degraded(broken(tmp_path), tmp_path / "out")
    after = read(tmp_path / "out")
    assert [row["id"] for row in after] == list(range(12))
    lost = {1: "not an image", 2: "no image", 3: "broken", 4: "7", 5: "no severity", 7: "fog", 8: "16 x 16"}
    lost |= {9: "missing.png", 10: "-1"}
    for row in after:
        if row["id"] in lost:
            assert row["image"] is None or row["image"]["bytes"] is None
            assert lost[row["id"]] in row["error"]
            assert str(tmp_path) not in row["error"]
        else:
            assert row["error"] is None
            assert row["image"]["bytes"]
    assert report.missing == len(lost)
    again = degraded(tmp_path / "in", tmp_path / "out")
    assert (again.kept, again.reasons) == (2, report.reasons)


def test_an_image_without_bytes_is_read_from_its_path(tmp_path: Path) -> None:
    content = rows(1)
    (tmp_path / "in/images").mkdir(parents=True)
    (tmp_path / "in/images/a.png").write_bytes(content[0]["image"]["bytes"])
    write(tmp_path / "in", [{**content[0], "severity": 1, "image": {"bytes": None, "path": "images/a.png"}}], 1)
    write(tmp_path / "whole", [{**content[0], "severity": 1}], 1)
    degraded(tmp_path / "in", tmp_path / "out")
    degraded(tmp_path / "whole", tmp_path / "other")
    assert read(tmp_path / "out") == read(tmp_path / "other")


def test_a_clean_row_loses_what_may_name_a_patient(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png("ct_abdomen"))).save(buffer, "JPEG", comment=b"Testperson^Erika")
    content = [{**rows(1)[0], "image": {"bytes": buffer.getvalue(), "path": "Testperson.jpg"}, "severity": 0}]
    degraded(write(tmp_path / "in", content, 1), tmp_path / "out")
    assert b"Testperson" not in next(iter(contents(tmp_path / "out").values()))


def test_what_is_finished_is_kept_and_what_is_missing_is_made(small: Path, tmp_path: Path) -> None:
    degraded(small, tmp_path / "out")
    whole = contents(tmp_path / "out")
    (tmp_path / "out/part-002.parquet").unlink()
    before = (tmp_path / "out/part-001.parquet").stat().st_mtime_ns
    assert degraded(small, tmp_path / "out").kept == 5
    assert contents(tmp_path / "out") == whole
    assert (tmp_path / "out/part-001.parquet").stat().st_mtime_ns == before


def test_a_source_that_changed_is_made_anew(tmp_path: Path) -> None:
    source = write(tmp_path / "in", rows(6), 2)
    degraded(source, tmp_path / "out")
    write(source, rows(12), 2)
    assert degraded(source, tmp_path / "out").kept == 0
    assert len(read(tmp_path / "out")) == 12


def test_folders_below_and_a_single_file_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "in/train", rows(4), 1)
    write(tmp_path / "in/test", rows(2), 1)
    write(tmp_path / "in/_ignored", rows(2), 1)
    degraded(tmp_path / "in", tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == ["test/part-000.parquet", "train/part-000.parquet"]
    degraded(tmp_path / "in/test/part-000.parquet", tmp_path / "alone")
    assert contents(tmp_path / "alone")["part-000.parquet"] == contents(tmp_path / "out")["test/part-000.parquet"]


def test_formats_keep_every_pixel(small: Path, tmp_path: Path) -> None:
    recipes = [Recipe(), Recipe(encoding=Encoding(png_level=9)), Recipe(encoding=Encoding("webp-lossless"))]
    for number, recipe in enumerate(recipes):
        degraded(small, tmp_path / str(number), recipe)
    sizes = []
    for number, start in enumerate((b"\x89PNG", b"\x89PNG", b"RIFF")):
        images = [row["image"]["bytes"] for row in read(tmp_path / str(number)) if row["severity"]]
        assert all(image.startswith(start) for image in images)
        sizes.append(sum(map(len, images)))
        for image, plain in zip(
            images, (row["image"]["bytes"] for row in read(tmp_path / "0") if row["severity"]), strict=True
        ):
            assert np.array_equal(
                np.asarray(Image.open(io.BytesIO(image)).convert("RGB")),
                np.asarray(Image.open(io.BytesIO(plain)).convert("RGB")),
            )
    assert sizes[0] > sizes[1] > sizes[2]


def test_workers_change_no_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in/below").mkdir(parents=True)
    for name in ("ct_abdomen", "below/mri_liver", "below/histo_hgsc_nest"):
        (tmp_path / f"in/{name}.png").write_bytes(png(name.split("/")[-1]))
    (tmp_path / "in/broken.png").write_bytes(b"no image")
    made = []
    for workers in (1, 2):
        with LocalEngine(workers) as engine:
            report = degrade_folder(tmp_path / "in", tmp_path / f"out-{workers}", "gaussian_noise", 2, 7, engine=engine)
        assert [path.name for path, _ in report.skipped] == ["broken.png"]
        made.append([path.read_bytes() for path in report.written])
    assert made[0] == made[1]
    assert len(made[0]) == 3


def test_an_empty_file_stays_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(SCHEMA.empty_table(), tmp_path / "in/a.parquet")
    assert degraded(tmp_path / "in", tmp_path / "out").rows == 0
    assert read(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (Recipe(columns=Columns(image="photo")), "no column 'photo' of images"),
        (Recipe(columns=Columns(image="id")), "'id' must hold encoded images.*int64"),
        (Recipe(columns=Columns(severity="how")), "no column 'how'"),
        (Recipe(columns=Columns(seed="modality")), "'modality' must hold integers, got string"),
        (Recipe(columns=Columns(degradation="image")), "'image' must hold names"),
        (Recipe(columns=Columns(degradation="severity")), "'severity' holds numbers, and nothing in the file names"),
        (Recipe(columns=Columns(error="id")), "has a column 'id' already"),
        (Recipe("exposure"), "--type exposure another"),
        (Recipe(severity=1), "--severity 1 another"),
    ],
)
def test_columns_that_cannot_be_used_are_named_before_anything_is_written(
    small: Path, tmp_path: Path, recipe: Recipe, told: str
) -> None:
    with pytest.raises(MedqDegError, match=told):
        degraded(small, tmp_path / "out", recipe)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (SCHEMA.set(3, pa.field("severity", pa.int64())), "'severity' is int64 here, int32 there"),
        (SCHEMA.remove(4), "'seed' is missing here, int64 there"),
        (SCHEMA.append(pa.field("more", pa.string())), "'more' is string here, missing there"),
        (pa.schema([*list(SCHEMA)[1:], SCHEMA.field(0)]), "another order"),
    ],
)
def test_files_of_other_columns_are_refused_before_a_file_is_made(tmp_path: Path, schema: pa.Schema, told: str) -> None:
    write(tmp_path / "in", rows(4), 2)
    pq.write_table(schema.empty_table(), tmp_path / "in/z.parquet")
    with pytest.raises(MedqDegError, match=rf"z\.parquet.*{told}"):
        degraded(tmp_path / "in", tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    write(tmp_path / "in", rows(4), 2)
    (tmp_path / "in/z.parquet").write_bytes(b"PAR1 half a file")
    with pytest.raises(MedqDegError, match=r"z\.parquet: is no parquet file"):
        degraded(tmp_path / "in", tmp_path / "out")


def test_other_settings_and_other_contents_are_refused(small: Path, tmp_path: Path) -> None:
    degraded(small, tmp_path / "out")
    with pytest.raises(MedqDegError, match=r"holds a result of other settings: .*truncate"):
        degraded(small, tmp_path / "out", Recipe(rounding="truncate"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(MedqDegError, match="is not empty and holds no result"):
        degraded(small, tmp_path / "full")
    with pytest.raises(MedqDegError, match="must not lie inside the input"):
        degraded(small, small / "out")


def test_columns_without_what_is_needed_ask_for_the_option(tmp_path: Path) -> None:
    write(tmp_path / "in", rows(1), 1, pa.schema([SCHEMA.field("image"), SCHEMA.field("severity")]))
    with pytest.raises(MedqDegError, match="no column 'degradation', so --type is needed"):
        degraded(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("jpeg", None), "format must be png or webp-lossless, got 'jpeg'"),
        (("png", 10), "png_level must be 0 to 9, got 10"),
        (("webp-lossless", 1), "png_level is for the format png"),
    ],
)
def test_encodings_that_there_are_not(given: tuple[str, int | None], told: str) -> None:
    with pytest.raises(MedqDegError, match=told):
        Encoding(*given)
