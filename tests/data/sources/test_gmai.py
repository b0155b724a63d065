"""GMAI-MMBench's TSV, and what every table can have wrong."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from medq_deg.data.sources import LoadReport, Reason, SourceRecord, read_gmai
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import IMAGE, OTHER, encoded, write_tsv


def row(index: Any, **changes: Any) -> dict[str, Any]:
    return {
        "index": index,
        "image": encoded(),
        "question": "What is the organ marked in this CT image?",
        "A": "Liver",
        "B": "Spleen",
        "C": "Kidney",
        "D": "",
        "E": "",
        "answer": "B",
        "category": "Spleen",
        "l2-category": "organ",
        "clinical VQA task": "Organ Recognition - Abdomen",
        "department": "Gastroenterology and Hepatology",
        "perceptual granularity": "mask level",
        **changes,
    }


def read(path: Path) -> tuple[list[SourceRecord], LoadReport]:
    report = LoadReport()
    records = list(read_gmai(path, report))
    assert report.rows_read == report.rows_kept + sum(report.skipped.values())
    assert report.rows_kept == len(records)
    return records, report


def read_rows(folder: Path, *rows: dict[str, Any]) -> tuple[list[SourceRecord], LoadReport]:
    return read(write_tsv(folder / "VAL.tsv", rows))


def only_reason(report: LoadReport) -> str:
    (reason,) = report.skipped
    return reason


def test_a_row_becomes_a_record(tmp_path: Path) -> None:
    (record,), report = read_rows(tmp_path, row(7))
    assert record == SourceRecord(
        source="gmai",
        key="7",
        where="VAL.tsv, line 2",
        image=IMAGE,
        question="What is the organ marked in this CT image?",
        options=("Liver", "Spleen", "Kidney"),
        answer="B",
        modality="CT",
        skills=("Abdominal Structures",),
    )
    assert (report.rows_read, report.rows_kept, report.skipped) == (1, 1, {})


def test_column_names_may_have_any_case(tmp_path: Path) -> None:
    shouted = {name.upper().replace(" ", "_"): value for name, value in row(1).items()}
    (record,), _ = read_rows(tmp_path, shouted)
    assert record.skills == ("Abdominal Structures",)


def test_options_that_are_nan_or_empty_are_left_out_and_the_answer_moves_up(tmp_path: Path) -> None:
    first, second = read_rows(tmp_path, row(1, A="nan", answer="C"), row(2, C="NaN", E="  ", answer="a"))[0]
    assert (first.options, first.answer) == (("Spleen", "Kidney"), "B")
    assert (second.options, second.answer) == (("Liver", "Spleen"), "A")


def test_quotes_tabs_and_line_breaks_in_a_question_survive(tmp_path: Path) -> None:
    question = 'In this "CT" image,\nwhich organ\r\nis it?'
    (record, after), _ = read_rows(tmp_path, row(1, question=question), row(2))
    assert record.question == question
    assert after.where == "VAL.tsv, line 5"


def test_a_image_may_be_the_index_of_a_row_before_or_after(tmp_path: Path) -> None:
    rows = [row(1, image="3"), row(2), row(3, image=encoded(OTHER)), row(4, image="2.0")]
    records, _ = read_rows(tmp_path, *rows)
    assert [record.image for record in records] == [OTHER, IMAGE, OTHER, IMAGE]


def test_an_index_may_point_at_a_row_that_is_itself_skipped(tmp_path: Path) -> None:
    records, report = read_rows(tmp_path, row(1, modality="PET"), row(2, image="1"))
    assert [record.key for record in records] == ["2"]
    assert report.unknown_modalities == {"PET": 1}


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (["9", None], Reason.BAD_REFERENCE),
        (["1", None], Reason.BAD_REFERENCE),
        (["2", "1"], Reason.BAD_REFERENCE),
        (["not base64", None], Reason.BAD_REFERENCE),
    ],
    ids=["points nowhere", "points at itself", "points at a row that points back", "short and not base64"],
)
def test_a_image_index_that_leads_nowhere_is_skipped(tmp_path: Path, images: list[Any], reason: Reason) -> None:
    _, report = read_rows(tmp_path, *(row(i, image=image or encoded()) for i, image in enumerate(images, 1)))
    assert only_reason(report) == reason.value


def test_an_index_that_two_rows_have_is_no_image(tmp_path: Path) -> None:
    _, report = read_rows(tmp_path, row(1, image="2"), row(2), row(2, image=encoded(OTHER)))
    assert report.skipped == {Reason.AMBIGUOUS_REFERENCE.value: 1, Reason.DUPLICATE_INDEX.value: 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": encoded()[:-3] + "!!!"}, Reason.NOT_BASE64),
        ({"image": encoded(b"no image " * 9)}, Reason.NOT_A_IMAGE),
        ({"image": ""}, Reason.NO_IMAGE),
        ({"image": json.dumps([encoded(), encoded()])}, Reason.SEVERAL_IMAGES),
        ({"answer": "E"}, Reason.ANSWER_WITHOUT_OPTION),
        ({"answer": "Spleen"}, Reason.ANSWER_WITHOUT_OPTION),
        ({"answer": ""}, Reason.NO_ANSWER),
        ({"A": "", "C": "nan"}, Reason.FEW_OPTIONS),
        ({"A": "Spleen"}, Reason.OPTION_TWICE),
        ({"question": " "}, Reason.NO_QUESTION),
        ({"question": "nan"}, Reason.NO_QUESTION),
        ({"index": ""}, Reason.NO_INDEX),
        ({"modality": "Fundus Photography"}, Reason.MODALITY_OUTSIDE),
        ({"question": "What does this OCT image show?"}, Reason.MODALITY_OUTSIDE),
        ({"question": "What is this?"}, Reason.MODALITY_UNKNOWN),
        ({"question": "Which differs between the CT and the MRI?"}, Reason.MODALITY_AMBIGUOUS),
    ],
)  # fmt: skip
def test_a_bad_row_is_skipped_and_named_and_the_others_are_kept(
    tmp_path: Path, changes: dict[str, Any], reason: Reason
) -> None:
    records, report = read_rows(tmp_path, row(1, modality=""), row(2) | changes, row(3))
    assert [record.key for record in records] == ["1", "3"]
    assert report.skipped == {reason.value: 1}
    assert report.as_dict()["skipped"][reason.value]["first"][0].startswith("VAL.tsv, line 3")


def test_base64_with_line_breaks_or_a_data_url_is_read(tmp_path: Path) -> None:
    text = encoded()
    broken = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    records, _ = read_rows(tmp_path, row(1, image=broken), row(2, image=f"data:image/png;base64,{text}"))
    assert [record.image for record in records] == [IMAGE, IMAGE]


def test_a_list_of_one_image_is_that_image(tmp_path: Path) -> None:
    (record,), _ = read_rows(tmp_path, row(1, image=str([encoded()])))
    assert record.image == IMAGE


def test_a_second_row_of_one_index_is_skipped(tmp_path: Path) -> None:
    records, report = read_rows(tmp_path, row(1), row("1.0", question="Another CT question?"))
    assert [record.key for record in records] == ["1"]
    assert only_reason(report) == Reason.DUPLICATE_INDEX.value


def test_an_unknown_skill_keeps_its_name_and_is_counted(tmp_path: Path) -> None:
    (record,), report = read_rows(tmp_path, row(1, **{"clinical VQA task": "Palmistry"}))
    assert record.skills == ("Palmistry",)
    assert report.unknown_skills == {"Palmistry": 1}


def test_every_clinical_task_has_a_skill_of_the_paper(tmp_path: Path) -> None:
    tasks = """Attribute Recognition|Blood Vessels Recognition|Bone|Cell Recognition|Counting|Disease Diagnosis|
        Image Quality Grading|Microorganism Recognition|Muscle|Nervous Tissue|Organ Recognition - Abdomen|
        Organ Recognition - Head and Neck|Organ Recognition - Pelvic|Organ Recognition - Thorax|Severity Grading|
        Surgeon Action Recognition|Surgical Instrument Recognition|Surgical Workflow Recognition"""
    rows = [row(i, **{"clinical VQA task": task.strip()}) for i, task in enumerate(tasks.split("|"))]
    records, report = read_rows(tmp_path, *rows)
    assert len(records) == 18
    assert report.unknown_skills == {}


def lines_of(folder: Path, *rows: dict[str, Any]) -> list[str]:
    return write_tsv(folder / "VAL.tsv", rows).read_text().splitlines(keepends=True)


def test_a_row_cut_off_at_the_end_of_the_file_is_skipped(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, row(1), row(2))
    path = tmp_path / "cut.tsv"
    path.write_text("".join(lines)[: -len(lines[-1]) // 2])
    records, report = read(path)
    assert [record.key for record in records] == ["1"]
    assert report.skipped == {Reason.TRUNCATED.value: 1}


def test_a_row_cut_off_between_others_is_skipped_alone(tmp_path: Path) -> None:
    header, first, second, third = lines_of(tmp_path, row(1), row(2), row(3))
    path = tmp_path / "cut.tsv"
    path.write_text(header + first + second[:5000] + "\n" + third + "\textra\n")
    records, report = read(path)
    assert [record.key for record in records] == ["1", "3"]
    # The last line is one cell of nothing and one of "extra".
    assert report.skipped == {Reason.TRUNCATED.value: 2}


def test_a_row_with_too_many_cells_is_skipped(tmp_path: Path) -> None:
    header, first, second = lines_of(tmp_path, row(1), row(2))
    path = tmp_path / "wide.tsv"
    path.write_text(header + first.rstrip("\n") + "\tmore\n" + second)
    records, report = read(path)
    assert [record.key for record in records] == ["2"]
    assert report.skipped == {Reason.TOO_MANY_COLUMNS.value: 1}


@pytest.mark.parametrize("later", ["row(5)", 'What is "this" in the CT image?', 'This CT shows a "sign"'])
def test_an_open_quote_costs_its_own_row_and_no_other(tmp_path: Path, later: str) -> None:
    rows = [row(i) for i in range(1, 8)]
    rows[4]["question"] = later if "CT" in later else rows[4]["question"]
    lines = lines_of(tmp_path, *rows)
    lines[3] = lines[3].replace("\tWhat is the organ", '\t"What is the organ')
    path = tmp_path / "quote.tsv"
    path.write_text("".join(lines))
    records, report = read(path)
    assert [record.key for record in records] == ["1", "2", "4", "5", "6", "7"]
    assert report.skipped == {Reason.BROKEN_QUOTES.value: 1}
    assert all("\t" not in record.question for record in records)


def test_an_open_quote_that_another_loose_quote_closes_never_mixes_two_rows(tmp_path: Path) -> None:
    header, *lines = lines_of(tmp_path, *(row(i) for i in range(1, 6)))
    lines[1] = lines[1].replace("\tWhat is the organ", '\t"What is the organ')
    lines[3] = lines[3].replace("CT image?\t", 'CT image?"\t')
    path = tmp_path / "quotes.tsv"
    path.write_text(header + "".join(lines))
    records, report = read(path)
    assert [record.key for record in records] == ["1", "3", "4", "5"]
    assert report.skipped == {Reason.BROKEN_QUOTES.value: 1}


def test_a_broken_row_of_several_lines_is_counted_once(tmp_path: Path) -> None:
    text = "".join(lines_of(tmp_path, row(1, question="CT?\nAnd\nso on?"), row(2)))
    path = tmp_path / "several.tsv"
    path.write_text(text.replace("\tGastroenterology and Hepatology", "", 1))
    records, report = read(path)
    assert [record.key for record in records] == ["2"]
    assert report.skipped == {Reason.TRUNCATED.value: 1}


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "dos.tsv"
    text = "".join(lines_of(tmp_path, row(1), row(2, image="1"))).replace("\n", "\r\n\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    records, report = read(path)
    assert [record.image for record in records] == [IMAGE, IMAGE]
    assert report.rows_read == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"index\timage\tquestion\tA\tB\tanswer\n\n", "no rows"),
        (b"index\timage\tquestion\tA\tB\n1\tx\tq\ta\tb\n", "no column 'answer'.*TEST files have no answer"),
        (b"index,image,question,A,B,answer\n", "no column"),
        (b"index\timage\tquestion\tA\tB\tanswer\tImage\n1\tx\tq\ta\tb\tA\ty\n", "'image' is there twice"),
        (b"\xff\xfei\x00n\x00d\x00e\x00x\x00", "line 1: not UTF-8"),
        (b"index\timage\tquestion\tA\tB\tanswer\n1\tx\tFa\xe7ade\ta\tb\tA\n", "line 2: not UTF-8"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MedqDegError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="is a folder"):
        read_gmai(tmp_path, LoadReport())


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    big = encoded(IMAGE + bytes(1_000_000))
    path = write_tsv(tmp_path / "VAL.tsv", [row(i, image=big if i % 2 else str(i + 1)) for i in range(40)])
    assert path.stat().st_size > 25_000_000
    report = LoadReport()
    tracemalloc.start()
    try:
        for _ in read_gmai(path, report):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.rows_kept == 40
    assert peak < 22_000_000


def test_the_report_can_be_read_and_written(tmp_path: Path) -> None:
    rows = [row(i, answer="E") for i in range(9)]
    _, report = read_rows(tmp_path, row(100), *rows, row(101, modality="PET"))
    found = json.loads(json.dumps(report.as_dict()))
    assert found["skipped"]["answer letter without option"]["count"] == 9
    assert len(found["skipped"]["answer letter without option"]["first"]) == 5
    assert str(report).splitlines() == [
        "11 rows read, 1 kept",
        "skipped: 9 x answer letter without option (VAL.tsv, line 3: E; VAL.tsv, line 4: E; VAL.tsv, line 5: E; "
        "VAL.tsv, line 6: E; VAL.tsv, line 7: E, ...)",
        "skipped: 1 x modality outside the seven (VAL.tsv, line 12: PET)",
        "unknown modalities: PET (1)",
    ]


def test_a_line_with_one_cell_too_many_or_too_few_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, row(1), row(2), row(3), row(4))
    lines[2] = lines[2].rstrip("\n") + "\textra\n"
    lines[3] = lines[3].rsplit("\t", 1)[0] + "\n"
    lines[4] = lines[4].rstrip("\n") + "\t\t \n"  # nothing but empty cells is no harm
    (tmp_path / "VAL.tsv").write_text("".join(lines))
    records, report = read(tmp_path / "VAL.tsv")
    assert [record.key for record in records] == ["1", "4"]
    assert report.skipped == {Reason.TOO_MANY_COLUMNS.value: 1, Reason.TRUNCATED.value: 1}
    assert "VAL.tsv, line 3: 15 for 14" in str(report)
