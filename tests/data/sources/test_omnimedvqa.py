"""OmniMedVQA's folder of JSON lists and images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from medq_deg.data.sources import LoadReport, Reason, SourceRecord, read_omnimedvqa
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import IMAGE


def record(number: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "dataset": "Chest CT Scan",
        "question_id": f"Chest CT Scan_{number:04}",
        "question_type": "Disease Diagnosis",
        "question": "What is seen here?",
        "gt_answer": "Adenocarcinoma of the lung.",
        "image_path": "Images/scan/1.png",
        "option_A": "Normal lung.",
        "option_B": "adenocarcinoma of  the lung",
        "option_C": "Pneumonia",
        "option_D": "Oedema",
        "modality_type": "CT(Computed Tomography)",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "OmniMedVQA"
    (root / "Images" / "scan").mkdir(parents=True)
    (root / "Images" / "scan" / "1.png").write_bytes(IMAGE)
    return root


def write(root: Path, content: Any, name: str = "Open-access/Chest CT Scan.json") -> Path:
    path = root / "QA_information" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(root: Path) -> tuple[list[SourceRecord], LoadReport]:
    report = LoadReport()
    records = list(read_omnimedvqa(root, report))
    assert report.rows_read == report.rows_kept + sum(report.skipped.values())
    return records, report


def test_the_answer_is_the_option_that_differs_in_case_spaces_and_stop(root: Path) -> None:
    write(root, [record(1)])
    (found,), _ = read(root)
    assert (found.source, found.key, found.where) == (
        "omnimedvqa",
        "Chest CT Scan:Chest CT Scan_0001",
        "Chest CT Scan.json, record 1",
    )
    assert (found.answer, found.modality, found.skills) == ("B", "CT", ("Disease Diagnosis",))
    assert found.options[1] == "adenocarcinoma of  the lung"
    assert found.image == IMAGE


def test_options_c_and_d_may_be_absent_and_modality_may_have_its_other_key(root: Path) -> None:
    write(root, [record(1, option_C=..., option_D=None), record(2, modality_type=..., modality="X-Ray")])
    (first, second), _ = read(root)
    assert len(first.options) == 2
    assert second.modality == "X-ray"


def test_files_of_both_parts_are_read_and_ids_may_repeat_between_files(root: Path) -> None:
    write(root, [record(1)])
    write(root, [record(1, modality_type="Endoscopy")], "Restricted-access/Kvasir.json")
    records, _ = read(root)
    assert [found.key for found in records] == ["Chest CT Scan:Chest CT Scan_0001", "Kvasir:Chest CT Scan_0001"]


def test_question_types_become_skills_where_the_paper_has_one(root: Path) -> None:
    types = ["Lesion Grading", "Anatomy Identification", "Other Biological Attributes", "Modality Recognition"]
    write(root, [record(i, question_type=name) for i, name in enumerate(types)])
    records, report = read(root)
    assert [found.skills for found in records] == [
        ("Lesion Grading",),
        ("General Structures",),
        ("Attribute Recognition",),
        ("Modality Recognition",),
    ]
    assert report.unknown_skills == {"Modality Recognition": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gt_answer": "Asthma"}, Reason.ANSWER_MATCHES_NONE),
        ({"gt_answer": "B"}, Reason.ANSWER_MATCHES_NONE),
        ({"gt_answer": "pneumonia", "option_D": "Pneumonia."}, Reason.ANSWER_MATCHES_SEVERAL),
        ({"gt_answer": None}, Reason.NO_ANSWER),
        ({"option_A": ..., "option_C": ..., "option_D": float("nan")}, Reason.FEW_OPTIONS),
        ({"option_A": ["Normal"]}, Reason.FIELD_TYPE),
        ({"modality_type": "Fundus Photography"}, Reason.MODALITY_OUTSIDE),
        ({"modality_type": "OCT (Optical Coherence Tomography"}, Reason.MODALITY_OUTSIDE),
        ({"modality_type": ...}, Reason.MODALITY_UNKNOWN),
        ({"question_id": "Chest CT Scan_0001"}, Reason.DUPLICATE_INDEX),
        ({"image_path": ...}, Reason.NO_IMAGE),
        ({"image_path": "Images/scan/2.png"}, Reason.IMAGE_MISSING),
        ({"image_path": "Images/scan/1.png/2.png"}, Reason.IMAGE_MISSING),
        ({"image_path": "x" * 5000}, Reason.IMAGE_MISSING),
        ({"image_path": "a\0b"}, Reason.IMAGE_MISSING),
        ({"image_path": "Images"}, Reason.IMAGE_UNREADABLE),
        ({"image_path": "../secret.png"}, Reason.PATH_OUTSIDE),
        ({"image_path": "Images/../Images/scan/1.png"}, Reason.PATH_OUTSIDE),
        ({"image_path": "Images\\..\\..\\secret.png"}, Reason.PATH_OUTSIDE),
        ({"image_path": "C:/secret.png"}, Reason.PATH_OUTSIDE),
        ({"image_path": "SECRET"}, Reason.PATH_OUTSIDE),
        ({"image_path": "Images/out.png"}, Reason.PATH_OUTSIDE),
        ({"image_path": "Images/up/secret.png"}, Reason.PATH_OUTSIDE),
        ({"image_path": "Images/loop.png"}, Reason.SYMLINK_LOOP),
        ({"image_path": "Images/round/round/1.png"}, Reason.SYMLINK_LOOP),
        ({"image_path": "Images/text.png"}, Reason.NOT_A_IMAGE),
        ({"image_path": "Images/empty.png"}, Reason.NOT_A_IMAGE),
    ],
)
def test_a_bad_record_is_skipped_and_named(root: Path, changes: dict[str, Any], reason: Reason) -> None:
    secret = root.parent / "secret.png"
    secret.write_bytes(IMAGE)
    images = root / "Images"
    os.symlink(secret, images / "out.png")
    os.symlink(root.parent, images / "up")
    os.symlink("loop.png", images / "loop.png")
    os.symlink("round", images / "round")
    (images / "text.png").write_text("This is no image.")
    (images / "empty.png").touch()
    if changes.get("image_path") == "SECRET":
        changes = {"image_path": str(secret)}
    write(root, [record(1), record(2, **changes), record(3)])
    records, report = read(root)
    assert [found.key[-1] for found in records] == ["1", "3"]
    assert report.skipped == {reason.value: 1}
    assert report.as_dict()["skipped"][reason.value]["first"][0].startswith("Chest CT Scan.json, record 2")


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    os.symlink("scan/1.png", root / "Images" / "same.png")
    write(root, [record(1, image_path="Images/same.png")])
    assert read(root)[0][0].image == IMAGE


def test_a_record_that_is_no_object_is_skipped(root: Path) -> None:
    write(root, [record(1), "and a text", [record(2)]])
    assert read(root)[1].skipped == {Reason.NOT_AN_OBJECT.value: 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("{}", "holds an object"),
        ('{"a": [1]}', "holds an object"),
        ("[]", "empty list"),
        ("[\n{,\n]", "line 2: not JSON"),
        ('[{"question": "?"}]', "no record has all of question id, .*found: question"),
        ("[" * 100_000, "cannot be read|not JSON"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(root: Path, content: str, message: str) -> None:
    path = write(root, content)
    with pytest.raises(MedqDegError, match=message) as error:
        read(root)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_utf_8_is_named(root: Path) -> None:
    path = write(root, "x")
    path.write_bytes(b'[{"question": "Fa\xe7ade"}]')
    with pytest.raises(MedqDegError, match="not UTF-8"):
        read(root)


def test_a_folder_without_questions_is_named(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="QA_information"):
        read_omnimedvqa(tmp_path, LoadReport())
    with pytest.raises(MedqDegError, match="no such folder"):
        read_omnimedvqa(tmp_path / "nowhere", LoadReport())
