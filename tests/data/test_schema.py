"""Rows: one question, one dict, and labels whose numbers never change."""

from __future__ import annotations

import pytest

from medq_deg.data.features import encoded, features
from medq_deg.data.schema import TEXT_COLUMNS, Question, row
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.taxonomy import CATEGORY_LABELS, CATEGORY_OF, DEGRADATION_LABELS, category_of

ASKED = Question("q7", "What?", ("a", "b"), "B", "CT", ("Counting",), "demo")


def test_a_row_holds_every_column_but_the_image_in_order() -> None:
    made = row(ASKED, "low_dose", 2, 11)
    assert tuple(made) == TEXT_COLUMNS
    assert made["id"] == "q7/low_dose/L2"
    assert (made["category"], made["task"], made["level"]) == ("noise", "imaging_perception", "medical_perception")
    assert Question.of_row({**made, "image": None}) == ASKED
    clean = row(ASKED, "none", 0, 0)
    assert (clean["degradation"], clean["category"], clean["seed"]) == ("none", "none", 0)


def test_codes_of_a_row_are_those_of_its_features() -> None:
    codes = encoded(row(ASKED, "low_dose", 2, 11))
    for column in ("modality", "task", "level", "degradation", "category"):
        assert features()[column].int2str(codes[column]) == row(ASKED, "low_dose", 2, 11)[column]
    assert encoded(row(Question("q", "?", ("a", "b"), "A", "CT"), "none", 0, 0))["task"] == -1


def test_a_clean_row_has_label_0_and_no_label_depends_on_the_names_after_it() -> None:
    assert (DEGRADATION_LABELS[0], CATEGORY_LABELS[0]) == ("none", "none")
    # Stored rows hold these numbers: a new name goes to the end.
    assert DEGRADATION_LABELS[:19] == (
        *("none", "limited_angle", "sparse_view", "bias_field", "undersampling", "ghosting", "blood_cell"),
        *("dark_spots", "object_rotation", "object_movement", "adjust_brightness", "exposure", "reduce_contrast"),
        *("gaussian_noise", "low_dose", "low_resolution", "motion_blur", "gaussian_blur", "bubble"),
    )
    assert CATEGORY_LABELS[:6] == ("none", "artifacts", "motion", "intensity", "noise", "resolution_and_blur")


def test_every_degradation_has_one_category_under_any_of_its_names() -> None:
    assert {name: category_of(name) for name in CATEGORY_OF} == dict(CATEGORY_OF)
    assert category_of("Ghosting artifact") == category_of("ghosting") == "artifacts"
    assert category_of("none") == "none"
    with pytest.raises(UnknownNameError, match="unknown degradation 'rain'"):
        category_of("rain")


def test_a_row_is_clean_or_degraded_and_nothing_between() -> None:
    assert row(ASKED, "rotation_artifact", 1, 3)["id"] == "q7/object_rotation/L1"
    for degradation, severity in (("low_dose", 0), ("none", 1)):
        with pytest.raises(MedqDegError, match="question 'q7': severity 0 belongs to degradation 'none' and no other"):
            row(ASKED, degradation, severity, 3)
    with pytest.raises(MedqDegError, match="severity must be 0, 1 or 2"):
        row(ASKED, "low_dose", 3, 3)
