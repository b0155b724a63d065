"""Between the columns that a table on disk can hold and the arguments of `calibration_shift`.

An Arrow table, as `evaluate` writes it, wants every column in every batch and no missing strings; this module
fills in what was not given and finds out again what it was. It is what the evaluate module shares with
nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.metrics.cells import check_severities

OPTIONAL = ("groups", "severities")

_NO_GROUP = ""
_NO_SEVERITY = -1


def pack(columns: dict[str, Any]) -> dict[str, list[Any]]:
    """Complete a batch of columns and make them fit for an Arrow table.

    Parameters
    ----------
    columns : dict
        ``predictions`` (lists of votes or of probabilities), ``references``, ``num_choices`` (one number or
        one per row) and, if known, ``groups`` and ``severities``.

    Returns
    -------
    dict
        The same five columns with one value per row; a packed batch comes out as it went in.

    Raises
    ------
    MedqDegError
        If a required column is missing.
    """
    for key in ("predictions", "references", "num_choices"):
        if columns.get(key) is None:
            raise MedqDegError(f"{key} must be given, got None.")
    predictions = [["" if vote is None else vote for vote in row] for row in columns["predictions"]]
    rows = len(predictions)
    num_choices = columns["num_choices"]
    groups = columns.get("groups")
    severities = columns.get("severities")
    return {
        "predictions": predictions,
        "references": list(columns["references"]),
        "num_choices": list(num_choices) if hasattr(num_choices, "__len__") else [num_choices] * rows,
        "groups": [_NO_GROUP] * rows if groups is None else [str(group) for group in groups],
        "severities": [_NO_SEVERITY] * rows if severities is None else _numbers(severities),
    }


def unpack(groups: Sequence[str], severities: Sequence[int]) -> tuple[list[str] | None, list[int] | None]:
    """Return the groups and the severities of all batches, None where no batch had any.

    Raises
    ------
    MedqDegError
        If some batches had them and others had not.
    """
    return _given("groups", groups, _NO_GROUP), _given("severities", severities, _NO_SEVERITY)


def _numbers(severities: Sequence[Any]) -> list[int]:
    """Return severities as numbers, those of a packed batch that has none as they are."""
    if all(type(severity) is int and severity == _NO_SEVERITY for severity in severities):
        return list(severities)
    numbers: list[int] = check_severities(severities, len(severities)).tolist()
    return numbers


def _given(name: str, values: Sequence[Any], absent: Any) -> list[Any] | None:
    missing = sum(value == absent for value in values)
    if missing == len(values):
        return None
    if missing:
        raise MedqDegError(
            f"{name} must be given for all rows or for none, got {len(values) - missing} of {len(values)}."
        )
    return list(values)
