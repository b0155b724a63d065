"""From what a model said to the letter of an option, strictly: what is not clearly an answer is none.

Reasoning blocks and echoed option lists are removed first. Then an answer is taken from, in this order:

1. answer tags, LaTeX boxes and JSON fields, and statements with a verb or a colon such as "the answer is B";
2. a text, first line or last line that is nothing but a letter ("(B)", "B. MRI", "B is correct") or an option's text.

Nothing is guessed. None is returned when two answers differ, when a letter contradicts the text beside it, when a
statement is negated, conditional or unclear, and when another option is named, or the answer is taken back, after it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError

Parser: TypeAlias = Literal["strict", "vlmevalkit"]
PARSERS: Final = ("strict", "vlmevalkit")

_UNCLEAR = "?"
"""Reads like an answer but is none; never returned to the caller, and equal to no letter."""

# Full-width forms are how Chinese and Japanese texts write the same letters; NFKC would also flatten superscripts.
_SAME: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SAME |= {ord(invisible): None for invisible in "\u200b\ufeff"}
_SAME |= {ord("’"): "'", ord("‘"): "'", **{ord(dash): "-" for dash in "‐‑‒–—−"}}

_BLOCK = r"(?:think|thinking|thought|reasoning|reason|analysis)"
_REASONING_START = re.compile(rf"<{_BLOCK}>|\[THINK\]|◁think▷|<unused94>|<\|channel\|>", re.IGNORECASE)
_REASONING_END = re.compile(
    rf"</{_BLOCK}>|\[/THINK\]|◁/think▷|<unused95>|<\|channel\|>final<\|message\|>", re.IGNORECASE
)
# What a chat template puts around an answer.
_TURN_START = re.compile(r"\s*(?:(?:<s>|<\|im_start\|>|<start_of_turn>)\s*)?(?:(?:assistant|model)\s*[:\n]\s*)?", re.I)
_TURN_END = re.compile(r"</s>|<eos>|<end_of_turn>|<\|(?:im_end|eot_id|end|return|endoftext)\|>")

_MARKED = (
    re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL),
    re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}"),
)
_ANSWER_KEYS = ("answer", "final_answer", "choice", "option", "correct_answer", "letter")
_OBJECT = re.compile(r'\{(?=\s*")')
_MOST_OBJECTS = 50
_LATEX_WRAPPER = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_LATEX_MATH = re.compile(r"\\[()\[\]]")
# Emphasis stands at the edge of a word; inside one ("2*3", "x_1") the same signs mean something.
_MARKUP = re.compile(r"(?<![^\W_])[*_`$]+|[*_`$]+(?![^\W_])|^(?:#+|[-•>])\s+", re.MULTILINE)

_NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|no|without|wrong|incorrect|false|unlikely|least|worst|cannot|unsure|except|doubt"
    r"|exclud\w*|eliminat\w*|rul(?:es?|ed|ing)\s+out|nicht|kein\w*|falsch\w*|pas|faux|fausse|non|não|nie|не\w*)\b"
    r"|n't\b|不|错|誤",
    re.IGNORECASE,
)
# Neither a condition nor what others might say is the model's own answer.
_CONDITION = re.compile(
    r"\b(?:if|whether|unless|suppos\w+|assum\w+|were|when|wenn|falls|si|se|если|some|many|people|others?|might|may|could"
    r"|tempting|mistake\w*|user|previous|says)\b",
    re.IGNORECASE,
)
# After these, what came before in the sentence is the reason and no longer part of the statement.
_CONSEQUENCE = re.compile(r"[,;:]\s*(?:and\s+)?(?:so|thus|therefore|hence)\b,?", re.IGNORECASE)
_RETRACTION = re.compile(
    r"(?:^|[.!?\n]\s*)no\b|\b(?:wait|actually|correction|scratch\s+that|mistake|reconsider\w*|second\s+thoughts?|wrong"
    r"|on\s+reflection|incorrect|sorry|cannot|unable|unsure)\b|can't|n't\s+sure|\b(?:not|n't)\s+(?:the\s+)?(?:correct"
    r"|right|sure|certain|answer)|(?:answer|option|choice|it)\s+(?:is\s+not|isn't)\b",
    re.IGNORECASE,
)

# A sentence with one of these may reject less than it seems to: "not MRI but CT", "cannot be excluded".
_WAVERS = re.compile(
    r"\b(?:but|however|although|though|yet|cannot|could|might|may|possibl\w*|sure|certain\w*|doubt|wait|actually|sorry"
    r"|mistake\w*|correction|reconsider\w*|reflection|unless|if|either|also|rather|instead|only|unlikely|wrong\s+about"
    r"|answer|before|initially|not\s+(?:un\w+|in\w+|wrong|excluded|ruled))\b|can't|^\W*no\b",
    re.IGNORECASE,
)

_ADJECTIVE = (
    r"(?:final|correct|right|best|most\s+(?:likely|appropriate|accurate)|single|richtige|korrekte|bonne|correcte?"
    r"|correcta|correta|corretta|finale|правильный|верный|окончательный|poprawna|prawidłowa|正确的?|正確的?|最终的?|最終的?)"
)
_NOUN = (
    r"(?:answer|ans|choice|option|réponse|antwort|respuesta|opción|(?:a\s+)?(?:resposta|alternativa)|risposta"
    r"|odpowiedź|ответ|答案|正解|答え|정답|답|الإجابة(?:\s+الصحيحة)?)"
)
_STATEMENT = re.compile(
    rf"(?<!\w)(?P<article>(?:the|my|our|la|le|el|die|your)\s+|所以|因此|我的)?(?P<adjectives>(?:{_ADJECTIVE}\s*){{0,3}}){_NOUN}"
    rf"(?:\s+(?:choice|option|letter|{_ADJECTIVE}))?(?:\s+(?:to|for)\s+(?:the|this|your)\s+(?:\w+\s+)?question)?"
    r"(?P<verb>(?:\s+(?:is|would\s+be|should\s+be|must\s+be|est|ist|lautet|es|é|è|to)\b|\s*(?:は|是|为|為|은|는|هي)"
    r"|\s*选)(?:\s*:)?|\s*[:=]|\s+-|-\s)\s*(?P<said>[^\n]*)",
    re.IGNORECASE,
)
_HEADING = re.compile(rf"(?:{_ADJECTIVE}\s*)?{_NOUN}", re.IGNORECASE)
_CHOSEN = re.compile(
    r"(?<!\w)(?:(?:i(?:\s+would|\s+will|'d|'ll)?\s+(?:choose|select|pick|go\s+with|say|answer))|my\s+(?:choice|pick)\s+is)"
    r"\s+(?P<said>[^\n]*)",
    re.IGNORECASE,
)
# "Another option is A" and "a possible answer is A" are no answers: without an article a statement starts its clause.
_CLAUSE_START = re.compile(
    r"(?:^|[^\w\s]|\b(?:so|thus|therefore|hence|then|that|and|think|believe|conclude|say|because))\s*$", re.IGNORECASE
)

_PREFIX = (
    r"(?:(?i:so|therefore|thus|hence|it\s+is|it's|this\s+is|most\s+likely|probably|likely|clearly|definitely|la|el)"
    r"[,:]?\s+)*(?:(?i:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|letter|letra|lettre|opción))\s+|[我应故]?选[择项]?:?\s*)?"
)
# A letter is no answer as part of a word or a compound: "I'm", "B-mode", "A/B".
_LETTERED = re.compile(
    rf"(?P<prefix>{_PREFIX})[(\[{{\"'“「【<]*\s*(?P<letter>[A-Za-z])(?![\w/&+]|['-]\w)"
    r"(?P<close>\s*[)\]}\"'”」】>]*)(?P<rest>.*)",
    re.DOTALL,
)
_TEXT_THEN_LETTER = re.compile(r"(?P<text>.+?)\s*[(\[](?P<letter>[A-Z])[)\]][.!]*", re.DOTALL)
_VERDICT = re.compile(
    r"\s+is\s+(?:the\s+)?(?:most\s+likely\s+)?(?:correct|right|best|answer)(?:\s+(?:answer|option|choice|one))?[.!]*$"
    r"|\s*(?:です|입니다)[.。]?$",
    re.IGNORECASE,
)
_DELIMITER = re.compile(r"\s*[.:,;)、。>-]+\s*")
_STOP = re.compile(r"[\s.!)。]*")
_BECAUSE = re.compile(
    r"(?:because|since|as|due|based|given|因为|因為|weil|car|porque)(?:\b|(?<=[为為]))", re.IGNORECASE
)
_EXPLAINS = re.compile(r"(?:The|This|There|It|In|On|These|Explanation|Reason|Reasoning|Rationale)\b(?!\s+option)")
# A full stop after a single letter ("B. MRI") ends no sentence.
_SENTENCE_END = re.compile(r"(?<!\b[A-Za-z])[.!。](?:\s+|(?<=。))")
# A capital letter that stands for an option, not the article "A" or the pronoun "I".
_MENTION = re.compile(
    r"(?<![\w'])(?:(?P<letter>[B-HJ-Z]|A(?!\s+[a-z])|A(?=\s+(?:is|was|has|would|could|can|may|might|does|seems?|fits|looks"
    r"|matches|shows|and|or)\b)|I(?=[).:]|\s*$|\s+(?:is|fits)\b))(?![\w'])|(?i:option|choice|answer)\s+\(?(?P<named>[a-zA-Z])\b)"
)
_DESCRIPTION = re.compile(
    r"(?:it's|(?:it|this|the\s+(?:image|picture|scan|photo|slide))\s+(?:is|shows|depicts|displays))\s+(?P<what>.+?)[.!]*",
    re.IGNORECASE,
)


def check_parser(name: str) -> None:
    """Raise `MedqDegError` unless a parser goes by this name."""
    if name not in PARSERS:
        raise MedqDegError(f"unknown parser {name!r}; allowed: {', '.join(PARSERS)}")


def parse_answer(text: str | None, options: Sequence[str], parser: str = "strict") -> str | None:
    """Return the letter of the option that a model's text answers with, or None.

    Parameters
    ----------
    text : str or None
        What the model said; None and blank text give None.
    options : sequence of str
        Texts of the options, 2 to 26; the first is A.
    parser : {"strict", "vlmevalkit"}
        "vlmevalkit" follows, for comparison, the published rules by which VLMEvalKit infers an option without a
        judge, in this order. (1) A message of a failed request gives no letter, and four refusal phrases give no
        option at all. (2) If exactly one option's capital letter is a word of the text, counting the punctuation
        ``.()[],:;!*#{}`` as spaces, that letter, if it is among the last four words; an "A" in more than three words
        is taken for an article, as that harness does in its verbose mode. (3) Else the one option whose text occurs in
        the reply in any case, unless the reply is longer than twice all options together. Where that harness would
        then ask a judge model or draw at random, this returns None.

    Raises
    ------
    MedqDegError
        For an unknown parser or a number of options outside 2 to 26.

    Examples
    --------
    >>> parse_answer("It is a CT image. Answer: D", ["MRI", "X-ray", "PET", "CT"])
    'D'
    >>> parse_answer("I cannot see a lesion.", ["yes", "no"]) is None
    True
    """
    check_parser(parser)
    if not 2 <= len(options) <= len(LETTERS):
        raise MedqDegError(f"a question must have 2 to {len(LETTERS)} options, got {len(options)}")
    if text is None or not text.strip():
        return None
    return _parse_strict(text, options) if parser == "strict" else _parse_vlmevalkit(text, options)


def _parse_strict(text: str, options: Sequence[str]) -> str | None:
    text = _normalise(text)
    if _match_option(text, options):
        return _single([_claim(text, options)])
    said = _without_echo(_without_reasoning(text), options)
    plain, marked = _marked_answers(said)
    plain = _plain(plain)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    if not lines:
        return None
    statements = list(_statements(plain, options))
    described = [letter for part in _SENTENCE_END.split(plain) for letter in [_described(part, options)] if letter]
    ends = [_claim(line, options) for line in (lines[0], lines[-1])]
    if marked or statements:
        final = [statement for statement in statements if statement[2]]
        claims = [_claim(part, options) or _stated(part, options) for _, part, _ in marked]
        claims += [letter for before, _, _ in marked if (letter := _lead(before, options))]
        claims += [letter for letter, _, _ in final or statements]
        claims += [] if final else [letter for letter in ends if letter not in (None, _UNCLEAR)]
        after = [rest for _, _, rest in marked] + [plain[end:] for _, end, _ in statements[-1:]]
        letter = _single([*claims, *described])
        return letter if letter and all(_explains(rest, letter, options) for rest in after) else None
    if len(lines) == 1:
        return _single([letter for letter in (ends[0] or _described(lines[0], options),) if letter])
    letter = _single([letter for line in lines if (letter := _claim(line, options))])
    if letter is None or not any(ends) or {*described} - {letter}:
        return None
    if ends[0]:
        return letter if _explains("\n".join(lines[1:]), letter, options) else None
    # "These are wrong:" or "Such as" goes on in the last line; "I am not sure." does not.
    lead = lines[-2]
    ends_before = lead[-1] in ".!?。" or _HEADING.fullmatch(lead)
    return letter if ends_before and not re.search(r"\bnone\b", lead, re.IGNORECASE) else None


def _single(letters: Sequence[str | None]) -> str | None:
    """Return the letter if there is exactly one, said once or repeated."""
    distinct = set(letters)
    return distinct.pop() if len(distinct) == 1 and _UNCLEAR not in distinct else None


def _normalise(text: str) -> str:
    """Return the text with one form of each letter, dash and space, and without empty lines."""
    lines = unicodedata.normalize("NFC", text).translate(_SAME).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


def _plain(text: str) -> str:
    """Return the text without LaTeX wrappers and markup."""
    return _MARKUP.sub("", _LATEX_MATH.sub("", _LATEX_WRAPPER.sub(r"\1", text))).strip()


def _without_reasoning(text: str) -> str:
    # A block whose start was part of the prompt ends without having begun.
    for end in list(_REASONING_END.finditer(text))[-1:]:
        start = _REASONING_START.search(text)
        text = text[end.end() :] if text[end.end() :].strip() or not start else text[: start.start()]
    # A block that never ends was cut off before the answer: nothing is left.
    if _REASONING_START.search(text):
        return ""
    return _TURN_END.split(_TURN_START.sub("", text, count=1), maxsplit=1)[0]


def _without_echo(text: str, options: Sequence[str]) -> str:
    """Remove the whole list of lettered options, which repeats the question and answers nothing."""
    items = [
        rf"[(*\s-]{{0,4}}{letter}[).:*\s]+{re.escape(_normalise(o))}"
        for letter, o in zip(LETTERS, options, strict=False)
    ]
    return re.sub(r"[*.,;\s]*".join(items) + r"[*.]*(?=\s|$)", "\n", text, flags=re.IGNORECASE)


def _marked_answers(text: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the text with each tag, box or JSON object replaced by its answer, and what is before, in and after."""
    found: list[tuple[str, str, str]] = []
    for pattern in _MARKED:
        found += [(text[: match.start()], match[1], text[match.end() :]) for match in pattern.finditer(text)]
        text = pattern.sub(lambda match: match[1], text)
    for match in list(_OBJECT.finditer(text))[:_MOST_OBJECTS][::-1]:
        try:
            value, end = json.JSONDecoder().raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        fields = {str(key).casefold(): field for key, field in value.items()}
        answers = [str(fields[key]) if isinstance(fields[key], str) else "" for key in _ANSWER_KEYS if key in fields]
        found += [(text[: match.start()], answer, text[end:].strip("`")) for answer in answers]
        if answers:
            text = f"{text[: match.start()]}{answers[0]}{text[end:]}"
    return re.sub(r"```\w*", "", text), [(_plain(lead), _plain(said), _plain(rest)) for lead, said, rest in found]


