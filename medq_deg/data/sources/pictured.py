"""What a question says is pictured, told apart from what it only mentions.

Case histories name many examinations: past, planned, normal, told in words. What counts is what the text points at:
"a radiograph is shown in Figure A", "(figure)", "based on the MRI", "in this CT image". A sentence is cut into
segments; each pointer belongs to its own segment, or to the nearest one before it if its own says nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from medq_deg.data.sources.words import named_modalities
from medq_deg.taxonomy import MODALITIES

APPEARANCE: Final = "digital photography"
"""What is pictured where a text points at what one sees on a patient."""

FOREIGN: Final = "something else"
"""What is pictured where a text points at a thing that names no kind of picture."""

_IMAGE: Final = r"(?:fig(?:ure|\.)?s?|images?|pictures?|panels?|exhibits?)"
_SEEN: Final = (
    r"(?:shown|seen|depicted|demonstrated|displayed|illustrated|presented|provided|pictured|represented|attached|given"
    r"|found|noted|reproduced|visible|marked|labell?ed|indicated)"
)
# "the" alone before an examination points at it only in "based on the", "review of the" and the like.
_STUDY: Final = r"(?:[\w/\"'-]+[ ]){0,6}?"
_KINDS: Final = (
    r"(?:CT|MRI?|x-?rays?|radiogra\w*|film|echo\w*|ultraso\w*|sonogra\w*|doppler|\w*gram|\w*graph\w*|\w*scop\w+"
    r"|biops\w+|smear|scan|imaging|histolog\w*|histopatholog\w*|microgra\w+|slide|mammo\w+|angio\w+|swallow|enema|ECG|EKG|MRCP|VCUG|IVP|KUB|CXR|ERCP|EGD|T[TE]E|PET|OCT)"
)
_POINTERS: Final = re.compile(
    rf"\(\s*(?:see\s+|shown in\s+)?(?:the\s+)?{_IMAGE}\s*(?P<a>[A-H\d])?\d?(?:\s*{_SEEN})?(?:\s*(?:below|above))?\s*\)"
    rf"|\(\s*(?:see |as )?(?:{_SEEN}|below|above)[^)]{{0,20}}\)"
    rf"|\bfig(?:ure|\.)?\s*(?P<b>[A-H\d])\b"
    rf"|\b(?:this|these|the|an|accompanying|following|adjacent|attached|provided|presented)\s+(?:\w+\s+){{0,2}}?{_IMAGE}\b"
    rf"|\b(?:is|are|was|were|be|been|as|and)\s+(?:also\s+|then\s+)?(?:shown|provided|depicted|displayed|illustrated|presented|attached|pictured)\b"
    r"(?! to | with (?:a|an|the|his|her|\d))"
    rf"|\b{_SEEN}\s+(?:here|below|above)\b|\b(?:image|figure|picture)s? (?:below|above)\b"
    r"|\bshow(?:s|n|ing)? (?:the )?(?:following|below)\b(?=\W*(?:\n|$))"
    rf"|\b(?:this|these)\s+(?={_STUDY}{_KINDS}\b)"
    rf"|\b(?:based (?:up)?on|according to)\s+(?:(?:the|this|these|his|her)\s+)?(?={_STUDY}{_KINDS}\b)"
    rf"|\b(?:up)?on\s+(?:further\s+)?(?:review|examination|inspection|evaluation|analysis)\s+of\s+(?={_STUDY}{_KINDS}\b)"
    rf"|\b(?:(?:after|by|when|on|upon|while)\s+)?(?:review|examin|inspect|evaluat|analy[sz]|interpret|view)ing\s+(?={_STUDY}{_KINDS}\b)"
    rf"|(?<=radiograph )review\b|(?<=scan )review\b|(?<=ray )review\b|(?<=film )review\b"
    rf"|\b{_SEEN}\s+(?:on|in|by)\s+(?:the|this|these)\s+(?={_STUDY}{_KINDS}\b)"
    rf"|\b(?:the\s+)?(?:accompanying|following|provided|attached|given|presented|displayed|depicted)\s+(?={_STUDY}{_KINDS}\b)"
    rf"|(?<=findings )presented\b"
    rf"|\bin\s+the\s+(?={_STUDY}{_KINDS}\s+{_IMAGE}\b)",
    re.IGNORECASE,
)
_SEGMENT: Final = re.compile(
    r"[,;:]\s+|\s+(?:and|but|while|whereas|although|though|however|who|when)\s+", re.IGNORECASE
)
_SENTENCE: Final = re.compile(r"(?<=[.?!])[\"')*_]*\s+(?=[\"'(*_]*[A-Z0-9])|\n\s*\n|(?<=[a-z])\.(?=[A-Z][a-z])")
_SAYS_NOTHING: Final = re.compile(
    r"and|but|while|whereas|although|though|however|who|when|a|an|the|this|these|that|those|it|its|his|her"
    r"|their|patient|patients|is|are|was|were|be|been|being|has|have|had|in|on|of|at|by|for|from|to|as|with"
    r"|below|above|here|following|first|initial|repeat|obtained|performed|taken|done|acquired|shown|seen"
    r"|depicted|demonstrated|displayed|illustrated|presented|provided|pictured|represented|attached|given"
    r"|found|noted|visible|marked|labeled|labelled|indicated|shows|show|showing|demonstrates|demonstrate"
    r"|reveals|reveal|revealed|displays|depicts|results|result|findings|finding|image|images|figure|figures"
    r"|picture|pictures|abnormality|abnormalities|abnormal|appearance|study|studies|which|what|see|also"
    r"|then|most|likely|best|describes|explains|explain|condition|diagnosis|cause|caused|underlying|upon"
    r"|based|there|identify|where|arrow|arrows|structure|structures|box|region|located|correct|feature"
    r"|features|name|does|do|how|would|you|probable|next|step|management|point|points|i|ii|visualized"
    r"|observed|review"
)
"""Words that make no thing of their own out of what stands around a pointer."""

_NOT_PICTURED: Final = re.compile(
    r"\b(?:is|are|was|were|appears?|appeared|remains?|remained|returns?|returned|came back)\s+"
    r"(?:\w+ly\s+|otherwise\s+)?(?:normal|unremarkable|negative|clear|within normal|noncontributory|non-diagnostic"
    r"|inconclusive|pending|ordered|scheduled|planned|recommended|deferred|declined|refused|not\b)"
    r"|\b(?:normal|unremarkable|negative|prior|previous|earlier|past|old|outside|history of|no|without|awaiting|pending"
    r"|refuses|declines)\s+(?:\w+\s+){0,2}?$"
    r"|\b(?:confirms?|confirmed)\s+(?:a\s+)?normal\b|\b(?:years?|months?|weeks?) ago\b|\blast (?:year|month|week)\b"
    r"|\bshow(?:s|ed)?\s+(?:no|normal)\b|\breveal(?:s|ed)?\s+(?:no|normal)\b",
    re.IGNORECASE,
)
_PLANNED: Final = re.compile(
    r"\b(?:next (?:\w+ ){0,3}(?:step|test|study|examination)|order(?:ed|s|ing)?|recommend\w*|schedul\w*"
    r"|should|would|indicated|before|prior|previous|history|underwent|undergone|candidate|contraindicat\w*|guided|follow-up|screening)\b",
    re.IGNORECASE,
)
_NEXT_STEP: Final = re.compile(r"\bnext (?:\w+ ){0,3}(?:step|test|study|examination)\b", re.IGNORECASE)
_TOLD: Final = re.compile(r"\b(?:show|reveal|demonstrat|confirm|identif|suggest|indicat|detect)\w*\b", re.IGNORECASE)
_MADE: Final = re.compile(r"\b(?:performed|obtained|taken|done|acquired|undergoes|undergo|conducted)\b", re.IGNORECASE)
_ON_THE_PATIENT: Final = re.compile(
    r"\b(?:rash\w*|skin|facial|face|tongue|eyelids?|iris|cornea\w*|conjunctiva\w*|pupils?|nails?|fingernails?"
    r"|physical exam\w*|general appearance|eruptions?|ulcers?|papules?|plaques?|blisters?|vesicles?|bull(?:a"
    r"|ae)|gait|posture"
    r"|oral cavity|gingiva\w*|scalp|hair)\b",
    re.IGNORECASE,
)
# "Biopsy of the lesion shown in Figure A": shown is the lesion.
_OF_A_LESION: Final = re.compile(
    r"\b(?:of|from)\s+(?:the|this|these|his|her|a|an)\s+(?:\w+\s+){0,2}(?:lesions?|rash\w*|mass|nodules?|skin|eruptions?|ulcers?"
    r"|plaques?|patient|area|site|finding)\s+(?:(?!(?:is|are|was|were)\b)\w+\s+){0,3}(?:shown|seen|depicted|pictured|demonstrated)\s+in\b",
    re.IGNORECASE,
)
_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|has|had|have|shows?|reveals?|demonstrates?|obtained|performed|ordered|confirms?|develop\w*|presents?|reports?)\b",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(r"\s*(?:on|in|during|upon|by)\b", re.IGNORECASE)
LONGEST: Final = 20_000
"""Characters of a question that are read: more than any case history has, so that no text takes long."""
_MOST_POINTERS: Final = 20
"""Pointers of a sentence that are read."""
_SHORT: Final = 40
"""Words of a question that is about its picture alone, and tells no case."""


@dataclass(frozen=True)
class _Pointed:
    kinds: tuple[str, ...]
    label: str


def pictured(question: str) -> list[str]:
    """Return the kinds of picture that a question says it shows, each once.

    Names outside the seven modalities are among them, and `FOREIGN` for a thing that has no such name.

    Examples
    --------
    >>> pictured("A chest X-ray is normal. The MRI is shown in Figure A. What is the diagnosis?")
    ['MRI']
    >>> pictured("The chest X-ray is normal, the rash is shown in Figure A.")
    ['digital photography']
    >>> pictured("Which organ is abnormal in this CT image?")
    ['CT']
    """
    text = re.sub(r"[*_]+", "", question[:LONGEST])
    text = re.sub(r"\s*\n\s*\n\s*", "\n\n", re.sub(r"[^\S\n]+", " ", text))
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    found: list[_Pointed] = []
    vague = False
    for sentence in sentences:
        for pointed in _pointers(sentence):
            if pointed.kinds:
                found.append(pointed)
            else:
                vague = True
    if found:
        return _joined(found)
    if not vague and len(text.split()) <= _SHORT:
        return [kind for kind in named_modalities(text) if not _only_mentioned(text, kind)]
    # "A cystourethrogram is performed. What does the image show?"
    made = {
        kind
        for sentence in sentences
        for kind in named_modalities(sentence)
        if _MADE.search(sentence) and not _TOLD.search(sentence) and not _only_mentioned(sentence, kind)
    }
    return sorted(made) if vague and made == set(named_modalities(text)) and len(made) == 1 else []


def _joined(found: list[_Pointed]) -> list[str]:
    labels = {pointed.label for pointed in found if set(pointed.kinds) & set(MODALITIES) and pointed.label}
    kinds: dict[str, None] = {}
    for pointed in found:
        if pointed.kinds == (FOREIGN,) and (pointed.label in labels or (kinds and not pointed.label)):
            # "The radiograph is shown in Figure A. For the fracture in Figure A, ...": the picture is known already.
            continue
        kinds |= dict.fromkeys(pointed.kinds)
    return list(kinds)


def _pointers(sentence: str) -> list[_Pointed]:
    segments = _segments(sentence)
    found = []
    for match in islice(_POINTERS.finditer(sentence), _MOST_POINTERS):
        label = next((group for group in match.groups() if group), "").upper()
        place = sum(end <= match.start() for _, end in segments[:-1])
        found.append(_Pointed(_kinds_at(sentence, segments, place, match), label))
    return found


def _segments(sentence: str) -> list[tuple[int, int]]:
    ends = [match.start() for match in _SEGMENT.finditer(sentence)]
    return list(zip([0, *ends], [*ends, len(sentence)], strict=True))


def _kinds_at(sentence: str, segments: list[tuple[int, int]], place: int, match: re.Match[str]) -> tuple[str, ...]:
    """Return what a pointer points at: nothing if only at "the image"."""
    # A pointer may run into the segments after its own: "in the provided CT and MRI".
    start, end = segments[place]
    own = sentence[start : max(end, match.end())]
    if _OF_A_LESION.search(own):
        return (FOREIGN,)
    kinds = _kinds_of(own)
    if kinds:
        # "Based on the provided CT and X-ray images": no verb parts the two.
        beside = sentence[slice(*segments[place + 1])] if place + 1 < len(segments) else ""
        joined = beside.lstrip().lower().startswith("and ") and not _VERB.search(beside)
        return tuple(dict.fromkeys([*kinds, *(_kinds_of(beside) if joined else ())]))
    before = [sentence[start:end] for start, end in segments[:place]]
    content = _content(own)
    # "Radiographs of the wrist, hand, and forearm are shown": the last of a list, not a clause of its own.
    listed = len(content) == 1 and own.lstrip().lower().startswith("and ") and not any(map(_VERB.search, before))
    if content and not listed:
        return _kinds_of(before[0]) if before and _PLACE.match(before[0]) and _kinds_of(before[0]) else (FOREIGN,)
    for segment in reversed(before):
        kinds = _kinds_of(segment)
        if kinds:
            return kinds
        if _content(segment) and _VERB.search(segment):
            return (FOREIGN,)
    return (FOREIGN,) if any(map(_content, before)) else ()


@lru_cache(64)
def _kinds_of(segment: str) -> tuple[str, ...]:
    kinds = tuple(kind for kind in named_modalities(segment) if not _NOT_PICTURED.search(segment))
    return kinds or ((APPEARANCE,) if _ON_THE_PATIENT.search(segment) else ())


@lru_cache(64)
def _content(segment: str) -> list[str]:
    words = re.findall(r"[a-z]{2,}", _POINTERS.sub(" ", segment).lower())
    return [word for word in words if not _SAYS_NOTHING.fullmatch(word)]


def _only_mentioned(text: str, kind: str) -> bool:
    sentences = [sentence for sentence in _SENTENCE.split(text) if kind in named_modalities(sentence)]
    asked = _NEXT_STEP.search(text) is not None
    return all(
        _NOT_PICTURED.search(sentence) or _PLANNED.search(sentence) or (asked and sentence.rstrip().endswith("?"))
        for sentence in sentences
    )
