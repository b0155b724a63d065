"""Reading the fields of a row: texts, options, answers and skills. Images and modalities have their own modules."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final, TypeAlias

from medq_deg.data.schema import LETTERS
from medq_deg.data.sources.base import BadRow, Reason
from medq_deg.taxonomy import known_skill

Options: TypeAlias = list[tuple[str, str]]
"""Letter in the source and text of each option that is there; letters may leave gaps."""

_PLACEHOLDERS: Final = frozenset({"", "nan", "n/a", "na", "none", "other", "other / na", "other/na", "null"})


@lru_cache(1024)
def fold_column(name: str) -> str:
    """Return a column's name in lower case, with single spaces for hyphens, underscores and spaces."""
    return " ".join(re.split(r"[\s_-]+", name.strip().casefold()))


def text_of(value: Any) -> str:
    """Return a field as text without the space around it, "" if it is missing: null, NaN, "nan" or nothing."""
    if isinstance(value, bool | list | dict):
        raise BadRow(Reason.FIELD_TYPE, repr(value)[:80])
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    return "" if len(text) == 3 and text.casefold() == "nan" else text


def question_of(value: Any) -> str:
    """Return a question as it is; raise `BadRow` if it is missing."""
    if not text_of(value):
        raise BadRow(Reason.NO_QUESTION)
    return str(value)


def index_of(value: Any) -> str:
    """Return a row's index as text; raise `BadRow` if it is missing. An index that became a float is an integer."""
    index = text_of(value)
    if not index:
        raise BadRow(Reason.NO_INDEX)
    return index[:-2] if re.fullmatch(r"\d+\.0", index) else index


def options_in_columns(cells: Mapping[str, Any], prefix: str = "") -> Options:
    """Return the options in the columns A, B, ... or, with the prefix "option ", option_A, option_B, ..."""
    there = ((upper, cells.get(column)) for upper, column in _lettered(prefix))
    return checked_options([(letter, text_of(value)) for letter, value in there if value is not None])


@lru_cache(8)
def _lettered(prefix: str) -> tuple[tuple[str, str], ...]:
    return tuple((upper, f"{prefix}{lower}") for upper, lower in zip(ascii_uppercase, ascii_lowercase, strict=True))


def options_in_field(value: Any) -> Options:
    """Return the options in one field: letter to text, a list of texts, or a list of letter and content."""
    if isinstance(value, dict):
        return checked_options(sorted((str(letter).strip().upper(), text_of(text)) for letter, text in value.items()))
    if not isinstance(value, list):
        raise BadRow(Reason.FIELD_TYPE, f"options {value!r}"[:80])
    pairs = []
    if len(value) > len(LETTERS):
        raise BadRow(Reason.MANY_OPTIONS, f"{len(value)}")
    for letter, entry in zip(LETTERS, value, strict=False):
        if isinstance(entry, dict):
            pairs.append((text_of(entry.get("letter", letter)).upper(), text_of(entry.get("content"))))
        else:
            pairs.append((letter, text_of(entry)))
    return checked_options(pairs)


def checked_options(pairs: Sequence[tuple[str, str]]) -> Options:
    """Leave out missing options; raise `BadRow` for fewer than 2, more than 26, or two under one letter."""
    options = [(letter, text) for letter, text in pairs if text]
    if len(options) < 2:
        raise BadRow(Reason.FEW_OPTIONS, f"{len(options)}")
    if len(options) > len(LETTERS):
        raise BadRow(Reason.MANY_OPTIONS, f"{len(options)}")
    if len({letter for letter, _ in options}) < len(options):
        raise BadRow(Reason.OPTION_TWICE, "two options have one letter")
    return options


def texts(options: Options) -> tuple[str, ...]:
    """Return the texts of the options, in order."""
    return tuple(text for _, text in options)


def answer_by_letter(answer: Any, options: Options) -> str:
    """Return the letter of the right option among those that are there.

    The answer is a letter of the source, "b" and "(B)" and "B." too. Where a letter before it is missing, it moves up.
    """
    given = text_of(answer[0] if isinstance(answer, list) and len(answer) == 1 else answer)
    if not given:
        raise BadRow(Reason.NO_ANSWER)
    position = _position_of_letter(given, options)
    if position is None:
        raise BadRow(Reason.ANSWER_WITHOUT_OPTION, given)
    return LETTERS[position]


def answer_by_text(answer: Any, options: Options) -> str:
    """Return the letter of the one option whose text is the answer but for case, spaces and a final stop."""
    given = text_of(answer)
    if not given:
        raise BadRow(Reason.NO_ANSWER)
    return LETTERS[_only(_positions_of_text(given, options), given)]


def answer_by_either(answer: Any, options: Options) -> str:
    """Return the letter of the right option where the answer may be its letter or its text, but not one of each."""
    given = text_of(answer)
    if not given:
        raise BadRow(Reason.NO_ANSWER)
    positions = set(_positions_of_text(given, options))
    letter = _position_of_letter(given, options)
    if letter is not None:
        positions.add(letter)
    elif not positions and re.fullmatch(r"[A-Za-z]", given):
        raise BadRow(Reason.ANSWER_WITHOUT_OPTION, given)
    return LETTERS[_only(sorted(positions), given)]


def skills_of(*values: Any) -> tuple[str, ...]:
    """Return the skills that fields name, each once: the paper's name where known, else the source's own.

    A field may hold several, as a JSON list or with ";" or "|" between them.
    """
    skills: dict[str, None] = {}
    for value in values:
        for name in _names_in(value):
            if name.casefold() in _PLACEHOLDERS:
                continue
            skills[known_skill(name) or name] = None
    return tuple(skills)


def content_hash(*parts: str) -> str:
    """Return 16 hexadecimal digits that stand for texts; runs of space count as one."""
    folded = json.dumps([" ".join(part.split()) for part in parts], ensure_ascii=True)
    return hashlib.sha256(folded.encode()).hexdigest()[:16]


def parsed_list(text: str) -> list[Any] | None:
    """Return the list that a cell holds as JSON, or as Python prints a list of texts; None if it holds none."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def same_text(one: str, other: str) -> bool:
    """Tell whether two texts are equal but for case, spaces and a final stop."""
    return _folded(one) == _folded(other)


def _names_in(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text_of(name) for name in value]
    text = text_of(value)
    listed = parsed_list(text)
    return [text_of(name) for name in listed] if listed is not None else [n.strip() for n in re.split(r"[;|]", text)]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(". ")


def _position_of_letter(given: str, options: Options) -> int | None:
    match = re.fullmatch(r"\(?([A-Za-z])\)?[.:]?", given)
    letters = [letter for letter, _ in options]
    return letters.index(match[1].upper()) if match and match[1].upper() in letters else None


def _positions_of_text(given: str, options: Options) -> list[int]:
    return [position for position, (_, text) in enumerate(options) if same_text(text, given)]


def _only(positions: Sequence[int], given: str) -> int:
    if len(positions) != 1:
        raise BadRow(Reason.ANSWER_MATCHES_SEVERAL if positions else Reason.ANSWER_MATCHES_NONE, given)
    return positions[0]
