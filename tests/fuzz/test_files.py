"""Damaged files of sources, of other harnesses and of images: rows, a count of what is left out, or one sentence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg.data.clean import collect
from medq_deg.data.sources import LoadReport
from medq_deg.data.sources.registry import ours
from medq_deg.data.sources.release import read_release
from medq_deg.harness.asked import choose
from medq_deg.harness.imported import import_results
from medq_deg.images import open_image
from tests.data.sources.samples import IMAGE, encoded
from tests.fuzz.inputs import answer_of, damaged, damaged_bytes, fuzz, inputs

pytestmark = [fuzz, pytest.mark.filterwarnings("ignore")]

ASKED = {"question": "What is it?", "modality": "CT"}
LETTERED = {**ASKED, "index": 3, "A": "liver", "B": "spleen", "C": "", "answer": "A", "category": "x"}


def _table(rows: Any, separator: str) -> bytes:
    """Return a table, as far as what is left of its rows makes one."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator="\n")
    records = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    names = [str(name) for name in dict.fromkeys(name for row in records for name in row)]
    writer.writerows([names, *([row.get(name, "") for name in names] for row in records)])
    return file.getvalue().encode("utf-8", "replace")


def _json(rows: Any) -> bytes:
    return json.dumps(rows).encode()


def _lines(rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in (rows if isinstance(rows, list) else [rows]))


def _tabs(rows: Any) -> bytes:
    return _table(rows, "\t")


def _commas(rows: Any) -> bytes:
    return _table(rows, ",")


Source = tuple[str, str, Callable[[Any], bytes], list[dict[str, Any]], bool]
FOLDER = [{**ASKED, "options": ["liver", "spleen"], "answer": "A", "image": "0.png", "skills": ["x"]}]
SOURCES: dict[str, Source] = {
    "folder, JSON lines": ("folder", "q.jsonl", _lines, FOLDER, True),
    "folder, CSV": ("folder", "q.csv", _commas, [{**LETTERED, "image": "0.png"}], True),
    "folder, TSV": ("folder", "q.tsv", _tabs, [{**LETTERED, "image": "0.png"}], True),
    "gmai": ("gmai", "gmai.tsv", _tabs, [{**LETTERED, "image": encoded()}] * 2, False),
    "omnimedvqa": (
        "omnimedvqa",
        "QA_information/Open-access/one.json",
        _json,
        [
            {
                "dataset": "x",
                "question_id": "x_1",
                "question_type": "Modality Recognition",
                "question": "What is it?",
                "gt_answer": "liver",
                "image_path": "Images/0.png",
                "option_A": "liver",
                "option_B": "spleen",
                "modality_type": "CT(Computed Tomography)",
            }
        ],
        True,
    ),
    "medxpertqa": (
        "medxpertqa",
        "MM/test.jsonl",
        _lines,
        [
            {
                "id": "MM-1",
                "question": "A CT is shown. What is it?\nAnswer Choices: (A) liver (B) spleen",
                "options": {"A": "liver", "B": "spleen"},
                "label": "A",
                "images": ["0.png"],
                "medical_task": "Diagnosis",
            }
        ],
        True,
    ),
    "release": ("release", "MedQ-Robust-good-test.tsv", _tabs, [{**LETTERED, "image": encoded()}] * 2, True),
}


def _read(kind: str, path: Path, out: Path) -> int:
    """Read a source to its end, as `medq-deg build` does; return the rows that were used."""
    report = LoadReport()
    reader = read_release if kind == "release" else ours()[kind].read
    kept = collect(reader(path, report), out, report)
    assert len(kept) + sum(report.skipped.values()) >= 0
    assert "Traceback" not in str(report)
    return len(kept)


@pytest.mark.parametrize("name", SOURCES)
def test_any_damage_of_a_source_is_counted_or_refused(name: str, tmp_path: Path) -> None:
    kind, file, write, rows, whole_folder = SOURCES[name]
    source = tmp_path / "source"
    path = source / file
    path.parent.mkdir(parents=True)
    for folder in (source, source / "Images", source / "images"):
        folder.mkdir(exist_ok=True)
        (folder / "0.png").write_bytes(IMAGE)
    given_path = source if whole_folder else path

    @inputs(0.02)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        kind_of_damage = data.draw(st.sampled_from(["none", "values", "values", "bytes"]))
        content = write(data.draw(damaged(rows))) if kind_of_damage == "values" else write(rows)
        path.write_bytes(data.draw(damaged_bytes(content)) if kind_of_damage == "bytes" else content)
        answer_of(lambda: _read(kind, given_path, tmp_path / "out"))

    check()


HARNESSES = (
    *(f"vlmevalkit{ending}" for ending in (".tsv", ".csv", ".json", ".jsonl", ".xlsx")),
    "lmms-eval.jsonl",
    "lm-eval.jsonl",
)
VOTES = 2


def _answers(form: str) -> Iterator[dict[str, Any]]:
    """Yield what a harness writes of two rows."""
    for row in choose("demo", severities=[0]).columns[:2]:
        if form.startswith("vlmevalkit"):
            said = {"question": row["question"], "answer": row["answer"], "medq_id": row["id"], "votes": VOTES}
            yield from ({**said, "vote": vote, "prediction": "A", "model": "m"} for vote in range(VOTES))
            continue
        doc = {**row, "votes": VOTES}
        told = {"id": row["id"], "answer": row["answer"], "question": row["question"], "asked": VOTES, "score": 1.0}
        yield {
            "doc_id": 0,
            "doc": doc,
            "target": row["answer"],
            "resps": [["A", "B"]],
            "filtered_resps": ["A", "B"],
            "accuracy": told,
        }


def _excel(rows: Any) -> bytes:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    for row in csv.reader(io.StringIO(_tabs(rows).decode(), newline=""), delimiter="\t"):
        book.active.append([cell if cell.isprintable() else "?" for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


WRITERS = {".tsv": _tabs, ".csv": _commas, ".json": _json, ".jsonl": _lines, ".xlsx": _excel}


@pytest.mark.parametrize("form", HARNESSES)
def test_any_damage_of_a_harness_s_results_is_a_run_or_a_sentence(form: str, tmp_path: Path) -> None:
    write = WRITERS[Path(form).suffix]
    harness = Path(form).stem
    names = {"lmms-eval": "1_samples_medq_deg_l0.jsonl", "lm-eval": "samples_medq_deg_l0_1.jsonl"}
    path = tmp_path / names.get(harness, form)
    rows = list(_answers(form))
    whole = write(rows)
    count = 0

    def take() -> tuple[Any, str | None]:
        nonlocal count
        count += 1
        out = tmp_path / f"run{count}"
        return answer_of(lambda: import_results([path], harness, out, data="demo", model="m", partial=True))

    @inputs(0.01)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        content = write(data.draw(damaged(rows))) if data.draw(st.booleans()) else data.draw(damaged_bytes(whole))
        path.write_bytes(content)
        take()

    check()
    path.write_bytes(whole)
    made, told = take()
    assert told is None, told
    assert made.answered == 2


@inputs(0.02)
@given(damaged_bytes(IMAGE) | st.binary(max_size=100))
def test_any_bytes_are_an_image_or_a_sentence(content: bytes) -> None:
    image, told = answer_of(lambda: open_image(content))
    assert told is not None or image.size[0] > 0
