"""The schema of a run's files, checked when they are read and nowhere else: they may come from anybody, by any editor.

What is listed here is what the rest of the package relies on; whatever else a file holds is kept and shown, not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medq_deg.data.schema import LETTERS, TEXT_COLUMNS, check_question
from medq_deg.errors import MedqDegError, shown
from medq_deg.evaluation.controls import SHOWN_IMAGES
from medq_deg.taxonomy import SEVERITIES

_MOST: Final = 10**18
"""Largest number that is read: all arithmetic holds up to it."""

_TOLERANCE: Final = 1e-6
"""By how much a probability may leave [0, 1]: sums of rounded numbers do."""


@dataclass(frozen=True)
class _Key:
    """A key of an object: what it may hold, and how that is said.

    Attributes
    ----------
    name : str
    fits : callable
        Says whether a value is allowed.
    allowed : str
        What is, in words.
    needed : bool
        Whether it must be there; else it may also be null.
    """

    name: str
    fits: Callable[[object], bool]
    allowed: str
    needed: bool = False


def _number(least: int = 0, most: int = _MOST) -> Callable[[object], bool]:
    return lambda value: _whole(value) and least <= value <= most  # type: ignore[operator]


def _seed(value: object) -> bool:
    return _whole(value) and value >= 0  # type: ignore[operator]


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _vote(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= 1 and value in ("", *LETTERS))


def _votes(value: object) -> bool:
    return isinstance(value, list) and all(_vote(vote) for vote in value)


def _shares(value: object) -> bool:
    return (
        isinstance(value, dict)
        and all(_vote(letter) and letter for letter in value)
        and all(isinstance(share, (int, float)) and not isinstance(share, bool) for share in value.values())
        and all(-_TOLERANCE <= share <= 1 + _TOLERANCE for share in value.values())
    )


def _tokens(value: object) -> bool:
    return isinstance(value, dict) and all(map(_number(), value.values()))


def _neutral(value: object) -> bool:
    return isinstance(value, bool) or value == "unknown"


_RUN: Final = (
    _Key("settings", _object, "an object", needed=True),
    _Key("environment", _object, "an object"),
    _Key("later_environments", _objects, "a list of objects"),
    _Key("sampling", _object, "an object"),
    _Key("imported", _object, "an object"),
)
_ENVIRONMENT: Final = (
    _Key("date", _text, "text"),
    _Key("data_revision", _text, "text"),
    _Key("degradations", _text, "text"),
)
_SAMPLING: Final = (
    _Key("neutral", _neutral, 'true, false or "unknown"', needed=True),
    _Key("sent", _object, "an object"),
    _Key("how", _text, "text"),
    _Key("identical", lambda value: isinstance(value, bool), "true or false"),
)
_IMPORTED: Final = (_Key("date", _text, "text"),)
_SETTINGS: Final = (
    _Key("model", _object, "an object", needed=True),
    _Key("data", _object, "an object", needed=True),
    _Key("trials", _number(1), "a number of 1 or more", needed=True),
    _Key("prompt", _text, "text"),
    _Key("parser", _text, "text"),
    _Key("seed", _seed, "a number of 0 or more"),
    _Key("orders", _number(1), "a number of 1 or more"),
    _Key("image", lambda value: value in SHOWN_IMAGES, f"one of {', '.join(SHOWN_IMAGES)}"),
    _Key("subset", _object, "an object with numbers of rows"),
)
_MODEL: Final = (
    _Key("name", _name, "text", needed=True),
    _Key("votes", _text, "text"),
    _Key("note", _text, "text"),
    _Key("parameters", _number(), "a number"),
)
_DATA: Final = (
    _Key("name", _text, "text", needed=True),
    _Key("rows", _number(), "a number of 0 or more", needed=True),
    _Key("version", _text, "text"),
    _Key("fingerprint", _text, "text"),
)
_SUBSET: Final = (
    _Key("rows", _number(1), "a number of 1 or more", needed=True),
    _Key("of", _number(1), "a number of 1 or more", needed=True),
    _Key("seed", _seed, "a number of 0 or more"),
)
_ROW: Final = (
    *(
        _Key(name, _text, "text", needed=True)
        for name in TEXT_COLUMNS
        if name not in ("options", "skills", "severity", "seed")
    ),
    _Key("options", _texts, "a list of texts", needed=True),
    _Key("skills", _texts, "a list of texts", needed=True),
    _Key("severity", lambda value: _whole(value) and value in SEVERITIES, "0, 1 or 2", needed=True),
    _Key("seed", _seed, "a number of 0 or more"),
)
_RECORD: Final = (
    _Key("id", _text, "text", needed=True),
    _Key("status", lambda value: value in ("ok", "failed"), "ok or failed", needed=True),
    _Key("votes", _votes, "letters or null", needed=True),
    _Key("texts", _texts, "a list of texts"),
    _Key("finish", _texts, "a list of texts"),
    _Key("error", _text, "text"),
    _Key("probabilities", _shares, "numbers from 0 to 1 by letter"),
    _Key("shown", _votes, "letters or null"),
    _Key("usage", _tokens, "numbers of tokens"),
)


def check_run_json(path: Path, run: object) -> dict[str, Any]:
    """Return what `run.json` holds, with an `environment` in any case.

    Raises
    ------
    MedqDegError
        If it is no run's; the sentence names the key, its value and what is allowed.
    """
    if not isinstance(run, dict) or not isinstance(run.get("settings"), dict):
        raise MedqDegError(f"{path}: has no settings")
    settings = run["settings"]
    if lacking := [name for name in ("model", "data", "trials") if name not in settings]:
        raise MedqDegError(f"{path}: its settings lack {', '.join(lacking)}")
    _check(path, "its ", run, _RUN)
    for environment in (run.get("environment"), *(run.get("later_environments") or ())):
        _check(path, "its environment's ", environment or {}, _ENVIRONMENT)
    if run.get("sampling"):
        _check(path, "its sampling's ", run["sampling"], _SAMPLING)
    _check(path, "its imported ", run.get("imported") or {}, _IMPORTED)
    _check(path, "its setting ", settings, _SETTINGS)
    _check(path, "its setting model.", settings["model"], _MODEL)
    _check(path, "its setting data.", settings["data"], _DATA)
    if "subset" in settings:
        _check(path, "its setting subset.", settings["subset"] or {}, _SUBSET)
    return {**run, "environment": run.get("environment") or {}}


def check_row(place: str, row: object) -> None:
    """Raise `MedqDegError` that names the place unless `row` is a row of a run, without its image."""
    if not isinstance(row, dict) or not _needed(_ROW) <= set(row):
        raise MedqDegError(f"{place}: is no row, it needs {', '.join(TEXT_COLUMNS)}")
    _check(place, "", row, _ROW)
    try:
        check_question(row["question_id"], row["question"], row["options"], row["answer"])
    except MedqDegError as error:
        raise MedqDegError(f"{place}: {error}") from None


def check_record(place: str, record: object) -> None:
    """Raise `MedqDegError` that names the place unless `record` is an answer, or the record of a failure."""
    if not isinstance(record, dict) or not _needed(_RECORD) <= set(record):
        raise MedqDegError(f"{place}: is no answer, it needs {', '.join(sorted(_needed(_RECORD)))}")
    _check(place, "", record, _RECORD)
    if record["status"] != "ok":
        return
    votes, finish = record["votes"], record.get("finish")
    if finish and len(finish) != len(votes):
        raise MedqDegError(f"{place}: finish must hold an end for each of {len(votes)} votes, got {shown(finish)}")
    if record.get("orders") is not None:
        _check_orders(place, record)


def check_counts(
    path: Path, trials: int, rows: Sequence[Mapping[str, Any]], answers: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise `MedqDegError` that names the row unless each answer has as many votes as trials, over its own options."""
    for row in rows:
        if (record := answers.get(row["id"])) is None:
            continue
        if len(record["votes"]) != trials:
            raise MedqDegError(
                f"{path}: row {shown(row['id'])} has {len(record['votes'])} votes, the run has {trials} trials"
            )
        if record.get("orders") and len(record["orders"][0]) != len(row["options"]):
            raise MedqDegError(
                f"{path}: row {shown(row['id'])} has {len(row['options'])} options and orders of "
                f"{len(record['orders'][0])}"
            )


