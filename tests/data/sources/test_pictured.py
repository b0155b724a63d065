"""What a question says is pictured: not what it mentions, plans or calls normal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg.data.sources.pictured import pictured
from medq_deg.taxonomy import MODALITIES

NAMES = {
    "chest radiograph": "X-ray",
    "plain film": "X-ray",
    "coronary angiogram": "X-ray",
    "esophagram": "X-ray",
    "barium swallow": "X-ray",
    "intravenous pyelogram": "X-ray",
    "head CT": "CT",
    "CT angiogram": "CT",
    "computed tomography scan": "CT",
    "MRCP": "MRI",
    "T2-weighted MRI": "MRI",
    "MR angiogram": "MRI",
    "peripheral blood smear": "histopathology",
    "renal biopsy": "histopathology",
    "Gram stain": "histopathology",
    "photomicrograph": "histopathology",
    "renal ultrasound": "ultrasound",
    "transthoracic echocardiogram": "ultrasound",
    "colonoscopy": "endoscopy",
    "upper endoscopy": "endoscopy",
    "dermoscopy": "dermoscopy",
}
OUTSIDE = ("electrocardiogram", "PET/CT", "fundus photograph", "diagram", "karyotype", "bone scan", "audiogram")
SHOWING = (
    "{} is shown in Figure A.",
    "{} was performed (Figure A).",
    "{} is obtained, as shown in the image below.",
    "{} is performed and the results are shown.",
    "Based on the {}, what is the diagnosis?",
    "Figure 1 shows {}.",
    "{} is provided.",
    "In this {}, which structure is abnormal?",
    "After reviewing the {}, the physician acts.",
)
MENTIONING = (
    "{} was normal.",
    "{} is unremarkable.",
    "{} is ordered.",
    "A prior {} showed nothing.",
    "{} two years ago revealed a nodule.",
)
HISTORY = "A 60-year-old man with hypertension and diabetes presents with pain that began three days ago. He smokes."


def sentence(form: str, name: str) -> str:
    """Fill a form, beginning with a capital letter."""
    text = form.format(name)
    return text[0].upper() + text[1:]


shown = st.tuples(st.sampled_from(sorted(NAMES)), st.sampled_from(SHOWING))
mentioned = st.tuples(st.sampled_from([*sorted(NAMES), *OUTSIDE]), st.sampled_from(MENTIONING))


@given(shown, st.lists(mentioned, max_size=3), st.booleans())
def test_what_is_shown_is_found_whatever_else_is_mentioned(
    picture: tuple[str, str], others: list[tuple[str, str]], last: bool
) -> None:
    name, showing = picture
    told = [sentence(form, other) for other, form in others]
    pointing = sentence(showing, name)
    text = " ".join([HISTORY, *told, pointing] if last else [HISTORY, pointing, *told])
    assert pictured(f"{text} What is the next step?") == [NAMES[name]]


@given(st.lists(mentioned, min_size=1, max_size=4), st.sampled_from(["rash", "skin lesion", "tongue", "nail"]))
def test_what_is_only_mentioned_is_never_taken_for_the_picture(others: list[tuple[str, str]], seen: str) -> None:
    told = " ".join(sentence(form, other) for other, form in others)
    assert not set(pictured(f"{HISTORY} {told} What is the diagnosis?")) & set(MODALITIES)
    assert not set(pictured(f"{HISTORY} {told} The {seen} is shown in Figure A.")) & set(MODALITIES)


@given(shown, st.sampled_from(OUTSIDE))
def test_a_picture_outside_the_seven_beside_one_of_them_is_no_guess_of_ours(
    picture: tuple[str, str], other: str
) -> None:
    name, showing = picture
    found = pictured(f"{HISTORY} The {other} is shown in Figure B. {sentence(showing, name)}")
    assert len(found) == 2


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(pictured(text), list)


@pytest.mark.parametrize(
    "part", ["x", " ", "\n ", "a ", "this ", ", and ", "Figure A ", "(figure ", "biopsy of the lesion "]
)
def test_a_book_is_read_as_soon_as_a_page(part: str) -> None:
    # With time that grows with the square of the length this would not end.
    assert isinstance(pictured(part * (1_000_000 // len(part))), list)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Chest X-ray is normal, rash shown in Figure A. What is it?", None),
        ("A rash is shown in the image. A chest X-ray is normal. Which drug helps?", None),
        ("A biopsy of the lesion shown in Figure A reveals granulomas. What is it?", None),
        ("Electron microscopy of the renal biopsy is shown in Figure A.", None),
        ("Fluorescein angiography is shown in Figure A.", None),
        ("Figure A shows a chest radiograph. Figure B shows a CT scan.", None),
        ("Based on the provided head CT and sagittal neck X-ray images, what happened?", None),
        ("Her tongue is shown below. Blood smear shows hypersegmented neutrophils.", None),
        ("What is the most appropriate next imaging test, CT or MRI?", None),
        ("A man has knee pain. What is the next best step? MRI of the knee?", None),
        ("Severe MR is present; the apical murmur is shown in the graph.", None),
        ("Radiographs are unremarkable, but an MRI is obtained, as shown in Figure A.", "MRI"),
        ("A chest radiograph shows hyperinflation, and a CT scan is provided.", "CT"),
        ("An endoscopic lung biopsy is performed (Figure A).", "histopathology"),
        ("CT-guided biopsy is shown in Figure A.", "histopathology"),
        ("A cystourethrogram is performed. What does the image show?", "X-ray"),
        ("The image was obtained from the subcostal view.", "ultrasound"),
        ("A pelvic X-ray, taken at the scene, is shown in Figure 1.", "X-ray"),
        ("On upper endoscopy, the lesion shown in Figure A is found.", "endoscopy"),
        ("What is the metallic device over the heart on this PA chest X-ray?", "X-ray"),
    ],
)
def test_sentences_of_real_kinds_are_read_as_a_person_would(question: str, kind: str | None) -> None:
    found = pictured(question)
    assert (found[0] if len(found) == 1 and found[0] in MODALITIES else None) == kind


def test_the_sample_of_medxpertqa_keeps_more_than_a_quarter_and_tells_the_outsiders_apart(shared: Path) -> None:
    path = shared / "reality" / "medxpertqa_sampled_mm_input.jsonl"
    if not path.exists():
        pytest.skip("the sample is not there")
    records = [json.loads(line) for line in path.open(encoding="utf-8")]
    kinds = {
        record["id"]: pictured(record["question"].rpartition("Answer Choices:")[0])
        for record in records
        if len(record["images"]) == 1
    }
    kept = {name: found[0] for name, found in kinds.items() if len(found) == 1 and found[0] in MODALITIES}
    assert len(kept) >= 55
    # Read by eye: what the picture is, and questions that name a modality which their picture is not.
    assert {name: kept[name] for name in ("MM-1155", "MM-245", "MM-1950", "MM-968", "MM-569", "MM-159")} == {
        "MM-1155": "MRI", "MM-245": "X-ray", "MM-1950": "CT", "MM-968": "histopathology", "MM-569": "histopathology",
        "MM-159": "ultrasound",
    }  # fmt: skip
    assert not {"MM-856", "MM-922", "MM-1377", "MM-96", "MM-1306", "MM-285", "MM-1048", "MM-308"} & set(kept)
