"""Make the demo set: crop the real images, write the questions with shuffled options.

Run by a maintainer when images or questions change; the results are committed in `medq_deg/demo`. The images come
from `images/shippable` of the folder that MEDQ_SHARED names (default ../shared).
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "medq_deg" / "demo"
SEED = 20260307

MODALITY = "Which imaging modality produced this image?"
MODALITIES = {
    "CT": "computed tomography",
    "MRI": "magnetic resonance imaging",
    "X-ray": "plain radiography",
    "ultrasound": "ultrasound",
    "histopathology": "light microscopy of a stained section",
    "dermoscopy": "photography of the skin",
}
PHYSICS = "What does a bright pixel of this image mostly stand for?"
PHYSICS_OF = {
    "CT": "strong attenuation of X-rays, reconstructed from many directions",
    "MRI": "a strong radio signal of hydrogen nuclei",
    "X-ray": "few X-ray photons reaching the detector along one line",
    "ultrasound": "a strong echo of sound",
    "histopathology": "little light absorbed by the stained tissue",
    "dermoscopy": "much visible light reflected by the skin",
}
REGION = "Which part of the body is shown?"
ORGAN = "Which organ or tissue is shown?"
PLANE = "In which plane is the image?"

# Name, modality, crop box or None, then questions: (key, text, right answer, wrong answers, skill).
# Boxes cut burned-in text, colour bars and collimator blanks away.
IMAGES: list[tuple[str, str, tuple[int, int, int, int] | None, list[tuple[str, str, str, list[str], str]]]] = [
    ("ct_abdomen", "CT", None, [
        ("region", REGION, "abdomen", ["head", "chest", "knee", "pelvis"], "Abdominal Structures"),
        ("plane", PLANE, "axial", ["sagittal", "coronal"], "Attribute Recognition"),
        ("organ", "Which of these organs is cut by this section?", "pancreas",
         ["urinary bladder", "thyroid", "prostate", "heart"], "Abdominal Structures"),
    ]),
    ("ct_chest_lung_window", "CT", None, [
        ("region", REGION, "chest", ["abdomen", "head", "neck", "pelvis"], "Respiratory System"),
        ("window", "Which display window was chosen?", "lung window",
         ["soft-tissue window", "bone window", "brain window"], "Attribute Recognition"),
        ("plane", PLANE, "axial", ["sagittal", "coronal"], "Attribute Recognition"),
    ]),
    ("ct_chest_mediastinum", "CT", None, [
        ("region", REGION, "chest", ["knee", "abdomen", "head", "pelvis"], "Respiratory System"),
        ("window", "Which display window was chosen?", "soft-tissue (mediastinal) window",
         ["lung window", "bone window", "stroke window"], "Attribute Recognition"),
        ("plane", PLANE, "axial", ["coronal", "sagittal"], "Attribute Recognition"),
    ]),
    ("ct_vertebra", "CT", None, [
        ("bone", "Which bone is at the centre of the image?", "a vertebra",
         ["the femur", "the skull", "the sternum", "the scapula"], "Skeletal System"),
        ("plane", PLANE, "axial", ["coronal", "sagittal"], "Attribute Recognition"),
    ]),
    ("histo_hgsc_nest", "histopathology", None, [
        ("stain", "Which stain was used?", "haematoxylin and eosin",
         ["Ziehl-Neelsen", "immunohistochemistry with a brown chromogen", "Masson's trichrome", "Gram"],
         "Attribute Recognition"),
        ("organ", "The section comes from an ovarian tumour. Which kind of tumour is it?", "a carcinoma",
         ["a lipoma", "a glioma", "an osteosarcoma"], "Disease Diagnosis"),
    ]),
    ("histo_hgsc_stroma", "histopathology", None, [
        ("stain", "Which stain was used?", "haematoxylin and eosin",
         ["silver impregnation", "immunohistochemistry with a brown chromogen", "Giemsa", "Congo red"],
         "Attribute Recognition"),
        ("part", "Which part of the tumour tissue is shown?", "fibrous stroma",
         ["bone marrow", "grey matter", "cardiac muscle"], "Cell and Microbes"),
    ]),
    ("histo_ihc_colon", "histopathology", None, [
        ("stain", "Which staining method was used?", "immunohistochemistry with a brown chromogen",
         ["haematoxylin and eosin", "Gram", "Ziehl-Neelsen", "silver impregnation"], "Attribute Recognition"),
        ("organ", ORGAN, "colon", ["brain", "bone", "liver", "skin"], "Gastrointestinal Tract"),
    ]),
    ("histo_skin_tile", "histopathology", None, [
        ("stain", "Which stain was used?", "haematoxylin and eosin",
         ["Gram", "immunohistochemistry with a brown chromogen", "Masson's trichrome"], "Attribute Recognition"),
        ("organ", ORGAN, "skin", ["liver", "kidney", "lung", "brain"], "Cell and Microbes"),
    ]),
    ("mri_brain_pd", "MRI", None, [
        ("region", REGION, "head", ["chest", "abdomen", "knee", "pelvis"], "Neurovascular"),
        ("organ", ORGAN, "brain", ["liver", "heart", "kidney", "lung"], "Neurovascular"),
        ("plane", PLANE, "axial", ["sagittal", "coronal"], "Attribute Recognition"),
    ]),
    ("mri_cardiac", "MRI", None, [
        ("organ", "Which organ was the examination planned for?", "heart",
         ["brain", "liver", "prostate", "spleen"], "Cardiovascular"),
        ("region", REGION, "chest", ["head", "pelvis", "knee", "neck"], "Cardiovascular"),
    ]),
    ("mri_head_flair", "MRI", None, [
        ("region", REGION, "head", ["abdomen", "pelvis", "chest", "ankle"], "Neurovascular"),
        ("sequence", "Which pulse sequence was used?", "fluid-attenuated inversion recovery (FLAIR)",
         ["time-of-flight angiography", "diffusion-weighted imaging", "myelography"], "Attribute Recognition"),
    ]),
    ("mri_liver", "MRI", None, [
        ("region", REGION, "upper abdomen", ["head", "pelvis", "knee", "neck"], "Abdominal Structures"),
        ("organ", "Which organ holds a round lesion?", "liver", ["spleen", "kidney", "pancreas"], "Disease Diagnosis"),
        ("plane", PLANE, "axial", ["coronal", "sagittal"], "Attribute Recognition"),
    ]),
    ("mri_shoulder", "MRI", None, [
        ("joint", "Which joint is shown?", "shoulder", ["hip", "knee", "ankle", "elbow"], "Skeletal System"),
        ("bone", "Which long bone belongs to the joint shown?", "humerus",
         ["femur", "tibia", "ulna", "fibula"], "Skeletal System"),
    ]),
    ("skin_nevus_photo", "dermoscopy", None, [
        ("organ", ORGAN, "skin", ["retina", "colon", "tongue", "cornea"], "General Structures"),
        ("lesion", "What is the brown spot?", "a naevus", ["a burn", "a surgical suture", "a wart", "an insect"],
         "Disease Diagnosis"),
    ]),
    ("us_heart_adult_echo", "ultrasound", (0, 0, 440, 351), [
        ("organ", ORGAN, "heart", ["liver", "uterus", "thyroid", "kidney"], "Cardiovascular"),
        ("exam", "What is this examination called?", "echocardiography",
         ["mammography", "colonoscopy", "angiography", "scintigraphy"], "Cardiovascular"),
    ]),
    ("us_heart_sonosite", "ultrasound", (0, 28, 400, 432), [
        ("organ", ORGAN, "heart", ["gallbladder", "prostate", "thyroid", "spleen"], "Cardiovascular"),
        ("exam", "What is this examination called?", "echocardiography",
         ["electrocardiography", "bronchoscopy", "densitometry", "fluoroscopy"], "Cardiovascular"),
    ]),
    ("us_lymph_node_doppler", "ultrasound", (14, 14, 498, 181), [
        ("organ", ORGAN, "lymph node", ["heart", "brain", "bone", "lung"], "General Structures"),
        ("colour", "What do the colours show?", "flowing blood",
         ["calcium", "temperature", "air", "contrast of the display only"], "Cardiovascular"),
    ]),
    ("us_pelvis", "ultrasound", (264, 26, 512, 316), [
        ("region", REGION, "pelvis", ["neck", "head", "knee", "chest"], "General Structures"),
    ]),
    ("xray_chest_pa", "X-ray", (0, 14, 474, 510), [
        ("region", REGION, "chest", ["hand", "abdomen", "skull", "knee"], "Respiratory System"),
        ("projection", "Which projection is this?", "frontal (posteroanterior)",
         ["lateral", "axial", "oblique"], "Attribute Recognition"),
    ]),
    ("xray_tibia_ap", "X-ray", (128, 0, 334, 512), [
        ("bone", "Which bone runs through the middle of the image?", "tibia",
         ["humerus", "clavicle", "radius", "mandible"], "Skeletal System"),
        ("region", REGION, "lower leg", ["forearm", "skull", "chest", "hand"], "Skeletal System"),
        ("projection", "Which projection is this?", "anteroposterior",
         ["lateral", "axial"], "Attribute Recognition"),
    ]),
]  # fmt: skip


def common_questions(modality: str, rng: random.Random) -> list[tuple[str, str, str, list[str], str]]:
    """Return the two questions that every image gets, with wrong answers drawn from the other modalities."""
    others = [name for name in MODALITIES if name != modality]
    return [
        (key, text, right_of[modality], [right_of[other] for other in rng.sample(others, 4)], skill)
        for key, text, right_of, skill in (
            ("modality", MODALITY, MODALITIES, "Attribute Recognition"),
            ("physics", PHYSICS, PHYSICS_OF, "General Science Reasoning"),
        )
    ]


def main() -> None:
    """Write the images and `questions.jsonl`."""
    source = Path(os.environ.get("MEDQ_SHARED", "../shared")) / "images" / "shippable"
    (OUT / "images").mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    records = []
    for name, modality, box, special in IMAGES:
        image = Image.open(source / f"{name}.png")
        image.crop(box or (0, 0, *image.size)).save(OUT / "images" / f"{name}.png", optimize=True)
        for key, text, right, wrong, skill in [*common_questions(modality, rng), *special]:
            records.append({"question_id": f"demo-{name}-{key}", "image": f"{name}.png", "question": text,
                            "right": right, "wrong": wrong, "modality": modality, "skills": [skill]})  # fmt: skip
    # Long lists choose first, and each takes the letter that is right least often, so that all letters come out even.
    counts: Counter[int] = Counter()
    for record in sorted(records, key=lambda r: (-len(r["wrong"]), rng.random())):
        options = record.pop("wrong")
        rng.shuffle(options)
        place = min(range(len(options) + 1), key=lambda i: (counts[i], rng.random()))
        counts[place] += 1
        options.insert(place, record.pop("right"))
        record |= {"options": options, "answer": "ABCDE"[place]}
    with (OUT / "questions.jsonl").open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    size = sum(path.stat().st_size for path in (OUT / "images").iterdir())
    letters = dict(sorted(counts.items()))
    print(f"{len(IMAGES)} images, {size / 1e6:.1f} MB, {len(records)} questions; right letters {letters}")


if __name__ == "__main__":
    main()
