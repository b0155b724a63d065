"""Which code makes the images: a version that is raised by hand, and a fingerprint that follows the source by itself.

The version says whether two builds may be compared, and is raised whenever an image changes by more than rounding
(the golden images of the tests see to it). The fingerprint changes with any edit, so that caches notice.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from functools import cache
from types import ModuleType
from typing import Final

from medq_deg.degradations import apply
from medq_deg.degradations.registry import DEGRADATIONS

DEGRADATION_VERSION: Final = 3
"""1: the first. 2: closed-form CT, table noise, Rician noise of MRI, blood cells and movement made anew.

3: no halo around a marking that a JPEG has spread; a Gaussian of less than a pixel keeps its variance.
"""

_NOT_IMAGES = ("medq_deg.taxonomy", "medq_deg.errors")


def code_fingerprint() -> str:
    """Return 16 hexadecimal digits that change with the source of any registered degradation, or of what it uses."""
    return _fingerprint(tuple((name, id(entry)) for name, entry in DEGRADATIONS.items()))


@cache
def _fingerprint(registered: tuple[tuple[str, int], ...]) -> str:
    del registered  # the key of the cache: it may change
    found: dict[str, ModuleType] = {}
    for name in (apply.__name__, *(entry.function.__module__ for entry in DEGRADATIONS.values())):
        _follow(name, found)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\n{_source(found[name])}".encode())
    for entry in DEGRADATIONS.values():
        digest.update(repr([entry.name, entry.severities, entry.by_modality, entry.hounsfield]).encode())
    return digest.hexdigest()[:16]


def _follow(name: str, found: dict[str, ModuleType]) -> None:
    """Collect a module, and the modules of the same package that it takes anything from."""
    module = sys.modules.get(name)
    if module is None or name in found or name.startswith(_NOT_IMAGES):
        return
    found[name] = module
    package = name.partition(".")[0]
    for value in list(vars(module).values()):
        used = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(used, str) and used.partition(".")[0] == package:
            _follow(used, found)


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # a function typed at a prompt: its code is all there is
        functions = [item.__code__.co_code.hex() for item in vars(module).values() if inspect.isfunction(item)]
        return "\n".join(functions)
