"""A run checked against itself: its votes against its number of trials and its texts, its rows against their hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.records import reread
from medq_deg.evaluation.run import DEGRADATIONS, fingerprint
from medq_deg.models.parsing import check_parser


def check_run(
    path: Path, run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], answers: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Say what of a run does not fit together; nothing for a run that does.

    Parameters
    ----------
    path : Path
        Folder of the run.
    run : mapping
        What `run.json` holds.
    rows : sequence of mappings
        What `rows.jsonl` holds.
    answers : mapping
        Answered records by id of the row.
    """
    return [*_check_rows(run, rows), *_check_parsing(path, str(run["settings"].get("parser")), rows, answers)]


def _check_rows(run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Compare questions, options and right letters with the hash that was taken when the run began."""
    data = run["settings"]["data"]
    known = data.get("version") or (run.get("environment") or {}).get(DEGRADATIONS)
    if data.get("fingerprint") == fingerprint(rows, known):
        return []
    if known:
        return ["The rows are not those that the run was made with: rows.jsonl was changed since it began."]
    return [
        "The rows are not those that the run was made with, or it was made by a version of medq-deg with other "
        "degradations."
    ]


def _check_parsing(
    path: Path, parser: str, rows: Sequence[Mapping[str, Any]], answers: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Compare the votes with what the parser reads in the texts now."""
    try:
        check_parser(parser)
    except MedqDegError as error:
        return [f"The votes cannot be checked: {error}"]
    answered = [(row, answers[row["id"]]) for row in rows if row["id"] in answers]
    told = []
    if silent := sum(len(record.get("texts") or ()) != len(record["votes"]) for _, record in answered):
        told.append(
            f"The votes of {silent} of {len(answered)} rows cannot be checked: there is no text for each of them."
        )
    changed = sum(
        reread(record, row["options"], parser)["votes"] != record["votes"]
        for row, record in answered
        if record.get("texts") and len(record["texts"]) == len(record["votes"])
    )
    if changed:
        told.append(
            f"The votes of {changed} of {len(answered)} rows are not what the parser {parser!r} reads in their texts: "
            f"parsed by another version, or changed; `medq-deg reparse {path}` reads them again, without asking the "
            "model."
        )
    return told
