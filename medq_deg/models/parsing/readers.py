"""How a sentence states an answer: an ordered list of small readers, each with what it reads beside it.

A sentence is read after every mention of an option has become one sign (`match`), written here as ⟨B⟩. To add a reader,
write a function from a sentence to a `Claim` or None, with its examples in the docstring, and put it into `READERS`:
the first that finds something in a sentence decides about it. The words that deny or hedge are in `words`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from medq_deg.models.parsing.match import BY_BOTH, BY_TEXT, OPTION, UNNAMED, Options, letter_in
from medq_deg.models.parsing.normalise import Sentence
from medq_deg.models.parsing.words import (
    ADJECTIVE,
    CONCESSION,
    CONSEQUENCE,
    CORRECTION,
    DENIES,
    DENIES_ALL,
    DOUBT,
    FAVOURS,
    HEDGE,
    ITSELF,
    NEGATION,
    NOUN,
    REASON,
    WAVERS,
    any_case,
)


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

_SIGNS = r"[^\w\ue000-\ue05f]*"
_LEAD = (
    rf"{_SIGNS}(?:(?:so|therefore|thus|hence|overall|clearly|definitely|(?:it|this|that)(?: is|'s| must be| leaves)"
    r"|(?:the )?most (?:likely|probabl[ey])|probabl[ey]|likely|la|el|[我应故])\b[,:]? )*"
    rf"(?:not {OPTION},? but (?:rather )?)?[我应故]?(?:选[择项]?:? ?)?"
)
_ANSWER = any_case(rf"{_LEAD}(?P<answer>{OPTION})(?P<rest>.*)")
_STOP = any_case(
    rf"(?:选项|项)?{_SIGNS}| ?(?:です|입니다)\W*"
    r"|,? is (?:the )?(?:most likely )?(?:correct|right|best|answer)(?: (?:answer|option|choice|one))?[.!]*"
)
_NO_WORDS = re.compile(r"(?:\W|\b(?:or|and|but|so)\b)*")
_CONTRAST = any_case(rf", (?:in|by) contrast\b| (?:and|or|nor) {OPTION} (?:are|were)\b")
_CONNECTS = any_case(r"\W*(?:or|and|nor|vs|versus)\b| ?[/>+%→]")
_COMMENT = any_case(r" (?:there|it|this|they|he|she)\b|[,;]\s| -+\s")
_ITEM = re.compile(r" ?[)\]]? ?(?:[.:)]|-+\s|\s-+) ?(?=\S)")
VERB = any_case(
    r" ?(?:is|was|are|were|would|does|do|did|can|could|cannot|can't|has|have|shows?|may|might|seems?|fits?)\b"
)


def named(text: str) -> set[str]:
    """Return the letters of the options that stand in a text."""
    return {letter for sign in re.findall(OPTION, text) if (letter := letter_in(sign))}


def claim(text: str) -> Claim | None:
    """Read a text that should be an answer and no more.

    "⟨B⟩", "⟨B⟩ because ...", "Probably ⟨B⟩." and "⟨B⟩, there is a fracture." are answers; "⟨B⟩ or ⟨D⟩" and "⟨B⟩?" are
    unclear, "⟨B⟩. The fat is bright." and "⟨B⟩: the fat is bright" are items, and "a ⟨B⟩ of high quality" is prose.
    """
    match = _ANSWER.match(text)
    if match is None or _CONTRAST.match(match["rest"]):
        return None
    answer, letter, rest = ord(match["answer"]), letter_in(match["answer"]), match["rest"]
    if text.endswith("?"):
        return UNCLEAR
    if _STOP.fullmatch(rest):
        return Claim(letter)
    if _CONNECTS.match(rest) or DOUBT.search(rest):
        return UNCLEAR
    # "**B. MRI** The fat is bright" loses the marks that end its answer.
    comment = _COMMENT.match(rest) or (answer >= BY_BOTH and re.match(" [A-Z]", rest))
    if comment or REASON.match(rest):
        others = comment and (named(rest) - {letter} or (answer < BY_BOTH and WAVERS.search(rest)))
        return UNCLEAR if others or takes_back(rest, letter) else Claim(letter)
    if VERB.match(rest):
        return Claim(None, item=True) if answer >= BY_BOTH else None
    if item := _ITEM.match(rest):
        sentence = "." in item[0] and re.match(r"[A-Z(]\S* \S+ \S", rest[item.end() :])
        doubted = sentence and takes_back(rest, letter)
        return UNCLEAR if doubted else Claim(letter if sentence else None, item=True)
    return UNCLEAR if named(rest) else None


_DENIED = any_case(
    r"(?:\b(?:not|never|if|unless|than|of|unlike|or|and|nor|versus|vs\.?|(?:might|may|could) be|between|except|wrong"
    r"|incorrect)|n't)[\s:,]*(?:the )?(?:answer|option|choice)?(?: (?:is|were|was))?\W*$"
)


def marked(sentence: Sentence, options: Options) -> Claim | None:
    r"""Read what a tag, a box or an answer field holds: <answer>B</answer>, \boxed{B}, {"answer": "B"}."""
    if not sentence.marked:
        return None
    found = claim(sentence.text) or stated(Sentence(sentence.text), options)
    if found is None:
        # A box around a number that is no option is a result, not an answer.
        return Claim(None, stated=True) if named(sentence.text) else None
    lead = named(sentence.lead) if _NO_WORDS.fullmatch(sentence.lead) else set()
    free = lead <= {found.letter} and not _DENIED.search(sentence.lead)
    return Claim(found.letter if free else None, stated=True)


_ABOUT = (
    r"(?: ?,? (?:to|for|based|from|among|that|which|in|on|given|of|according|matching|corresponding|here|would)\b"
    rf"(?:(?!\b(?:is|not|if)\b|{OPTION})[^.:;]){{0,120}}?)?"
)
_IS = (
    r"(?: ?,? (?:is|was|(?:would|should|must|will|has to) be|est|ist|lautet|es|é|è|to)\b| ?(?:は|是|为|為|은|는|هي"
    r"|应该是|應該是|选)|(?<=\bans)\.|(?= ?:| -|-\s| ?=)) ?[:=-]?"
)
_STATEMENT = any_case(
    r"(?<!\w)(?:(?P<article>(?:the|my|our|la|le|el|die|your) |所以|因此|故|则|综上|我的)?"
    rf"(?P<adjectives>(?:{ADJECTIVE} ?){{0,3}}){NOUN}(?: (?:choice|option|letter|answer|{ADJECTIVE}))?{_ABOUT}{_IS}"
    rf"|(?P<likely>the (?:most (?:likely|probable)|correct|best|closest)\b(?:(?!\bnot\b)[^.:;]){{0,200}}?){_IS}"
    r"|(?:i|we)(?: would| will|'d|'ll)? (?:choose|select|pick|go (?:with|for)|say|answer) "
    r"|i ?(?:am|'m) going (?:with|for) |my (?:choice|pick) is |(?<![不别勿可])[选選](?![项項])[择擇]?:?)"
    rf" ?(?:(?:graph|image|figure|picture|panel|statement|set) (?={OPTION}))?(?P<said>.*)"
)
# "Another option is A" is no answer: without an article a statement starts its clause.
_CLAUSE_START = any_case(
    r"(?:^|[^\w\s]|\b(?:so|thus|therefore|hence|then|that|and|think|believe|conclude|say|because)|所以|因此|故|应该?|我|则"
    r"|综上) ?$"
)


def stated(sentence: Sentence, options: Options) -> Claim | None:
    """Read "The correct answer is ⟨B⟩.", "Answer: ⟨B⟩", "I'd go with ⟨B⟩"; "If the answer is ⟨B⟩" is unclear."""
    match = _STATEMENT.search(sentence.text)
    while match:
        before, said, likely = sentence.text[: match.start()], match["said"], match["likely"] or ""
        found = claim(said)
        if match["article"] or likely or _CLAUSE_START.search(before):
            if found and not (likely and (not found.letter or found.item)):
                free = _free(before, found.letter) and not NEGATION.search(likely)
                final = "final" in (match["adjectives"] or "").lower()
                return Claim(found.letter if free else None, stated=True, final=final)
            if not likely and named(said) and not re.search(NOUN, said, re.IGNORECASE):
                return Claim(None, stated=True)
        match = _STATEMENT.search(sentence.text, match.start("said"))
    return None


def _free(before: str, letter: str | None) -> bool:
    """Return whether nothing before a statement denies, supposes or contradicts it."""
    corrected = CORRECTION.sub("", CONCESSION.sub("", before))
    if HEDGE.search(corrected) or NEGATION.search(CONSEQUENCE.split(corrected)[-1]):
        return False
    return not _NO_WORDS.fullmatch(before) or named(before) <= {letter}


_IS_RIGHT = any_case(
    r"(?:(?P<why>[^.]{1,200}), (?:so|thus|therefore|hence),? )?(?:(?P<lead>(?:based|given|from|in|on|of|so|thus"
    r"|therefore"
    rf"|hence|overall|clearly)\b[^,]{{0,150}}), )?{_LEAD}(?P<answer>{OPTION}),? is (?:(?P<noun>(?:the )?answer"
    r"|the (?:most likely|final|only correct|correct|right|best)(?: (?:answer|option|choice|one|diagnosis|finding"
    r"|interpretation|explanation)|(?=\W*$)))|correct|right)\b(?P<rest>.*)"
)


def verdict(sentence: Sentence, options: Options) -> Claim | None:
    """Read "Based on the image, ⟨D⟩ is the correct answer." and "⟨B⟩ is correct because ..."."""
    match = _IS_RIGHT.match(sentence.text)
    if match is None or DENIES_ALL.search(sentence.text) or (match["why"] and not match["noun"]):
        return None
    if NEGATION.search(match["lead"] or "") or HEDGE.search(f"{match['why']} {match['lead']}"):
        return None
    letter = letter_in(match["answer"])
    return Claim(None if takes_back(match["rest"], letter) else letter, stated=bool(match["noun"]))


_DESCRIPTION = any_case(
    r"(?:it's|(?:it|this|(?:the|this) (?:[\w-]+ ){0,2}(?:image|picture|scan|photo|slide|x-ray|radiograph|film|ct|mri)) "
    rf"(?:is|shows|depicts|displays)) {_LEAD}({OPTION})(?:, (?P<added>(?:an?|the|which|one of) .+)|\W*)"
)


def described(sentence: Sentence, options: Options) -> Claim | None:
    """Read "This is a ⟨CT⟩, a method with X-rays."; "This is a ⟨CT⟩, a mimic of ⟨MRI⟩." is unclear."""
    match = _DESCRIPTION.fullmatch(sentence.text)
    if match is None:
        return None
    letter, added = letter_in(match[1]), match["added"] or ""
    doubted = NEGATION.search(added) or WAVERS.search(added) or takes_back(added, letter) or named(added)
    return UNCLEAR if doubted or (added and options.also_fit(added, letter)) else Claim(letter)


_SUBJECT_IS = any_case(
    r"(?P<subject>.{2,300}?) (?:is|are|represents?|shows?|would be|must be|corresponds? to) (?:(?:most )?likely )?"
    rf"(?:(?:most )?(?:consistent|compatible) with )?(?P<answer>{OPTION})(?P<rest>.*)"
)
_OTHER = any_case(r"\b(?:options?|choices?|another|first|second|third|last|other|one|example|instance)\b")


def lettered(sentence: Sentence, options: Options, least: int = BY_BOTH) -> Claim | None:
    """Read "The lesion is (B) Meningioma", but not "The first option is (B) Meningioma"."""
    match = _SUBJECT_IS.match(sentence.text)
    if match is None or not least <= ord(match["answer"]) < ord(UNNAMED) or named(match["rest"]):
        return None
    if any(pattern.search(match["subject"]) for pattern in (NEGATION, HEDGE, _OTHER)):
        return None
    return claim(match["answer"] + match["rest"])


_SEEN = any_case(
    rf"(?:there (?:is|are)|(?:i|we) (?:can )?see|(?:this|the) (?:image|scan|film) shows) ({OPTION})\W*"
    rf"|({OPTION})(?: (?:is|are|was|were))? (?:clearly )?(?:seen|visible|present|identified|found|noted|detected"
    rf"|evident)"
    r"(?: (?:here|(?:in|on) (?:this|the) (?:image|scan|film|picture)))?\W*"
)


def seen(sentence: Sentence, options: Options) -> Claim | None:
    """Read "⟨No tumour⟩ is seen." and "There is ⟨a tumour⟩." where the options are "Tumour" and "No tumour"."""
    match = _SEEN.fullmatch(sentence.text) if options.opposed else None
    return Claim(letter_in(match[1] or match[2])) if match else None


def bare(sentence: Sentence, options: Options) -> Claim | None:
    """Read a sentence that is nothing but an answer, as `claim` does."""
    return claim(sentence.text)


READERS: Final[tuple[Callable[[Sentence, Options], Claim | None], ...]] = (
    marked,
    stated,
    verdict,
    described,
    lettered,
    seen,
    bare,
)


def read(sentence: Sentence, options: Options) -> Claim | None:
    """Return what the first reader finds in a sentence."""
    found = next((found for reader in READERS if (found := reader(sentence, options))), None)
    return UNCLEAR if found and sentence.text.endswith("?") and not sentence.marked else found


_SUBJECT = any_case(
    r"(?:(?:based on|from|in)\b[^,]*, ?)?(?:the|this|that|it)\b"
    r"(?!.*\b(?:possib\w*|potential\w*|alternative\w*|differential|common\w*|typical\w*)\b)"
)


def alone(sentence: Sentence, options: Options) -> Claim | None:
    """Read a reply of one sentence: "The modality is ⟨CT⟩.", but not "A possible cause is ⟨CT⟩."."""
    found = lettered(sentence, options, least=BY_TEXT) if _SUBJECT.match(sentence.text) else None
    whole = re.search(rf"{OPTION}\W*$", sentence.text)
    return found if found and whole and named(sentence.text) == {found.letter} else None


# A statement that goes on in the next line.
_OPEN = any_case(
    rf"(?:(?:\b(?:the|my|our) |^\W*)(?:{ADJECTIVE} ?){{0,3}}{NOUN}{_ABOUT}(?: ?:| (?:is|(?:would|should) be) ?:?)"
    rf"|^(?:{ADJECTIVE} ?)?{NOUN})$"
)


def joined(parts: list[Sentence]) -> list[Sentence]:
    """Join "The correct answer is:" with the answer in the next line."""
    whole: list[Sentence] = []
    for part in parts:
        before = whole[-1].text if whole else ""
        if before and _OPEN.search(before) and not part.marked and not re.search(NOUN, part.text, re.IGNORECASE):
            glue = " " if before.endswith((":", " is", " be")) else ": "
            whole[-1] = Sentence(f"{before}{glue}{part.text}")
        else:
            whole.append(part)
    return whole


def takes_back(text: str, letter: str | None, stated: bool = False) -> bool:
    """Return whether a sentence after an answer doubts it, denies it, or speaks for another option.

    Rejecting other options ("⟨A⟩ is incorrect"), listing them ("⟨A⟩: would show ...") and naming them in passing
    ("⟨A⟩ and ⟨B⟩ are used for ...") takes nothing back; "⟨D⟩ fits better", "⟨A⟩ could also be right" and "⟨D⟩?" do.
    """
    if DOUBT.search(text):
        return True
    letters = named(text)
    denied = NEGATION.search(text)
    if not letters - {letter}:
        return bool(denied and (ITSELF.search(text) or (letter in letters and DENIES.search(text))))
    before, turn, last = re.split(r"\b(but)\b", text, maxsplit=1) if " but " in text else ("", "", text)
    if NEGATION.search(last) and turn and not FAVOURS.search(before):
        return bool(WAVERS.search(last)) or bool(named(last))
    if denied:
        return (letter in letters and len(text) < 80) or bool(WAVERS.search(text))
    if not stated and re.match(rf"\W*(?:explanation|reason(?:ing)?|rationale|because)\W+{OPTION}", text, re.IGNORECASE):
        return True
    return bool(FAVOURS.search(text)) or len(re.sub(OPTION, " x ", text).split()) < 4
