"""A part of the benchmark in whole questions: nested, so that 1,000 rows are among 3,000, and the same for every model.

Questions are taken in the order of a hash of their ids, all rows of each, while the next still fits. Every figure of
such a part is unbiased for the whole, without weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.seeds import derive_seed

LEAST_QUESTIONS: Final = 10

SUBSET_SEED: Final = 0
"""Of the sample. It is not the run's, so that runs with other votes are on the same rows."""

_MEASURED: Final = 1000
_MEASURED_OF: Final = 24_894
_ERROR_L2: Final = 2.9
_ERROR_DROP: Final = 2.1
"""Standard errors in percentage points at 1,000 of 24,894 rows, simulated on data of the paper's shape."""


def take_subset(rows: Sequence[Mapping[str, Any]], most: int) -> list[int]:
    """Return the places of a sample of at most `most` rows, in the order in which they lie.

    Parameters
    ----------
    rows : sequence of mappings
        With the column ``question_id``; a degraded row goes with its clean row.
    most : int
        Rows.

    Raises
    ------
    MedqDegError
        If there are fewer rows than `most`, or fewer than 10 questions fit.
    """
    if most > len(rows):
        raise MedqDegError(f"a subset of {most} rows is larger than the data, which has {len(rows)}")
    if most == len(rows):
        return list(range(len(rows)))
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row["question_id"], []).append(place)
    chosen: list[int] = []
    questions = 0
    for question in sorted(places, key=lambda name: derive_seed(SUBSET_SEED, name, "subset")):
        if len(chosen) + len(places[question]) > most:
            break
        chosen += places[question]
        questions += 1
    if questions < LEAST_QUESTIONS:
        raise MedqDegError(
            f"a subset of {most} rows holds {questions} whole questions, and at least {LEAST_QUESTIONS} are needed"
        )
    return sorted(chosen)


def expected_error(rows: int, of: int) -> tuple[float, float]:
    """Return the standard error of a subset against the whole, in percentage points.

    It shrinks with the root of the rows, and to nothing as the subset becomes the whole.

    Returns
    -------
    accuracy, drop : float
        Of accuracy at L2, and of the paired drop from L0 to L2.
    """
    scale = sqrt(_MEASURED / rows * (1 - rows / of) / (1 - _MEASURED / _MEASURED_OF))
    return _ERROR_L2 * scale, _ERROR_DROP * scale
