"""The rules that VLMEvalKit applies to this very benchmark, written from their description.

They know the letters A to E alone, never look at the options' texts, and end in a guess: the first letter that stands
alone, which may be the article "a". They are here to compare with the published table, not to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medq_deg.data.schema import LETTERS

_RULES = (
    re.compile(r"\A([A-E])\Z"),
    re.compile(r"\A([A-E])[.)\s]"),
    re.compile(r"\A([A-E])\s*[-:]"),
    re.compile(r"(?<![A-Z])([A-E])(?![A-Z])"),
)
"""In this order, on the reply in capitals without outer white space; the first that matches gives the letter."""


def parse_medqdeg_vlmevalkit(text: str, options: Sequence[str]) -> str | None:
    """Return the letter by the rules of VLMEvalKit's class for MedQ-Deg, or None.

    In this order, in any case: a reply that is nothing but a letter A to E; one that starts with such a letter before
    a full stop, a bracket or white space; a letter before a hyphen or colon at the start; the first letter A to E
    without a Latin letter beside it. The harness has a rule for "answer is X" and "option X" too, but looks for these
    small letters in a reply in capitals, so that it never applies; nor does it here. A letter beyond the options, which
    there can never be right, is None.
    """
    capitals = text.strip().upper()
    for rule in _RULES:
        if match := rule.search(capitals):
            return match[1] if match[1] in LETTERS[: len(options)] else None
    return None
