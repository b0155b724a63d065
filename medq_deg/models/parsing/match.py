"""A reply in which every mention of an option, by letter or by text, is one sign, whatever way it is typed.

"The answer is (B) an MRI." becomes "The answer is ⟨B⟩.", so that a reader needs no more than a regular expression.
Case, brackets, quotes, hyphens, spaces and LaTeX do not count; signs, digits and their order do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import product

from medq_deg.data.lettered import letter_of
from medq_deg.data.schema import LETTERS
from medq_deg.models.parsing.normalise import normalise, plain, tidy
from medq_deg.storable import compose

BY_LETTER, BY_TEXT, BY_BOTH, UNNAMED = 0xE000, 0xE020, 0xE040, "\ue05f"
"""Signs of the first option named by letter, by text, and by both; and of none, more than one or another than said."""
OPTION = "[\ue000-\ue05f]"

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_COMMANDS = {r"\times": "×", r"\cdot": "⋅", r"\pm": "±", r"\leq": "≤", r"\geq": "≥", r"\le": "≤", r"\ge": "≥"}
_COMMAND = re.compile(r"\\(?:left|right|displaystyle|quad|[,;:!])|\\[A-Za-z]+|\\")
_POWERS = {ord(power): f"^{digit}" for digit, power in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_FORMS = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r">=", "≥"),
        (r"<=", "≤"),
        (r"\$", ""),
        (r"ß", "ss"),
        (r"(?<=[^\W\d_])\^(?=[23](?!\d))", ""),
        (r"(?<=[\d/ ])u(?=[lmgLMG]\b)", "μ"),
        (r"(?<=\d)\s*degrees?\b", "°"),
        (r"(?<=\d)\s*per\s?cent\b", "%"),
        (r"(?<=\d)\s*[x×]\s*(?=\d)", "×"),
        (r"(?<!\w)\.(?=\d)", "0."),
        (r"(?<=[<>=~±≤≥+]) (?=\S)", ""),
    )
)
_NUMBER = r"(?:\d{1,3}(?:[ ,]\d{3})+(?:[.,]\d+)*(?!\d)|\d+(?:[.,]\d+)*)"
_PIECE = re.compile(rf"{_NUMBER}|[^\W\d_]+|[^\w\s.,:;、。!?()\[\]{{}}\"']|_")
_SOFT_HYPHEN = re.compile(r"(?<=[^\W_])-(?=[^\W\d_])|(?<=[^\W\d_])-(?=[^\W_])")
_BETWEEN = r"[\s.,:;()\[\]{}\"'-]*"
_WORDS_OF_ANY_TEXT = {"yes", "no", "none", "not", "other", "normal", "left", "right", "both", "all"}
# Where a word of any text, or a short number, is an answer and not a part of the talk.
_BEFORE_ANY = (
    r"(?:^|[\x02.!?:(\"'-]|\b(?:answer|option|choice|diagnosis)\b[^.:\n]{0,60}\b(?:is|be)\b|\b(?:choose|say|with)\b"
    r"|\b(?:it|this|that|image|scan|film|statement)\s+is\b|\(?\b[A-Z]\b[).:]*)\s*[\"'(]{0,3}(?:most likely )?"
)
_AFTER_ANY = (
    r"(?=\s*[\"')]*(?:$|[\x03.,;:!?(]|-\s|\s-))|(?<=\w)(?=\s(?:because|since|there|it|this|he|she|they|is the)\b)"
)
# A letter that stands for an option: no part of a word or a compound ("I'm", "B-mode", "A/B"), no article.
_WORD = r"0-9A-Za-zÀ-ɏ_/&+"
_LETTER = re.compile(
    r"(?:(?i:(?:\bthe )?(?:\bcorrect )?\b(?:option|choice|answer|letter|letra|lettre|opción|alternativa) +))?"
    r"(?:[(\[{\"'`「【<] ?){0,4}"
    rf"(?:(?<![{_WORD}-])(?<!\w')(?:[B-HJ-Z]|A(?!\s+[a-z])|A(?=\s+(?:is|was|are|has|would|could|can|may|might|does|seems?"
    r"|fits|looks|matches|shows|and|or|because|since|as|if|unless|but)\b)|I(?=\s*(?:[).:\x03]|$)|\s+(?:is|fits)\b))"
    rf"(?![{_WORD}]|['-]\w)|(?:(?<=ption )|(?<=choice ))[(\[]?[a-z](?![\w'-])"
    r"|(?:^|(?<=\x02)|(?<=nswer: )|(?<=\bis )(?![aeiouy]))[^\w\n\x02]*[a-z](?=[^\w\n]*(?:$|\x03))"
    r"|(?:^|(?<=\())[a-z](?=[).:]\)?\s*[\ue100-\uf000]))",
    re.MULTILINE,
)
# "B. MRI" is one mention, but "The answer is B. MRI is used for ..." is an answer and a sentence.
_LETTER_TEXT = re.compile(r"([\ue000-\ue05f])([ ).:,;|=>\]\"'(\[{-]{0,6})([\ue100-\uf000])")
_IN_PROSE = re.compile(r"[^\s.!?] +[(\[{\"'`「【<]*$")
_SAYS = re.compile(r" (?:is|was|are|has|can|shows?|may|would)\b")
_GOES_ON = re.compile(r" [a-z]")
_TEXT_LETTER = re.compile(r"([\ue100-\uf000])[)\"']*\s*[(\[]([\ue000-\ue05f])[)\]]")
_LETTER_LETTER = re.compile(r"([\ue000-\ue01f])[\s).:]+\(?([\ue000-\ue01f])\)?(?!\w)")
_LETTER_REST = re.compile(
    r"([\ue000-\ue01f])(?:\s*[).:-]+\s+|\)\s*)(\w[^\n\ue000-\uf000]{2,200}?)(?=[.;]?\s*(?:$|\n|\.\s))"
)
_QUOTED = re.compile(rf"(?:[(\[{{\"'`「【<] ?){{0,4}}({OPTION})(?:\s*[)\]}}\"'`」】>])*(?:[ ,:-]*\1)*")
_SIMILAR = 0.75


class Options:
    """The options of a question, prepared for marking their mentions in many replies."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.letters = LETTERS[: len(texts)]
        self._texts = {of: form(plain(normalise(text))) for of, text in zip(LETTERS, texts, strict=False)}
        read = {of: letter_of(text) for of, text in zip(LETTERS, texts, strict=False)}
        self._lettered = {of: other for of, other in read.items() if other in [*self.letters]}
        self._pieces = {of: _pieces(re.sub(r"^\W*(?i:an?|the)\s+(?=\w)", "", text)) for of, text in self._texts.items()}
        for of, text in self._texts.items():
            # "positive" is not "a positive" where "b positive" is another option.
            if any(_within(self._pieces[of], other) for other in self._pieces.values()) and text[:2].lower() == "a ":
                self._pieces[of] = _pieces(text)
        named: dict[tuple[str, ...], set[str]] = {}
        for of, pieces in self._pieces.items():
            named.setdefault(pieces, set()).add(of)
        short = {of: {*map(_pieces, _names(text))} - {(), *named} for of, text in self._texts.items()}
        for of, names in short.items():
            named |= {name: {of} for name in names if not any(name in short[other] for other in short if other != of)}
        # "Tumour" and "No tumour" and nothing else: whatever is seen is one of the two.
        thing, absence = sorted(self._pieces.values(), key=len)[:2]
        self.opposed = len(texts) == 2 and absence == ("no", *thing)
        if self.opposed:
            for sign, article in product(("evidence", "sign", "signs"), ((), ("a",), ("an",), ("any",))):
                named.setdefault(("no", sign, "of", *article, *thing), named[absence])
        self._owners: list[set[str]] = []
        shapes: dict[re.Pattern[str], list[tuple[list[set[str]], set[str]]]] = {}
        # The longest first: "CT" inside "CT angiography" is not named.
        for pieces in sorted(named, key=lambda pieces: -len("".join(pieces))):
            if pieces and not named[pieces] & {*self._lettered}:
                numbers = [_readings(piece) for piece in pieces if piece[0].isdigit()]
                shapes.setdefault(_shape(pieces), []).append((numbers, named[pieces]))
        self._shapes = [*shapes.items()]
        self._grams = {of: _grams(text) for of, text in self._texts.items()}

    def also_fit(self, text: str, letter: str | None) -> bool:
        """Return whether a text makes an option another one: "atypical" makes a "Meningioma" "Atypical meningioma"."""
        own = {*self._pieces.get(letter or "", ())}
        return any(not {*other} <= own and {*other} <= own | {*_pieces(text)} for other in self._pieces.values())

    def mark(self, text: str) -> str:
        """Return a normalised text without markup, with a sign for each option that is named; a list of all is gone."""
        text = re.sub(
            r"\b([A-Z])(\d+)\b", lambda m: " ".join(m.groups()) if self._texts.get(m[1]) == m[2] else m[0], form(text)
        )
        for pattern, owners in self._shapes:
            text = pattern.sub(partial(self._text, owners), text)
        text = _LETTER.sub(self._letter, text)
        text = _LETTER_LETTER.sub(self._lettered_pair, text) if self._lettered else text
        text = _LETTER_TEXT.sub(self._label, text)
        text = _TEXT_LETTER.sub(lambda m: self._both(m[2], m[1]), text)
        text = _LETTER_REST.sub(self._resembling, text)
        text = re.sub(r"[\ue100-\uf000]", lambda m: _sign(BY_TEXT, self._owners[ord(m[0]) - 0xE100]), text)
        text = re.sub(r"[\s.,;*]*".join(chr(BY_BOTH + place) for place in range(len(self.letters))), "\n", text)
        return re.sub(" +", " ", _QUOTED.sub(r"\1", text))

    def _text(self, known: list[tuple[list[set[str]], set[str]]], match: re.Match[str]) -> str:
        said = [_readings(number) for number in match.groups()[1:]]
        fits = [of for numbers, of in known if all(one & other for one, other in zip(numbers, said, strict=True))]
        if not fits:
            return match[0]
        if (owners := set[str]().union(*fits)) not in self._owners:
            self._owners.append(owners)
        return (match[1] or "") + chr(0xE100 + self._owners.index(owners))

    def _letter(self, match: re.Match[str]) -> str:
        kept = re.search(r"[(\[{\"'`「【<\s]*$", match[0][:-1])
        return (kept[0] if kept else "") + _sign(BY_LETTER, {match[0][-1].upper()} & {*self.letters})

    def _label(self, match: re.Match[str]) -> str:
        prose = _IN_PROSE.search(match.string[max(0, match.start() - 9) : match.start()])
        goes_on = _SAYS if letter_in(match[1]) in self._owners[ord(match[3]) - 0xE100] else _GOES_ON
        sentence = prose and "." in match[2] and goes_on.match(match.string, match.end())
        return match[0] if sentence else self._both(match[1], match[3])

    def _both(self, letter: str, text: str) -> str:
        return _sign(BY_BOTH, {letter_in(letter) or ""} & self._owners[ord(text) - 0xE100])

    def _lettered_pair(self, match: re.Match[str]) -> str:
        letter, other = letter_in(match[1]) or "", letter_in(match[2])
        same = {letter} if other in (letter, self._lettered.get(letter)) else set[str]()
        return _sign(BY_BOTH, same) if letter in self._lettered else match[0]

    def _resembling(self, match: re.Match[str]) -> str:
        """Read "B. MRI of head" as "MRI of the head", when no other option is as near."""
        grams = _grams(match[2])
        likeness = {of: 2 * len(grams & own) / (len(grams) + len(own) or 1) for of, own in self._grams.items()}
        nearest = max(likeness, key=lambda of: likeness[of])
        near = likeness[nearest] > _SIMILAR and [*likeness.values()].count(likeness[nearest]) == 1
        return _sign(BY_BOTH, {letter_in(match[1]) or ""} & {nearest}) if near else match[0]


