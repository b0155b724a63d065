"""The fixed vocabulary of MedQ-Deg: degradations, modalities, severities, skills, and what suits what.

Everything here is data with its source; nothing here touches an image. Sources: the tables of the paper
(arXiv 2603.07769), and for aliases and applicability the identifiers and figures that its authors released.
Where the paper is silent the choice is ours, and a comment says so.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from medq_deg.errors import MedqDegError, UnknownNameError, shown

SEVERITIES: Final = (0, 1, 2)
"""L0 (clean), L1 (mild), L2 (severe)."""

SEVERITY_NAMES: Final = ("L0", "L1", "L2")

MODALITIES: Final = ("CT", "MRI", "histopathology", "dermoscopy", "endoscopy", "X-ray", "ultrasound")
"""The seven modalities, in the paper's order."""

GREY_MODALITIES: Final = ("CT", "MRI", "X-ray", "ultrasound")
"""Modalities whose images are grey, so that strong colour on them is a marking: a box, a contour, an arrow."""

NO_DEGRADATION: Final = "none"
"""What the columns `degradation` and `category` hold for a clean row."""

_CATEGORY_OF: Final = {
    "limited_angle": "artifacts",
    "sparse_view": "artifacts",
    "bias_field": "artifacts",
    "undersampling": "artifacts",
    "ghosting": "artifacts",
    "blood_cell": "artifacts",
    "dark_spots": "artifacts",
    "object_rotation": "motion",
    "object_movement": "motion",
    "adjust_brightness": "intensity",
    "exposure": "intensity",
    "reduce_contrast": "intensity",
    "gaussian_noise": "noise",
    "low_dose": "noise",
    "low_resolution": "resolution_and_blur",
    "motion_blur": "resolution_and_blur",
    "gaussian_blur": "resolution_and_blur",
    "bubble": "resolution_and_blur",
}

CATEGORY_OF: Final[Mapping[str, str]] = MappingProxyType(_CATEGORY_OF)
"""Category of each degradation (paper, table of degradation types), and of those that `medq_deg.register` added."""

DEGRADATION_NAMES: Final = tuple(CATEGORY_OF)
"""The paper's 18 degradations, in its order."""

CATEGORIES: Final = ("artifacts", "motion", "intensity", "noise", "resolution_and_blur")


class _Labels(Sequence[str]):
    """The names of a class label: "none", then the keys of a mapping that may grow."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def __getitem__(self, index: Any) -> Any:
        return (NO_DEGRADATION, *self._names)[index]

    def __len__(self) -> int:
        return 1 + len(self._names)

    def __repr__(self) -> str:
        return repr(tuple(self))


DEGRADATION_LABELS: Final[Sequence[str]] = _Labels(CATEGORY_OF)
CATEGORY_LABELS: Final = (NO_DEGRADATION, *CATEGORIES)
"""What the columns `degradation` and `category` hold, in the order of the class labels in stored data.

