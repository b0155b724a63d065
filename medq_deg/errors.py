"""The errors that tell a user what was wrong with an input.

Every error here is one sentence that names the thing, its value and what is allowed; the command line prints
it as one line and ends with exit code 2. Anything else that escapes is a bug of this package.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable

_LONGEST_NAME = 100

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _LONGEST_NAME
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxdict = 30
_SHORT.maxlevel = 3


def shown(value: object) -> str:
    """Return the repr of a value as a sentence can hold it: what is long or nested is cut in the middle.

    Examples
    --------
    >>> shown("L3"), len(shown("x" * 10_000)) <= 2 * 100
    ("'L3'", True)
    """
    text = _SHORT.repr(value)
    half = _LONGEST_NAME - 2
    return text if len(text) <= 2 * _LONGEST_NAME else f"{text[:half]}...{text[-half:]}"


class MedqDegError(ValueError):
    """Base class of all errors about a user's input."""


class UnknownNameError(MedqDegError):
    """A name is not one of a fixed list.

    Parameters
    ----------
    kind : str
        What the name should be, such as ``"degradation"``.
    name : object
        The value that was given.
    allowed : iterable of str
        The names that are allowed; the nearest is suggested.
    also : iterable of str
        Aliases that are accepted too; used for the suggestion, not listed.
    """

    def __init__(self, kind: str, name: object, allowed: Iterable[str], also: Iterable[str] = ()) -> None:
        super().__init__(kind, name, tuple(allowed), tuple(also))

    def __str__(self) -> str:
        """Look for the nearest name only now: most of these errors are caught and never shown."""
        kind, name, allowed, also = self.args
        folded = {candidate.casefold(): candidate for candidate in [*also, *allowed]}
        given = str(name)[:_LONGEST_NAME]
        nearest = difflib.get_close_matches(given.casefold(), folded, n=1)
        hint = f"; did you mean {folded[nearest[0]]!r}?" if nearest else "."
        shown = name if len(str(name)) <= _LONGEST_NAME else f"{given}..."
        return f"unknown {kind} {shown!r}{hint} Allowed: {', '.join(allowed)}."


class ImageError(MedqDegError):
    """An image cannot be used: wrong type, mode, size or content."""


class RowError(MedqDegError):
    """A row of a dataset cannot be read.

    Parameters
    ----------
    row_id : str
        Id of the row.
    reason : object
        Why.
    """

    def __init__(self, row_id: str, reason: object) -> None:
        super().__init__(f"row {row_id!r} cannot be read: {reason}")
        self.row_id = row_id
        self.reason = str(reason)

    def __reduce__(self) -> tuple[type[RowError], tuple[str, str]]:
        """Pickle, for worker processes."""
        return RowError, (self.row_id, self.reason)
