"""The vocabulary against the paper's tables, and what happens to names outside it."""

from __future__ import annotations

import pickle

import pytest

from medq_deg import taxonomy as t
from medq_deg.errors import MedqDegError, UnknownNameError
from tests.paper import paper_table


def test_the_counts_are_the_paper_s() -> None:
    assert len(t.DEGRADATION_NAMES) == 18
    assert len(t.CATEGORIES) == 5
    assert len(t.MODALITIES) == 7
    assert len(t.SEVERITIES) == len(t.SEVERITY_NAMES) == 3
    assert (len(t.SKILLS), len(t.TASKS), len(t.LEVELS)) == (30, 6, 2)
    assert set(t.CATEGORY_OF.values()) == set(t.CATEGORIES)
    assert set(t.TASK_OF_SKILL.values()) == set(t.TASKS)
    assert set(t.LEVEL_OF_TASK.values()) == set(t.LEVELS)
    assert set(t.APPLICABLE) == set(t.MODALITIES)
    assert {name for names in t.APPLICABLE.values() for name in names} == set(t.DEGRADATION_NAMES)


def test_degradations_and_skills_are_those_of_the_tables() -> None:
    degradations = {row["degradation"]: row["category"] for row in paper_table("degradation_counts")}
    assert degradations == dict(t.CATEGORY_OF)
    skills = {row["skill"]: (row["task"], row["level"]) for row in paper_table("capability_counts")}
    assert skills == {skill: (task, t.LEVEL_OF_TASK[task]) for skill, task in t.TASK_OF_SKILL.items()}


def test_applicability_covers_every_published_pair() -> None:
    pairs = {(row["modality"], row["degradation"]) for row in paper_table("shown_pairs")}
    ours = {(modality, name) for modality, names in t.APPLICABLE.items() for name in names}
    assert pairs <= ours
    # Published without figures: reduced contrast of ultrasound, and low resolution of X-ray.
    assert ours - pairs == {("ultrasound", "reduce_contrast"), ("X-ray", "low_resolution")}


def test_every_released_identifier_resolves() -> None:
    for row in paper_table("released_identifiers"):
        assert t.resolve_degradation(row["released_type"]) in t.DEGRADATION_NAMES


@pytest.mark.parametrize(
    ("alias", "name"),
    [("random_motion_artifact", "object_movement"), ("Ghosting artifact", "ghosting"), ("BIAS-FIELD", "bias_field"),
     ("xray_motion_blur_artifact", "motion_blur"), ("rotation_artifact", "object_rotation"),
     ("Sparse View", "sparse_view")],
)  # fmt: skip
def test_aliases_of_degradations_resolve(alias: str, name: str) -> None:
    assert t.resolve_degradation(alias) == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [("CT(Computed Tomography)", "CT"), ("MR (Mag-netic Resonance Imaging)", "MRI"), ("X-Ray", "X-ray"),
     ("UltraSound", "ultrasound"), ("Histopathology", "histopathology"), ("Microscopy Images", "histopathology")],
)  # fmt: skip
def test_modalities_of_the_sources_resolve(alias: str, name: str) -> None:
    assert t.resolve_modality(alias) == name


@pytest.mark.parametrize("name", ["OCT (Optical Coherence Tomography", "Fundus Photography", "Endoscope", ""])
def test_a_modality_outside_the_seven_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="Allowed: CT, MRI, histopathology"):
        t.resolve_modality(name)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("good", 0),
        ("L0", 0),
        ("mild", 1),
        ("l1", 1),
        ("1", 1),
        (1, 1),
        ("moderate", 1),
        ("L1 (moderate)", 1),
        ("L1 (Mild)", 1),
        ("L2 (Moderate)", 2),
        ("LEVEL 1 - slight", 1),
        ("GOOD", 0),
        ("No degradation", 0),
        ("high quality", 0),
        ("\uff33\uff25\uff36\uff25\uff32\uff25", 2),  # letters of full width
        ("\uff2c\uff11", 1),
        ("Original", 0),
        ("original image", 0),
        ("轻度", 1),
        ("重度", 2),
        ("1.0", 1),
        ("severe", 2),
        ("L2", 2),
        ("Level 2", 2),
        (2, 2),
    ],
)
def test_severities_are_understood_in_every_likely_form(word: int | str, severity: int) -> None:
    assert t.resolve_severity(word) == severity


@pytest.mark.parametrize(
    "word",
    ["3", "catastrophic", "mild severe", "L3 (severe)", "L1 L2", "level", "low quality", "", 3, -1, 0.5, False, [1]],
)
def test_other_severities_are_refused(word: object) -> None:
    with pytest.raises(MedqDegError, match="severity must be 0, 1 or 2"):
        t.resolve_severity(word)


def test_skills_of_the_released_files_resolve_to_skills() -> None:
    assert t.resolve_skill("Organ Recognition - Abdomen") == "Abdominal Structures"
    assert t.resolve_skill("Diagnosis-Reasoning") == "General Diagnosis Reasoning"
    assert t.resolve_skill("Treatment-Understanding") == "Treatment Understanding"
    assert set(t.SKILL_ALIASES.values()) <= set(t.SKILLS)


def test_an_unknown_name_lists_what_is_allowed_and_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as error:
        t.resolve_degradation("gausian_noise")
    assert "did you mean 'gaussian_noise'?" in str(error.value)
    assert all(name in str(error.value) for name in t.DEGRADATION_NAMES)
    with pytest.raises(UnknownNameError, match=r"unknown task 'cooking'\. Allowed: "):
        t.resolve_task("cooking")
    with pytest.raises(UnknownNameError, match="unknown category 'artefacts'; did you mean 'artifacts'"):
        t.resolve_category("artefacts")


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("Artifacts", "artifacts"),
        ("Artifact", "artifacts"),
        ("Motion artifacts", "motion"),
        ("Resolution and Blur", "resolution_and_blur"),
        ("Resolution & Blur", "resolution_and_blur"),
        ("blur", "resolution_and_blur"),
        ("NOISE", "noise"),
    ],
)
def test_categories_resolve_by_the_authors_words(word: str, category: str) -> None:
    assert t.resolve_category(word) == category


def test_an_unknown_name_survives_a_worker_process_and_a_long_one_is_cut_short() -> None:
    error = UnknownNameError("skill", "x" * 1_000_000, t.SKILLS)
    assert len(str(error)) < 2000
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_asking_whether_a_name_is_known_agrees_with_resolving_it() -> None:
    for name in ("bone", "Counting", "cooking", "", "CT"):
        for known, resolve in ((t.known_skill, t.resolve_skill), (t.known_modality, t.resolve_modality)):
            try:
                expected = resolve(name)
            except UnknownNameError:
                expected = None
            assert known(name) == expected


def test_none_is_a_degradation_only_where_it_is_asked_for() -> None:
    assert t.resolve_degradation("good", allow_none=True) == "none"
    with pytest.raises(UnknownNameError):
        t.resolve_degradation("none")


def test_applicability_can_be_asked_in_both_directions() -> None:
    assert t.applicable("Histopathology") == ("blood_cell", "dark_spots", "low_resolution", "bubble")
    assert t.modalities_of("limited_angle") == ("CT",)
    assert t.modalities_of("adjust_brightness") == ("dermoscopy", "endoscopy")
