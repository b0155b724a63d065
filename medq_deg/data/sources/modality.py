"""The modality of a row: from its columns first, else from the words of its question.

The words are a table, so that who knows the field can correct them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from medq_deg.data.sources.base import BadRow, Reason
from medq_deg.data.sources.fields import text_of
from medq_deg.errors import UnknownNameError
from medq_deg.taxonomy import MODALITIES, resolve_modality

WORDS: Final[tuple[tuple[str, str], ...]] = (
    # Names that hold the name of another modality come first: what one pattern found is hidden from the next.
    ("PET", r"\bPET\b(?:\s*[-/]\s*(?:CT|MRI?)\b)?|(?i:positron emission)"),
    ("OCT", r"\bOCT\b|(?i:optical coherence)"),
    ("SPECT", r"\bSPECT\b(?:\s*[-/]\s*CT\b)?"),
    ("electron microscopy", r"(?i:electron[- ]micro(?:scop|graph)\w*)"),
    ("ultrasound", r"(?i:endoscopic (?:ultraso\w+|sonogra\w+)|\bendosonogra\w+)|\bEUS\b"),
    ("fundus photography", r"(?i:\bfundus (?:photo\w*|images?|camera)|\b(?:retinal|colou?r) fundus(?: photo\w*)?"
     r"|\bfund[ou]scop\w*)"),
    ("infrared imaging", r"(?i:\binfra-?red\b|\bthermogra\w+)"),
    ("colposcopy", r"(?i:\bcolposcop\w*)"),
    ("slit lamp", r"(?i:\bslit[- ]lamp\b)"),
    ("ECG", r"\bE[CK]G\b|(?i:\belectrocardiogra\w*)"),
    ("EEG", r"\bEEG\b|(?i:\belectroencephalogra\w*)"),
    ("histopathology", r"(?i:\bphotomicrogra\w*|\bmicrogra\w*|\bmicroscopy\b|\bmicroscopic (?:image|section|view))"),
    ("digital photography", r"(?i:\bphotogra\w*|\bphotos?\b)"),
    # The seven.
    ("CT", r"\bCT[AV]?s?\b|(?i:\bct (?=scan|image|slice)|\bcomput(?:ed|eri[sz]ed)(?: axial)? tomogra\w*|\bCAT scan)"),
    ("MRI", r"\bMR[AIV]?s?\b|\bFLAIR\b|\bDWI\b|(?i:\bmri\b|\bmagnetic[- ]resonance|\bT[12][- ]?weighted)"),
    ("X-ray", r"(?i:\bx[- ]?rays?\b|\bradiogra\w*|\bmammogra\w*|\broentgen\w*)|\bCXR\b"),
    ("ultrasound", r"(?i:\bultra-?so(?:und|nogra)\w*|\bsonogra\w*|\bechocardiogra\w*)"),
    ("dermoscopy", r"(?i:\bderm(?:at)?oscop\w*)"),
    ("endoscopy", r"(?i:\b(?:video)?(?:endo|colono|gastro|bronchosco|cysto|laparo|arthro|hystero|laryngo)scop\w*"
     r"|\bbronchoscop\w*)"),
    ("histopathology", r"(?i:\bhisto(?:patho)?log\w*|\bpatholog(?:y|ical) (?:image|slide|section)\w*|\bwhole[- ]slide)"
     r"|\bH\s?&\s?E\b"),
)  # fmt: skip
"""Modality and the words that name it. Names outside the seven are there to be told apart from them."""

_PATTERNS: Final = tuple((name, re.compile(pattern)) for name, pattern in WORDS)


def modality_of(columns: Iterable[Any], question: str) -> str:
    """Return one of the seven modalities.

    Parameters
    ----------
    columns : iterable
        Fields that may hold the modality; the first that is not missing decides.
    question : str
        Read only if all fields are missing. A question that names two modalities is not a guess we make.

    Raises
    ------
    BadRow
        If the modality is another one, is not named, or could be several.
    """
    for value in columns:
        name = text_of(value)
        if name:
            return _from_column(name)
    found = named_modalities(question)
    if not found:
        raise BadRow(Reason.MODALITY_UNKNOWN)
    if len(found) > 1:
        raise BadRow(Reason.MODALITY_AMBIGUOUS, ", ".join(found))
    if found[0] not in MODALITIES:
        raise BadRow(Reason.MODALITY_OUTSIDE, found[0], modality=found[0])
    return found[0]


def named_modalities(text: str) -> list[str]:
    """Return the modalities that a text names, each once, those outside the seven too."""
    found: dict[str, None] = {}
    for name, pattern in _PATTERNS:
        text, count = pattern.subn(" ", text)
        if count:
            found[name] = None
    return list(found)


def _from_column(name: str) -> str:
    try:
        return resolve_modality(name)
    except UnknownNameError:
        # "T2-weighted MRI", "CT (abdomen)".
        found = named_modalities(name)
        if len(found) == 1 and found[0] in MODALITIES:
            return found[0]
        raise BadRow(Reason.MODALITY_OUTSIDE, name, modality=name) from None
