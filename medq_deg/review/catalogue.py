"""What is reviewed: the questions of a dataset, each with its degradations, and where their rows are.

Of the rows only texts and places are held, so that memory does not depend on the images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medq_deg.data.load import Data, Rows, open_data
from medq_deg.data.plan import make_plan
from medq_deg.data.planned import PlannedRows
from medq_deg.data.schema import TEXT_COLUMNS, Question, columns_of
from medq_deg.data.stored import StoredRows, content_of, shards_of
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import MedqDegError

SEVERITIES: Final = (0, 1, 2)


@dataclass(frozen=True)
class Reviewed:
    """A question under review, and its degradations.

    Attributes
    ----------
    question : Question
    task : str
        "" where no skill is known.
    clean : int
        Place of its clean row in the data.
    pairs : mapping of str to (int, int)
        Places of the rows at L1 and L2 of each degradation.
    """

    question: Question
    task: str
    clean: int
    pairs: Mapping[str, tuple[int, int]]

    def place(self, pair: int, severity: int) -> int | None:
        """Return the place of a row by the number of its degradation and its severity; None if there is none."""
        places = list(self.pairs.values())
        if severity not in SEVERITIES or not 0 <= pair < len(places):
            return None
        return places[pair][severity - 1] if severity else self.clean


@dataclass(frozen=True)
class Catalogue(Sequence[Reviewed]):
    """The questions that have something to review, in the order of the data.

    Attributes
    ----------
    name, fingerprint : str
        As in `medq_deg.data.load.Data`.
    rows : Rows
        Where the images are.
    questions : tuple of Reviewed
    """

    name: str
    fingerprint: str
    rows: Rows
    questions: tuple[Reviewed, ...]

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: Any) -> Any:
        return self.questions[index]

    @classmethod
    def of(cls, name: str, fingerprint: str, rows: Any) -> Catalogue:
        """Return the catalogue of rows, such as those of `medq_deg.apply_plan`, whose images are made when shown.

        Raises
        ------
        MedqDegError
            If a degraded row has no clean row, a degradation lacks L1 or L2, or nothing is degraded.
        """
        questions = tuple(_grouped(columns_of(rows, TEXT_COLUMNS)))
        if not questions:
            raise MedqDegError(f"{name}: holds no degraded row, so there is nothing to review")
        return cls(name, fingerprint, rows, questions)


def open_catalogue(
    name: str,
    plan_seed: int | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Catalogue:
    """Return the catalogue of the data that a name stands for.

    Parameters
    ----------
    name : str
        As in `medq_deg.open_data`; with `plan_seed` a folder with shards of clean rows (``data/L0-*.parquet``).
    plan_seed : int, optional
        Degrade the clean rows when they are shown, as `medq_deg.make_plan` with this seed says; nothing is stored.

    Raises
    ------
    MedqDegError
        If the data cannot be opened, or has nothing to review.
    """
    if plan_seed is not None:
        return _planned(Path(name), plan_seed)
    data: Data = open_data(name, progress)
    return Catalogue.of(data.name, data.fingerprint, data.rows)


def _planned(folder: Path, seed: int) -> Catalogue:
    shards = shards_of(folder)["L0"] if folder.is_dir() else []
    if not shards:
        raise MedqDegError(f"{folder}: holds no clean rows (data/L0-*.parquet), which a plan is for")
    clean = StoredRows(shards)
    plan = make_plan(clean, seed)
    told = repr((content_of(shards), [(row.id, row.seed, row.keep_marking) for row in plan], code_fingerprint()))
    rows = PlannedRows(_Clean(clean), plan)
    return Catalogue.of(folder.resolve().name, hashlib.sha256(told.encode()).hexdigest(), rows)


class _Clean(Sequence[Mapping[str, Any]]):
    """Clean rows that can be iterated over without their images being read: a plan asks them for their ids."""

    def __init__(self, rows: StoredRows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Any:
        return self._rows.columns()


def _grouped(rows: Iterable[Mapping[str, Any]]) -> Iterable[Reviewed]:
    clean: dict[str, tuple[int, Question, str]] = {}
    pairs: dict[str, dict[str, dict[int, int]]] = {}
    for place, row in enumerate(rows):
        if row["severity"]:
            of = pairs.setdefault(row["question_id"], {}).setdefault(row["degradation"], {})
            of[row["severity"]] = place
        else:
            clean[row["question_id"]] = (place, Question.of_row(row), row["task"])
    lonely = next((name for name in pairs if name not in clean), None)
    if lonely is not None:
        raise MedqDegError(f"question {lonely!r} has degraded rows but no clean one (L0) to compare them with")
    for question_id, (place, question, task) in clean.items():
        found = pairs.get(question_id, {})
        for degradation, places in found.items():
            if set(places) != {1, 2}:
                raise MedqDegError(
                    f"question {question_id!r} has {degradation} at one severity alone; L1 and L2 are needed"
                )
        if found:
            yield Reviewed(question, task, place, {name: (at[1], at[2]) for name, at in found.items()})
