"""What importing the package costs, and what it exposes."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import medq_deg
from medq_deg import demo
from medq_deg.evaluation.run import evaluate
from tests.conftest import sample_slow
from tests.evaluation.test_run import Echo

PACKAGE = Path(medq_deg.__file__).parent
EXTRAS = {
    "adapters": ("monai", "torch", "torchio"),
    "cli/doctor.py": ("models",),  # only if they are installed
    "engines/cluster.py": ("scale",),
    "evaluation/processes.py": ("models",),  # only if a model has loaded it
    "harness/inspect_logs.py": ("inspect",),
    "harness/tables.py": ("harnesses",),
    "inspect": ("inspect",),
    "medical": ("dicom",),
    "models": ("models",),
    "review": ("review",),
}
"""Which part of the package may import what an extra installs."""

UNDECLARED = {"models/processors.py": {"torchvision"}}
"""The torchvision that does not import beside this torch is looked for, never needed."""


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = python("import sys, medq_deg; print(*sys.modules)").split()
    heavy = {"torch", "transformers", "datasets", "evaluate", "albumentations", "scipy", "cv2", "numpy", "PIL"}
    assert not heavy & set(loaded)


def test_degrading_a_image_loads_neither_torch_nor_datasets() -> None:
    use = "medq_deg.degrade(np.zeros((40, 40), 'u1'), 'low_dose', 1)"
    code = f"import sys, numpy as np, medq_deg; {use}; print(*sys.modules)"
    assert not {"torch", "transformers", "datasets", "evaluate", "albumentations"} & set(python(code).split())


def test_results_are_read_without_what_makes_or_asks_images(tmp_path: Path) -> None:
    for said in "AB":
        evaluate(Echo(said, f"always {said}"), demo.rows()[:6], tmp_path / said, data_name="demo", trials=5)
    runs = [str(tmp_path / said) for said in "AB"]
    for command in (["compare", *runs], ["score", runs[0]], ["leaderboard", *runs]):
        code = (
            f"import sys; sys.argv = ['medq-deg', *{command!r}]\nfrom medq_deg import cli\n"
            "try: cli.main()\nexcept SystemExit as end: assert not end.code, end.code\nprint(*sys.modules)"
        )
        heavy = {"torch", "transformers", "datasets", "evaluate", "albumentations", "scipy", "cv2", "matplotlib"}
        assert not heavy & set(python(code).split()), command


def declared() -> dict[str, set[str]]:
    """Return the distributions that each extra names; those of the package itself under ""."""
    found: dict[str, set[str]] = {}
    for requirement in importlib.metadata.requires("medq-deg") or []:
        extra = re.search(r"extra == ['\"](\w+)", requirement)
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        found.setdefault(extra[1] if extra else "", set()).add(name)
    return found


def third_party(path: Path) -> Iterator[str]:
    """Yield the top-level modules of others that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module)]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "medq_deg":
                yield top


def test_nothing_is_imported_that_is_not_declared() -> None:
    named, installs = declared(), importlib.metadata.packages_distributions()
    undeclared = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        extras = {extra for part, extras in EXTRAS.items() if place.startswith(part) for extra in extras}
        allowed = named[""].union(*(named[extra] for extra in extras))
        for module in set(third_party(path)) - UNDECLARED.get(place, set()):
            if not allowed & {each.lower() for each in (*installs.get(module, ()), module.replace("_", "-"))}:
                undeclared.append(f"{place}: {module}")
    assert not undeclared


def test_every_extra_is_used_by_what_it_is_for() -> None:
    used = {extra for extras in EXTRAS.values() for extra in extras}
    assert set(declared()) == used | {"", "browser", "dev", "docs"}


@pytest.mark.parametrize("name", medq_deg.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(medq_deg, name) is not None
    assert name in dir(medq_deg)


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'medq_deg' has no attribute 'degradde'"):
        medq_deg.degradde  # noqa: B018


def test_the_sample_of_slow_tests_changes_with_the_day_and_reaches_all() -> None:
    names = [f"a.py::cases[{case}]" for case in range(4)] + [f"a.py::alone_{number}" for number in range(30)]
    days = [f"2026-{month:02}-{day:02}" for month in (10, 11, 12) for day in range(1, 31)]
    samples = [sample_slow(names, day) for day in days]
    assert samples == [sample_slow(names, day) for day in days]
    assert all(sum("cases" in name for name in sample) <= 1 for sample in samples)
    assert all(1 <= len(sample) <= 22 for sample in samples)
    assert set().union(*samples) == set(names)
