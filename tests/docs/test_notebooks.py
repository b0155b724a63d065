"""The notebooks run from the first cell to the last, and what is stored with them is what they show.

``python -m tests.docs.test_notebooks`` runs them and stores their outputs.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

nbformat = pytest.importorskip("nbformat", reason="the extra `docs` is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
pytest.importorskip("ipykernel", reason="the extra `docs` is not installed")
pytest.importorskip("torch")

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
ELSEWHERE = re.compile(r"(?:/(?:home|root|Users|tmp|work|private)/|[A-Z]:\\)")


def executed(path: Path, folder: Path) -> Any:
    """Return a notebook, run in a folder, with one form of each image and without times."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as for all tests: threads that wait for one another only cost
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"  # a bar says how long it took
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/jpeg", None)
        joined: list[Any] = []
        for output in cell.get("outputs", []):
            if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
                joined[-1].text += output.text
            else:
                joined.append(output)
        if cell.cell_type == "code":
            cell.outputs = joined
    notebook.metadata.get("language_info", {}).pop("version", None)
    return notebook


def shown(notebook: Any) -> list[list[str]]:
    """The kinds of output of each cell of code."""
    return [
        [key for output in cell.outputs for key in sorted(output.get("data", {output.get("name"): None}))]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["degrade_and_train", "evaluate_and_read"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_stored(path: Path, tmp_path: Path) -> None:
    stored, made = nbformat.read(path, as_version=4), executed(path, tmp_path)
    assert shown(made) == shown(stored), "run python -m tests.docs.test_notebooks to store what it shows now"
    assert not any(output.get("name") == "stderr" for cell in made.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_is_small_and_names_no_machine(path: Path) -> None:
    assert path.stat().st_size < 200_000
    assert not ELSEWHERE.search(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for each in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as place:
            nbformat.write(executed(each, Path(place)), each)
        sys.stdout.write(f"{each.name}\n")
