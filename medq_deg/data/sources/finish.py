"""What every record goes through: storable text, each option once, and letters that say what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from medq_deg.data.lettered import relabel
from medq_deg.data.schema import LETTERS
from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, SourceRecord
from medq_deg.data.sources.fields import content_hash
from medq_deg.storable import REPLACEMENT, storable

REPLACED: Final = "characters that cannot be stored were replaced"
MERGED: Final = "an option given twice was merged"
RELABELLED: Final = "options that are letters in another order were relabelled"

_LONGEST_KEY: Final = 200


def collect(rows: Iterable[Row], convert: Callable[[Row], SourceRecord], report: LoadReport) -> Iterator[SourceRecord]:
    """Yield what `convert` makes of each row, finished; skip and count the rows for which it raises `BadRow`."""
    for row in rows:
        report.rows_read += 1
        notes: list[str] = []
        try:
            if row.problem is not None:
                raise row.problem
            record = finished(convert(row), notes.append)
        except BadRow as problem:
            report.skip(problem, row.where)
            continue
        for note in notes:
            report.note(note, row.where)
        report.keep(record)
        yield record


def finished(record: SourceRecord, note: Callable[[str], None]) -> SourceRecord:
    """Return a record that any later step can use, and tell `note` what was changed.

    Raises
    ------
    BadRow
        If the right option is there twice, or if too few options are left.
    """
    record = _merged(_storable(record, note), note)
    options, answer = relabel(record.options, record.answer)
    if tuple(options) != record.options:
        note(RELABELLED)
    return replace(record, options=tuple(options), answer=answer)


def _storable(record: SourceRecord, note: Callable[[str], None]) -> SourceRecord:
    made = replace(
        record,
        key=_key(record.key),
        question=storable(record.question),
        options=tuple(storable(option) for option in record.options),
        skills=tuple(dict.fromkeys(" ".join(storable(skill).split()) for skill in record.skills)),
    )
    texts = (made.key, made.question, *made.options, *made.skills)
    if any(REPLACEMENT in text for text in texts) and made != record:
        note(REPLACED)
    return made


def _key(key: str) -> str:
    # An id is a name: one line, and not a book.
    named = " ".join(storable(key).split())
    return named if len(named) <= _LONGEST_KEY else f"{named[: _LONGEST_KEY // 2]}...{content_hash(key)}"


def _merged(record: SourceRecord, note: Callable[[str], None]) -> SourceRecord:
    kept = tuple(dict.fromkeys(record.options))
    if len(kept) == len(record.options):
        return record
    right = record.options[LETTERS.index(record.answer)]
    if record.options.count(right) > 1:
        raise BadRow(Reason.OPTION_TWICE, f"the right one, {right!r}")
    if len(kept) < 2:
        raise BadRow(Reason.FEW_OPTIONS, f"{len(kept)} after merging")
    note(MERGED)
    return replace(record, options=kept, answer=LETTERS[kept.index(right)])
