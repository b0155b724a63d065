"""The prompt of the benchmark: the form in which the paper's harness shows a multiple-choice question."""

from __future__ import annotations

from collections.abc import Sequence

from medq_deg.data.schema import LETTERS

INSTRUCTION = "Answer with the option letter from the given choices directly."


def build_prompt(question: str, options: Sequence[str]) -> str:
    """Return question, lettered options and instruction, separated by blank lines.

    Examples
    --------
    >>> print(build_prompt("Which plane?", ["axial", "coronal"]))
    Which plane?
    <BLANKLINE>
    A. axial
    B. coronal
    <BLANKLINE>
    Answer with the option letter from the given choices directly.
    """
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n\n".join([question.strip(), "\n".join(lines), INSTRUCTION])