"none" is label 0 and a new name goes to the end, so that stored rows never change their meaning.
"""

_APPLICABLE: Final[dict[str, tuple[str, ...]]] = {
    "CT": (
        "limited_angle",
        "sparse_view",
        "object_rotation",
        "gaussian_noise",
        "low_dose",
        "low_resolution",
        "motion_blur",
    ),
    # Object movement counts as general in the paper's table, but was made in k-space and is shown for MRI
    # only, so it is MRI's here.
    "MRI": (
        "bias_field",
        "undersampling",
        "ghosting",
        "object_rotation",
        "object_movement",
        "gaussian_noise",
        "low_resolution",
        "motion_blur",
    ),
    "histopathology": ("blood_cell", "dark_spots", "low_resolution", "bubble"),
    "dermoscopy": ("adjust_brightness", "low_resolution", "motion_blur", "gaussian_blur"),
    "endoscopy": ("adjust_brightness", "low_resolution", "motion_blur", "gaussian_blur"),
    "X-ray": ("object_rotation", "exposure", "gaussian_noise", "low_resolution", "motion_blur"),
    "ultrasound": (
        "object_rotation",
        "reduce_contrast",
        "gaussian_noise",
        "low_resolution",
        "motion_blur",
    ),
}

APPLICABLE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(_APPLICABLE)
"""Degradations that suit each modality: the pairs that the published figures show, and what was added."""

LEVELS: Final = ("medical_perception", "clinical_reasoning")

LEVEL_OF_TASK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anatomical_recognition": "medical_perception",
        "imaging_perception": "medical_perception",
        "clinical_understanding": "medical_perception",
        "basic_science_reasoning": "clinical_reasoning",
        "diagnostic_reasoning": "clinical_reasoning",
        "treatment_reasoning": "clinical_reasoning",
    }
)
TASKS: Final = tuple(LEVEL_OF_TASK)

TASK_OF_SKILL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Skeletal System": "anatomical_recognition",
        "Cardiovascular": "anatomical_recognition",
        "Abdominal Structures": "anatomical_recognition",
        "Respiratory System": "anatomical_recognition",
        "Gastrointestinal Tract": "anatomical_recognition",
        "Neurovascular": "anatomical_recognition",
        "General Structures": "anatomical_recognition",
        "Muscle Recognition": "anatomical_recognition",
        "Cell and Microbes": "anatomical_recognition",
        "General Science Reasoning": "basic_science_reasoning",
        "Pathophysiological Reasoning": "basic_science_reasoning",
        "Clinical Correlation": "basic_science_reasoning",
        "Disease Diagnosis": "clinical_understanding",
        "Severity Grading": "clinical_understanding",
        "Basic Science Understanding": "clinical_understanding",
        "Lesion Grading": "clinical_understanding",
        "Attribute Recognition": "clinical_understanding",
        "Treatment Understanding": "clinical_understanding",
        "General Diagnosis Reasoning": "diagnostic_reasoning",
        "Laboratory/Imaging Interpretation": "diagnostic_reasoning",
        "Clinical Presentation Analysis": "diagnostic_reasoning",
        "Disease Mechanism Recognition": "diagnostic_reasoning",
        "Counting": "imaging_perception",
        "Surgical Workflow Recognition": "imaging_perception",
        "Image Quality Grading": "imaging_perception",
        "Surgical Instrument Recognition": "imaging_perception",
        "Treatment Reasoning": "treatment_reasoning",
        "Pharmacological Treatment": "treatment_reasoning",
        "Initial/Emergency Management": "treatment_reasoning",
        "Surgical Treatment Selection": "treatment_reasoning",
    }
)
"""Task of each of the 30 skills (paper, table of capabilities)."""

SKILLS: Final = tuple(TASK_OF_SKILL)

DEGRADATION_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Identifiers in the authors' released files.
        "bias_field_artifact": "bias_field",
        "undersampling_artifact": "undersampling",
        "ghosting_artifact": "ghosting",
        "blood_cell_artifact": "blood_cell",
        "dark_spots_artifact": "dark_spots",
        "rotation_artifact": "object_rotation",
        "random_motion_artifact": "object_movement",
        "exposure_artifact": "exposure",
        "downsample_artifact": "low_resolution",
        "xray_motion_blur_artifact": "motion_blur",
        "bubble_artifact": "bubble",
        # Captions of the authors' web page, where they differ from both the paper and the files.
        "downsample": "low_resolution",
        "random_motion": "object_movement",
        "rotation": "object_rotation",
        # What a clean row is called.
        "none": NO_DEGRADATION,
        "good": NO_DEGRADATION,
        "clean": NO_DEGRADATION,
        "reference": NO_DEGRADATION,
    }
)
"""Other names of degradations, after `_fold`; a paper's name such as "Ghosting artifact" folds to one of them."""

