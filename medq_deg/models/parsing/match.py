"""Which option a text is, opens with, or mentions, whatever way it is typed.

Case, markup, brackets, quotes, dashes, spaces, full stops and LaTeX do not count; signs, digits and their order do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from medq_deg.data.lettered import letter_of
from medq_deg.data.schema import LETTERS
from medq_deg.models.parsing.normalise import normalise, plain

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_COMMANDS = {r"\times": "×", r"\cdot": "⋅", r"\pm": "±", r"\leq": "≤", r"\geq": "≥", r"\le": "≤", r"\ge": "≥"}
_COMMAND = re.compile(r"\\(?:left|right|displaystyle|quad|[,;:!])|\\[A-Za-z]+|\\")
_DEGREE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?")
_POWERS = {ord(power): f"^{digit}" for digit, power in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_FORMS = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"(?<=[^\W\d_])\^(?=[23](?!\d))", ""),
        (r"(?<=[\d/ ])u(?=[lmg]\b)", "μ"),
        (r"(?<=\d)\s*degrees?\b", "°"),
        (r"(?<=\d)\s*per\s?cent\b", "%"),
        (r"(?<=\d)\s*[x×]\s*(?=\d)", "×"),
        (r"(?<=\d)\s*-\s*(?=\d)", "-"),
        (r"(?<=[^\W_])-(?=[^\W\d_])|(?<=[^\W\d_])-(?=[^\W_])", " "),
        (r"[.,:;、。!?](?!\d)|[()\[\]{}]|(?<=[^\W\d_]),(?=\d)", " "),
        (r"(?<!\w)\.(?=\d)", "0."),
    )
)
_SIGN = re.compile(r"(?<=[<>=~±≤≥+]) (?=\S)| (?=[%=^])")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d) (?=\d)")
_WORDS_OF_ANY_TEXT = {"yes", "no", "true", "false", "none", "not", "other", "normal", "left", "right", "both", "all"}
_SIMILAR = 0.75


class Options:
    """The options of a question, prepared for many comparisons."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.letters = LETTERS[: len(texts)]
        texts = [normalise(text) for text in texts]
        self._most = 2 * max(map(len, texts)) + 100
        self.lettered = {of for of, text in zip(LETTERS, texts, strict=False) if letter_of(text) in [*self.letters]}
        self._folded = dict(zip(LETTERS, map(fold, texts), strict=False))
        bare = {of: fold(without_article(text)) for of, text in zip(LETTERS, texts, strict=False)}
        self._bare = bare
        # "Tumour" and "No tumour" and nothing else: whatever is seen is one of the two.
        self.opposed = len(texts) == 2 and sorted(bare.values(), key=len)[1] == f"no {min(bare.values(), key=len)}"
        self._keys = {of: _keys(text) for of, text in self._folded.items()}
        self._names = {of: _names(plain(text)) for of, text in zip(LETTERS, texts, strict=False)}
        # The longest first: "CT" inside "CT angiography" is not named.
        self._longest = sorted(((text, of) for of, text in bare.items() if text), key=lambda pair: -len(pair[0]))
        self._grams = {of: _grams(text) for of, text in self._folded.items()}

    def equal(self, text: str) -> str | None:
        """Return the letter of the one option whose text this is, up to a leading article."""
        if len(text) > self._most or not (said := fold(text)):
            return None
        same = [of for of in self.letters if self._keys[of][0] == _compact(said)]
        if not same:
            keys = {*_keys(said)}
            same = [of for of in self.letters if keys & {*self._keys[of]}]
        if not same:
            bare = fold(without_article(text))
            same = [of for of in self.letters if bare and self._bare[of] == bare]
            # "positive" is not "a positive" where "b positive" is another option.
            if sum(bare in option for option in self._folded.values()) > 1 and bare not in self._folded.values():
                return None
        if not same:
            same = [of for of in self.letters if said in self._names[of]]
        return same[0] if len(same) == 1 and same[0] not in self.lettered else None

    def agrees(self, letter: str, text: str) -> bool:
        """Return whether the text beside a letter is that option's own."""
        own = {*self._keys[letter]} & {*_keys(fold(text))} or self._bare[letter] == fold(without_article(text))
        return bool(own) or (letter in self.lettered and letter_of(text) == letter)

    def resembles(self, letter: str, text: str) -> bool:
        """Return whether the text beside a letter is nearly that option's own, and no other's as nearly."""
        grams = _grams(fold(text[:200]))
        likeness = {of: 2 * len(grams & own) / (len(grams) + len(own) or 1) for of, own in self._grams.items()}
        return likeness.pop(letter) > max(_SIMILAR, *likeness.values())

    def opens(self, text: str) -> tuple[set[str], str]:
        """Return the letters of the longest options with which a text begins, and the folded rest."""
        said = f"{fold(without_article(text[: self._most]))} "
        for option, _ in self._longest:
            if said.startswith(f"{option} "):
                return {of for of, other in self._bare.items() if other == option}, said[len(option) :].strip()
        return set(), said.strip()

    def is_any(self, letter: str) -> bool:
        """Return whether an option's text is a word of any text, such as "normal", which says little in passing."""
        return self._bare[letter] in _WORDS_OF_ANY_TEXT - {"true", "false"}

    def also_fit(self, text: str, letter: str) -> set[str]:
        """Return the other options whose words all stand in a text, in any order, but for those within this option."""
        said, own = {*fold(text).split()}, {*self._bare[letter].split()}
        fits = {of for of, option in self._bare.items() if {*option.split()} <= said}
        return {of for of in fits if not {*self._bare[of].split()} <= own}

    def mentioned(self, text: str) -> set[str]:
        """Return the letters of the options whose texts stand in a text; words of any text ("no") do not count."""
        left = f" {fold(text)} "
        found = set()
        for option, _ in self._longest:
            telling = option not in _WORDS_OF_ANY_TEXT and (len(option) > 2 or (option.isalpha() and len(option) > 1))
            if telling and f" {option} " in left:
                found |= {letter for letter, other in self._bare.items() if other == option}
                left = left.replace(f" {option} ", " | ")
        return found


