"""The map of docs/architecture.md is of the tree as it is."""

from __future__ import annotations

import re
import subprocess

from tests.conftest import load_module
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_drawing_is_what_its_script_draws_and_names_paths_that_are_there() -> None:
    assert load_module(ROOT / "docs" / "flow.py").problems() == []


def test_the_tree_has_a_line_for_each_folder_of_the_package() -> None:
    told = set(re.findall(r"^\| `(medq_deg/[a-z_/]*)` \|", PAGE, re.MULTILINE))
    listed = subprocess.run(["git", "ls-files", "medq_deg"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = listed.stdout.split() or [str(path.relative_to(ROOT)) for path in (ROOT / "medq_deg").rglob("*.py")]
    folders = {path.rpartition("/")[0] + "/" for path in files if path.endswith(".py")}
    assert told == folders


def test_the_glossary_fits_a_screen() -> None:
    glossary = PAGE.partition("## The words")[2].partition("\n## ")[0]
    assert len(glossary.splitlines()) < 40
    for word in ("image", "degradation", "votes", "trials", "sampling", "severity", "level", "confidence level"):
        assert re.search(rf"^\| {word} \|", glossary, re.MULTILINE), word
    for word in ("cluster", "figure", "chart", "source", "path", "reference"):
        assert re.search(rf"^\| {word} \|", glossary, re.MULTILINE), word
