"""The loop: ask a model every row that has no answer yet, and store each answer as it comes."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import medq_deg
from medq_deg.data.planned import PlannedRows
from medq_deg.data.schema import TEXT_COLUMNS, check_question, columns_of
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.store import RunFolder
from medq_deg.models.base import Model, Query, Reply
from medq_deg.models.parsing import check_parser, parse_answer
from medq_deg.models.prompts import INSTRUCTION, build_prompt
from medq_deg.seeds import check_seed, derive_seed

TRIALS = 10
"""Votes per row (paper, section on calibration)."""

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "pillow", "datasets", "torch", "transformers")


@dataclass(frozen=True)
class RunSummary:
    """What a start of a run did: rows in all, answered before, answered now, failed now."""

    rows: int
    before: int
    answered: int
    failed: int


def evaluate(
    model: Model,
    rows: Sequence[Mapping[str, Any]],
    out: Path,
    *,
    data_name: str,
    trials: int = TRIALS,
    seed: int = 0,
    parser: str = "strict",
    batch_size: int = 8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RunSummary:
    """Ask a model every row `trials` times; continue where an earlier start of the same run ended.

    Parameters
    ----------
    model : Model
        See `medq_deg.models.base`.
    rows : sequence of mappings
        Rows with the columns of `medq_deg.data.schema`; a `datasets.Dataset` will do. Pictures are read when needed.
    out : Path
        Folder of the run.
    data_name : str
        What the data is called in `run.json`.
    trials : int
        Votes per row, 2 or more.
    seed : int
        Seed of the votes; each row's own is derived from it and the row's id.
    parser : {"strict", "vlmevalkit"}
        See `medq_deg.parse_answer`.
    batch_size : int
        Rows given to the model at once.
    progress : callable
        Called with the number of rows done and the total.

    Returns
    -------
    RunSummary

    Raises
    ------
    MedqDegError
        If a row is invalid or two share an id, or the folder holds a run with other settings. Nothing is asked then.
    """
    if trials < 2:
        raise MedqDegError(f"trials must be 2 or more, got {trials}: one vote has no confidence")
    if batch_size < 1:
        raise MedqDegError(f"batch_size must be 1 or more, got {batch_size}")
    check_parser(parser)
    check_seed(seed)
    columns = _columns(rows)
    folder = RunFolder(out)
    settings = {
        "model": model.describe(),
        "data": {"name": data_name, "rows": len(columns), "fingerprint": fingerprint(columns)},
        "prompt": INSTRUCTION,
        "parser": parser,
        "trials": trials,
        "seed": seed,
    }
    with folder.locked():
        folder.start(settings, _environment(), columns)
        answers = folder.read_answers()
        todo = [index for index, row in enumerate(columns) if row["id"] not in answers]
        before, failed = len(columns) - len(todo), 0
        progress(before, len(columns))
        with folder.open_answers() as writer:
            for asked, record in enumerate(_ask(model, rows, todo, trials, seed, parser, batch_size), 1):
                writer.append(record)
                failed += record["status"] != "ok"
                progress(before + asked, len(columns))
    return RunSummary(len(columns), before, len(todo) - failed, failed)


def _ask(
    model: Model,
    rows: Sequence[Mapping[str, Any]],
    todo: Sequence[int],
    trials: int,
    seed: int,
    parser: str,
    batch_size: int,
) -> Iterator[dict[str, Any]]:
    """Yield a record for each row of `todo`; pictures are read a batch at a time."""
    for start in range(0, len(todo), batch_size):
        queries = [_query(rows[index], seed) for index in todo[start : start + batch_size]]
        for query, reply in zip(queries, model.answer(queries, trials), strict=True):
            yield _record(query, reply, trials, parser)


def fingerprint(columns: Sequence[Mapping[str, Any]]) -> str:
    """Return a SHA-256 over every row's columns, and the version of the code that degrades their pictures."""
    digest = hashlib.sha256(code_fingerprint().encode())
    for row in columns:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    seen: set[str] = set()
    columns = list(rows.columns() if isinstance(rows, PlannedRows) else columns_of(rows, TEXT_COLUMNS))
    for row in columns:
        check_question(row["question_id"], row["question"], row["options"], row["answer"])
        if row["id"] in seen:
            raise MedqDegError(f"two rows have the id {row['id']!r}")
        seen.add(row["id"])
    return columns


def _query(row: Mapping[str, Any], seed: int) -> Query:
    return Query(
        id=row["id"],
        image=row["image"],
        prompt=build_prompt(row["question"], row["options"]),
        options=tuple(row["options"]),
        seed=derive_seed(seed, row["id"], "votes"),
    )


def _record(query: Query, reply: Reply, trials: int, parser: str) -> dict[str, Any]:
    error = reply.error
    if error is None and len(reply.texts) != trials:
        error = f"{len(reply.texts)} answers instead of {trials}"
    probabilities = dict(reply.probabilities) if reply.probabilities is not None else None
    if probabilities and not all(math.isfinite(value) for value in probabilities.values()):
        error, probabilities = error or f"probabilities that are not numbers: {probabilities}", None
    return {
        "id": query.id,
        "votes": [parse_answer(text, query.options, parser) for text in reply.texts] if error is None else [],
        "texts": list(reply.texts),
        "probabilities": probabilities,
        "status": "ok" if error is None else "failed",
        "error": error,
    }


def _environment() -> dict[str, Any]:
    packages = {"medq-deg": medq_deg.__version__}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "machine": platform.machine(), "packages": packages}