def without_article(text: str) -> str:
    """Remove a leading article; a capital A may be a letter or a name, as in "A positive"."""
    return re.sub(r"^\W*(?:a|[Aa]n|[Tt]he)\s+(?=\w)", "", text)


def _names(text: str) -> set[str]:
    """Return shorter names of an option: "No" of "No, it's not", and both of "Computed tomography (CT)"."""
    names = {text.split(",", maxsplit=1)[0], re.split(r"\s\(", text)[0], *re.findall(r"\s\(([^()]*)\)", text)}
    return {name for name in map(fold, names) if len(name) > 1 and not name.isdigit()}


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return a normalised text without case, markup and punctuation; signs and what belongs to numbers stay."""
    text = _FRACTION.sub(r"\1/\2", _DEGREE.sub("°", plain(text))).translate(_POWERS)
    if "\\" in text:
        text = _COMMAND.sub(
            lambda match: _COMMANDS.get(match[0], match[0][1:] if match[0][1:].isalpha() else " "), text
        )
    text = unicodedata.normalize("NFKC", text).replace(">=", "≥").replace("<=", "≤")
    text = text.casefold().replace('"', " ").replace("$", "")
    for pattern, form in _FORMS:
        text = pattern.sub(form, text)
    return _SIGN.sub("", " ".join(text.split())).strip("' ")


def _compact(folded: str) -> str:
    """Return a folded text without spaces, but for those that part two numbers."""
    return _BETWEEN_NUMBERS.sub("_", folded).replace(" ", "")


def _keys(folded: str) -> list[str]:
    """Return what a folded text may be equal by: as it is, with commas in numbers read in both ways, "1.50" as 1.5."""
    if not any(character.isdigit() for character in folded):
        return [_compact(folded)]
    joined = re.sub(r"(?<=\d)[ ,](?=\d{3}(?!\d))", "", folded)
    readings = [folded, joined, re.sub(r"(?<=\d),(?=\d)", ".", folded), re.sub(r"(?<=\d),(?=\d)", "", folded)]
    readings += [re.sub(r"(?<=\d)(?:\.0+|(\.\d*?[1-9])0+)(?![\d.])", r"\1", each) for each in readings]
    return list(dict.fromkeys(map(_compact, readings)))


def _grams(folded: str) -> set[str]:
    compact = f"^{_compact(folded)[:200]}$"
    return {compact[place : place + 3] for place in range(len(compact) - 2)}


@lru_cache(maxsize=256)
def options_of(texts: tuple[str, ...]) -> Options:
    """Return the options of a question, prepared once for all its replies."""
    return Options(texts)