MODALITY_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ct_computed_tomography": "CT",
        "computed_tomography": "CT",
        "mr": "MRI",
        "mr_imaging": "MRI",
        "magnetic_resonance_imaging": "MRI",
        # OmniMedVQA hyphenates the word.
        "mr_mag_netic_resonance_imaging": "MRI",
        "mr_magnetic_resonance_imaging": "MRI",
        "xray": "X-ray",
        "radiography": "X-ray",
        "radiograph": "X-ray",
        "x_rays": "X-ray",
        "x_ray_radiography": "X-ray",
        "digital_radiography": "X-ray",
        "mammography": "X-ray",
        "ct_scan": "CT",
        "cta": "CT",
        "mri_scan": "MRI",
        "mra": "MRI",
        "ultrasound_imaging": "ultrasound",
        "ultrasonography": "ultrasound",
        "sonography": "ultrasound",
        "echocardiography": "ultrasound",
        "microscopy_images": "histopathology",
        "microscopy": "histopathology",
        "histology": "histopathology",
        "pathology": "histopathology",
        "histopathological_images": "histopathology",
        "whole_slide_image": "histopathology",
        "dermatoscopy": "dermoscopy",
        "colonoscopy": "endoscopy",
        "gastroscopy": "endoscopy",
        "laparoscopy": "endoscopy",
    }
)

CATEGORY_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # The authors' words in tables, figures and files, in the singular too.
        "artifact": "artifacts",
        "motion_artifact": "motion",
        "motion_artifacts": "motion",
        "movement": "motion",
        "intensity_change": "intensity",
        "intensity_changes": "intensity",
        "intensity_distortion": "intensity",
        "illumination": "intensity",
        "noises": "noise",
        "resolution": "resolution_and_blur",
        "blur": "resolution_and_blur",
        "resolution_blur": "resolution_and_blur",
        "blur_and_resolution": "resolution_and_blur",
        "blur_resolution": "resolution_and_blur",
        "low_resolution_and_blur": "resolution_and_blur",
    }
)

SEVERITY_ALIASES: Final[Mapping[str, int]] = MappingProxyType(
    {
        # The strings of the released files are not documented; these are the likely ones, in English and in Chinese.
        # There are two degrees, so "moderate" is the lesser beside "severe".
        **dict.fromkeys(("0", "l0", "good", "clean", "none", "reference", "original", "undegraded", "normal"), 0),
        **dict.fromkeys(("no_degradation", "not_degraded", "good_quality", "high_quality", "original_quality"), 0),
        **dict.fromkeys(("1", "l1", "mild", "low", "slight", "light", "minor", "weak", "moderate", "medium"), 1),
        **dict.fromkeys(("2", "l2", "severe", "high", "heavy", "major", "strong"), 2),
        **dict.fromkeys(("原始", "原图", "原始图像", "清晰", "良好", "正常", "无", "无退化"), 0),
        **dict.fromkeys(("轻度", "轻微", "轻", "中度", "中等"), 1),
        **dict.fromkeys(("重度", "严重", "重", "高度"), 2),
        # A column of numbers with a gap becomes a column of floats.
        **{"0_0": 0, "1_0": 1, "2_0": 2},
    }
)
"""What a severity may be called, after `_fold`. Several of them side by side count where they agree."""

_SEVERITY_FILLERS: Final = frozenset({"level", "severity", "degree", "grade", "degradation", "image"})

