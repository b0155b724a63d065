"""The columns of a row as features of `datasets`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from datasets import ClassLabel, Features, Image, Value

from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import CATEGORY_LABELS, DEGRADATION_LABELS, LEVELS, MODALITIES, TASKS


def features() -> Features:
    """Return the features, in the order of `medq_deg.data.schema.COLUMNS`.

    A list is written as ``[Value(...)]``, the one form that every supported version of `datasets` reads as a list.
    """
    return Features(
        {
            "id": Value("string"),
            "question_id": Value("string"),
            "image": Image(),
            "question": Value("string"),
            "options": [Value("string")],
            "answer": Value("string"),
            "modality": ClassLabel(names=list(MODALITIES)),
            "skills": [Value("string")],
            # A row whose skills are all unknown has no task: -1, as `datasets` writes a missing label.
            "task": ClassLabel(names=list(TASKS)),
            "level": ClassLabel(names=list(LEVELS)),
            "degradation": ClassLabel(names=list(DEGRADATION_LABELS)),
            "category": ClassLabel(names=list(CATEGORY_LABELS)),
            "severity": Value("int32"),
            "source": Value("string"),
            "seed": Value("int64"),
        }
    )


def encoded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the codes of its class labels in place of their names, -1 for an empty name.

    Raises
    ------
    MedqDegError
        For a name that no label has, such as that of a degradation that another program registered.
    """
    unknown = next((column for column, codes in _codes().items() if row[column] not in codes), None)
    if unknown is not None:
        raise MedqDegError(
            f"row {row['id']!r} has the {unknown} {row[unknown]!r}, which is not known here; allowed: "
            f"{', '.join(name for name in _codes()[unknown] if name)}"
        )
    return {**row, **{column: codes[row[column]] for column, codes in _codes().items()}}


@cache
def _codes() -> dict[str, dict[str, int]]:
    labels = {column: feature.names for column, feature in features().items() if isinstance(feature, ClassLabel)}
    return {column: {"": -1, **{name: code for code, name in enumerate(names)}} for column, names in labels.items()}
