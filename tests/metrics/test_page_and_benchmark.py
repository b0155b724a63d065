"""The page of explanations tells the truth, the benchmark runs, and the package needs numpy alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import load_module

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_every_number_on_the_page_is_as_computed():
    done = run("docs/metrics_numbers.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def script():
    return load_module(ROOT / "docs" / "metrics_numbers.py")


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("0.446<!--a--> +0.5<!--b-->", "a: the page says 0.446, computed is 0.445"),
        ("0.445<!--a--> +0.5<!--b--> 1<!--c-->", "c: the page names a number that is not computed"),
        ("0.445<!--a-->", "b: computed, but not on the page"),
        ("0.445<!--a--> +0.5<!--b--> and 0.7", "0.7: a number on the page without a name"),
        ("0.445<!--a--> +0.5<!--b--> and 70 % of", "70 %: a number on the page without a name"),
    ],
)
def test_the_check_finds_what_is_wrong(script, page, problem):
    computed = {"a": "0.445", "b": "+0.5"}
    assert script.problems("| 0.445<!--a--> | +0.5<!--b--> | arXiv 2603.07769, 3 of 4", computed) == []
    assert script.problems(page, computed) == [problem]


def test_the_benchmark_runs_at_any_size():
    done = run("benchmarks/metrics.py", "--questions", "40", "--pairs", "90", "--resamples", "20")
    assert done.returncode == 0, done.stderr
    assert "220 x 10 votes, 40 questions" in done.stdout
    assert "peak memory" in done.stdout


def test_the_metrics_import_numpy_and_nothing_else_from_outside():
    code = (
        "import sys; before = set(sys.modules); import medq_deg.metrics;"
        "names = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(name for name in names - set(sys.stdlib_module_names) if 'cython' not in name))"
    )
    assert run("-c", code).stdout.strip() == "['medq_deg', 'numpy']"
