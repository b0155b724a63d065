"""Which rows of some data a harness is given, and their images as PNG, made one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from medq_deg.data.load import Data, open_data
from medq_deg.encoding import encode_png
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.rows import text_columns
from medq_deg.taxonomy import resolve_severity

LEAST_VOTES = 2
"""Confidence needs as many."""


@dataclass(frozen=True)
class Asked:
    """The rows of some data that are asked.

    Attributes
    ----------
    data : Data
        All rows.
    columns : list of dict
        Those that are asked, in the order of the data, without their images.
    places : list of int
        Where each lies in `data`.
    settings : dict
        What `run.json` says of a subset; empty for none.
    """

    data: Data
    columns: list[dict[str, Any]]
    places: list[int]
    settings: dict[str, Any]

    def __len__(self) -> int:
        return len(self.places)

    def image(self, number: int) -> bytes:
        """Return the image of one of these rows as PNG."""
        return encode_png(self.data[self.places[number]]["image"])


def choose(
    name: str,
    *,
    severities: Sequence[int] | None = None,
    subset: int | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Asked:
    """Open data by name and choose its rows.

    Parameters
    ----------
    name : str
        See `medq_deg.open_data`.
    severities : sequence of int, optional
        Keep only rows of these severities.
    subset : int, optional
        At most as many rows of the whole data, in whole questions, as in ``medq-deg evaluate --subset``.
    progress : callable
        As in `medq_deg.open_data`.

    Raises
    ------
    MedqDegError
        As `medq_deg.open_data` and `medq_deg.evaluation.subset.take_subset`, for an invalid question, or if no row is
        left.
    """
    data = open_data(name, progress)
    columns = text_columns(data)
    controls = Controls(subset=subset)
    places = controls.choose(columns)
    if severities is not None:
        places = [place for place in places if columns[place]["severity"] in severities]
    if not places:
        raise MedqDegError(f"data {name!r} has no rows that are asked for")
    return Asked(data, [columns[place] for place in places], places, controls.settings(len(columns)))


def read_severities(given: object) -> list[int] | None:
    """Read severities as a user gives them: None for all, 2, "L2", "0,2" or a list of these.

    Raises
    ------
    MedqDegError
        If a severity is not 0, 1 or 2, or L0, L1 or L2.
    """
    if given is None:
        return None
    parts: Sequence[Any] = [given]
    if isinstance(given, str):
        parts = given.split(",")
    elif isinstance(given, (list, tuple)):
        parts = given
    return sorted({resolve_severity(part.strip() if isinstance(part, str) else part) for part in parts})


def check_votes(votes: object) -> int:
    """Return a number of votes; raise `MedqDegError` unless it is 2 or more."""
    if not isinstance(votes, int) or isinstance(votes, bool) or votes < LEAST_VOTES:
        raise MedqDegError(f"votes must be {LEAST_VOTES} or more, got {votes!r}")
    return votes
