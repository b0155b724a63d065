"""The words of a review: verdicts, reasons, severities, and how long a text may be."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

KEEP: Final = "keep"
DELETE: Final = "delete"
VERDICTS: Final = (KEEP, DELETE)

REASONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "poor_original": (
            "poor original",
            "The original image is of poor quality, or cannot be shown, and is no baseline.",
        ),
        "wrong_modality": ("wrong modality", "The image is not of the modality that is named."),
        "severe_too_degraded": ("severe too degraded", "At L2 nothing can be made out any more."),
        "severe_not_degraded_enough": (
            "severe not degraded enough",
            "At L2 the question is as easy as on the original.",
        ),
        "degradation_meaningless": ("degradation meaningless", "This degradation has no meaning for this modality."),
        "question_unsuitable": ("question unsuitable", "Question, options or answer are wrong, or need no image."),
    }
)
"""Why a degradation is deleted: the paper's five reasons (its review page), and one about the question."""

WORKFLOW: Final = (
    "Read the question, its options and the answer that is taken for right.",
    "For each degradation, compare L1 (mild) and L2 (severe) with L0, the original.",
    "Keep it if both are what a mild and a severe case of it look like; else delete it and say why.",
    "Deleting removes L1 and L2 of that degradation. The original always stays.",
    "If a level is right but its label is not, correct the severity; add a comment where it helps.",
    "When every degradation has its verdict, go on to the next question. Each click is saved at once.",
)
"""What a reviewer is asked to do, in order."""

MOST_COMMENT: Final = 2_000
"""Characters of a comment."""

MOST_NAME: Final = 60
"""Characters of a reviewer's name."""

MOST_BODY: Final = 64 * 1024
"""Bytes of a request."""

MOST_PER_QUESTION: Final = 3
"""Reviewers of each question."""

LOCAL: Final = "local"
"""Name of the one reviewer at this computer, where nobody was invited."""
