"""The authors' release: severities, degradations, and which clean row a degraded row comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medq_deg.data.sources import LoadReport, Reason, SourceRecord, read_release
from medq_deg.data.sources.release import ORPHAN, UNTOLD
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import IMAGE, OTHER, encoded, write_tsv


def clean(index: Any, question: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "index": index,
        "question": question or f"What is in MRI image {index}?",
        "A": "Liver",
        "B": "Spleen",
        "answer": "A",
        "image": encoded(),
        "modality": "MRI",
        **changes,
    }


def degraded(index: Any, question: str | None = None, **changes: Any) -> dict[str, Any]:
    extra = {"degradation_type": "ghosting_artifact", "degradation_severity": "mild", "image": encoded(OTHER)}
    return clean(index, question, **{**extra, **changes})


def read(folder: Path, **tables: list[dict[str, Any]]) -> tuple[list[SourceRecord], LoadReport]:
    for name, rows in tables.items():
        write_tsv(folder / f"MedQ-Robust-{name.replace('_', '-')}.tsv", rows)
    report = LoadReport()
    records = list(read_release(folder, report))
    assert report.rows_read == report.rows_kept + sum(report.skipped.values())
    return records, report


def keys(records: list[SourceRecord]) -> list[str]:
    return [record.key for record in records]


def test_clean_rows_come_first_and_degraded_rows_share_their_key(tmp_path: Path) -> None:
    records, report = read(
        tmp_path,
        simulate_test=[degraded(1), degraded(2, degradation_severity="severe")],
        good_test=[clean(1), clean(2)],
    )
    assert [(r.source, r.key, r.degradation, r.severity, r.image) for r in records] == [
        ("release", "test-1", "none", 0, IMAGE),
        ("release", "test-2", "none", 0, IMAGE),
        ("release", "test-1", "ghosting", 1, OTHER),
        ("release", "test-2", "ghosting", 2, OTHER),
    ]
    assert report.notes == {}


def test_an_index_may_repeat_with_another_severity_or_degradation(tmp_path: Path) -> None:
    rows = [
        degraded(1),
        degraded(1, degradation_severity="L2"),
        degraded(1, degradation_type="bias_field_artifact"),
        degraded(1, degradation_severity="1"),
    ]
    records, report = read(tmp_path, good_test=[clean(1)], simulate_test=rows)
    assert set(keys(records)) == {"test-1"}
    assert len(records) == 4
    assert report.skipped == {Reason.DUPLICATE_INDEX.value: 1}


def test_running_indices_that_are_not_shared_give_way_to_the_question(tmp_path: Path) -> None:
    good = [clean(i) for i in range(6)]
    # The first degraded row's index is by chance that of its clean row; the others' are not.
    simulate = [degraded(i, f"What is in MRI image {i // 3}?", degradation_type=name)
                for i, name in enumerate(["ghosting", "bias field", "low_resolution"] * 2)]  # fmt: skip
    records, report = read(tmp_path, good_test=good, simulate_test=simulate)
    assert keys(records[6:]) == ["test-0"] * 3 + ["test-1"] * 3
    assert report.notes == {}


def test_a_template_question_is_told_apart_by_index_only_where_indices_are_shared(tmp_path: Path) -> None:
    template = "What does this MRI image show?"
    good = [clean(1, template), clean(2, template, image=encoded(OTHER)), clean(3), clean(4)]
    shared = [degraded(i, row["question"]) for i, row in enumerate(good, 1)]
    records, report = read(tmp_path, good_test=good, simulate_test=shared)
    assert keys(records[4:]) == ["test-1", "test-2", "test-3", "test-4"]
    shifted = [degraded(i % 4 + 1, row["question"]) for i, row in enumerate(good, 1)]
    records, report = read(tmp_path, good_test=good, simulate_test=shifted)
    found = keys(records[4:])
    assert found[2:] == ["test-3", "test-4"]
    assert len({*found, "test-1", "test-2"}) == 6
    assert report.notes == {UNTOLD: 2}


def test_an_index_may_carry_the_degradation_behind_it(tmp_path: Path) -> None:
    template = "What does this MRI image show?"
    good = [clean(1, template), clean(2, template)]
    simulate = [degraded(f"{i}_ghosting_L{s}", template, degradation_severity=f"L{s}") for i in (1, 2) for s in (1, 2)]
    records, report = read(tmp_path, good_test=good, simulate_test=simulate)
    assert [(r.key, r.severity) for r in records[2:]] == [("test-1", 1), ("test-1", 2), ("test-2", 1), ("test-2", 2)]
    assert report.notes == {}


def test_equal_indices_of_dev_and_test_are_different_questions(tmp_path: Path) -> None:
    records, _ = read(
        tmp_path,
        good_dev=[clean(1, "A dev MRI?")],
        good_test=[clean(1, "A test MRI?")],
        simulate_dev=[degraded(1, "A dev MRI?")],
        simulate_test=[degraded(1, "A test MRI?")],
    )
    assert keys(records) == ["dev-1", "test-1", "dev-1", "test-1"]


def test_a_degraded_row_without_its_clean_row_is_kept_and_noted(tmp_path: Path) -> None:
    rows = [degraded(1), degraded(1, degradation_severity="severe"), degraded(2)]
    records, report = read(tmp_path, simulate_dev=rows)
    first, second, third = keys(records)
    assert first == second != third
    assert report.notes == {ORPHAN: 3}


def test_a_clean_row_that_is_skipped_still_lends_its_key(tmp_path: Path) -> None:
    records, report = read(tmp_path, good_test=[clean(1, image="")], simulate_test=[degraded(1)])
    assert keys(records) == ["test-1"]
    assert report.skipped == {Reason.NO_IMAGE.value: 1}


def test_two_names_of_one_degradation_of_one_question_are_one_row(tmp_path: Path) -> None:
    names = ["motion_blur", "xray_motion_blur_artifact"]
    rows = [degraded(f"1_{i}", clean(1)["question"], degradation_type=name) for i, name in enumerate(names)]
    _, report = read(tmp_path, good_test=[clean(1)], simulate_test=rows)
    assert report.skipped == {Reason.DUPLICATE_ROW.value: 1}


@pytest.mark.parametrize(
    ("word", "severity"),
    [("mild", 1), ("Severe", 2), ("L1", 1), ("l2", 2), ("1", 1), ("2", 2), ("2.0", 2), ("level_1", 1), ("Level 2", 2),
     ("severity 1", 1)],
)  # fmt: skip
def test_severities_of_every_likely_kind_are_understood(tmp_path: Path, word: str, severity: int) -> None:
    (record,), _ = read(tmp_path, simulate_dev=[degraded(1, degradation_severity=word)])
    assert record.severity == severity


@pytest.mark.parametrize(("type_", "severity"), [("", ""), ("none", "good"), ("gaussian_noise", "L0"), ("good", "0")])
def test_good_rows_are_clean_whatever_their_columns_say(tmp_path: Path, type_: str, severity: str) -> None:
    row = clean(1, degradation_type=type_, degradation_severity=severity)
    (record,), _ = read(tmp_path, good_dev=[row])
    assert (record.degradation, record.severity) == ("none", 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"degradation_severity": ""}, Reason.UNKNOWN_SEVERITY),
        ({"degradation_severity": "somewhat"}, Reason.UNKNOWN_SEVERITY),
        ({"degradation_type": "fog"}, Reason.UNKNOWN_DEGRADATION),
        ({"degradation_type": ""}, Reason.UNKNOWN_DEGRADATION),
        ({"degradation_type": "none"}, Reason.UNKNOWN_DEGRADATION),
        ({"answer": "C"}, Reason.ANSWER_WITHOUT_OPTION),
        ({"modality": "OCT"}, Reason.MODALITY_OUTSIDE),
        ({"image": "77"}, Reason.BAD_REFERENCE),
    ],
)
def test_a_bad_row_is_skipped_and_named(tmp_path: Path, changes: dict[str, Any], reason: Reason) -> None:
    records, report = read(tmp_path, good_test=[clean(1)], simulate_test=[degraded(1, **changes)])
    assert keys(records) == ["test-1"]
    assert report.skipped == {reason.value: 1}


def test_rows_of_a_simulate_file_without_a_severity_column_are_skipped(tmp_path: Path) -> None:
    row = degraded(1)
    del row["degradation_severity"]
    _, report = read(tmp_path, simulate_dev=[row])
    assert report.skipped == {Reason.UNKNOWN_SEVERITY.value: 1}


def test_images_may_be_files_or_rows(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(OTHER)
    rows = [clean(1, image="", image_path="images/1.png"), clean(2, image_path=""), clean(3, image="2")]
    records, _ = read(tmp_path, good_dev=rows)
    assert [record.image for record in records] == [OTHER, IMAGE, IMAGE]
    (tmp_path / "MedQ-Robust-good-dev.tsv").unlink()
    only_path = {name: value for name, value in rows[0].items() if name != "image"}
    records, report = read(tmp_path, good_test=[only_path, {**only_path, "index": 2, "image_path": "../1.png"}])
    assert [record.image for record in records] == [OTHER]
    assert report.skipped == {Reason.PATH_OUTSIDE.value: 1}


def test_skills_are_taken_from_a_doubtful_column_only_when_they_are_surely_skills(tmp_path: Path) -> None:
    rows = [
        clean(1, skill="Organ Recognition - Abdomen; Palmistry", category="Counting"),
        clean(2, skill="", category="Counting"),
        clean(3, skill="", category="Spleen"),
    ]
    records, report = read(tmp_path, good_dev=rows)
    assert [r.skills for r in records] == [("Abdominal Structures", "Palmistry"), ("Counting",), ()]
    assert report.unknown_skills == {"Palmistry": 1}


def test_a_folder_without_the_release_is_named(tmp_path: Path) -> None:
    (tmp_path / "goodness.tsv").write_text("index\n1\n")
    with pytest.raises(MedqDegError, match=r"none of the release's TSVs.*MedQ-Robust-\{good,simulate\}"):
        read(tmp_path)


def test_a_table_without_images_is_named(tmp_path: Path) -> None:
    row = clean(1)
    del row["image"]
    with pytest.raises(MedqDegError, match=r"good-dev\.tsv, line 1: no column 'image' or 'image_path'"):
        read(tmp_path, good_dev=[row])
