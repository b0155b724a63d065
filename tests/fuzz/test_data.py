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
from medq_deg.data.sources import LoadReport
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


def test_a_build_goes_on_or_begins_anew_or_says_which_of_its_working_files_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_folder(tmp_path / "mine", count=2)
    kept = tmp_path / "kept"
    with monkeypatch.context() as patch:
        patch.setattr("medq_deg.data.build.make_plan", lambda *given, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build({"folder": source}, kept)
    names = ("settings.json", "clean.jsonl", "report.json")
    out = tmp_path / "out"

    @inputs(0.02)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path = _copy(kept, out) / ".build" / data.draw(st.sampled_from(names))
        whole = path.read_bytes()
        if data.draw(st.booleans()):
            lines = [json.loads(line) for line in whole.splitlines()] if path.suffix == ".jsonl" else json.loads(whole)
            held = data.draw(damaged(lines))
            records = held if path.suffix == ".jsonl" and isinstance(held, list) else [held]
            path.write_bytes(b"\n".join(json.dumps(record).encode() for record in records) + b"\n")
        else:
            path.write_bytes(data.draw(damaged_bytes(whole)))
        answer_of(lambda: build({"folder": source}, out))
        if (out / "load_report.json").exists():
            answer_of(lambda: LoadReport.of(json.loads((out / "load_report.json").read_text())))

    check()


def test_a_finished_build_with_a_damaged_manifest_is_not_taken_for_one(built: Path, tmp_path: Path) -> None:
    folder = _copy(built, tmp_path / "data")
    (folder / MANIFEST).write_text("[]")
    with pytest.raises(MedqDegError, match="is not the manifest of a build"):
        build({"folder": write_folder(tmp_path / "mine", count=2)}, folder)
