"""The strict parser: the last stated answer, else a bare one; what is not clearly an answer is none.

Each mention of an option becomes one sign (`match`), each sentence is read (`readers`); here the claims are weighed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medq_deg.models.parsing.match import OPTION, letter_in, options_of
from medq_deg.models.parsing.normalise import Sentence, normalise, read_part, sentences, unmarked
from medq_deg.models.parsing.readers import VERB, Claim, alone, joined, read, takes_back
from medq_deg.models.parsing.words import CORRECTION, DOUBT, WAVERS


def parse_strict(text: str, options: Sequence[str]) -> str | None:
    """Return the letter that a reply states, or None.

    1. The last stated answer ("Answer: B", a tag, a box, "I'd choose B") wins over everything before it, but for
       another answer with nothing said in between, which contradicts it, and unless what follows takes it back.
    2. Without a stated answer, a bare letter or option's text that opens or ends the reply, if it is the only one.
    """
    said, unclosed = read_part(text)
    known = options_of(tuple(options))
    parts = joined(sentences(known.mark(unmarked(normalise(said)))))
    claims = {part: read(part, known) for part in dict.fromkeys(parts)}
    found = [claims[part] for part in parts]
    places = [place for place, claim in enumerate(found) if claim and claim.stated]
    if unclosed and not (places and places[-1] == len(parts) - 1 and any(map(_is_prose, parts[:-1], found))):
        return None
    if len(parts) == 1 and not found[0]:
        found = [alone(parts[0], known)]
    return _stated(parts, found, places) if places else _bare(parts, found)


def _stated(parts: list[Sentence], found: list[Claim | None], places: list[int]) -> str | None:
    last = places[-1]
    answer = found[last]
    assert answer is not None
    letter = answer.letter
    said_between = False
    beside = set()
    for place in range(last - 1, -1, -1):
        claim = found[place]
        said_between |= _is_prose(parts[place], claim) or bool(CORRECTION.match(parts[place + 1].text))
        if claim is None or claim.item:
            continue
        differs = claim.letter not in (None, letter)
        if claim.stated and differs and not said_between and (claim.final or not answer.final):
            return None
        if not claim.stated and not said_between:
            beside.add(claim.letter)
    # One other answer beside it contradicts it; several are a list of the options.
    if len(beside) == 1 and beside not in ({None}, {letter}) and not answer.final:
        return None
    return letter if letter and _stands(parts[last + 1 :], found[last + 1 :], letter, True) else None


def _bare(parts: list[Sentence], found: list[Claim | None]) -> str | None:
    claims = [claim for claim in found if claim]
    letters = {claim.letter for claim in claims if not claim.item or claim is found[0]}
    if len(letters) != 1 or None in letters:
        return None
    (letter,) = letters
    assert letter is not None
    if found[0] is not None and (not found[0].item or len(claims) == 1):
        return letter if _stands(parts[1:], found[1:], letter, False) else None
    end, lead = found[-1], found[-2] if len(found) > 1 else None
    # A list may stop short of its last option, or of what it says of it.
    labels = [
        letter_in(part.text[0]) for part in parts[:-1] if re.match(OPTION, part.text) and not VERB.match(part.text[1:])
    ]
    if (labels and labels[-1] and letter == chr(ord(labels[-1]) + 1)) or not end or end.item or lead:
        return None
    # "These are wrong:" or "Such as" goes on in the last line; "I am not sure." does not.
    ends_before = len(parts) > 1 and parts[-2].text[-1] in ".!?。" and not re.search(r"(?i)\bnone\b", parts[-2].text)
    return letter if ends_before else None


def _stands(parts: list[Sentence], found: list[Claim | None], letter: str, stated: bool) -> bool:
    """Return whether an answer stands after the sentences that follow it."""
    for part, claim in zip(parts, found, strict=True):
        if claim and not claim.item and (claim.letter or claim.stated) and claim.letter != letter:
            return False
        flat = claim and claim.item and not WAVERS.search(part.text) and not DOUBT.search(part.text)
        if not flat and takes_back(part.text, letter, stated):
            return False
    return True


def _is_prose(part: Sentence, claim: Claim | None) -> bool:
    said = len(part.text.split()) > 2 or bool(re.fullmatch(r"\d{1,2}[.)]", part.text))
    return said and (claim is None or claim.item)