def _sign(kind: int, letters: set[str]) -> str:
    return chr(kind + LETTERS.index(min(letters))) if len(letters) == 1 else UNNAMED


def letter_in(sign: str) -> str | None:
    """Return the letter that a sign stands for, or None for `UNNAMED`."""
    return dict(enumerate(LETTERS)).get(ord(sign) & 0x1F)


def form(text: str) -> str:
    """Return a text with one form of numbers, units, signs and LaTeX."""
    text = re.sub(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)", "°", _FRACTION.sub(r"\1/\2", text)).translate(_POWERS)
    text = _COMMAND.sub(lambda m: _COMMANDS.get(m[0], m[0][1:] if m[0][1:].isalpha() else " "), text)
    text = compose(text, "NFKC")
    for pattern, same in _FORMS:
        text = pattern.sub(same, text)
    return tidy(text)


def _pieces(text: str) -> tuple[str, ...]:
    """Return the words, numbers and telling signs of a text."""
    return tuple(piece.lower() for piece in _PIECE.findall(_SOFT_HYPHEN.sub(" ", text)))


def _within(pieces: tuple[str, ...], other: tuple[str, ...]) -> bool:
    places = range(len(other)) if pieces != other else ()
    return any(other[place : place + len(pieces)] == pieces for place in places)


