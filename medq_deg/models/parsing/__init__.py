"""From what a model said to the letter of an option, by a parser that has a name.

`strict` reads what any reader would read and never guesses; the other two repeat the rules of VLMEvalKit, for
comparison alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.models.parsing.medqdeg_vlmevalkit import parse_medqdeg_vlmevalkit
from medq_deg.models.parsing.strict import parse_strict
from medq_deg.models.parsing.vlmevalkit import parse_vlmevalkit

PARSERS: Final[Mapping[str, Callable[[str, Sequence[str]], str | None]]] = MappingProxyType(
    {"strict": parse_strict, "vlmevalkit": parse_vlmevalkit, "medqdeg-vlmevalkit": parse_medqdeg_vlmevalkit}
)
"""What reads a reply, by name; the default comes first."""


def check_parser(name: str) -> None:
    """Raise `MedqDegError` unless a parser goes by this name."""
    if name not in PARSERS:
        raise MedqDegError(f"unknown parser {name!r}; allowed: {', '.join(PARSERS)}")


def parse_answer(text: str | None, options: Sequence[str], parser: str = "strict") -> str | None:
    """Return the letter of the option that a model's text answers with, or None.

    Parameters
    ----------
    text : str or None
        What the model said. None, another type than str, and blank text give None; lone surrogates and control
        characters are read as spaces. "strict" reads the first 4,000 and the last 12,000 characters of what is longer.
    options : sequence of str
        Texts of the options, 2 to 26; the first is A. Where two are equal, only their letters tell them apart.
    parser : {"strict", "vlmevalkit", "medqdeg-vlmevalkit"}
        "strict" reads what is stated and refuses the rest. "vlmevalkit" follows, for comparison, the generic rules by
        which VLMEvalKit infers an option without a judge, and "medqdeg-vlmevalkit" those that it applies to this
        benchmark, which is how the published table was made; both are described where they are defined, and compared
        in ``docs/answers.md``.

    Raises
    ------
    MedqDegError
        For an unknown parser or a number of options outside 2 to 26.

    Examples
    --------
    >>> parse_answer("It is a CT image. Answer: D", ["MRI", "X-ray", "PET", "CT"])
    'D'
    >>> parse_answer("Yes, there is a fracture.", ["yes", "no"])
    'A'
    >>> parse_answer("I cannot see a lesion.", ["yes", "no"]) is None
    True
    """
    check_parser(parser)
    if not 2 <= len(options) <= len(LETTERS):
        raise MedqDegError(f"a question must have 2 to {len(LETTERS)} options, got {len(options)}")
    if not isinstance(text, str) or not text.strip():
        return None
    return PARSERS[parser](text, options)
