"""What a reader is told about how the votes of a run were sampled: one sentence, for every place that says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

IDENTICAL: Final = "the votes of every row are identical, so the model was not sampled, or is certain of everything"
"""Why a run of identical votes gets no verdict."""


def sampling_note(sampling: Mapping[str, Any]) -> str | None:
    """Return the sentence that stands beside confidence and verdict, None if there is nothing to say.

    `medq_deg.results.answer.answer` holds it; what shows an answer does not say it again.

    Parameters
    ----------
    sampling : mapping
        ``neutral`` (True, False or "unknown"), ``how`` that is known, ``identical`` (of the votes of every row).
    """
    if sampling.get("identical"):
        return f"{IDENTICAL[0].upper()}{IDENTICAL[1:]}: confidence says nothing, and no verdict is given."
    how = f" ({sampling['how']})" if sampling.get("how") else ""
    if sampling.get("neutral") is False:
        return f"Sampling was not the model's own distribution{how}: confidence is not the model's own."
    if sampling.get("neutral") == "unknown":
        return f"Sampling is not known to be the model's own distribution{how}."
    return None