def _names(text: str) -> set[str]:
    """Return shorter names of an option: "No" of "No, it's not", and both of "Computed tomography (CT)"."""
    names = {text.split(",", maxsplit=1)[0], re.split(r"\s\(", text)[0], *re.findall(r"\s\(([^()]*)\)", text)}
    return {name for name in names if len(name) > 1 and not re.search(r"\d", name)}


def _shape(pieces: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds an option's text: first what stands before it, then a group for each of its numbers."""
    shape, number = "", False
    for piece in pieces:
        between = ("[\\s,;:()-]+" if number and piece[0].isdigit() else _BETWEEN) if shape else ""
        number = piece[0].isdigit()
        shape += between + (f"({_NUMBER})" if number else re.escape(piece))
    first, last = pieces[0][0], pieces[-1][-1]
    start = (
        r"(?<![\w<>=~±≤≥+*/^%-])(?<!\d[.,])" if first.isdigit() else r"(?<![\w+/-])" if first.isalpha() else r"(?<!\w)"
    )
    end = r"(?![.,]?\d|\s*[%°^×/=]|[\w+]|-\d)" if number else r"(?!\w|[+/^]|-(?!\w))" if last.isalpha() else ""
    compact = "".join(pieces)
    of_any_text = compact in _WORDS_OF_ANY_TEXT or len(compact) < 2 or (number and len(pieces) == 1)
    before, after = (_BEFORE_ANY, f"(?:{_AFTER_ANY})") if of_any_text else ("", r"(?:\s(?:scan|image)\b)?")
    article = r"(?:\b(?:an?|An|[Tt]he)\s(?=\w))?"
    return re.compile(f"({before}){article}{start}(?i:{shape}){end}{after}", re.MULTILINE)


def _readings(number: str) -> set[str]:
    """Return what a number may mean: with its commas as points and as nothing, "1.50" as 1.5."""
    readings = {re.sub(r"[ ,]", "", number)}
    if not re.search(r",\d{3}(?!\d)", number):
        readings.add(number.replace(" ", "").replace(",", "."))
    return {re.sub(r"(?:\.0+|(\.\d*?[1-9])0+)$", r"\1", reading) for reading in readings}


def _grams(text: str) -> set[str]:
    compact = f"^{''.join(_pieces(text))[:200]}$"
    return {compact[place : place + 3] for place in range(len(compact) - 2)}


@lru_cache(maxsize=256)
def options_of(texts: tuple[str, ...]) -> Options:
    """Return the options of a question, prepared once for all its replies."""
    return Options(texts)
