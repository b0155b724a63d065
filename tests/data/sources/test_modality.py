"""Modalities from columns and from the words of questions."""

from __future__ import annotations

import pytest

from medq_deg.data.sources.base import BadRow, Reason
from medq_deg.data.sources.modality import modality_of, named_modalities
from medq_deg.taxonomy import MODALITIES


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("CT(Computed Tomography)", "CT"),
        ("MR (Mag-netic Resonance Imaging)", "MRI"),
        ("ultrasound", "ultrasound"),
        ("UltraSound", "ultrasound"),
        ("X-Ray", "X-ray"),
        ("X ray", "X-ray"),
        ("Dermoscopy", "dermoscopy"),
        ("Microscopy Images", "histopathology"),
        ("Endoscopy", "endoscopy"),
        ("T2-weighted MRI", "MRI"),
        ("CT (abdomen)", "CT"),
    ],
)
def test_names_in_columns_resolve(name: str, modality: str) -> None:
    assert modality_of([None, name], "whatever") == modality


@pytest.mark.parametrize(
    "name",
    ["OCT (Optical Coherence Tomography", "Fundus Photography", "Infrared Reflectance Imaging", "Digital Photography",
     "Colposcopy", "PET/CT", "Electrocardiogram"],
)  # fmt: skip
def test_modalities_outside_the_seven_are_counted_by_name(name: str) -> None:
    with pytest.raises(BadRow) as error:
        modality_of([name], "A CT question?")
    assert (error.value.reason, error.value.modality) == (Reason.MODALITY_OUTSIDE, name)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Which organ does the box mark in this UltraSound image?", ["ultrasound"]),
        ("What does the chest X-ray show?", ["X-ray"]),
        ("This is an endoscopy image of the gastric fundus.", ["endoscopy"]),
        ("Which tissue is in this Histopathology image?", ["histopathology"]),
        ("An H&E stained section is shown.", ["histopathology"]),
        ("Endoscopic ultrasound is performed.", ["ultrasound"]),
        ("Colonoscopy is performed.", ["endoscopy"]),
        ("An axial T2-weighted image is shown.", ["MRI"]),
        ("The CTA shows a stenosis.", ["CT"]),
        ("An FDG-PET/CT was obtained.", ["PET"]),
        ("Optical coherence tomography (OCT) of the macula.", ["OCT"]),
        ("The color fundus photograph is shown.", ["fundus photography"]),
        ("An ECG is shown. Chest radiography is normal.", ["ECG", "X-ray"]),
        ("Mr. Smith doctored his direct effect; the exact act.", []),
        ("Urinalysis shows microscopic hematuria.", []),
    ],
)
def test_questions_name_modalities(question: str, named: list[str]) -> None:
    assert named_modalities(question) == named


def test_each_of_the_seven_is_found_by_its_own_name() -> None:
    for modality in MODALITIES:
        assert modality_of([], f"What does this {modality} image show?") == modality


def test_the_column_decides_over_the_question() -> None:
    assert modality_of(["nan", "", "MRI"], "A CT question?") == "MRI"
