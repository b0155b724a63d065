"""Options that are nothing but letters in another order than their labels.

A question about an image with parts marked A to E may list its options as "A", "C", "D", "E", "B". The reply "C" then
means either the option labelled C or the one that reads C, and no reading is safe. Such a question is relabelled once,
when it is loaded, so that both mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medq_deg.data.schema import LETTERS
from medq_deg.storable import compose


def letter_of(option: str) -> str | None:
    """Return the capital letter that an option's text is ("C", "c.", "(C)"), or None if it is more or other than that.

    Examples
    --------
    >>> letter_of("(c)"), letter_of("CT")
    ('C', None)
    """
    match = re.fullmatch(r"\W*([A-Za-z])[\W_]*", compose(option, "NFKC").strip())
    return match[1].upper() if match and not re.search(r"[+\-−–<>=%~'′]", option) else None


def relabel(options: Sequence[str], answer: str) -> tuple[list[str], str]:
    """Put options that are letters in another order in the order of their labels, so that text and letter agree.

    Parameters
    ----------
    options : sequence of str
        Texts of the options; the first is labelled A.
    answer : str
        Letter of the right option.

    Returns
    -------
    options : list of str
        The same texts, each at the label that it reads as, if all of them are letters and together they are the labels
        of the question; else as they were. Only what changes place counts as relabelled: compare with the input.
    answer : str
        The letter of the same right option.

    Examples
    --------
    >>> relabel(["A", "C", "D", "E", "B"], "B")
    (['A', 'B', 'C', 'D', 'E'], 'C')
    >>> relabel(["A", "B", "AB", "O"], "D")
    (['A', 'B', 'AB', 'O'], 'D')
    """
    read = [letter_of(option) for option in options]
    labels = LETTERS[: len(options)]
    if sorted(letter or "" for letter in read) != list(labels) or len(answer) != 1 or answer not in labels:
        return list(options), answer
    letter = read[labels.index(answer)]
    assert letter is not None
    return [options[read.index(label)] for label in labels], letter
