"""What all records go through: storable text, options once, letters that agree, and the image's own evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medq_deg.data.sources import Reason, SourceRecord
from medq_deg.data.sources.base import BadRow
from medq_deg.data.sources.evidence import contradicts
from medq_deg.data.sources.finish import MERGED, RELABELLED, REPLACED, finished
from medq_deg.demo import FOLDER
from medq_deg.storable import storable
from tests.data.sources.samples import IMAGE

RECORD = SourceRecord("folder", "q1", "q.csv, line 2", IMAGE, "Which?", ("left", "right"), "B", "CT", ("Counting",))
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


def finish(**changes: object) -> tuple[SourceRecord, list[str]]:
    notes: list[str] = []
    return finished(replace(RECORD, **changes), notes.append), notes


@given(ANY_TEXT)
def test_storable_text_is_utf_8_one_line_per_line_and_stays_as_it_is(text: str) -> None:
    made = storable(text)
    assert made.encode("utf-8").decode("utf-8") == made
    assert made.replace("\r", "\n").splitlines() == made.replace("\r", "\n").removesuffix("\n").split("\n") * bool(made)
    assert storable(made) == made
    assert "\0" not in made
    assert "\x1b" not in made
    assert json.loads(json.dumps(made, ensure_ascii=False)) == made


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))))
def test_ordinary_text_of_any_language_is_not_touched(text: str) -> None:
    assert storable(text) == text


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_anywhere_gives_a_record_that_can_be_stored(key: str, question: str, skill: str) -> None:
    made, _ = finish(key=key, question=question, skills=(skill,), options=("left", f"right {skill}"))
    for text in (made.key, made.question, *made.skills, *made.options):
        text.encode("utf-8")
    assert "\n" not in made.key
    assert len(made.key) <= 200


def test_what_was_replaced_is_told_and_clean_text_is_not() -> None:
    assert finish()[1] == []
    made, notes = finish(question="half \ud800 pair\u2028and a line")
    assert made.question == "half \ufffd pair\nand a line"
    assert notes == [REPLACED]


def test_a_key_as_long_as_a_book_stays_a_key_of_its_own() -> None:
    one, other = finish(key="9" * 4000)[0].key, finish(key="9" * 4001)[0].key
    assert len(one) <= 200
    assert one != other


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=9), st.data())
def test_an_option_given_twice_is_merged_where_the_right_one_is_there_once(
    options: list[str], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(options) - 1))
    right = options[place]
    texts = tuple(f"option {name}!" for name in options)
    changes = {"options": texts, "answer": "ABCDEFGHI"[place]}
    if options.count(right) > 1 and len(set(options)) < len(options):
        with pytest.raises(BadRow) as error:
            finish(**changes)
        assert error.value.reason is Reason.OPTION_TWICE
        return
    made, notes = finish(**changes)
    assert len(set(made.options)) == len(made.options)
    assert set(made.options) == set(texts)
    assert made.options["ABCDEFGHI".index(made.answer)] == f"option {right}!"
    assert (MERGED in notes) == (len(made.options) < len(texts))


def test_options_that_are_letters_in_another_order_are_relabelled_and_counted() -> None:
    made, notes = finish(options=("E", "D", "C", "A", "B"), answer="B")
    assert (made.options, made.answer) == (("A", "B", "C", "D", "E"), "D")
    assert notes == [RELABELLED]
    assert finish(options=("A", "B"), answer="B")[1] == []


def encoded(array: np.ndarray, quality: int = 75) -> bytes:
    out = BytesIO()
    Image.fromarray(array).save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.mark.parametrize("name", ["histo_hgsc_nest", "histo_skin_tile", "skin_nevus_photo", "histo_ihc_colon"])
def test_a_image_in_colour_contradicts_ct_mri_and_x_ray_only(name: str) -> None:
    data = (FOLDER / "images" / f"{name}.png").read_bytes()
    for modality in ("CT", "MRI", "X-ray"):
        assert contradicts(data, modality)
    for modality in ("histopathology", "dermoscopy", "endoscopy", "ultrasound"):
        assert not contradicts(data, modality)


@pytest.mark.parametrize("name", ["ct_abdomen", "mri_liver", "xray_chest_pa"])
def test_gray_marked_and_tinted_images_contradict_nothing(name: str) -> None:
    gray = np.asarray(Image.open(FOLDER / "images" / f"{name}.png").convert("L"))
    colours = np.stack([gray] * 3, axis=-1)
    marked = colours.copy()
    marked[: gray.shape[0] // 4, :40] = (255, 0, 0)
    tints = [(1, 0.85, 0.6), (0.6, 0.8, 1), (1, 0.7, 0.4)]
    tinted = [(colours * np.array(tint)).astype(np.uint8) for tint in tints]
    flat = np.full((64, 64, 3), (200, 30, 60), np.uint8)
    for array in (gray, colours, marked, flat, *tinted):
        assert not contradicts(encoded(array), "CT")