def _lead(text: str, options: Sequence[str]) -> str | None:
    """Return the letter that is said on the same line before another answer, as in "A, or the answer is B"."""
    lead = re.sub(r"(?:[\s,;.]|\b(?:or|and|but|so)\b)+$", "", text.rpartition("\n")[2][-200:])
    letter = _claim(lead, options)
    return None if letter == _UNCLEAR else letter


def _statements(text: str, options: Sequence[str]) -> Iterator[tuple[str, int, bool]]:
    """Yield for each statement such as "the answer is B" its letter or `_UNCLEAR`, its end, and if it is the final."""
    for pattern in (_STATEMENT, _CHOSEN):
        for match in pattern.finditer(text):
            parts = match.groupdict()
            before = re.split(r"\n|[.!?。]\s", text[: match.start()])[-1]
            clause = _CONSEQUENCE.split(before)[-1]
            letter = _claim(match["said"], options)
            # "The answer is a" may be the start of "a chest film"; these letters are words in some language.
            cut_off = match["said"].strip() in {*"aeiouy"} and ":" not in (parts.get("verb") or "")
            opens = bool(parts.get("article")) or _CLAUSE_START.search(before)
            differs = _lead(text[: match.start()], options) not in (None, letter)
            if cut_off or not opens or differs or _CONDITION.search(before) or _NEGATION.search(clause):
                letter = _UNCLEAR
            yield letter or _UNCLEAR, match.end(), "final" in (parts.get("adjectives") or "").casefold()


