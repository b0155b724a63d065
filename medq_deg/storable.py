"""Text as it can be stored, printed and read again by any program, line by line."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, Literal

REPLACEMENT: Final = "\ufffd"

_KEPT: Final = "\n\t"
_DIRECTIONS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of the text after them: with these an answer could look like another one."""

_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_LINE_BREAKS: Final = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNSAFE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

_MOST_MARKS: Final = 30


def storable(text: str) -> str:
    r"""Return a text without what breaks files and terminals.

    Two halves of a character that were torn apart are joined; a half alone, and a control character such as NUL or
    escape, becomes U+FFFD; a line break of another kind than CR and LF becomes a line feed.

    Examples
    --------
    >>> storable("60,\u2028coughs \ud83d\ude00 \ud800")
    '60,\ncoughs 😀 �'
    """
    if text.isascii() and text.isprintable():
        return text
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _UNSAFE.sub(REPLACEMENT, _LINE_BREAKS.sub("\n", joined))


def visible(text: str) -> str:
    """Replace what HTML, SVG and CSV cannot hold, or what a reader cannot see: control characters, half pairs.

    Examples
    --------
    >>> visible("a" + chr(0) + "b")
    'a\ufffdb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(REPLACEMENT if _hidden(character) else character for character in text)


def _hidden(character: str) -> bool:
    return character in _DIRECTIONS or (unicodedata.category(character) in ("Cc", "Cs") and character not in _KEPT)


def no_formula(cell: Any) -> Any:
    r"""Return a cell of a table that a spreadsheet may open: before what it would take for a formula, an apostrophe.

    Numbers stay numbers, those below 0 too.

    Examples
    --------
    >>> no_formula("=1+1"), no_formula("\t@SUM(A1)"), no_formula("LLaVA"), no_formula(-0.5)
    ("'=1+1", "'\t@SUM(A1)", 'LLaVA', -0.5)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip().startswith(_FORMULA) else cell


def compose(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """Return a form of Unicode's, with at most 30 marks on each letter (UAX 15): many take long to sort."""
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return unicodedata.normalize(form, "".join(kept))
