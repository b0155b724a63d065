"""Makes `load_dataset("medq-deg")` and `evaluate.load("calibration_shift")` work once `medq_deg` has been imported.

`datasets` and `evaluate` have no entry point for plugins, so the functions that turn a name into a module are wrapped.
They are wrapped when those libraries are imported, by whomever, so that importing `medq_deg` does not import them.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

DATASETS = ("medq-deg", "medq_deg")
"""Bare names that `load_dataset` understands. A folder of that name in the working directory goes first if it holds the
parquet files of a dataset, and a warning says so; one that merely is called so, such as a clone of this project, does
not."""

METRICS = ("calibration_shift",)
"""Bare names that `evaluate.load` understands. A folder of that name in the working directory goes first if it holds a
module of that name, and a warning says so."""

_PACKAGE = Path(__file__).parent


def metric_folder(name: str) -> Path:
    """Return the folder of an evaluate module: inside an installed wheel, or at the root of a checkout."""
    installed = _PACKAGE / "evaluate_modules" / name
    return installed if installed.is_dir() else _PACKAGE.parent / "metrics" / name


def register() -> None:
    """Wrap both libraries' look-up of names, each now if it is imported, else as soon as it is.

    Images by reference are made known to fsspec too, for a checkout that is used without being installed.
    """
    _after_import("fsspec.registry", _name_images)
    _after_import("datasets.load", _wrap_datasets)
    _after_import("evaluate.loading", _wrap_evaluate)


@functools.cache
def dataset_hash() -> str:
    """Return the hash that names the cache of the datasets builder: it covers all code that decides on rows."""
    import hashlib

    from medq_deg.degradations.version import code_fingerprint

    digest = hashlib.sha256(code_fingerprint().encode())
    folders = ("", "data", "data/sources", "demo", "demo/images")
    for path in sorted(path for folder in folders for path in (_PACKAGE / folder).glob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _name_images(registry: ModuleType) -> None:
    registry.register_implementation("medq-deg", "medq_deg.data.reference.DegradedImages", clobber=True)


def _wrap_datasets(load: ModuleType) -> None:
    original = load.dataset_module_factory

    @functools.wraps(original)
    def dataset_module_factory(path: str, *arguments: Any, **options: Any) -> Any:
        if path in DATASETS:
            if not any(found for pattern in ("data/*.parquet", "*.parquet") for found in Path(path).glob(pattern)):
                return load.DatasetModule("medq_deg.data.builder", dataset_hash(), {"dataset_name": "medq-deg"})
            _say_that_a_folder_goes_first(path, "parquet files")
        return original(path, *arguments, **options)

    _replace(original, dataset_module_factory)


def _wrap_evaluate(loading: ModuleType) -> None:
    original = loading.evaluation_module_factory

    @functools.wraps(original)
    def evaluation_module_factory(path: str, *arguments: Any, **options: Any) -> Any:
        if path in METRICS:
            if (Path(path) / f"{path}.py").is_file():
                _say_that_a_folder_goes_first(path, f"{path}.py")
            else:
                path = str(metric_folder(path))
        return original(path, *arguments, **options)

    _replace(original, evaluation_module_factory)


def _say_that_a_folder_goes_first(name: str, holds: str) -> None:
    warnings.warn(
        f"{name!r} is read from the folder of that name in the working directory, {Path(name).resolve()}, since it "
        f"holds {holds}; write './{name}' to mean the folder, or work elsewhere to mean MedQ-Deg's own",
        stacklevel=4,
    )


def _replace(original: Callable[..., Any], wrapped: Callable[..., Any]) -> None:
    """Put a wrapped function in the original's place, in every module of its library that holds a reference."""
    if getattr(original, "knows_medq_deg", False):
        return
    wrapped.knows_medq_deg = True  # type: ignore[attr-defined]
    library = original.__module__.split(".")[0]
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == library and getattr(module, original.__name__, None) is original:
            setattr(module, original.__name__, wrapped)


def _after_import(name: str, action: Callable[[ModuleType], None]) -> None:
    """Call `action` with a module: now if it is imported already, else right after it is."""
    if name in sys.modules:
        action(sys.modules[name])
    elif not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, action))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as everyone else would, and lets an action follow its execution."""

    def __init__(self, name: str, action: Callable[[ModuleType], None]) -> None:
        self.name = name
        self.action = action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)  # it is needed once, and must not find itself
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.action)
        return spec


class _Loader(importlib.abc.Loader):
    """Another loader, followed by an action."""

    def __init__(self, loader: importlib.abc.Loader, action: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._action = action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.__spec__.loader = self._loader  # type: ignore[union-attr]
        self._action(module)
