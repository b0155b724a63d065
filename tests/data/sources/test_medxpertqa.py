"""MedXpertQA MM's JSON lines, from the Hub and from its repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medq_deg.data.sources import LoadReport, Reason, SourceRecord, read_medxpertqa
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import IMAGE, write_jsonl

STEM = "A 60-year-old man has pain. A radiograph is shown. What is the diagnosis?"


def record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"MM-{number}",
        "question": f"{STEM}\nAnswer Choices: (A) Gout (B) Fracture (of the hip) (C) Osteosarcoma",
        "options": {"A": "Gout", "B": "Fracture (of the hip)", "C": "Osteosarcoma"},
        "label": "B",
        "images": ["MM-1-a.jpeg"],
        "medical_task": "Diagnosis",
        "body_system": "Skeletal",
        "question_type": "Reasoning",
        **changes,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "MM-1-a.jpeg").write_bytes(IMAGE)
    return tmp_path


def read(root: Path) -> tuple[list[SourceRecord], LoadReport]:
    report = LoadReport()
    records = list(read_medxpertqa(root, report))
    assert report.rows_read == report.rows_kept + sum(report.skipped.values())
    return records, report


def test_the_options_are_shown_once(root: Path) -> None:
    write_jsonl(root / "MM" / "test.jsonl", [record(1)])
    (found,), _ = read(root)
    assert found == SourceRecord(
        source="medxpertqa",
        key="MM-1",
        where="test.jsonl, line 1",
        image=IMAGE,
        question=STEM,
        options=("Gout", "Fracture (of the hip)", "Osteosarcoma"),
        answer="B",
        modality="X-ray",
        skills=("General Diagnosis Reasoning", "Skeletal System"),
    )


def test_a_tail_with_other_options_stays(root: Path) -> None:
    question = f"{STEM} Answer Choices: (A) Gout (B) Rickets (C) Osteosarcoma"
    write_jsonl(root / "MM" / "dev.jsonl", [record(1, question=question), record(2, question=STEM)])
    first, second = read(root)[0]
    assert (first.question, second.question) == (question, STEM)


def test_dev_and_test_are_read_and_a_repeated_id_is_skipped(root: Path) -> None:
    write_jsonl(root / "MM" / "dev.jsonl", [record(1)])
    write_jsonl(root / "MM" / "test.jsonl", [record(2), record(1)])
    records, report = read(root)
    assert [found.key for found in records] == ["MM-1", "MM-2"]
    assert report.skipped == {Reason.DUPLICATE_INDEX.value: 1}


@pytest.mark.parametrize("image", ["images/MM-1-a.jpeg", {"image_path": "MM-1-a.jpeg"}])
@pytest.mark.parametrize("place", ["", "eval/data/medxpertqa/input/"])
@pytest.mark.parametrize("name", ["medxpertqa_mm_input.jsonl", "medxpertqa_sampled_mm_input.jsonl"])
def test_the_shape_of_the_repository_is_read(root: Path, place: str, name: str, image: Any) -> None:
    options = [{"letter": letter, "content": text} for letter, text in record(1)["options"].items()]
    write_jsonl(root / place / name, [record(1, options=options, label=["B"], images=[image])])
    (found,), _ = read(root)
    assert (found.answer, found.question) == ("B", STEM)


@pytest.mark.parametrize(
    ("task", "kind", "skill"),
    [
        ("Diagnosis", "Reasoning", "General Diagnosis Reasoning"),
        ("Diagnosis", "Understanding", "Disease Diagnosis"),
        ("Treatment", "Reasoning", "Treatment Reasoning"),
        ("Treatment", "Understanding", "Treatment Understanding"),
        ("Basic Science", "Reasoning", "General Science Reasoning"),
        ("Basic Science", "Understanding", "Basic Science Understanding"),
        ("Basic Medicine", "Reasoning", "General Science Reasoning"),
    ],
)
def test_task_and_type_make_a_skill(root: Path, task: str, kind: str, skill: str) -> None:
    write_jsonl(
        root / "MM" / "test.jsonl", [record(1, medical_task=task, question_type=kind, body_system="Other / NA")]
    )
    assert read(root)[0][0].skills == (skill,)


def test_body_systems_are_skills_where_the_paper_has_one(root: Path) -> None:
    systems = ["Cardiovascular", "Nervous", "Digestive", "Respiratory", "Muscular", "Urinary"]
    write_jsonl(root / "MM" / "test.jsonl", [record(i, body_system=name) for i, name in enumerate(systems)])
    records, report = read(root)
    assert [found.skills[1] for found in records] == [
        "Cardiovascular", "Neurovascular", "Gastrointestinal Tract", "Respiratory System", "Muscle Recognition",
        "Urinary",
    ]  # fmt: skip
    assert report.unknown_skills == {"Urinary": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images": ["a.jpeg", "b.jpeg"]}, Reason.SEVERAL_IMAGES),
        ({"images": []}, Reason.NO_IMAGE),
        ({"images": ["../MM/test.jsonl"]}, Reason.PATH_OUTSIDE),
        ({"images": [{"path": "a"}]}, Reason.FIELD_TYPE),
        ({"label": "F"}, Reason.ANSWER_WITHOUT_OPTION),
        ({"label": ["A", "B"]}, Reason.FIELD_TYPE),
        ({"options": {"A": "Gout"}}, Reason.FEW_OPTIONS),
        ({"options": "Gout"}, Reason.FIELD_TYPE),
        ({"options": [{"letter": "A", "content": "x"}, {"letter": "A", "content": "y"}]}, Reason.OPTION_TWICE),
        ({"options": [str(number) for number in range(27)]}, Reason.MANY_OPTIONS),
        ({"question": "Answer Choices: (A) Gout (B) Fracture (of the hip) (C) Osteosarcoma"}, Reason.NO_QUESTION),
        ({"question": "A patient comes in. What is the diagnosis?"}, Reason.MODALITY_UNKNOWN),
        ({"question": "An X-ray and an MRI were made. Which next?"}, Reason.MODALITY_AMBIGUOUS),
        ({"question": "The ECG is shown. What is the rhythm?"}, Reason.MODALITY_OUTSIDE),
    ],
)
def test_a_bad_record_is_skipped_and_named(root: Path, changes: dict[str, Any], reason: Reason) -> None:
    write_jsonl(root / "MM" / "test.jsonl", [record(1), record(2, **changes), record(3)])
    records, report = read(root)
    assert [found.key for found in records] == ["MM-1", "MM-3"]
    assert report.skipped == {reason.value: 1}


def test_a_modality_that_the_user_added_decides(root: Path) -> None:
    write_jsonl(root / "MM" / "test.jsonl", [record(1, modality="MRI")])
    assert read(root)[0][0].modality == "MRI"


def test_a_line_cut_off_is_skipped(root: Path) -> None:
    path = write_jsonl(root / "MM" / "test.jsonl", [record(1), record(2)])
    path.write_text(path.read_text()[:-20])
    records, report = read(root)
    assert len(records) == 1
    assert report.skipped == {Reason.TRUNCATED.value: 1}


def test_a_file_without_the_fields_is_named(root: Path) -> None:
    write_jsonl(root / "MM" / "test.jsonl", [{"id": 1, "question": "?"}])
    with pytest.raises(MedqDegError, match=r"test\.jsonl: no record has all of .*images.*found: id, question"):
        read(root)


def test_a_file_of_no_json_is_named(root: Path) -> None:
    (root / "MM").mkdir()
    (root / "MM" / "test.jsonl").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(MedqDegError, match=r"test\.jsonl: no record has"):
        read(root)


def test_the_packed_archive_is_not_enough(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "MM" / "test.jsonl", [record(1)])
    (tmp_path / "images.zip").touch()
    with pytest.raises(MedqDegError, match="unpack images"):
        read(tmp_path)


def test_a_folder_without_questions_is_named(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="has no MM/dev"):
        read(tmp_path)