SKILL_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Names in the released files. The paper gives no table of them: the pairing is our reading.
        "bone_recognition": "Skeletal System",
        "bone": "Skeletal System",
        "skeletal_system_recognition": "Skeletal System",
        "blood_vessels_recognition": "Cardiovascular",
        "organ_recognition_heart": "Cardiovascular",
        "organ_recognition_abdomen": "Abdominal Structures",
        "organ_recognition_thorax": "Respiratory System",
        "organ_recognition_lung": "Respiratory System",
        "organ_recognition_head_and_neck": "General Structures",
        "organ_recognition_pelvic": "General Structures",
        "organ_recognition_gastrointestinal_tract": "Gastrointestinal Tract",
        "nervous_tissue": "Neurovascular",
        "muscle": "Muscle Recognition",
        "cell_recognition": "Cell and Microbes",
        "microorganism_recognition": "Cell and Microbes",
        "diagnosis_reasoning": "General Diagnosis Reasoning",
        "basic_science_reasoning": "General Science Reasoning",
        # GMAI-MMBench's clinical VQA tasks that are not above. The paper has one skill for the course of an operation.
        "surgeon_action_recognition": "Surgical Workflow Recognition",
        # OmniMedVQA's question types. Its Modality Recognition has no counterpart in the paper.
        "anatomy_identification": "General Structures",
        "other_biological_attributes": "Attribute Recognition",
        # MedXpertQA's medical tasks with their question types; what is missing here folds to a skill's own name.
        "diagnosis_understanding": "Disease Diagnosis",
        "basic_medicine_reasoning": "General Science Reasoning",
        "basic_medicine_understanding": "Basic Science Understanding",
        # MedXpertQA's body systems. Those without a counterpart (urinary, endocrine, ...) keep their own name.
        "skeletal": "Skeletal System",
        "muscular": "Muscle Recognition",
        "nervous": "Neurovascular",
        "respiratory": "Respiratory System",
        "digestive": "Gastrointestinal Tract",
    }
)


def _fold(name: str) -> str:
    """Reduce a name to lower-case words joined by underscores: "Bias-Field  Artifact" to bias_field_artifact.

    Letters of full width, as Chinese keyboards give them, count as the ordinary ones.
    """
    return re.sub(r"[\W_]+", "_", unicodedata.normalize("NFKC", name).casefold()).strip("_")


