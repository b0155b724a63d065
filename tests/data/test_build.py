"""Builds: what they write, that they go on to the same bytes, what is refused, what a check finds."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest

from medq_deg.data import clean
from medq_deg.data.build import build
from medq_deg.data.sources import LoadReport, read_folder
from medq_deg.data.verify import verify
from medq_deg.demo import FOLDER
from medq_deg.errors import MedqDegError
from medq_deg.images import open_image
from tests.data.sources_of_demo import write_folder

SHARD = 400_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("source") / "mine")


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "data"
    build({"folder": source}, out, shard_bytes=SHARD)
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_build_holds_shards_manifest_report_and_card_and_nothing_else(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    names = set(hashes(built))
    assert set(manifest["shards"]) | {"manifest.json", "README.md", "load_report.json", "dataset_infos.json"} == names
    counts = manifest["counts"]["severity"]
    assert counts["L0"] == 12
    assert counts["L1"] == counts["L2"] >= 12
    assert sum(pq.read_metadata(built / name).num_rows for name in manifest["shards"]) == sum(counts.values())
    report = json.loads((built / "load_report.json").read_text())
    assert report["rows_read"] == report["rows_kept"] == 12
    card = (built / "README.md").read_text()
    assert "path: data/L2-*.parquet" in card
    assert manifest["fingerprint"] in card


def test_shards_are_closed_at_their_size(built: Path) -> None:
    for split in ("L1", "L2"):
        paths = sorted((built / "data").glob(f"{split}-*.parquet"))
        assert len(paths) > 1
        sizes = [sum(len(row["bytes"]) for row in pq.read_table(path)["image"].to_pylist()) for path in paths]
        assert all(size >= SHARD for size in sizes[:-1])
        last_rows = [len(pq.read_table(path)["image"][-1].as_py()["bytes"]) for path in paths]
        assert all(size - last < SHARD for size, last in zip(sizes, last_rows, strict=True))


def test_workers_and_repetition_change_no_byte(source: Path, built: Path, tmp_path: Path) -> None:
    build({"folder": source}, tmp_path / "two", shard_bytes=SHARD, workers=2)
    assert hashes(tmp_path / "two") == hashes(built)


STOPPED = """
import sys
from pathlib import Path
from medq_deg.data import clean
from medq_deg.data.build import build
from medq_deg.data.sources import LoadReport, read_folder
build({"folder": Path(sys.argv[1])}, Path(sys.argv[2]), shard_bytes=int(sys.argv[3]))
"""


@pytest.mark.slow
def test_a_build_killed_at_any_moment_goes_on_to_the_same_bytes(source: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    for files in (1, 8, 17, 19):  # while collecting images, at the first shard, in the middle
        command = [sys.executable, "-c", STOPPED, str(source), str(out), str(SHARD)]
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(out.rglob("*.parquet"))) + len(list(out.rglob("images/*"))) >= files:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    build({"folder": source}, out, shard_bytes=SHARD)
    assert hashes(out) == hashes(built)


def test_a_finished_build_is_left_as_it_is(source: Path, built: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    assert build({"folder": source}, built, shard_bytes=SHARD)["fingerprint"]
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before


def test_a_build_with_other_settings_is_refused(source: Path, built: Path, tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="holds a build with other settings: seed was 0, is 1"):
        build({"folder": source}, built, shard_bytes=SHARD, seed=1)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(MedqDegError, match="is not empty and holds no build"):
        build({"folder": source}, tmp_path)


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        ({}, {}, "no source is given; allowed: gmai, omnimedvqa"),
        ({"flickr": Path()}, {}, "unknown source 'flickr'. Allowed: gmai"),
        ({"folder": Path("nowhere")}, {}, "nowhere: no such file or folder"),
        ({"folder": Path()}, {"workers": 0}, "workers must be 1 or more, got 0"),
        ({"folder": Path()}, {"seed": -1}, "seed must be an integer of 0 or more"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    sources: dict[str, Path], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(MedqDegError, match=message):
        build(sources, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_duplicates_are_counted_and_left_out(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "mine", count=4)
    lines = (source / "questions.jsonl").read_text().splitlines()
    again = json.loads(lines[0])
    again["question"] = f"  {again['question'].upper()} "
    (source / "questions.jsonl").write_text("\n".join([*lines, json.dumps(again)]) + "\n")
    build({"folder": source}, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "load_report.json").read_text())
    assert report["rows_kept"] == 4
    assert report["skipped"]["duplicate"]["count"] == 1


def test_sources_without_a_usable_question_can_be_mended_and_tried_again(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "mine", count=2)
    lines = (source / "questions.jsonl").read_text()
    (source / "questions.jsonl").write_text(lines.replace('"modality"', '"modalitty"').replace("CT", "PET"))
    with pytest.raises(
        MedqDegError, match=r"hold no usable question; see .*report\.json: 2 x .*questions\.jsonl, line 1"
    ):
        build({"folder": source}, tmp_path / "out")
    (source / "questions.jsonl").write_text(lines)
    assert build({"folder": source}, tmp_path / "out")["counts"]["severity"]["L0"] == 2


def test_a_image_repaired_without_a_change_of_size_is_seen(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "mine", count=1)
    (image,) = source.glob("*.png")
    good = image.read_bytes()
    image.write_bytes(good[:60] + bytes(len(good) - 60))
    with pytest.raises(MedqDegError, match="hold no usable question"):
        build({"folder": source}, tmp_path / "out")
    image.write_bytes(good)
    assert build({"folder": source}, tmp_path / "out")["counts"]["severity"]["L0"] == 1


def test_a_source_may_be_read_only_and_hold_the_result(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "mine", count=2)
    first = build({"folder": source}, source / "out")
    assert build({"folder": source}, source / "out") == first
    for path in (*source.glob("*.*"), source):
        path.chmod(0o555 if path.is_dir() else 0o444)
    again = build({"folder": source}, tmp_path / "elsewhere")
    source.chmod(0o755)
    assert again["fingerprint"] == first["fingerprint"]


def test_equal_content_has_one_fingerprint_wherever_it_lies_and_other_content_another(tmp_path: Path) -> None:
    one = build({"folder": write_folder(tmp_path / "a", count=2)}, tmp_path / "one")
    (tmp_path / "a" / "notes.txt").write_text("no image and no question")
    assert build({"folder": tmp_path / "a"}, tmp_path / "two")["fingerprint"] == one["fingerprint"]
    other = build({"folder": write_folder(tmp_path / "b", count=3)}, tmp_path / "three")
    assert other["fingerprint"] != one["fingerprint"]


def with_a_bad_row(folder: Path) -> Path:
    source = write_folder(folder, count=2)
    lines = (source / "questions.jsonl").read_text().splitlines()
    bad = {**json.loads(lines[0]), "image": "[missing].png", "question": "Where is the image?"}
    (source / "questions.jsonl").write_text("\n".join([*lines, json.dumps(bad)]) + "\n")
    return source


def test_strict_stops_at_a_skipped_row_with_nothing_written(tmp_path: Path) -> None:
    source, out = with_a_bad_row(tmp_path / "mine"), tmp_path / "out"
    for _ in range(2):
        told = r"1 of 3 rows cannot be used; .*1 x image missing on disk \(questions.jsonl, line 3: \[missing\].png\)"
        with pytest.raises(MedqDegError, match=told):
            build({"folder": source}, out, strict=True)
        assert not list(out.rglob("*.parquet"))
    assert build({"folder": source}, out)["counts"]["severity"]["L0"] == 2
    with pytest.raises(MedqDegError, match="1 of 3 rows cannot be used"):
        build({"folder": source}, out, strict=True)


@pytest.mark.slow
def test_the_command_says_what_it_kept_and_skipped_and_ends_with_1(tmp_path: Path) -> None:
    source, out = with_a_bad_row(tmp_path / "mine"), tmp_path / "out[/red]"
    command = [sys.executable, "-m", "medq_deg", "build", "--folder", str(source), "--out", str(out)]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert "3 rows read, 2 kept" in done.stdout
        assert "skipped: 1 x image missing on disk (questions.jsonl, line 3: [missing].png)" in done.stdout
        assert str(out) in done.stdout
    strict = subprocess.run([*command, "--strict"], capture_output=True, text=True, check=False)
    assert strict.returncode == 2
    assert "1 of 3 rows cannot be used" in strict.stderr
    whole = [*command[:-3], str(write_folder(tmp_path / "whole", count=1)), "--out", str(tmp_path / "all")]
    assert subprocess.run(whole, capture_output=True, text=True, check=False).returncode == 0


def test_a_second_build_on_one_folder_is_refused_while_the_first_runs(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def second(stage: str, done: int, total: int) -> None:
        del stage, done, total
        with pytest.raises(MedqDegError, match="another process is building here"):
            build({"folder": source}, out)

    first = build({"folder": source}, out, questions=2, progress=second)
    assert build({"folder": source}, out, questions=2) == first
    assert not (out / ".lock").exists()


@pytest.mark.parametrize(
    "left", [".build/images/.abc.x1.part", ".manifest.json.x1.part", "data/.L1-00000.parquet.x1.part"]
)
@pytest.mark.parametrize("final", [False, True])
def test_what_a_killed_build_left_is_gone_after_the_next(tmp_path: Path, left: str, final: bool) -> None:
    source, out = write_folder(tmp_path / "mine", count=2), tmp_path / "out"
    if final:
        build({"folder": source}, out)
    (out / left).parent.mkdir(parents=True, exist_ok=True)
    (out / left).write_bytes(b"torn")
    build({"folder": source}, out)
    assert not [path.name for path in out.rglob("*") if path.name.endswith(".part") or path.name in (".build", ".lock")]


def test_shards_of_another_source_are_never_gone_on_with(tmp_path: Path) -> None:
    source, out = write_folder(tmp_path / "mine", count=2), tmp_path / "out"
    build({"folder": source}, out)
    (out / "manifest.json").unlink()
    write_folder(source, count=3)
    with pytest.raises(MedqDegError, match="holds a build with other settings"):
        build({"folder": source}, out)


def test_many_rows_about_one_image_decode_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "mine", count=1)
    record = json.loads((source / "questions.jsonl").read_text())
    rows = [{**record, "question": f"{record['question']} ({number})"} for number in range(300)]
    (source / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    decoded = []
    monkeypatch.setattr(clean, "open_image", lambda data: decoded.append(1) or open_image(data))
    report = LoadReport()
    pairs = clean.collect(read_folder(source, report), tmp_path / "images", report)
    assert len(pairs) == report.rows_kept == 300
    assert len(decoded) == len(list((tmp_path / "images").iterdir())) == 1


def test_a_subset_of_questions_can_be_kept(source: Path, tmp_path: Path) -> None:
    manifest = build({"folder": source}, tmp_path / "out", questions=5)
    assert manifest["counts"]["severity"]["L0"] == 5
    with pytest.raises(MedqDegError, match="questions must be 1 to 12"):
        build({"folder": source}, tmp_path / "more", questions=13)


def test_a_sound_build_verifies(built: Path) -> None:
    result = verify(built, sample=20)
    assert result.problems == []
    assert result.remade == 20


def damaged(built: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(built, tmp_path / "copy"))


def test_verification_finds_a_changed_a_missing_and_a_foreign_shard(built: Path, tmp_path: Path) -> None:
    folder = damaged(built, tmp_path)
    first, second = sorted((folder / "data").glob("L2-*.parquet"))[:2]
    table = pq.read_table(first)
    rows = table.to_pylist()
    rows[0]["answer"] = "Z"
    rows[0]["image"]["bytes"] = b"no image"
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), first)
    second.unlink()
    (folder / "data" / "L9-00000.parquet").write_bytes(first.read_bytes())
    problems = "\n".join(verify(folder).problems)
    for told in (
        "its SHA-256 is",
        "is missing",
        "is not in the manifest",
        "answer 'Z', which is no option",
        "cannot be decoded",
    ):
        assert told in problems
    assert "rows by severity are" in problems


def test_verification_finds_a_row_without_its_clean_row_and_a_wrong_image(built: Path, tmp_path: Path) -> None:
    folder = damaged(built, tmp_path)
    clean = folder / "data" / "L0-00000.parquet"
    table = pq.read_table(clean)
    gone = table["question_id"][0].as_py()
    pq.write_table(table.slice(1), clean)
    for path in (folder / "data").glob("L1-*.parquet"):
        rows = pq.read_table(path).to_pylist()
        for row in rows:
            row["seed"] += 1
        pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    problems = "\n".join(verify(folder, sample=200).problems)
    assert f"row '{gone}" in problems
    assert "has no clean row" in problems
    assert "cannot be made again from its clean row and seed" in problems


def test_verification_tells_of_shards_that_are_no_parquet_and_of_labels_that_are_other_names(
    built: Path, tmp_path: Path
) -> None:
    folder = damaged(built, tmp_path)
    torn, older, wild = sorted((folder / "data").glob("*.parquet"))[-3:]
    torn.write_bytes(torn.read_bytes()[:-100])
    table = pq.read_table(older)
    meaning = json.loads(table.schema.metadata[b"huggingface"])
    meaning["info"]["features"]["category"]["names"].reverse()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(meaning)}), older)
    rows = pq.read_table(wild).to_pylist()
    rows[0]["degradation"] = 99
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), wild)
    problems = "\n".join(verify(folder).problems)
    assert f"{torn.name}: is no parquet file that can be read" in problems
    assert f"{older.name}: its class labels are other names" in problems
    assert f"{wild.name}: row {rows[0]['id']!r} has a severity, degradation or modality that there is not" in problems


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match=r"is no finished build, manifest\.json is missing"):
        verify(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    assert "is not the manifest of a build" in verify(tmp_path).problems[0]


def test_verification_tells_of_a_manifest_whose_fingerprint_is_another(built: Path, tmp_path: Path) -> None:
    folder = damaged(built, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "0" * 64}))
    (told,) = verify(folder, sample=0).problems
    assert (
        told
        == f"manifest.json: its fingerprint is '{'0' * 64}', that of the shards that it lists is "
        + (manifest["fingerprint"])
    )


def test_verification_looks_at_no_file_outside_of_the_build(built: Path, tmp_path: Path) -> None:
    folder = damaged(built, tmp_path)
    (tmp_path / "L0-0.parquet").write_bytes(b"somebody else's")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"]["data/../../L0-0.parquet"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    problems = verify(folder, sample=0).problems
    assert "lists 'data/../../L0-0.parquet'" in problems[0]
    assert not any("its SHA-256 is" in each for each in problems)


def test_plain_parquet_loads_without_the_plugin(built: Path, tmp_path: Path) -> None:
    rows = datasets.load_dataset(str(built), split="L2", cache_dir=str(tmp_path))
    assert rows[0]["image"].size
    assert rows.features["degradation"].int2str(rows[0]["degradation"]) in rows[0]["id"]
    assert np.asarray(rows[0]["image"]).dtype == np.uint8


@pytest.mark.parametrize("page", ["README.md", "docs/sources.md"])
def test_the_four_lines_of_the_pages_are_a_source(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    table = text[text.index("image,question,A,B,C,answer,modality") :].split("```")[0]
    (tmp_path / "mine" / "scan").mkdir(parents=True)
    (tmp_path / "mine" / "questions.csv").write_text(table)
    for name, image in (("chest1.png", "xray_chest_pa"), ("scan/head7.png", "ct_abdomen")):
        (tmp_path / "mine" / name).write_bytes((FOLDER / "images" / f"{image}.png").read_bytes())
    report = LoadReport()
    records = list(read_folder(tmp_path / "mine", report))
    assert len(table.strip().splitlines()) == 4
    assert [(record.modality, len(record.options), record.answer) for record in records] == [
        ("X-ray", 2, "B"), ("X-ray", 2, "A"), ("CT", 3, "C"),
    ]  # fmt: skip
    other = text.find("--gmai")
    assert text.index("medq-deg build --folder") < (other if other >= 0 else len(text))
