"""The demo's images cut into three parts: one to train the demo model on, one to design it by, one to test it on.

The parts of an image share no pixel. Questions about the last two are the demo's own, where a crop still shows the
answer; every option is the right answer for some other image, so that no option can be ruled out without looking.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal

from PIL import Image

from medq_deg.data.plan import make_plan
from medq_deg.data.planned import PlannedRows
from medq_deg.data.schema import LETTERS
from medq_deg.demo import DemoQuestions, read_image, read_records
from medq_deg.seeds import derive_seed

Part = Literal["training", "validation", "test"]
Box = tuple[int, int, int, int]

# Where the patient is, as fractions of width and height; which half of that is kept from training; and which half of
# the kept half is the test part, the other being the validation part. The two chest CTs are one slice: same cut.
_CUTS: Final = {
    "ct_abdomen": ((0.17, 0.20, 0.87, 0.80), "right", "top"),
    "ct_chest_lung_window": ((0.0, 0.08, 1.0, 0.95), "right", "bottom"),
    "ct_chest_mediastinum": ((0.0, 0.08, 1.0, 0.95), "right", "bottom"),
    "ct_vertebra": ((0.15, 0.20, 0.75, 0.90), "right", "top"),
    "histo_hgsc_nest": ((0.0, 0.0, 1.0, 1.0), "right", "bottom"),
    "histo_hgsc_stroma": ((0.0, 0.0, 1.0, 1.0), "right", "top"),
    "histo_ihc_colon": ((0.0, 0.0, 1.0, 1.0), "right", "bottom"),
    "histo_skin_tile": ((0.0, 0.0, 1.0, 1.0), "bottom", "left"),
    "mri_brain_pd": ((0.15, 0.03, 0.85, 0.97), "right", "bottom"),
    "mri_cardiac": ((0.0, 0.08, 0.75, 0.82), "right", "top"),
    "mri_head_flair": ((0.12, 0.02, 0.85, 0.97), "right", "bottom"),
    "mri_liver": ((0.03, 0.20, 0.97, 0.88), "right", "bottom"),
    "mri_shoulder": ((0.10, 0.10, 1.0, 0.95), "top", "left"),
    "skin_nevus_photo": ((0.0, 0.0, 1.0, 1.0), "right", "bottom"),
    "us_heart_adult_echo": ((0.05, 0.05, 1.0, 1.0), "bottom", "right"),
    "us_heart_sonosite": ((0.15, 0.08, 0.90, 0.92), "right", "bottom"),
    "us_lymph_node_doppler": ((0.0, 0.0, 1.0, 1.0), "right", "left"),
    "us_pelvis": ((0.0, 0.0, 1.0, 1.0), "right", "bottom"),
    "xray_chest_pa": ((0.0, 0.0, 1.0, 1.0), "right", "top"),
    "xray_tibia_ap": ((0.15, 0.0, 1.0, 1.0), "top", "bottom"),
}
_OPPOSITE: Final = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}

KINDS: Final = MappingProxyType(
    {
        "modality": ("Which imaging modality produced this picture?", "How was this picture made?"),
        "physics": ("What does a bright pixel of this picture mostly stand for?", "What makes a pixel bright here?"),
        "region": ("Which part of the body is shown?", "Which body part does this picture show?"),
        "organ": ("Which organ or tissue is shown?", "Which organ does this picture show?"),
        "bone": ("Which bone is shown?", "Which bone does this picture show?"),
        "stain": ("Which stain was used?", "How was this section stained?"),
        "window": ("Which display window was chosen?", "Which window is this picture shown in?"),
    }
)
"""The kinds of question that a crop can answer, and their wordings."""

# Not asked: what every image answers alike (plane, projection, examination), what only one image is asked, and
# organs that the crops do not show.
_NOT_SHOWN: Final = ("ct_abdomen-organ", "histo_hgsc_nest-organ", "mri_cardiac-organ", "mri_liver-organ")
MOST_OPTIONS: Final = 5


@dataclass(frozen=True)
class Fact:
    """What is true of an image.

    Attributes
    ----------
    image : str
        Its name without suffix.
    kind : str
        Kind of question, a key of `KINDS`.
    answer : str
        The right answer.
    record : dict
        The demo's question that says so.
    """

    image: str
    kind: str
    answer: str
    record: dict[str, Any]


@cache
def facts() -> tuple[Fact, ...]:
    """Return what crops can be asked, from the demo's own questions."""
    found = []
    for record in read_records():
        name, _, kind = record["question_id"].removeprefix("demo-").rpartition("-")
        if kind in KINDS and f"{name}-{kind}" not in _NOT_SHOWN:
            found.append(Fact(name, kind, record["options"][LETTERS.index(record["answer"])], record))
    return tuple(found)


def draw_options(fact: Fact, rng: random.Random, most: int = MOST_OPTIONS) -> list[str]:
    """Return shuffled options: the right one, and right answers of other images to questions of the same kind."""
    answers = sorted({other.answer for other in facts() if other.kind == fact.kind})
    # "abdomen" is no wrong answer where "upper abdomen" is right.
    wrong = [answer for answer in answers if answer not in fact.answer and fact.answer not in answer]
    options = [fact.answer, *rng.sample(wrong, min(len(wrong), most - 1))]
    rng.shuffle(options)
    return options


def part_box(name: str, part: Part) -> Box:
    """Return the box of a part of an image, in pixels; parts touch at most at their edges."""
    content, kept, test = _CUTS[name]
    if part == "training":
        box = _half(content, _OPPOSITE[kept])
    else:
        box = _half(_half(content, kept), test if part == "test" else _OPPOSITE[test])
    width, height = read_image(f"{name}.png").size
    left, top, right, bottom = box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def _half(box: tuple[float, float, float, float], side: str) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    return {
        "left": (left, top, x, bottom),
        "right": (x, top, right, bottom),
        "top": (left, top, right, y),
        "bottom": (left, y, right, bottom),
    }[side]


def crop_questions(part: Part) -> DemoQuestions:
    """Return the clean rows about one part of each image."""
    records = []
    for fact in facts():
        question_id = f"demo-{part}-{fact.image}-{fact.kind}"
        rng = random.Random(derive_seed(question_id))
        options = draw_options(fact, rng)
        own = {
            "question_id": question_id,
            "question": rng.choice(KINDS[fact.kind]),
            "options": options,
            "answer": LETTERS[options.index(fact.answer)],
            "box": part_box(fact.image, part),
        }
        records.append({**fact.record, **own})
    return DemoQuestions(records)


def held_out_rows(seed: int = 0) -> PlannedRows:
    """Return rows at L0, L1 and L2 about the parts of the images that the demo model never saw."""
    questions = crop_questions("test")
    return PlannedRows(questions, make_plan(questions, seed))


def read_part(name: str, part: Part) -> Image.Image:
    """Return a part of an image."""
    return read_image(f"{name}.png").crop(part_box(name, part))
