"""The words that the page explains where they stand, and how a sentence gets its explanations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup, escape

TERMS: Final[Mapping[str, str]] = {
    "severely degraded": "Noise, blur, motion, wrong dose or contrast, as scanners and patients cause them, at the "
    "stronger of two strengths (L2). Mild is L1, clean is L0.",
    "sure": "Each question is asked several times. The model is sure if it keeps giving the same answer. How sure: the "
    "chance that two of its answers agree. A model that judges itself well is as sure as it is right.",
    "right": "Share of all its answers that are right; an answer that cannot be read counts as wrong.",
    "range": "The true figure lies here unless the questions drawn were unusual: ranges made this way hold it 95 times "
    "in 100. Computed by drawing questions anew, with all their images.",
    "wrong and sure": "At least 8 of 10 of its answers are one and the same wrong answer.",
    "its own clean version": "Each degraded image is compared with the same image before it was degraded, so that easy "
    "and hard questions cancel out.",
}
"""What each word means."""


def number(term: str) -> int:
    """Return the place of a term, by which the page names its explanation."""
    return list(TERMS).index(term)


def explained(text: str, *terms: str) -> Markup:
    """Escape a text, and give the first place of each term its explanation, shown on focus and hover."""
    result = str(escape(text))
    for term in terms:
        pattern = re.compile(rf"(?<![\w-]){re.escape(str(escape(term)))}(?![\w-])")
        tip = (
            f'<span class="t" tabindex="0" aria-describedby="term-{number(term)}">{escape(term)}'
            f'<span class="tip" role="tooltip">{escape(TERMS[term])}</span></span>'
        )
        outside = re.split(r"(<span class=\"t\".*?</span></span>)", result)
        for place, piece in enumerate(outside):
            if not piece.startswith("<span") and pattern.search(piece):
                outside[place] = pattern.sub(lambda found, tip=tip: tip, piece, count=1)
                break
        result = "".join(outside)
    return Markup(result)
