"""How a sentence states an answer: an ordered list of small readers, each with what it reads beside it.

To add one, write a function from a sentence and the options to a `Claim` or None, with its examples in the docstring,
and put it into `READERS`: the first reader that finds something in a sentence decides about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from medq_deg.data.lettered import letter_of
from medq_deg.models.parsing import words
from medq_deg.models.parsing.match import Options
from medq_deg.models.parsing.normalise import Sentence, plain


@dataclass(frozen=True)
class Claim:
    """That a sentence names an option, or names more than one, or none that there is (`letter` is then None).

    An answer that is `stated` as such outranks a bare letter or text. A `final` one outranks those. An `item` is a
    comment on an option, as in a list of all.
    """

    letter: str | None
    stated: bool = False
    final: bool = False
    item: bool = False


UNCLEAR: Final = Claim(None)


def claim(text: str, options: Options) -> Claim | None:
    """Read a text that should be an answer and no more.

    "B", "(B) MRI", "B because ...", "MRI (B)", "MRI", "Yes, there is a fracture." are answers; "B. CT" contradicts
    itself, "B or D" is unclear, "B: the fat is bright" is an item, and "a chest film of high quality" is prose.
    """
    text = plain(text)
    if text.endswith("?"):
        # "B?" asks about an answer, "Is there a fracture?" only repeats the question.
        return UNCLEAR if claim(text.rstrip("? "), options) or mentioned_letters(text, options) else None
    # "B is right" is B, but "B. None of the options is right" keeps its verdict.
    short = text if words.DENIES_ALL.search(text) else words.VERDICT.sub("", text)
    for said in dict.fromkeys((text, short, words.PICTURE.sub("", text), words.LEAD.sub("", text))):
        if letter := options.equal(said):
            return Claim(letter)
    for said in dict.fromkeys((text, short)):
        found = lettered(said, options)
        if found and found.letter:
            return found
    return lettered(text, options) or text_then_letter(text, options) or opening(text, options)


def text_then_letter(text: str, options: Options) -> Claim | None:
    """Read "MRI (B)"; "CT (B)" contradicts itself."""
    match = words.TEXT_THEN_LETTER.fullmatch(text)
    if match is None or (letter := options.equal(match["text"])) is None:
        return None
    return Claim(letter) if letter == match["letter"] else UNCLEAR


def opening(text: str, options: Options) -> Claim | None:
    """Read "Yes, there is a fracture." and "MRI, because fat is bright"; "MRI, not CT" and "Yes, but" are unclear."""
    match = words.OPENING.match(text)
    for place in [match.end(1) for match in [match] if match] + [m.start() for m in words.COMMENT.finditer(text[:400])]:
        letter = options.equal(text[:place])
        if letter is None:
            continue
        rest = text[place:]
        others = options.mentioned(rest) | options.opens(rest.lstrip(" ,;:-"))[0] | mentioned_letters(rest, options)
        if others - {letter} or words.WAVERS.search(rest) or words.DOUBT.search(rest):
            return UNCLEAR
        return Claim(letter, item=rest.lstrip()[:1] == ":")
    return None


def lettered(text: str, options: Options) -> Claim | None:
    """Read what begins with a letter: "B", "(B) MRI", "B. The fat is bright.", "B because ..."."""
    match = words.LETTERED.fullmatch(text)
    if match is None or (
        match["letter"].islower() and match["prefix"][:2].casefold() in {"it", "so", "th", "la", "el"}
    ):
        return None
    letter, close, rest = match["letter"].upper(), match["close"], match["rest"]
    if "'" in close and "'" not in text[: match.start("letter")]:  # "I'" is the start of "I'm".
        return None
    if letter not in options.letters:
        return None if close.isspace() and rest else UNCLEAR
    if not close and rest[:1].isalnum():
        return Claim(letter) if rest[0].isdigit() and options.agrees(letter, rest) else None
    if words.STOP.fullmatch(rest):
        return Claim(letter)
    delimiter = words.DELIMITER.match(rest)
    tail = rest[delimiter.end() if delimiter else 0 :].strip()
    # The point of ".5" and the sign of "-5" are no delimiters.
    if options.agrees(letter, tail) or options.agrees(letter, rest.strip()):
        return Claim(letter)
    opened, remaining = options.opens(tail)
    if opened:
        return _with_text(letter, tail, remaining, options) if letter in opened else UNCLEAR
    parted = delimiter is not None or bool(close.strip())
    return _with_comment(match, tail, parted, options)


def _with_text(letter: str, tail: str, remaining: str, options: Options) -> Claim:
    """Read "B. MRI, as fat is bright"; "B. MRI: fat is bright" is an item, "B. MRI is a method" no answer at all."""
    if words.CONNECTS.match(remaining) or words.DOUBT.search(tail):
        return UNCLEAR
    if words.VERB.match(remaining) or words.LABEL.match(tail):
        supposed = words.VERB.match(remaining) or words.NEGATION.search(remaining) or words.SUPPOSES.search(remaining)
        return Claim(None if supposed else letter, item=True)
    return UNCLEAR if takes_back(tail, letter, options) else Claim(letter)


def _with_comment(match: re.Match[str], tail: str, parted: bool, options: Options) -> Claim | None:
    """Read "B. The fat is bright." and "B because ..."; "B: fat is bright" is an item; "A chest film" is prose."""
    letter = match["letter"].upper()
    if letter in options.lettered and letter_of(tail):
        return UNCLEAR
    reason = words.BECAUSE.match(tail)
    sentence = "." in match["rest"][: len(match["rest"]) - len(tail)] and re.match(r"[A-Z(]\S*\s+\S+\s+\S", tail)
    if match["letter"].isupper() and (reason or sentence):
        return UNCLEAR if takes_back(tail, letter, options) else Claim(letter, item=not reason)
    if parted and options.resembles(letter, tail):
        return Claim(letter)
    if parted and len(tail.split()) > 1:
        return Claim(None, item=True)
    return None if not parted and re.match(r"\w", tail) and not words.MENTION.search(tail) else UNCLEAR


def stated(sentence: Sentence, options: Options) -> Claim | None:
    """Read "The correct answer is B.", "Answer: (B) MRI", "I'd go with B"; "If the answer is B" is unclear."""
    text = sentence.text
    for pattern in (words.STATEMENT, words.CHOSEN):
        match = pattern.search(text)
        while match:
            before = text[: match.start()]
            parts = match.groupdict()
            opens = bool(parts.get("article")) or words.CLAUSE_START.search(before)
            said = words.PART.sub("", words.NOT_BUT.sub("", match["said"]))
            found = claim(said, options)
            if found and opens:
                final = "final" in (parts.get("adjectives") or "").casefold()
                return Claim(_free(found, before, said, parts, options), stated=True, final=final)
            if opens and mentioned_letters(match["said"], options) and not words.NOUN.search(match["said"]):
                return Claim(None, stated=True)
            match = pattern.search(text, match.start("said"))
    return None


def _free(found: Claim, before: str, said: str, parts: dict[str, str | None], options: Options) -> str | None:
    """Return the letter of a statement, or None if what is before it denies, supposes or contradicts it."""
    before = words.CONCESSION.sub("", before)
    corrected = words.CORRECTION.sub("", before)
    clause = words.CONSEQUENCE.split(corrected)[-1]
    # "The answer is a" may be the start of "a chest film"; these letters are words in some language.
    cut_off = said.strip() in {*"aeiouy"} and ":" not in (parts.get("verb") or "")
    if (
        cut_off
        or (found.item and not found.letter)
        or words.CONDITION.search(corrected)
        or words.NEGATION.search(clause)
    ):
        return None
    lead = claim(words.LOOSE_END.sub("", before[-200:]), options)
    return found.letter if not lead or (lead.letter in (None, found.letter) and not lead.item) else None


def verdict(sentence: Sentence, options: Options) -> Claim | None:
    """Read "Based on the image, D is the correct answer." and "B is correct because ..."."""
    match = words.IS_RIGHT.match(sentence.text)
    if match is None or words.DENIES_ALL.search(sentence.text):
        return None
    if sentence.text.endswith("?"):
        return UNCLEAR
    if words.NEGATION.search(match["lead"] or "") or words.CONDITION.search(match["lead"] or ""):
        return None
    found = claim(match["said"], options)
    if not found or (found.item and found.letter is None):
        return None
    rest = match["rest"]
    if found.letter and takes_back(rest, found.letter, options):
        return Claim(None, stated=bool(match["noun"]))
    return Claim(found.letter, stated=bool(match["noun"]))


def described(sentence: Sentence, options: Options) -> Claim | None:
    """Read "This is a CT scan.", "The lesion is (B) Meningioma", "The most likely diagnosis is MRI."."""
    if match := words.DESCRIPTION.fullmatch(sentence.text):
        what = words.PICTURE.sub("", match["what"])
        if letter := options.equal(match["what"]) or options.equal(what):
            return Claim(letter)
    match = words.IS.match(sentence.text)
    if match is None or words.NEGATION.search(match["subject"]) or words.CONDITION.search(match["subject"]):
        return None
    found = lettered(match["said"], options) if words.BRACKETED.match(match["said"]) else None
    if found and found.letter and options.opens(words.BRACKETED.sub("", match["said"]))[0]:
        likely = bool(words.LIKELY.search(match["subject"]))
        return Claim(found.letter, stated=likely) if not words.OTHER.search(match["subject"]) else None
    if words.LIKELY.search(match["subject"]):
        found = claim(match["said"], options)
        return Claim(found.letter, stated=True) if found and found.letter and not found.item else None
    return None


def apposed(sentence: Sentence, options: Options) -> Claim | None:
    """Read "This is a CT, a method with X-rays."; "This is a CT, not an MRI" and "a CT, a mimic of MRI" are unclear."""
    match = words.DESCRIPTION.fullmatch(sentence.text)
    part = words.APPOSITION.search(match["what"]) if match else None
    if match is None or part is None:
        return None
    what, added = match["what"][: part.start()], match["what"][part.end() :]
    letter = options.equal(words.LEAD.sub("", what))
    if letter is None:
        return None
    doubted = words.NEGATION.search(added) or words.WAVERS.search(added) or takes_back(added, letter, options)
    return UNCLEAR if doubted or options.also_fit(sentence.text, letter) else Claim(letter)


def seen(sentence: Sentence, options: Options) -> Claim | None:
    """Read "No tumour is seen." and "There is a tumour." where the options are "Tumour" and "No tumour"."""
    match = words.SEEN.fullmatch(sentence.text) if options.opposed else None
    what = (match["seen"] or match["thing"]) if match else ""
    letter = options.equal(what) or options.equal(words.NO_SIGN.sub(r"\1", what))
    return Claim(letter) if letter else None


def bare(sentence: Sentence, options: Options) -> Claim | None:
    """Read a sentence that is nothing but an answer, as `claim` does."""
    return claim(sentence.text, options)


def marked(sentence: Sentence, options: Options) -> Claim | None:
    r"""Read what a tag, a box or an answer field holds: <answer>B</answer>, \boxed{B}, {"answer": "B"}."""
    if not sentence.marked:
        return None
    found = claim(sentence.text, options) or stated(Sentence(sentence.text), options)
    if words.DENIED.search(sentence.lead) or found is None:
        # A box around a number that is no option is a result, not an answer.
        return None if found is None and not mentioned_letters(sentence.text, options) else Claim(None, stated=True)
    lead = claim(words.LOOSE_END.sub("", sentence.lead[-200:]), options)
    agrees = not lead or lead.item or lead.letter == found.letter
    return Claim(found.letter if agrees else None, stated=True)


READERS: Final[tuple[Callable[[Sentence, Options], Claim | None], ...]] = (
    marked,
    stated,
    verdict,
    bare,
    apposed,
    described,
    seen,
)


def read(sentence: Sentence, options: Options) -> Claim | None:
    """Return what the first reader finds in a sentence."""
    if sentence.text.endswith("?") and not sentence.marked:
        return UNCLEAR if any(reader(Sentence(sentence.text.rstrip("? ")), options) for reader in READERS) else None
    return next((found for reader in READERS if (found := reader(sentence, options))), None)


def mentioned_letters(text: str, options: Options) -> set[str]:
    """Return the options that a text names by their letters; an article or a pronoun is none."""
    named = {(match["letter"] or match["named"]).upper() for match in words.MENTION.finditer(text)}
    return named & {*options.letters}


def alone(sentence: Sentence, options: Options) -> Claim | None:
    """Read a reply of one sentence: "The modality is CT.", but not "The heart is normal." or "The CT is an MRI."."""
    match = words.IS.match(sentence.text)
    if match is None or not words.SUBJECT.match(match["subject"]) or words.OTHER.search(match["subject"]):
        return None
    letter = options.equal(match["said"]) or options.equal(words.PICTURE.sub("", match["said"]))
    plainly = letter and options.mentioned(sentence.text) <= {letter} and not options.is_any(letter)
    doubts = words.NEGATION.search(match["subject"]) or words.CONDITION.search(match["subject"])
    return Claim(letter) if plainly and not doubts else None


def takes_back(text: str, letter: str, options: Options, stated: bool = False) -> bool:
    """Return whether a sentence after an answer doubts it, denies it, or speaks for another option.

    Rejecting other options ("A is incorrect"), listing them ("A. Pneumonia: would show ...") and naming them in passing
    ("MRI and PET are used for ...") takes nothing back; "D fits better", "MRI could also be right" and "D?" do.
    """
    if words.DOUBT.search(text):
        return True
    letters = mentioned_letters(text, options)
    named = letters | options.mentioned(text)
    denied = words.NEGATION.search(text)
    if not named - {letter}:
        return bool(denied and (words.ITSELF.search(text) or (letter in named and words.DENIES.search(text))))
    before, turn, last = words.TURN.split(text, maxsplit=1) if words.TURN.search(text) else ("", "", text)
    if words.NEGATION.search(last) and turn and not words.FAVOURS.search(before):
        return bool(words.WAVERS.search(last)) or bool(mentioned_letters(last, options) | options.mentioned(last))
    if denied:
        return (letter in named and len(text) < 80) or bool(words.WAVERS.search(text))
    if not stated and words.EXPLANATION.match(text) and options.opens(words.EXPLANATION.sub("", text))[0] - {letter}:
        return True
    return bool(words.FAVOURS.search(text)) or (bool(letters - {letter}) and len(text.split()) < 4)
