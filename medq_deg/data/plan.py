"""Which degradations each clean question gets: question by question from the seed, or to meet the published counts."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, overload

from medq_deg.data.quotas import share_out
from medq_deg.data.schema import columns_of, row_id, row_seed
from medq_deg.degradations import applicable
from medq_deg.errors import MedqDegError
from medq_deg.seeds import check_seed, derive_seed
from medq_deg.taxonomy import GREY_MODALITIES, NO_DEGRADATION

MOST_DEGRADATIONS: Final = 3
"""Each question gets one to three degradations (paper, section on the construction)."""

PUBLISHED_ROWS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "limited_angle": 1440,
        "sparse_view": 1440,
        "bias_field": 936,
        "undersampling": 672,
        "ghosting": 352,
        "blood_cell": 304,
        "dark_spots": 178,
        "object_rotation": 2718,
        "object_movement": 274,
        "adjust_brightness": 916,
        "exposure": 518,
        "reduce_contrast": 412,
        "gaussian_noise": 2680,
        "low_dose": 1116,
        "low_resolution": 3046,
        "motion_blur": 2820,
        "gaussian_blur": 470,
        "bubble": 296,
    }
)
"""Rows of each degradation, L1 and L2 together (paper, table of degradation types)."""


class QuotaWarning(UserWarning):
    """The published counts cannot be met with the questions that are there."""


@dataclass(frozen=True)
class PlannedRow:
    """One row to make: a clean question, a degradation and a severity.

    Attributes
    ----------
    id, question_id, degradation : str
    severity : int
        0 for the clean row, else 1 or 2.
    seed : int
        Seed of the degradation; 0 for the clean row.
    keep_marking : bool
        Whether a coloured marking stays as it is, see `medq_deg.degrade`.
    """

    id: str
    question_id: str
    degradation: str
    severity: int
    seed: int
    keep_marking: bool = False


@dataclass(frozen=True, repr=False)
class Plan(Sequence[PlannedRow]):
    """The rows to make, in the order of the questions; a sequence of `PlannedRow`.

    Attributes
    ----------
    rows : tuple of PlannedRow
    seed : int
        Seed that the plan was made with.
    unmet : mapping of str to int
        With quotas: by how many rows (L1 and L2 together) a degradation misses its count, negative for too few.
    """

    rows: tuple[PlannedRow, ...]
    seed: int
    unmet: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> PlannedRow: ...

    @overload
    def __getitem__(self, index: slice) -> Plan: ...

    def __getitem__(self, index: int | slice) -> PlannedRow | Plan:
        if isinstance(index, slice):
            return Plan(self.rows[index], self.seed, self.unmet)
        return self.rows[index]

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.counts().items())
        return f"<plan of {len(self)} rows, seed {self.seed}: {counts}>"

    def _repr_html_(self) -> str:
        lines = "".join(f"<tr><td>{name}</td><td>{count}</td></tr>" for name, count in self.counts().items())
        head = "<tr><th>degradation</th><th>rows</th></tr>"
        return f"<p>{len(self)} rows, seed {self.seed}</p><table><thead>{head}</thead><tbody>{lines}</tbody></table>"

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each degradation, clean rows as "none"."""
        return dict(Counter(row.degradation for row in self.rows))


def choose_degradations(question_id: str, modality: str, seed: int) -> tuple[str, ...]:
    """Return one to three different degradations that suit a question's modality.

    The choice depends on the question and the seed alone, so questions can be added without changing others.
    """
    names = applicable(modality)
    rng = random.Random(derive_seed(seed, question_id, "plan"))
    return tuple(rng.sample(names, rng.randint(1, min(MOST_DEGRADATIONS, len(names)))))


def make_plan(
    clean: Iterable[Mapping[str, Any]],
    seed: int = 0,
    quotas: Literal["published"] | None = None,
    *,
    keep_markings: bool = True,
) -> Plan:
    """Plan the rows of a benchmark: each clean question at L0, then at L1 and L2 of its degradations.

    Parameters
    ----------
    clean : iterable of mappings
        Rows with `question_id` and `modality`; a `datasets.Dataset` will do, its images are not read.
    seed : int
        Seed of the choice and of every degradation, 0 or more.
    quotas : {"published"}, optional
        Without it each question's degradations depend on that question and the seed alone. With "published" they are
        chosen together, so that each degradation gets the published number of rows. Where the questions do not allow
        that, the plan comes as near as it can, warns, and lists what is missing in `Plan.unmet`.
    keep_markings : bool
        Keep coloured markings on images of grey modalities (CT, MRI, X-ray, ultrasound) as they are, as the authors
        did for CT and low resolution: a question may be about what the marking shows.

    Returns
    -------
    Plan

    Raises
    ------
    MedqDegError
        For two rows with one question id, an unknown modality or quota, a bad seed, several splits in place of one,
        or rows without these columns.
    """
    check_seed(seed)
    if quotas not in (None, "published"):
        raise MedqDegError(f"quotas must be 'published' or None, got {quotas!r}")
    modalities: dict[str, str] = {}
    for row in columns_of(clean, ("question_id", "modality")):
        if row["question_id"] in modalities:
            raise MedqDegError(f"two clean rows have the question id {row['question_id']!r}")
        modalities[row["question_id"]] = row["modality"]
    unmet: dict[str, int] = {}
    if quotas:
        chosen, missed = share_out(
            modalities, {name: rows // 2 for name, rows in PUBLISHED_ROWS.items()}, MOST_DEGRADATIONS, seed
        )
        unmet = {name: 2 * count for name, count in missed.items()}
        if unmet:
            told = ", ".join(f"{name} {count:+d}" for name, count in unmet.items())
            warnings.warn(
                f"the published counts cannot be met with these questions: {told} rows", QuotaWarning, stacklevel=2
            )
    else:
        chosen = {question: choose_degradations(question, modality, seed) for question, modality in modalities.items()}
    rows = []
    for question, names in chosen.items():
        rows.append(PlannedRow(row_id(question, NO_DEGRADATION, 0), question, NO_DEGRADATION, 0, 0))
        for name in names:
            own = row_seed(seed, question, name)
            keep = keep_markings and modalities[question] in GREY_MODALITIES
            rows += [PlannedRow(row_id(question, name, s), question, name, s, own, keep) for s in (1, 2)]
    return Plan(tuple(rows), seed, MappingProxyType(unmet))
