"""What the files of a run must hold, checked when they are read: they may come from anybody, by any editor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from medq_deg.data.schema import LETTERS, TEXT_COLUMNS, check_question
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import SHOWN_IMAGES
from medq_deg.evaluation.subset import SUBSET_SEED
from medq_deg.taxonomy import SEVERITIES

_TEXTS: Final = tuple(name for name in TEXT_COLUMNS if name not in ("options", "skills", "severity", "seed"))


def check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Raise `MedqDegError` unless model, data and trials are what their names say."""
    for name in ("model", "data"):
        if not isinstance(settings[name], dict):
            raise MedqDegError(f"{path}: its setting {name} must be an object, got {settings[name]!r}")
    trials, rows = settings["trials"], settings["data"].get("rows")
    if not _whole(trials) or trials < 1:
        raise MedqDegError(f"{path}: its setting trials must be a number of 1 or more, got {trials!r}")
    if not _whole(rows) or rows < 0:
        raise MedqDegError(f"{path}: its setting data.rows must be a number of 0 or more, got {rows!r}")

    if not isinstance(settings["data"].get("name"), str):
        raise MedqDegError(f"{path}: its setting data.name must be text, got {settings['data'].get('name')!r}")
    if not isinstance(settings["data"].get("version"), (str, type(None))):
        raise MedqDegError(f"{path}: its setting data.version must be text, got {settings['data']['version']!r}")
    if not _whole(settings["model"].get("parameters") or 0):
        told = settings["model"]["parameters"]
        raise MedqDegError(f"{path}: its setting model.parameters must be a number, got {told!r}")
    if not _whole(settings.get("orders", 1)):
        raise MedqDegError(f"{path}: its setting orders must be a number, got {settings['orders']!r}")
    if settings.get("picture", "shown") not in SHOWN_IMAGES:
        raise MedqDegError(f"{path}: its setting image must be one of {', '.join(SHOWN_IMAGES)}")
    subset = settings.get("subset", {"rows": 1, "of": 1})
    if not isinstance(subset, dict) or not all(
        _whole(subset.get(name, default)) and subset.get(name, default) >= least
        for name, default, least in (("rows", 0, 1), ("of", 0, 1), ("seed", SUBSET_SEED, 0))
    ):
        raise MedqDegError(f"{path}: its setting subset must be numbers of rows, got {subset!r}")


def check_row(place: str, row: object) -> None:
    """Raise `MedqDegError` that names the place unless `row` is a row of a run, without its image."""
    if not isinstance(row, dict) or not {"id", "question_id", "question", "options", "answer", "severity"} <= set(row):
        raise MedqDegError(f"{place}: is no row, it needs id, question_id, question, options, answer and severity")
    for name in _TEXTS:
        if name in row and not isinstance(row[name], str):
            raise MedqDegError(f"{place}: {name} must be text, got {row[name]!r}")
    for name in ("options", "skills"):
        if name in row and not _texts(row[name]):
            raise MedqDegError(f"{place}: {name} must be a list of texts, got {row[name]!r}")
    if not _whole(row["severity"]) or row["severity"] not in SEVERITIES:
        raise MedqDegError(f"{place}: severity must be 0, 1 or 2, got {row['severity']!r}")
    try:
        check_question(row["question_id"], row["question"], row["options"], row["answer"])
    except MedqDegError as error:
        raise MedqDegError(f"{place}: {error}") from None


def check_record(place: str, record: object) -> None:
    """Raise `MedqDegError` that names the place unless `record` is an answer, or the record of a failure."""
    if not isinstance(record, dict) or not {"id", "votes", "status"} <= set(record):
        raise MedqDegError(f"{place}: is no answer, it needs id, votes and status")
    if not isinstance(record["id"], str) or record["status"] not in ("ok", "failed"):
        raise MedqDegError(f"{place}: is no answer, its id must be text and its status ok or failed")
    votes = record["votes"]
    if not isinstance(votes, list) or not all(_vote(vote) for vote in votes):
        raise MedqDegError(f"{place}: votes must be letters or null, got {votes!r}")
    for name in ("texts", "finish"):
        held = record.get(name)
        if held is not None and not _texts(held):
            raise MedqDegError(f"{place}: {name} must be a list of texts, got {held!r}")
    if record["status"] == "ok" and record.get("finish") and len(record["finish"]) != len(votes):
        raise MedqDegError(f"{place}: finish must hold an end for each of {len(votes)} votes, got {record['finish']!r}")
    if (shares := record.get("probabilities")) is not None and not _shares(shares):
        raise MedqDegError(f"{place}: probabilities must be numbers by letter, got {shares!r}")
    if record["status"] == "ok" and record.get("orders") is not None:
        _check_orders(place, record)


def _check_orders(place: str, record: Mapping[str, Any]) -> None:
    orders, order, votes = record["orders"], record.get("order"), record["votes"]
    alike = {"".join(sorted(each)) for each in orders} if _texts(orders) else set()
    if len(alike) != 1 or not LETTERS.startswith(next(iter(alike))) or len(set(orders)) < len(orders):
        raise MedqDegError(f"{place}: orders must be different orders of the same letters, got {orders!r}")
    if (
        not isinstance(order, list)
        or len(order) != len(votes)
        or not all(_whole(each) and 0 <= each < len(orders) for each in order)
    ):
        raise MedqDegError(f"{place}: order must hold the number of an order for each vote, got {order!r}")
    by_order = record.get("probabilities_by_order")
    if by_order is not None and not (
        isinstance(by_order, list) and len(by_order) == len(orders) and all(map(_shares, by_order))
    ):
        raise MedqDegError(
            f"{place}: probabilities_by_order must be numbers by letter for each order, got {by_order!r}"
        )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _vote(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= 1 and value in ("", *LETTERS))


def _shares(value: object) -> bool:
    return (
        isinstance(value, dict)
        and all(_vote(letter) and letter for letter in value)
        and all(isinstance(share, (int, float)) and not isinstance(share, bool) for share in value.values())
    )