def _needed(keys: Sequence[_Key]) -> set[str]:
    return {key.name for key in keys if key.needed}


def _check(place: object, whose: str, holder: Mapping[str, Any], keys: Sequence[_Key]) -> None:
    """Raise `MedqDegError` for the first key that is missing or does not fit."""
    for key in keys:
        value = holder.get(key.name)
        if key.name in holder and (value is not None or key.needed) and not key.fits(value):
            raise MedqDegError(f"{place}: {whose}{key.name} must be {key.allowed}, got {shown(value)}")
        if key.needed and key.name not in holder:
            raise MedqDegError(f"{place}: {whose}{key.name} is missing; it must be {key.allowed}")


def _check_orders(place: str, record: Mapping[str, Any]) -> None:
    orders, order, votes = record["orders"], record.get("order"), record["votes"]
    alike = {"".join(sorted(each)) for each in orders} if _texts(orders) else set()
    if len(alike) != 1 or not LETTERS.startswith(next(iter(alike))) or len(set(orders)) < len(orders):
        raise MedqDegError(f"{place}: orders must be different orders of the same letters, got {shown(orders)}")
    if (
        not isinstance(order, list)
        or len(order) != len(votes)
        or not all(_whole(each) and 0 <= each < len(orders) for each in order)
    ):
        raise MedqDegError(f"{place}: order must hold the number of an order for each vote, got {shown(order)}")
    by_order = record.get("probabilities_by_order")
    if by_order is not None and not (
        isinstance(by_order, list) and len(by_order) == len(orders) and all(map(_shares, by_order))
    ):
        raise MedqDegError(
            f"{place}: probabilities_by_order must be numbers by letter for each order, got {shown(by_order)}"
        )
