"""From what a model said to the letter of an option, strictly: what is not clearly an answer is none.

An answer is taken from, in this order: an answer tag, a LaTeX box or a JSON field; statements such as "the answer is
B"; a text, first line or last line that is nothing but a letter ("(B)", "B. pneumonia") or an option's text. Reasoning
blocks are removed first. Nothing is guessed: two different answers, a letter without option, a letter that contradicts
the text beside it, or a word of the prose that happens to be a letter give None.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError

Parser: TypeAlias = Literal["strict", "vlmevalkit"]
PARSERS: Final = ("strict", "vlmevalkit")

_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning|reason|analysis)>.*?</\1>|◁think▷.*?◁/think▷", re.DOTALL | re.IGNORECASE
)
_REASONING_END = re.compile(r"</(?:think|thinking|thought|reasoning|reason|analysis)>|◁/think▷", re.IGNORECASE)
_REASONING_START = re.compile(r"<(?:think|thinking|thought|reasoning|reason|analysis)>|◁think▷", re.IGNORECASE)
_TAGGED = (
    re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL),
    re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}"),
)
_LATEX_WRAPPER = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_MARKUP = re.compile(r"[*`$#_]+")
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_ANSWER_KEYS = ("answer", "final_answer", "choice", "option", "correct_answer", "letter")

_WORDS = ["answer", "choice", "option", "réponse", "antwort", "respuesta", "resposta", "risposta", "odpowiedź", "ответ"]
_WORDS += ["答案", "正解", "答え", "정답", "답", "الإجابة"]
_WORD = f"(?:{'|'.join(_WORDS)})"
_STATEMENT = re.compile(
    r"(?P<final>\bfinal\s+)?"
    rf"(?<!\w){_WORD}(?:\s+(?:choice|option|correcte?|correcta|letter))?"
    r"\s*(?:\b(?:is|would\s+be|should\s+be|must\s+be|est|ist|es|é|è|to)\b|は|是|为|為|은|는|هي)?\s*[:=]?\s*"
    r"(?P<said>[^\n]*)",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:i\s+(?:would\s+|'d\s+)?(?:choose|select|pick|go\s+with)|my\s+choice\s+is)\s+(?P<said>[^\n]*)", re.IGNORECASE
)
_OPENING = "([{\"'“‘「【<"
_CLOSING = ")]}\"'”’」】>"
_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|letter)\s+)?"
    rf"[{re.escape(_OPENING)}]*\s*(?P<letter>[A-Za-z])\s*"
    rf"(?P<close>[{re.escape(_CLOSING)}]*)\s*(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_DELIMITER = re.compile(r"[.:,;)\-–—。、，：!]+")
_CONNECTIVE = re.compile(r"(?:because|since|as|which|based|due|for|given|is\s+(?:the\s+)?correct)\b", re.IGNORECASE)
_ALTERNATIVE = re.compile(rf"\s*(?:or|and|/|&|,|;|\+|oder|ou|und|y)\s*[{re.escape(_OPENING)}]*[A-Za-z]\b(?![a-z'])")
_ARTICLE = re.compile(r"(?:an?|the)\s+(?=\w)")
_LEAD_IN = re.compile(
    r"(?:it|this|the\s+(?:image|picture|scan|photo|slide))\s+(?:is|shows|depicts|displays)\s+", re.IGNORECASE
)


def parse_answer(text: str | None, options: Sequence[str], parser: str = "strict") -> str | None:
    """Return the letter of the option that a model's text answers with, or None.

    Parameters
    ----------
    text : str or None
        What the model said; None and blank text give None.
    options : sequence of str
        Texts of the options, 2 to 26; the first is A.
    parser : {"strict", "vlmevalkit"}
        "vlmevalkit" follows the rules of the harness that the paper's authors used, for comparison: a lone capital
        letter among the last five words, else an option's text inside the reply. Where that harness would then ask
        a judge model or draw at random, this returns None.

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
    if parser not in PARSERS:
        raise MedqDegError(f"unknown parser {parser!r}; allowed: {', '.join(PARSERS)}")
    if not 2 <= len(options) <= len(LETTERS):
        raise MedqDegError(f"a question must have 2 to {len(LETTERS)} options, got {len(options)}")
    if text is None or not text.strip():
        return None
    return _parse_strict(text, options) if parser == "strict" else _parse_vlmevalkit(text, options)


def _parse_strict(text: str, options: Sequence[str]) -> str | None:
    said = _without_reasoning(unicodedata.normalize("NFKC", text))
    marked = _marked_answers(said)
    if marked:
        return _single([_whole(part, options) for part in marked])
    plain = _MARKUP.sub("", _LATEX_WRAPPER.sub(r"\1", said)).strip()
    stated = _statements(plain, options)
    if stated is not None:
        return _single(stated)
    whole = _whole(plain, options)
    if whole is not None:
        return whole
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    if len(lines) < 2:
        return None
    ends = [letter for line in (lines[0], lines[-1]) if (letter := _whole(line, options, alone=True))]
    return _single(ends)


