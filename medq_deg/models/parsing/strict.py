"""The strict parser: the last stated answer, else a bare one; what is not clearly an answer is none.

Each sentence is read by the readers of `readers`; here their claims are weighed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medq_deg.data.schema import LETTERS
from medq_deg.models.parsing import words
from medq_deg.models.parsing.match import Options, options_of
from medq_deg.models.parsing.normalise import Sentence, normalise, read_part, sentences
from medq_deg.models.parsing.readers import Claim, alone, read, takes_back


def parse_strict(text: str, options: Sequence[str]) -> str | None:
    """Return the letter that a reply states, or None.

    1. The last stated answer ("Answer: B", a tag, a box, "I'd choose B") wins over everything before it, but for
       another answer with nothing said in between, which contradicts it, and unless what follows takes it back.
    2. Without a stated answer, a bare letter or option's text that opens or ends the reply, if it is the only one.
    """
    said, unclosed = read_part(text)
    known = options_of(tuple(options))
    parts = _joined(sentences(_without_echo(normalise(said), options)), known)
    claims: dict[Sentence, Claim | None] = {}
    for part in parts:
        if part not in claims:
            claims[part] = read(part, known)
    found = [claims[part] for part in parts]
    places = [place for place, claim in enumerate(found) if claim and claim.stated]
    if unclosed and not (places and places[-1] == len(parts) - 1 and any(map(_is_prose, parts[:-1], found))):
        return None
    if len(parts) == 1 and found == [None]:
        found = [alone(parts[0], known)]
    if places:
        return _stated(parts, found, places, known)
    return _bare(parts, found, known)


def _stated(parts: list[Sentence], found: list[Claim | None], places: list[int], options: Options) -> str | None:
    last = places[-1]
    answer = found[last]
    assert answer is not None
    letter = answer.letter
    if letter is None:
        return None
    said_between = False
    beside: list[str | None] = []
    for place in range(last - 1, -1, -1):
        claim = found[place]
        said_between |= _is_prose(parts[place], claim) or bool(words.CORRECTION.match(parts[place + 1].text))
        if claim is None or claim.item:
            continue
        differs = claim.letter not in (None, letter)
        if claim.stated and differs and not said_between and (claim.final or not answer.final):
            return None
        if not claim.stated and not said_between:
            beside.append(claim.letter)
    # One other answer beside it contradicts it; several are a list of the options.
    if len({*beside}) == 1 and beside[0] not in (None, letter) and not answer.final:
        return None
    return letter if _stands(parts[last + 1 :], found[last + 1 :], letter, options, True) else None


def _bare(parts: list[Sentence], found: list[Claim | None], options: Options) -> str | None:
    claims = [claim for claim in found if claim]
    letters = {claim.letter for claim in claims if not claim.item or claim is found[0]}
    if not claims or len(letters) != 1 or None in letters:
        return None
    (letter,) = letters
    assert letter is not None
    if found[0] is not None and (not found[0].item or len(claims) == 1):
        return letter if _stands(parts[1:], found[1:], letter, options, False) else None
    end, lead = found[-1], found[-2] if len(found) > 1 else None
    if (end and letter == _next_of_list(parts[:-1])) or words.NUMBER.fullmatch(parts[-1].text):
        return None
    # "These are wrong:" or "Such as" goes on in the last line, and a list may stop short; "I am not sure." does not.
    ends_before = len(parts) > 1 and not lead and parts[-2].text[-1] in ".!?。"
    return letter if end and not end.item and ends_before and not re.search(r"\bnone\b", parts[-2].text, re.I) else None


def _next_of_list(parts: list[Sentence]) -> str | None:
    """Return the letter with which a list of options goes on."""
    labels = [match[1] for part in parts if (match := words.LABELLED.match(part.text))]
    return chr(ord(labels[-1]) + 1) if labels else None


def _stands(parts: list[Sentence], found: list[Claim | None], letter: str, options: Options, stated: bool) -> bool:
    """Return whether an answer stands after the sentences that follow it."""
    for part, claim in zip(parts, found, strict=True):
        if claim and not claim.item and (claim.letter or claim.stated) and claim.letter != letter:
            return False
        if takes_back(part.text, letter, options, stated) and not (claim and claim.item and _flat(part)):
            return False
    return True


def _flat(part: Sentence) -> bool:
    return not words.WAVERS.search(part.text) and not words.DOUBT.search(part.text)


def _is_prose(part: Sentence, claim: Claim | None) -> bool:
    return (claim is None or claim.item) and len(part.text.split()) > 2


def _joined(parts: list[Sentence], options: Options) -> list[Sentence]:
    """Join "The correct answer is:" with the answer in the next line, and part "... is B. Fluid is seen." in two."""
    joined: list[Sentence] = []
    for part in parts:
        before = joined[-1].text if joined else ""
        goes_on = words.goes_on(before) and not part.marked and not words.NOUN.search(part.text)
        if goes_on:
            glue = " " if before.endswith((":", " is", " be")) else ": "
            joined.pop()
        whole = Sentence(f"{before}{glue}{part.text}") if goes_on else part
        match = re.search(r"(?<=\w\s)\(?[A-Z]\)?\.\s+(?=[A-Z]\w*\s+\w+\s+\w+)", whole.text)
        rest = whole.text[match.end() :] if match else ""
        opened, remaining = options.opens(rest)
        if match and (not opened or words.VERB.match(remaining)):
            joined += [Sentence(whole.text[: match.end()].strip(), whole.lead, whole.marked), Sentence(rest)]
        else:
            joined.append(whole)
    return joined


def _without_echo(text: str, options: Sequence[str]) -> str:
    """Remove the whole list of lettered options, which repeats the question and answers nothing."""
    items = [
        rf"[(*\s-]{{0,4}}{letter}[).:*\s]+{re.escape(normalise(option))}"
        for letter, option in zip(LETTERS, options, strict=False)
    ]
    return re.sub(r"[*.,;\s]*".join(items) + r"[*.]*(?=\s|$)", "\n", text, flags=re.IGNORECASE)
