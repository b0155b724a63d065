"""VLMEvalKit's result files: `<model>_<dataset>.xlsx`, `.tsv` or `.json`, as its inference writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError, shown
from medq_deg.harness.said import Results, Said
from medq_deg.harness.tables import records_of
from medq_deg.harness.vlmevalkit import DATASETS, ROW_ID, VOTE, VOTES

FAILED: Final = "Failed to obtain answer"
"""How VLMEvalKit writes a request that failed."""

_MOST: Final = 10**6
"""Votes of a row that nobody asks for."""

_MODEL: Final = ("model", "model_name")


def read_vlmevalkit(files: Sequence[Path]) -> Results:
    """Read result files of one model; see `medq_deg.harness.imported.import_results`."""
    models = {name: path for path in files if (name := _model_of(path))}
    if len(models) > 1:
        (first, one), (second, other) = list(models.items())[:2]
        raise MedqDegError(
            f"{other}: is of the model {second!r}, {one} of {first!r}; import the files of each model into a run of "
            "its own"
        )
    return Results(_said(files), {"name": "VLMEvalKit"})


def _model_of(path: Path) -> str | None:
    """Return the model that VLMEvalKit put into the file's name, None if the file is called otherwise."""
    for dataset in DATASETS:
        if path.stem.endswith(f"_{dataset}"):
            return path.stem.removesuffix(f"_{dataset}") or None
    return None


def _said(files: Sequence[Path]) -> Iterator[Said]:
    model: tuple[str, str] | None = None
    for path in files:
        for place, record in records_of(path):
            lacking = [name for name in (ROW_ID, "prediction") if name not in record]
            if lacking:
                raise MedqDegError(
                    f"{place}: has no column {lacking[0]!r}; import what VLMEvalKit wrote for a TSV of `medq-deg data "
                    "export --format vlmevalkit`, before any judge worked on it"
                )
            named = next((str(record[name]) for name in _MODEL if record.get(name)), None)
            if named is not None:
                model = model or (named, place)
                if named != model[0]:
                    raise MedqDegError(
                        f"{place}: is of the model {named!r}, {model[1]} of {model[0]!r}; import the answers of each "
                        "model into a run of its own"
                    )
            yield Said(
                place,
                _text(record[ROW_ID]) or "",
                _answer(record["prediction"]),
                vote=_number(place, record, VOTE),
                question=_text(record.get("question")),
                answer=_text(record.get("answer")),
                asked=_number(place, record, VOTES),
            )


def _answer(cell: Any) -> str | None:
    text = _text(cell) or ""
    return None if FAILED in text else text


def _text(cell: Any) -> str | None:
    """Return a cell's text; pandas writes an empty one as NaN."""
    return None if cell is None or cell != cell else str(cell)  # noqa: PLR0124


def _number(place: str, record: dict[str, Any], name: str) -> int | None:
    cell = _text(record.get(name))
    if not cell:
        return None
    try:
        number = float(cell)  # a spreadsheet may have made it 3.0
    except ValueError:
        number = -1.0
    if not (number.is_integer() and 0 <= number < _MOST):
        raise MedqDegError(f"{place}: {name} must be a whole number, got {shown(cell)}")
    return int(number)
