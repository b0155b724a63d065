"""One report that the tests look at: five runs on the whole demonstration set, one of them hostile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from medq_deg import demo
from medq_deg.reporting.write import write_report
from tests.reporting.models import Faltering, make_run

HOSTILE_NAME = "evil/<script>alert(1)</script> \"quoted\" 'single' $x_1$ 🩻"
HOSTILE = (
    "<script>alert('said')</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>{0}</a>"
    "\0\x1b[31m\u202egnirts\ud83d [link](javascript:alert(4))\nAnswer: {0}"
)

MODELS = [
    Faltering("acme/vision-7b"),
    Faltering("Honest-VLM (3B)", (0.8, 0.65, 0.45), (0.85, 0.7, 0.5), say="<think>bright</think> It is {}."),
    Faltering("exact-14b", (0.85, 0.8, 0.7), (0.9, 0.9, 0.8), exact=True),
    Faltering(HOSTILE_NAME, (0.6, 0.5, 0.3), say=HOSTILE),
    Faltering("steady-2b", (0.5, 0.5, 0.48), (0.7, 0.7, 0.7)),
]


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    """Every row of the demonstration set, without images."""
    return list(demo.rows().columns())


@pytest.fixture(scope="session")
def few_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of twelve questions."""
    chosen = {row["question_id"] for row in rows[:12]}
    return [row for row in rows if row["question_id"] in chosen]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> Path:
    """A folder with the five runs and their report, made once for all processes of the tests."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "five_runs"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            runs = [make_run(folder / f"run{number}", model, rows) for number, model in enumerate(MODELS)]
            write_report(runs, folder / "report.html", n_resamples=100)
    return folder


@pytest.fixture(scope="session")
def five_runs(written: Path) -> list[Path]:
    return [written / f"run{number}" for number in range(len(MODELS))]


@pytest.fixture(scope="session")
def report(written: Path) -> Path:
    """The HTML file of the report on the five runs; its figures are beside it."""
    return written / "report.html"
