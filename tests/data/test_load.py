"""Every name of data, and that data is known by what it holds."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import medq_deg
from medq_deg import cli
from medq_deg.data import convert, features, known
from medq_deg.data.build import build
from medq_deg.data.builder import MedqDegBuilder
from medq_deg.data.schema import COLUMNS, TEXT_COLUMNS
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import encoded, write_tsv
from tests.data.sources_of_demo import write_folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build({"folder": write_folder(folder / "mine", count=3)}, folder / "data")
    return folder / "data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


def write_release(folder: Path, question: str = "What is in this MRI image?", rows: int = 2) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        {"index": i, "image": encoded(), "question": f"{question} ({i})", "A": "Liver", "B": "Spleen", "answer": "A"}
        for i in range(rows)
    ]
    made = [{**row, "modality": "MRI"} for row in made]
    write_tsv(folder / "MedQ-Robust-good-test.tsv", made)
    degraded = {"degradation_type": "ghosting_artifact"}
    write_tsv(
        folder / "MedQ-Robust-simulate-test.tsv",
        [{**row, **degraded, "degradation_severity": word} for row in made for word in ("mild", "severe")],
    )
    return folder


def check_rows(data: medq_deg.data.load.Data) -> None:
    told = list(data.columns())
    assert len(told) == len(data)
    assert [row["severity"] for row in told] == sorted(row["severity"] for row in told) or data.name.startswith("demo")
    for place in (0, len(data) - 1):
        row = data[place]
        assert set(COLUMNS) <= set(row)
        assert {name: row[name] for name in TEXT_COLUMNS} == told[place]
        assert row["image"].mode in ("L", "RGB")
    assert [row["id"] for row in data[-2:]] == [row["id"] for row in told[-2:]]


@pytest.mark.parametrize("name", ["demo", "demo-held-out"])
def test_embedded_data_opens_by_name(name: str) -> None:
    data = medq_deg.open_data(name)
    assert data.name == name
    assert len(data) > 100
    check_rows(data)


def test_a_build_opens_by_its_folder_and_reads_images_when_they_are_asked_for(built: Path) -> None:
    data = medq_deg.open_data(str(built))
    assert data.name == built.name
    check_rows(data)
    assert all(row["image"] is not None for row in data)
    copy = pickle.loads(pickle.dumps(data))
    assert np.array_equal(np.asarray(copy[1]["image"]), np.asarray(data[1]["image"]))
    with pytest.raises(IndexError):
        data[len(data)]


def test_the_release_opens_from_a_folder_of_its_files_and_is_the_data_that_is_ranked(tmp_path: Path) -> None:
    data = medq_deg.open_data(f"release:{write_release(tmp_path / 'files')}")
    assert (data.name, len(data)) == ("release", 6)
    assert {row["source"] for row in data.columns()} == {"release"}
    check_rows(data)


def test_the_release_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, reads = write_release(tmp_path / "files"), []
    past = 1_600_000_000
    monkeypatch.setattr(known, "_TICK", -1e9)
    for path in folder.iterdir():
        os.utime(path, (past, past))
    read = convert.read_release

    def counted(*arguments: Any) -> Any:
        reads.append(arguments)
        return read(*arguments)

    monkeypatch.setattr(convert, "read_release", counted)
    first = medq_deg.open_data(f"release:{folder}")
    again = medq_deg.open_data(f"release:{folder}")
    builder = MedqDegBuilder(config_name="release", data_dir=str(folder), cache_dir=str(tmp_path / "c"))
    builder.download_and_prepare()
    assert len(reads) == 1
    assert first.fingerprint == again.fingerprint
    assert [len(builder.as_dataset(split=name)) for name in ("L0", "L1", "L2")] == [2, 2, 2]


def test_equal_contents_have_one_fingerprint_wherever_they_lie(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built, tmp_path / "copy")
    (tmp_path / "link").symlink_to(built)
    monkeypatch.chdir(built.parent)
    names = [str(built), str(tmp_path / "copy"), str(tmp_path / "link"), built.name]
    assert len({medq_deg.open_data(name).fingerprint for name in names}) == 1
    caches = {MedqDegBuilder(data_dir=name, cache_dir=str(tmp_path / "c")).cache_dir for name in names}
    assert len(caches) == 1


def test_a_rebuild_and_a_link_to_another_build_are_other_data(built: Path, tmp_path: Path) -> None:
    folder, link = tmp_path / "data", tmp_path / "link"
    shutil.copytree(built, folder)
    link.symlink_to(built)

    def seen(name: Path) -> tuple[str, list[str]]:
        builder = MedqDegBuilder(data_dir=str(name), cache_dir=str(tmp_path / "c"))
        builder.download_and_prepare()
        return medq_deg.open_data(str(name)).fingerprint, list(builder.as_dataset(split="L0")["id"])

    before = seen(folder)
    assert seen(link) == before
    shutil.rmtree(folder)
    build({"folder": write_folder(tmp_path / "mine", count=2, every=9)}, folder)
    assert seen(folder) != before
    link.unlink()
    link.symlink_to(folder)
    assert seen(link) == seen(folder)


@pytest.mark.parametrize("way", ["replaced", "in place"])
def test_release_files_that_are_replaced_or_edited_are_other_data(way: str, tmp_path: Path) -> None:
    folder = write_release(tmp_path / "files", "What is in this MRI image?")

    def questions() -> tuple[str, str]:
        builder = MedqDegBuilder(config_name="release", data_dir=str(folder), cache_dir=str(tmp_path / "c"))
        builder.download_and_prepare()
        data = medq_deg.open_data(f"release:{folder}")
        assert builder.as_dataset(split="L0")[0]["question"] == data[0]["question"]
        return data.fingerprint, data[0]["question"]

    before = questions()
    if way == "replaced":
        shutil.rmtree(folder)
        write_release(folder, "What is on this MRI image?")
    else:
        for path in folder.iterdir():
            times = path.stat()
            text = path.read_bytes().replace(b"What is in", b"What is on")
            with path.open("r+b") as file:
                file.write(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # of the same size, and as old as before
    after = questions()
    assert before[0] != after[0]
    assert after[1].startswith("What is on")


def test_a_changed_shard_changes_the_fingerprint_whatever_the_manifest_says(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(built, folder)
    before = medq_deg.open_data(str(folder)).fingerprint
    path = folder / "data" / "L1-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=1)
    assert medq_deg.open_data(str(folder)).fingerprint == before, "the same rows in other row groups"
    pq.write_table(table.slice(1), path)
    assert medq_deg.open_data(str(folder)).fingerprint != before


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "unknown data 'nothing'; allowed: demo, demo-held-out, release, release:DIR"),
        ("release:", "names no folder"),
        ("release:nowhere", "nowhere is not a folder"),
        ("me/nothing", "'me/nothing' is no folder here, and no dataset that can be fetched from the Hub"),
        ("release", "the authors' release cannot be fetched from the Hub"),
        (7, "the name of data must be a text, got 7"),
    ],
)
def test_a_name_that_stands_for_nothing_is_one_sentence(name: Any, told: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MedqDegError, match=told):
        medq_deg.open_data(name)


def test_a_build_that_has_not_finished_is_refused(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "data")
    (tmp_path / "data" / ".build").mkdir()
    with pytest.raises(MedqDegError, match="has not finished"):
        medq_deg.open_data(str(tmp_path / "data"))


def test_files_that_are_no_shards_are_refused_by_name(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "data")
    path = tmp_path / "data" / "data" / "L1-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["answer"]), path)
    with pytest.raises(MedqDegError, match=r"L1-00000\.parquet: lacks the columns answer"):
        medq_deg.open_data(str(tmp_path / "data"))
    path.write_bytes(b"no parquet")
    with pytest.raises(MedqDegError, match=r"L1-00000\.parquet: is no parquet file"):
        medq_deg.open_data(str(tmp_path / "data"))


@pytest.mark.parametrize("order", ["none is the last label", "no names"])
def test_labels_of_shards_are_read_by_their_names_or_refused(built: Path, tmp_path: Path, order: str) -> None:
    shutil.copytree(built, tmp_path / "data")
    for path in (tmp_path / "data" / "data").glob("*.parquet"):
        table = pq.read_table(path)
        columns = datasets.Features.from_arrow_schema(table.schema)
        rows = table.to_pylist()
        for name in ("degradation", "category"):
            before = columns[name].names
            columns[name] = datasets.ClassLabel(names=[*before[1:], before[0]])
            for row in rows:
                row[name] = columns[name].str2int(before[row[name]])
        schema = columns.arrow_schema if order != "no names" else columns.arrow_schema.remove_metadata()
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
    if order == "no names":
        with pytest.raises(
            MedqDegError, match="the numbers in modality, task, level, degradation, category have no na"
        ):
            medq_deg.open_data(str(tmp_path / "data"))
        return
    wanted, found = medq_deg.open_data(str(built)), medq_deg.open_data(str(tmp_path / "data"))
    assert list(found.columns()) == list(wanted.columns())
    assert found.fingerprint == wanted.fingerprint
    loaded = datasets.load_dataset("medq-deg", data_dir=str(tmp_path / "data"), split="L1")
    names = loaded.features["degradation"].int2str(loaded["degradation"][:])
    assert names == [row["degradation"] for row in wanted.columns() if row["severity"] == 1]


def test_a_label_that_is_not_known_here_is_named(built: Path) -> None:
    with pytest.raises(
        MedqDegError, match=r"row '.*' has the degradation 'fog', which is not known here; allowed: none"
    ):
        features.encoded({**next(medq_deg.open_data(str(built)).columns()), "degradation": "fog"})


def test_a_release_without_a_usable_row_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    row = {"index": 1, "image": encoded(), "question": "?", "A": "x", "B": "", "answer": "A", "modality": "MRI"}
    write_tsv(folder / "MedQ-Robust-good-test.tsv", [row])
    with pytest.raises(MedqDegError, match=r"holds no usable row of the release: .*fewer than 2 options"):
        medq_deg.open_data(f"release:{folder}")
    left = known.cache_folder() / "release"
    assert [path.name for path in left.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "file")
    with pytest.raises(MedqDegError, match="HF_DATASETS_CACHE"):
        medq_deg.open_data(f"release:{write_release(tmp_path / 'files')}")


def test_a_run_and_a_report_follow_what_the_data_holds_now(built: Path, tmp_path: Path) -> None:
    from medq_deg.evaluation.run import evaluate
    from medq_deg.reporting.collect import collect
    from medq_deg.reporting.write import OTHER_IMAGES, _images
    from tests.evaluation.test_run import Echo

    folder = tmp_path / "data"
    shutil.copytree(built, folder)

    def start() -> None:
        data = medq_deg.open_data(str(folder))
        evaluate(Echo(), data, tmp_path / "run", data_name=data.name, data_version=data.fingerprint)

    start()
    start()
    runs = collect([tmp_path / "run"], coverage=1.0)
    assert OTHER_IMAGES not in _images(runs, medq_deg.open_data(str(folder)))[1]
    path = folder / "data" / "L1-00000.parquet"
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    changed = pa.array([images[1], images[0], *images[2:]], table.schema.field("image").type)
    pq.write_table(table.set_column(table.schema.get_field_index("image"), table.schema.field("image"), changed), path)
    with pytest.raises(MedqDegError, match=r"data\.version was"):
        start()
    assert OTHER_IMAGES in _images(runs, medq_deg.open_data(str(folder)))[1]


def test_a_run_on_a_folder_of_the_release_is_held_back_from_the_ranks_by_its_size_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medq_deg.results.leaderboard import YOURS, leaderboard

    folder = write_release(tmp_path / "files")
    pytest.importorskip("transformers")
    told = ["evaluate", "--model", "demo", "--data", f"release:{folder}", "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["medq-deg", *told])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    entry = next(each for each in leaderboard([tmp_path / "run"], n_resamples=10) if each.group == YOURS)
    assert entry.data == "release"
    assert entry.notes.startswith("6 of the paper's")