def _resolver(names: Iterable[str], aliases: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({**aliases, **{_fold(name): name for name in names}})


_DEGRADATIONS = dict(_resolver(DEGRADATION_NAMES, DEGRADATION_ALIASES))
_MODALITIES = _resolver(MODALITIES, MODALITY_ALIASES)
_SKILLS = _resolver(SKILLS, SKILL_ALIASES)
_CATEGORIES = _resolver(CATEGORIES, CATEGORY_ALIASES)
_TASKS = _resolver(TASKS, {})


def _resolve(kind: str, name: object, table: Mapping[str, str], allowed: Iterable[str]) -> str:
    found = table.get(_fold(name)) if isinstance(name, str) else None
    if found is None or (found == NO_DEGRADATION and NO_DEGRADATION not in allowed):
        raise UnknownNameError(kind, name, allowed, also=table)
    return found


def resolve_degradation(name: str, *, allow_none: bool = False) -> str:
    """Return the canonical name of a degradation.

    Parameters
    ----------
    name : str
        One of `DEGRADATION_NAMES`, one that was added, or an alias of `DEGRADATION_ALIASES`; case, spaces and hyphens
        do not matter.
    allow_none : bool
        Accept the names of a clean row ("none", "good", ...) and return "none" for them.

    Raises
    ------
    UnknownNameError
        For any other name; the message lists what is allowed and suggests the nearest.
    """
    if isinstance(name, str) and _fold(name) not in _DEGRADATIONS:
        importlib.import_module("medq_deg.degradations.registry")  # a plugin may know it
    allowed = (*CATEGORY_OF, NO_DEGRADATION) if allow_none else tuple(CATEGORY_OF)
    return _resolve("degradation", name, _DEGRADATIONS, allowed)


def add_degradation(name: str, category: str, modalities: Iterable[str]) -> None:
    """Add a degradation to the vocabulary, after the paper's; `medq_deg.register` does, with its function.

    Raises
    ------
    MedqDegError
        If the name is that of another degradation, or one of its aliases.
    """
    if _fold(name) in _DEGRADATIONS:
        raise MedqDegError(f"there is a degradation called {name!r} already")
    _DEGRADATIONS[_fold(name)] = name
    _CATEGORY_OF[name] = category
    for modality in modalities:
        _APPLICABLE[modality] = (*_APPLICABLE[modality], name)


def remove_degradation(name: str) -> None:
    """Take a degradation that was added out of the vocabulary."""
    del _DEGRADATIONS[_fold(name)]
    del _CATEGORY_OF[name]
    for modality, names in _APPLICABLE.items():
        _APPLICABLE[modality] = tuple(other for other in names if other != name)


def category_of(degradation: str) -> str:
    """Return the category of a degradation, and "none" for that of a clean row.

    Examples
    --------
    >>> category_of("low_dose"), category_of("none")
    ('noise', 'none')
    """
    return CATEGORY_OF.get(resolve_degradation(degradation, allow_none=True), NO_DEGRADATION)


def known_modality(name: str) -> str | None:
    """Return the canonical name of one of the seven modalities, or None: the same as `resolve_modality` at no price."""
    return _MODALITIES.get(_fold(name))


def known_skill(name: str) -> str | None:
    """Return the canonical name of one of the 30 skills, or None: the same as `resolve_skill` at no price."""
    return _SKILLS.get(_fold(name))


def resolve_modality(name: str) -> str:
    """Return the canonical name of one of the seven modalities; raise `UnknownNameError` otherwise."""
    return _resolve("modality", name, _MODALITIES, MODALITIES)


def resolve_category(name: str) -> str:
    """Return the canonical name of one of the five categories; raise `UnknownNameError` otherwise."""
    return _resolve("category", name, _CATEGORIES, CATEGORIES)


def resolve_skill(name: str) -> str:
    """Return the canonical name of one of the 30 skills; raise `UnknownNameError` otherwise.

    A reader of foreign data keeps the source's own name when this raises: a row is never dropped for its skill.
    """
    return _resolve("skill", name, _SKILLS, SKILLS)


def resolve_task(name: str) -> str:
    """Return the canonical name of one of the six tasks; raise `UnknownNameError` otherwise."""
    return _resolve("task", name, _TASKS, TASKS)


def resolve_severity(severity: int | str) -> int:
    """Return 0, 1 or 2 for a severity given as an integer, as "L0" to "L2", or as a word such as "mild".

    Words may stand together, as in "L1 (moderate)" or "Level 2 - severe"; a number among them decides.

    Raises
    ------
    MedqDegError
        For anything else, booleans and 1.5 included.
    """
    if isinstance(severity, str):
        found = _named_severity(_fold(severity))
        if found is not None:
            return found
    elif not isinstance(severity, bool) and severity in SEVERITIES:
        return int(severity)
    raise MedqDegError(f"severity must be 0, 1 or 2 (or L0 clean, L1 mild, L2 severe), got {shown(severity)}")


def _named_severity(folded: str) -> int | None:
    if folded in SEVERITY_ALIASES:
        return SEVERITY_ALIASES[folded]
    words = [re.sub(r"^(?:level|severity|l)(?=[0-9]$)", "", word) for word in folded.split("_")]
    words = [word for word in words if word not in _SEVERITY_FILLERS]
    if not words or any(word not in SEVERITY_ALIASES for word in words):
        return None
    numbers = [word for word in words if word.isdigit()]
    found = {SEVERITY_ALIASES[word] for word in numbers or words}
    return found.pop() if len(found) == 1 else None


def applicable(modality: str) -> tuple[str, ...]:
    """Return the names of the degradations that suit a modality, in the order of `DEGRADATION_NAMES`.

    Examples
    --------
    >>> applicable("histopathology")
    ('blood_cell', 'dark_spots', 'low_resolution', 'bubble')
    """
    return APPLICABLE[resolve_modality(modality)]


def modalities_of(degradation: str) -> tuple[str, ...]:
    """Return the modalities that a degradation suits, in the order of `MODALITIES`."""
    name = resolve_degradation(degradation)
    return tuple(modality for modality in MODALITIES if name in APPLICABLE[modality])
