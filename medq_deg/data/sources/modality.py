"""The modality of a row: from its columns first, else from what its question says is pictured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from medq_deg.data.sources.base import BadRow, Reason
from medq_deg.data.sources.evidence import contradicts
from medq_deg.data.sources.fields import text_of
from medq_deg.data.sources.pictured import FOREIGN, LONGEST, pictured
from medq_deg.data.sources.words import named_modalities
from medq_deg.taxonomy import MODALITIES, known_modality


def modality_and_image(columns: Sequence[Any], question: str, image: Callable[[], bytes]) -> tuple[str, bytes]:
    """Return the modality of a row, as `modality_of`, and its image, which is read once the modality is known.

    Where only words have given the modality, an image in colour speaks against CT, MRI and X-ray.
    """
    modality = modality_of(columns, question)
    found = image()
    if not any(map(text_of, columns)) and contradicts(found, modality):
        raise BadRow(Reason.COLOUR_AGAINST, modality)
    return modality, found


def modality_of(columns: Iterable[Any], question: str) -> str:
    """Return one of the seven modalities.

    Parameters
    ----------
    columns : iterable
        Fields that may hold the modality; the first that is not missing decides.
    question : str
        Read only if all fields are missing. What it mentions without showing it is no modality, and a question that
        shows two is not a guess we make.

    Raises
    ------
    BadRow
        If the modality is another one, is not named, or could be several.
    """
    for value in columns:
        name = text_of(value)
        if name:
            return _from_column(name)
    return modality_in(question)


def modality_in(question: str) -> str:
    """Return the one of the seven modalities that a question says is pictured; raise `BadRow` if there is none."""
    question = question[:LONGEST]
    found = pictured(question)
    if len(found) > 1 or (not found and len(named_modalities(question)) > 1):
        raise BadRow(Reason.MODALITY_AMBIGUOUS, ", ".join(found or named_modalities(question)))
    if not found or found == [FOREIGN]:
        raise BadRow(
            Reason.MODALITY_UNKNOWN, ", ".join(f"{name} is only mentioned" for name in named_modalities(question))
        )
    if found[0] not in MODALITIES:
        raise BadRow(Reason.MODALITY_OUTSIDE, found[0], modality=found[0])
    return found[0]


def _from_column(name: str) -> str:
    modality = _modality_called(name[:LONGEST])
    if modality is None:
        raise BadRow(Reason.MODALITY_OUTSIDE, name, modality=name)
    return modality


@lru_cache(1024)
def _modality_called(name: str) -> str | None:
    known = known_modality(name)
    if known is not None:
        return known
    # "T2-weighted MRI", "CT (abdomen)".
    found = named_modalities(name)
    return found[0] if len(found) == 1 and found[0] in MODALITIES else None