def _without_reasoning(text: str) -> str:
    text = _REASONING.sub(" ", text)
    # A block whose start was part of the prompt ends without having begun.
    ends = list(_REASONING_END.finditer(text))
    if ends:
        text = text[ends[-1].end() :]
    # A block that never ends was cut off before the answer: nothing is left.
    return "" if _REASONING_START.search(text) else text


def _marked_answers(text: str) -> list[str]:
    """Return the contents of answer tags, boxes or JSON answer fields, the first kind that is there."""
    for pattern in _TAGGED:
        found = pattern.findall(text)
        if found:
            return [_LATEX_WRAPPER.sub(r"\1", part) for part in found]
    for candidate in [*_FENCE.findall(text), text]:
        try:
            value = json.loads(candidate.strip())
        except ValueError:
            continue
        if isinstance(value, dict):
            fields = {str(key).casefold(): field for key, field in value.items()}
            return [str(fields[key]) for key in _ANSWER_KEYS if isinstance(fields.get(key), str)][:1]
    return []


def _statements(text: str, options: Sequence[str]) -> list[str | None] | None:
    """Return what each statement such as "the answer is B" says; None if there is none.

    A statement marked as final counts alone.
    """
    found: list[tuple[bool, str | None]] = []
    for pattern in (_STATEMENT, _CHOSEN):
        for match in pattern.finditer(text):
            said = match["said"].strip()
            letter = _whole(said, options)
            if letter is not None or _ambiguous(said):
                found.append((bool(match.groupdict().get("final")), letter))
    if not found:
        return None
    final = [letter for is_final, letter in found if is_final]
    return final or [letter for _, letter in found]


def _single(letters: Sequence[str | None]) -> str | None:
    """Return the letter if there is exactly one, said once or repeated."""
    distinct = set(letters)
    return distinct.pop() if len(distinct) == 1 else None


def _ambiguous(said: str) -> bool:
    match = _LETTER.match(said)
    return bool(match and _ALTERNATIVE.match(match["close"] + match["rest"]))


def _whole(text: str, options: Sequence[str], *, alone: bool = False) -> str | None:
    """Return the letter if the text is a lettered answer or an option's text.

    With `alone`, prose after the letter is not accepted.
    """
    text = _MARKUP.sub("", text).strip()
    by_text = _match_option(text, options)
    if by_text is not None:
        return by_text
    match = _LETTER.fullmatch(text)
    if match is None:
        return None
    letter, rest = match["letter"].upper(), match["close"] + match["rest"]
    if letter not in LETTERS[: len(options)] or _ALTERNATIVE.match(rest):
        return None
    delimiter = _DELIMITER.match(rest)
    tail = rest.lstrip(_CLOSING + " ")
    tail = _DELIMITER.sub("", tail, count=1).strip() if _DELIMITER.match(tail) else tail
    if not tail:
        return letter
    beside = _match_option(tail, options) or _match_option(tail.splitlines()[0], options)
    if beside is not None:
        return letter if beside == letter else None
    if alone or not match["letter"].isupper():
        return None
    # "A chest film" is prose, "A. The film shows ..." and "A because ..." are answers.
    return letter if delimiter or match["close"] or _CONNECTIVE.match(tail) else None


def _match_option(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of the one option whose text this is, up to case, articles and punctuation."""
    said = _fold(_LEAD_IN.sub("", text, count=1))
    matches = [letter for letter, option in zip(LETTERS, options, strict=False) if said and _fold(option) == said]
    return matches[0] if len(matches) == 1 else None


def _fold(text: str) -> str:
    text = _ARTICLE.sub("", text.casefold().strip())
    return " ".join("".join(c if c.isalnum() or c in "+-%<>/" else " " for c in text).split())


_VLMEVALKIT_PUNCTUATION = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_VLMEVALKIT_LAST_WORDS = 5


def _parse_vlmevalkit(text: str, options: Sequence[str]) -> str | None:
    words = text.translate(_VLMEVALKIT_PUNCTUATION).split()
    letters = [letter for letter in LETTERS[: len(options)] if letter in words]
    if len(letters) == 1 and words.index(letters[0]) > len(words) - _VLMEVALKIT_LAST_WORDS:
        return letters[0]
    folded = text.casefold()
    inside = [letter for letter, option in zip(LETTERS, options, strict=False) if option.casefold() in folded]
    return inside[0] if len(inside) == 1 else None