def _stated(text: str, options: Sequence[str]) -> str:
    return _single([letter for letter, _, _ in _statements(text, options)]) or _UNCLEAR


def _claim(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of a text that is an answer, `_UNCLEAR` if it only reads like one, None if it is prose."""
    text = _plain(text)
    short = _VERDICT.sub("", text)
    by_text = _match_option(text, options) or _match_option(short, options)
    sentences = _SENTENCE_END.split(text, maxsplit=1)
    for part, rest in ((text, ""), (short, ""), (_VERDICT.sub("", sentences[0]), "".join(sentences[1:]))):
        letter = _lettered(part, options)
        if letter and letter != _UNCLEAR:
            agrees = by_text in (None, letter) and _harmless(rest, letter, options)
            return letter if agrees else _UNCLEAR
    return by_text or _lettered(text, options)


def _lettered(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of "B", "(B) MRI", "MRI (B)" or "B because ...", else as `_claim`."""
    named = _TEXT_THEN_LETTER.fullmatch(text)
    if named and (by_text := _match_option(named["text"], options)):
        return by_text if by_text == named["letter"] else _UNCLEAR
    match = _LETTERED.fullmatch(text)
    if match is None or (
        match["letter"].islower() and match["prefix"][:2].casefold() in {"it", "so", "th", "la", "el"}
    ):
        return None
    letter, rest = match["letter"].upper(), match["rest"]
    if letter not in LETTERS[: len(options)]:
        return None if rest[:1].isspace() and rest.strip() else _UNCLEAR
    if _STOP.fullmatch(rest):
        return letter
    delimiter = _DELIMITER.match(rest)
    tail = rest[delimiter.end() if delimiter else 0 :].strip()
    beside = _match_picture(tail, options)
    if beside is not None:
        return letter if beside == letter else _UNCLEAR
    if match["letter"].isupper() and _harmless(tail, letter, options):
        if _BECAUSE.match(tail):
            return letter
        if delimiter and "." in delimiter[0] and _EXPLAINS.match(tail) and not _NEGATION.search(tail):
            return letter
    # "A chest film" is prose.
    is_prose = not delimiter and not match["close"].strip() and re.match(r"\s+\w", " " + tail)
    return None if is_prose and not _MENTION.search(tail) else _UNCLEAR


def _harmless(text: str, letter: str, options: Sequence[str]) -> bool:
    """Return whether what follows an answer neither takes it back nor names another option."""
    named = {(match["letter"] or match["named"]).upper() for match in _MENTION.finditer(text)}
    if _RETRACTION.search(text) or (named - {letter}) & {*LETTERS[: len(options)]}:
        return False
    left = f" {_fold(text)} "
    folded = [(_fold(_without_article(option)), of) for of, option in zip(LETTERS, options, strict=False)]
    # The longest first: "CT" inside "CT angiography" is not named.
    for option, of in sorted(folded, key=lambda pair: -len(pair[0])):
        if option and f" {option} " in left:
            if of != letter:
                return False
            left = left.replace(f" {option} ", " | ")
    return True


def _explains(text: str, letter: str, options: Sequence[str]) -> bool:
    """Return whether each sentence after an answer is harmless, or flatly rejects other options and no more."""
    for sentence in re.split(r"[\n;]", _SENTENCE_END.sub("\n", text)):
        if _harmless(sentence, letter, options):
            continue
        own = f" {_fold(_without_article(options[LETTERS.index(letter)]))} " in f" {_fold(sentence)} "
        named = {(match["letter"] or match["named"]).upper() for match in _MENTION.finditer(sentence)}
        if own or letter in named or not _NEGATION.search(sentence) or _WAVERS.search(sentence):
            return False
    return True


def _described(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option that a sentence such as "This is a CT scan." says and no more."""
    match = _DESCRIPTION.fullmatch(text.strip())
    return _match_picture(match["what"], options) if match else None


def _match_picture(text: str, options: Sequence[str]) -> str | None:
    """Match also "CT scan" with the option "CT"."""
    return _match_option(text, options) or _match_option(re.sub(r"\s(?:scan|image)[.!]*$", "", text), options)


def _match_option(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of the one option whose text this is, up to case, a leading article and punctuation."""
    folded = [_fold(option) for option in options]
    for said in (_fold(text), _fold(_without_article(text))):
        if said and said in folded:
            return LETTERS[folded.index(said)] if folded.count(said) == 1 else None
    # "positive" is not "a positive" where "b positive" is another option.
    said = _fold(_without_article(text))
    matches = [i for i, option in enumerate(options) if said and _fold(_without_article(option)) == said]
    return LETTERS[matches[0]] if len(matches) == 1 and sum(said in option for option in folded) == 1 else None


def _without_article(text: str) -> str:
    """Remove a leading article; a capital A may be a letter or a name, as in "A positive"."""
    return re.sub(r"^\W*(?:a|[Aa]n|[Tt]he)\s+(?=\w)", "", text)


def _fold(text: str) -> str:
    """Return the text without case, markup and punctuation; what carries meaning in numbers and signs stays."""
    text = _plain(_normalise(text)).casefold()
    text = re.sub(r"(?<=\d)\s*-\s*(?=\d)", "-", text)
    text = re.sub(r"(?<=[^\W_])-(?=[^\W\d_])|(?<=[^\W\d_])-(?=[^\W_])", " ", text)
    text = re.sub(r"[.,:;、。](?!\d)|[()\[\]{}]", " ", text)
    text = re.sub(r"(?<=[<>=~±≤≥]) (?=\d)| (?=%)", "", " ".join(text.split()))
    while len(text) > 1 and (text[0], text[-1]) in {("'", "'"), ('"', '"'), ("“", "”"), ("「", "」")}:
        text = text[1:-1].strip()
    return " ".join(text.split())


_VLMEVALKIT_PUNCTUATION = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_VLMEVALKIT_FAILED = "Failed to obtain answer via API"
_VLMEVALKIT_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)


def _parse_vlmevalkit(text: str, options: Sequence[str]) -> str | None:
    if any(phrase in text for phrase in _VLMEVALKIT_REFUSALS):
        return None
    words = text.translate(_VLMEVALKIT_PUNCTUATION).split()
    letters = [letter for letter in LETTERS[: len(options)] if letter in words]
    if _VLMEVALKIT_FAILED not in text:
        if not letters and "Z" in words:
            return None
        is_article = letters == ["A"] and len(words) > 3
        if len(letters) == 1 and not is_article and words.index(letters[0]) > len(words) - 5:
            return letters[0]
    if len(text) > 2 * sum(len(option) for option in options):
        return None
    folded = text.lower()
    inside = [letter for letter, option in zip(LETTERS, options, strict=False) if option.lower() in folded]
    return inside[0] if len(inside) == 1 else None
