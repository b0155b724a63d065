"""A user's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medq_deg.data.sources import LoadReport, Reason, SourceRecord, read_folder
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import IMAGE, write_jsonl, write_tsv


def row(**changes: Any) -> dict[str, Any]:
    return {
        "question": "Is this normal?",
        "A": "Yes",
        "B": "No",
        "answer": "B",
        "modality": "MRI",
        "image": "images/1.png",
        **changes,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(IMAGE)
    return tmp_path


def read(root: Path) -> tuple[list[SourceRecord], LoadReport]:
    report = LoadReport()
    return list(read_folder(root, report)), report


def read_csv(root: Path, *rows: dict[str, Any]) -> tuple[list[SourceRecord], LoadReport]:
    write_tsv(root / "questions.csv", rows, delimiter=",")
    return read(root)


@pytest.mark.parametrize("answer", ["B", "b", "(B)", "No", "no."])
def test_an_answer_is_a_letter_or_an_option_s_text(root: Path, answer: str) -> None:
    (found,), _ = read_csv(root, row(answer=answer))
    assert (found.options, found.answer, found.modality, found.image) == (("Yes", "No"), "B", "MRI", IMAGE)
    assert (found.source, found.where) == ("folder", "questions.csv, line 2")


def test_options_may_be_a_list_or_columns_of_either_name(root: Path) -> None:
    listed = row(A="", B="", options='["Yes", "It\'s not, no"]', answer="A", id="x")
    (first,), _ = read_csv(root, listed)
    assert first.options == ("Yes", "It's not, no")
    named = {"Option_A": "Yes", "option B": "No"}
    (second,), _ = read_csv(root, {**{k: v for k, v in row().items() if k not in "AB"}, **named})
    assert (second.options, second.answer) == (("Yes", "No"), "B")


def test_json_lines_are_read(root: Path) -> None:
    record = {
        "question": "CT?",
        "options": ["1", 2, 3],
        "answer": 2,
        "image": "images/1.png",
        "skills": ["Bone", "Counting"],
    }
    write_jsonl(root / "questions.jsonl", [record])
    (found,), _ = read(root)
    assert (found.options, found.answer, found.modality) == (("1", "2", "3"), "B", "CT")
    assert found.skills == ("Skeletal System", "Counting")


def test_keys_are_ids_or_survive_a_change_of_order(root: Path) -> None:
    rows = [row(), row(question="Is it?"), row(question="Is it not?")]
    keys = [found.key for found in read_csv(root, *rows)[0]]
    assert [found.key for found in read_csv(root, *reversed(rows))[0]] == keys[::-1]
    assert len(set(keys)) == 3
    assert read_csv(root, row(ID="case 7"))[0][0].key == "case 7"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "C"}, Reason.ANSWER_WITHOUT_OPTION),
        ({"answer": "Perhaps"}, Reason.ANSWER_MATCHES_NONE),
        ({"answer": "A", "A": "B", "B": "A"}, Reason.ANSWER_MATCHES_SEVERAL),
        ({"answer": "yes", "B": "Yes."}, Reason.ANSWER_MATCHES_SEVERAL),
        ({"image": "images/2.png"}, Reason.IMAGE_MISSING),
        ({"image": "/etc/hosts"}, Reason.PATH_OUTSIDE),
        ({"modality": "Thermometry"}, Reason.MODALITY_OUTSIDE),
        ({"options": "Yes, No"}, Reason.FIELD_TYPE),
        ({"question": "Is this normal?"}, Reason.DUPLICATE_INDEX),
    ],
)
def test_a_bad_row_is_skipped_and_named(root: Path, changes: dict[str, Any], reason: Reason) -> None:
    records, report = read_csv(root, row(), row(**{"question": "And this?", **changes}))
    assert len(records) == 1
    assert report.skipped == {reason.value: 1}


def test_the_table_must_be_one_and_have_its_columns(root: Path) -> None:
    with pytest.raises(MedqDegError, match="found none"):
        read(root)
    with pytest.raises(MedqDegError, match=r"questions\.csv, line 1: no column 'answer', 'image'"):
        read_csv(root, {"question": "?", "A": "a", "B": "b"})
    with pytest.raises(MedqDegError, match="no column 'options', 'A' or 'option_A'"):
        read_csv(root, {"question": "?", "answer": "a", "image": "b"})
    write_jsonl(root / "more.jsonl", [row()])
    with pytest.raises(MedqDegError, match=r"found more\.jsonl, questions\.csv"):
        read(root)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("told", [False, True])
def test_a_csv_is_read_as_spreadsheets_write_it(root: Path, delimiter: str, coding: str, told: bool) -> None:
    path = write_tsv(root / "questions.csv", [row(question="Ist das normal, oder nicht; ä?"), row()], delimiter)
    text = (f"sep={delimiter}\n" if told else "") + path.read_text(encoding="utf-8")
    path.write_bytes(text.replace("\n", "\r\n").encode(coding))
    first, second = read(root)[0]
    assert first.question == "Ist das normal, oder nicht; ä?"
    assert second == SourceRecord(
        "folder",
        second.key,
        f"questions.csv, line {3 + told}",
        IMAGE,
        "Is this normal?",
        ("Yes", "No"),
        "B",
        "MRI",
        (),
    )


def test_a_tsv_and_json_lines_in_utf_16_are_read_and_hidden_files_are_no_tables(root: Path) -> None:
    write_tsv(root / "questions.tsv", [row()])
    (root / "._questions.tsv").write_bytes(b"\0\0")
    assert len(read(root)[0]) == 1
    (root / "questions.tsv").unlink()
    path = write_jsonl(root / "questions.jsonl", [row()])
    path.write_bytes(path.read_text().encode("utf-16"))
    assert len(read(root)[0]) == 1


def test_a_csv_in_an_old_code_page_is_named(root: Path) -> None:
    path = write_tsv(root / "questions.csv", [row(question="Ist das ähnlich?")], ",")
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    with pytest.raises(MedqDegError, match=r"questions\.csv, line 2: not UTF-8 .*; save it as UTF-8"):
        read(root)


def test_a_image_may_be_in_a_list_of_one(root: Path) -> None:
    write_jsonl(root / "questions.jsonl", [row(image=["images/1.png"]), row(image=["a.png", "b.png"])])
    records, report = read(root)
    assert len(records) == 1
    assert report.skipped == {Reason.SEVERAL_IMAGES.value: 1}


@pytest.mark.parametrize("option", ["None", "NA", "N/A", "none of these", "Null"])
def test_words_for_nothing_are_options_too(root: Path, option: str) -> None:
    (found,), _ = read_csv(root, row(A=option, B="Yes", answer=option))
    assert (found.options, found.answer) == ((option, "Yes"), "A")
