"""Every degradation by name: the paper's 18, what plugins add, and what a program registers.

A plugin is a package with an entry point in the group `medq_deg.degradations` that names a `Degradation`, a list of
them, a function that returns either, or a module whose types are `declared`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Final

from medq_deg import taxonomy
from medq_deg.degradations import types
from medq_deg.degradations.degradation import DECLARED, Degradation, describe
from medq_deg.errors import MedqDegError

ENTRY_POINTS: Final = "medq_deg.degradations"

_known: dict[str, Degradation] = {}


class Degradations(Mapping[str, Degradation]):
    """Degradations by name, which cannot be changed but by `register`; shown as a list of names, or a table."""

    def __getitem__(self, name: str) -> Degradation:
        return _known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_known)

    def __len__(self) -> int:
        return len(_known)

    def __repr__(self) -> str:
        return f"<{len(self)} degradations: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{head}</th>" for head in ("type", "category", "modalities", "L1", "L2", "what it is"))
        lines = [
            (
                each.name,
                each.category,
                ", ".join(each.modalities),
                *map(describe, each.parameters.values()),
                each.summary,
            )
            for each in self.values()
        ]
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


DEGRADATIONS: Final = Degradations()
"""Every degradation by its canonical name: the paper's in its order, then those that were added."""


def register(degradation: Degradation | None = None, /, **fields: Any) -> Degradation:
    """Add a degradation, so that `degrade`, `Degrade`, `medq-deg list`, `gallery` and `build` treat it like ours.

    It stays outside the published quotas. The worker processes of a build know it too if its function can be imported
    by name; other processes that are started afresh know only what an entry point of the group
    `medq_deg.degradations` names.

    Parameters
    ----------
    degradation : Degradation, optional
        The object, or its fields by name.

    Returns
    -------
    Degradation

    Raises
    ------
    MedqDegError
        If it is incomplete, contradicts itself, or has a name or an alias of another one.

    Examples
    --------
    >>> from medq_deg.degradations import Severities
    >>> def veil(image, rng, *, level):
    ...     return image * (1 - level) + 255 * level
    >>> entry = register(
    ...     name="veil", function=veil, summary="a white veil", clinician="Everything looks washed out.",
    ...     category="intensity", modalities=("endoscopy",), limits={"level": (0.0, 1.0)}, random=False,
    ...     severities=Severities({"level": 0.2}, {"level": 0.5}, "by eye"), reference="alpha compositing",
    ... )
    >>> entry.category
    'intensity'
    >>> unregister("veil")
    """
    entry = Degradation(**fields) if degradation is None else degradation
    if not isinstance(entry, Degradation) or (degradation is not None and fields):
        raise MedqDegError(f"register takes one Degradation or its fields, got {degradation!r}")
    taxonomy.add_degradation(entry.name, entry.category, entry.modalities)
    _known[entry.name] = entry
    return entry


def unregister(name: str) -> None:
    """Remove a degradation that was added; raise `MedqDegError` for any other name."""
    if name not in _known or name in taxonomy.DEGRADATION_NAMES:
        raise MedqDegError(f"only a degradation that was added can be removed, got {name!r}")
    taxonomy.remove_degradation(name)
    del _known[name]


def _load(point: EntryPoint) -> None:
    try:
        found = point.load()
        found = _declared_in(found) if isinstance(found, ModuleType) else found() if callable(found) else found
        for entry in found if isinstance(found, Iterable) else (found,):
            register(entry)
    except Exception as error:
        package = point.dist.name if point.dist else "a package"
        raise MedqDegError(f"the degradation {point.name!r} of {package} cannot be loaded: {error}") from error


def _declared_in(module: ModuleType) -> list[Degradation]:
    entries = [entry for entry in DECLARED if entry.function.__module__ == module.__name__]
    if not entries:
        raise MedqDegError(f"the module {module.__name__} declares none")
    return entries


def _start() -> None:
    types.load()
    names = [entry.name for entry in DECLARED]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MedqDegError(f"{twice[0]}: is declared twice in medq_deg/degradations/types")
    declared = {entry.name: entry for entry in DECLARED}
    if missing := [name for name in taxonomy.DEGRADATION_NAMES if name not in declared]:
        raise MedqDegError(f"{missing[0]}: no module of medq_deg/degradations/types declares it")
    _known.update((name, declared[name]) for name in taxonomy.DEGRADATION_NAMES)
    for name, entry in declared.items():
        if name not in taxonomy.DEGRADATION_NAMES:
            register(entry)


_start()


def load_plugins() -> None:
    """Register what the entry points name; the package does, once it is complete enough for a plugin to import."""
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        _load(point)
