"""The generic rules by which VLMEvalKit infers an option without a judge, written from their description."""

from __future__ import annotations

from collections.abc import Sequence

from medq_deg.data.schema import LETTERS

_PUNCTUATION = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)


def parse_vlmevalkit(text: str, options: Sequence[str]) -> str | None:
    """Return the letter that VLMEvalKit infers, or None where it would ask a judge model or draw at random.

    Four refusal phrases give no option at all, and a message of a failed request gives no letter. If exactly one
    option's capital letter is a word of the text, counting the punctuation ``.()[],:;!*#{}`` as spaces, it is that
    letter, if it is among the last four words; an "A" in more than three words is taken for an article, as that
    harness does in its verbose mode. Else it is the one option whose text occurs in the reply in any case, unless the
    reply is longer than twice all options together.
    """
    if any(phrase in text for phrase in _REFUSALS):
        return None
    words = text.translate(_PUNCTUATION).split()
    present = set(words)
    letters = [letter for letter in LETTERS[: len(options)] if letter in present]
    if _FAILED not in text:
        if not letters and "Z" in present:
            return None
        is_article = letters == ["A"] and len(words) > 3
        if len(letters) == 1 and not is_article and words.index(letters[0]) > len(words) - 5:
            return letters[0]
    if len(text) > 2 * sum(len(option) for option in options):
        return None
    folded = text.lower()
    inside = [letter for letter, option in zip(LETTERS, options, strict=False) if option.lower() in folded]
    return inside[0] if len(inside) == 1 else None
