"""Damaged builds: `data verify` lists what is wrong, and reading them gives rows or a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg.data.build import build
from medq_deg.data.load import open_data
from medq_deg.data.schema import COLUMNS, MANIFEST
from medq_deg.data.verify import verify
from medq_deg.errors import MedqDegError
from tests.data.sources_of_demo import write_folder
from tests.fuzz.inputs import LONGEST, answer_of, damaged, damaged_bytes, fuzz, inputs

pytestmark = [fuzz, pytest.mark.filterwarnings("ignore")]


def _copy(built: Path, out: Path) -> Path:
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(built, out)
    return out


def _listed(folder: Path) -> list[str]:
    """Return what is found to be wrong with a build."""
    problems = verify(folder, sample=2).problems
    assert all(told.strip() and len(told) < LONGEST for told in problems)
    "".join(problems).encode()
    return problems


def test_any_damage_of_a_manifest_is_listed(built: Path, tmp_path: Path) -> None:
    whole = json.loads((built / MANIFEST).read_text())
    folder = _copy(built, tmp_path / "data")

    @inputs(0.03)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            parts = {name: whole[name] for name in ("fingerprint", "counts", "shards", "settings")}
            held = data.draw(damaged(parts)) | {"unmet_quotas": {}}
            content = json.dumps(held).encode()
        else:
            content = data.draw(damaged_bytes((built / MANIFEST).read_bytes()))
        (folder / MANIFEST).write_bytes(content)
        _listed(folder)

    check()


def test_any_damage_of_a_shard_is_listed_and_reading_it_gives_rows_or_a_sentence(built: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in (built / "data").glob("*.parquet"))

    @inputs(0.05)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        folder = _copy(built, tmp_path / "data")
        path = folder / "data" / data.draw(st.sampled_from(names))
        before = path.read_bytes()
        # What describes the file lies at its end: as likely to be met as the images, which are most of it.
        head, tail = (before[:-6000], before[-6000:]) if data.draw(st.booleans()) else (b"", before)
        path.write_bytes(head + data.draw(damaged_bytes(tail)))
        problems = _listed(folder)
        assert problems or path.read_bytes() == before
        answer_of(lambda: list(open_data(str(folder))))

    check()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_shard_with_nothing_in_a_column_is_listed(column: str, built: Path, tmp_path: Path) -> None:
    folder = _copy(built, tmp_path / "data")
    path = next((folder / "data").glob("L2-*.parquet"))
    table = pq.read_table(path)
    place = table.column_names.index(column)
    field = table.schema.field(column)
    pq.write_table(table.set_column(place, field, pa.nulls(len(table), field.type)), path)
    assert any("L2-" in told and f"the {column} of row" in told for told in _listed(folder))
    answer_of(lambda: list(open_data(str(folder))))


def test_a_build_to_go_on_with_is_refused_if_its_working_files_are_damaged(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "mine", count=2)
    build({"folder": source}, tmp_path / "whole")
    settings = json.loads((tmp_path / "whole" / MANIFEST).read_text())["settings"]
    work = tmp_path / "out" / ".build"

    @inputs(0.02)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        work.mkdir(parents=True)
        (work / "settings.json").write_bytes(data.draw(damaged_bytes(json.dumps(settings, indent=2).encode())))
        made, told = answer_of(lambda: build({"folder": source}, tmp_path / "out"))
        assert told is not None or made["settings"] == settings

    check()


def test_a_finished_build_with_a_damaged_manifest_is_not_taken_for_one(built: Path, tmp_path: Path) -> None:
    folder = _copy(built, tmp_path / "data")
    (folder / MANIFEST).write_text("[]")
    with pytest.raises(MedqDegError, match="is not the manifest of a build"):
        build({"folder": write_folder(tmp_path / "mine", count=2)}, folder)
