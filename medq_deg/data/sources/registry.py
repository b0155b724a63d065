"""Every source that `build` can read, by name: those of the modules beside this one, and what plugins add.

A module beside this one that holds a `SOURCE` is found: no list names it. A plugin is a package with an entry point in
the group `medq_deg.sources` that names a `Source`, a module with a `SOURCE`, or a function that reads one; its name is
the entry point's. It is imported when it is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from medq_deg.data import sources as package
from medq_deg.data.sources.base import LoadReport, Source, SourceRecord
from medq_deg.errors import MedqDegError, UnknownNameError

ENTRY_POINTS: Final = "medq_deg.sources"

RESERVED: Final = ("release", "demo")
"""What the column `source` may hold, but no build reads."""


@cache
def ours() -> dict[str, Source]:
    """Return the sources that this package reads, in the order in which a build reads them."""
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
        if f"{package.__name__}.{module.name}" != __name__
    ]
    found = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    names = [source.name for source in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MedqDegError(f"two sources are called {twice[0]!r}")
    return {source.name: source for source in sorted(found, key=lambda source: (source.order, source.name))}


def plugins() -> dict[str, EntryPoint]:
    """Return the installed third-party sources by name, in the order of their names.

    Raises
    ------
    MedqDegError
        If one has the name of another, or of one of ours.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        if point.name in found or point.name in ours() or point.name in RESERVED:
            raise MedqDegError(f"{_told(point)} has a name that is taken; it must have another")
        found[point.name] = point
    return found


def source_names() -> tuple[str, ...]:
    """Return the name of every source that a build can read, in the order in which it reads them."""
    return (*ours(), *plugins())


def source(name: str) -> Source:
    """Return a source by its name.

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message lists those that are known.
    MedqDegError
        If it is a plugin's and cannot be loaded.
    """
    if name in ours():
        return ours()[name]
    if (point := plugins().get(name)) is None:
        raise UnknownNameError("source", name, source_names())
    try:
        found = point.load()
    except Exception as error:
        raise MedqDegError(f"{_told(point)} cannot be loaded: {error}") from error
    if isinstance(found, ModuleType):
        found = getattr(found, "SOURCE", found)
    if callable(found):
        found = Source(name, found)
    if not isinstance(found, Source):
        raise MedqDegError(f"{_told(point)} must be a Source, a module with a SOURCE, or a function, got {found!r}")
    if found.name != name:
        raise MedqDegError(f"{_told(point)} calls itself {found.name!r}; both names must be the same")
    return found


def read(name: str, path: Path, report: LoadReport) -> Iterator[SourceRecord]:
    """Yield the records of a source, which must be records that carry its name.

    Raises
    ------
    MedqDegError
        If there is no such source, or it yields anything else.
    """
    for record in source(name).read(path, report):
        if not isinstance(record, SourceRecord):
            raise MedqDegError(f"the source {name!r} must yield SourceRecord, got {type(record).__name__}")
        if record.source != name:
            raise MedqDegError(f"{record.where}: the source {name!r} yields a record of {record.source!r}")
        yield record


def _told(point: EntryPoint) -> str:
    return f"the source {point.name!r} of {point.dist.name if point.dist else 'a package'}"
