"""From a name to a model: what a third party installs, and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.models.load import load_model

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def code(language: str) -> str:
    """The first block of a language in the page."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_model_of_the_documentation_can_be_installed_and_asked(tmp_path: Path) -> None:
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    assert len(code("python").splitlines()) < 40
    (project / "blind.py").write_text(code("python"))
    (project / "pyproject.toml").write_text(code("toml"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(project)], check=True)

    def evaluate(name: str) -> Path:
        command = ["-m", "medq_deg", "evaluate", "--model", name, "--data", "demo", "--out", str(tmp_path / name)]
        paths = os.pathsep.join([str(site), str(DOCS.parents[1])])
        subprocess.run([sys.executable, *command], check=True, env={**os.environ, "PYTHONPATH": paths})
        return tmp_path / name

    def share_of_a(run: Path) -> float:
        votes = [vote for line in (run / "answers.jsonl").open() for vote in json.loads(line)["votes"]]
        assert len(votes) == 4170
        return votes.count("A") / len(votes)

    fair, biased = evaluate("blind"), evaluate("blind:9")
    assert 0.2 < share_of_a(fair) < 0.3
    assert share_of_a(biased) > 0.6
    described = json.loads((biased / "run.json").read_text())["settings"]["model"]
    assert described == {"name": "blind", "weight_of_a": 9.0}


def test_a_name_that_is_nothing_is_refused() -> None:
    pytest.importorskip("transformers")
    with pytest.raises(MedqDegError, match="no-such/model"):
        load_model("no-such/model", transformers={})


def test_a_way_to_vote_that_only_transformers_has_is_refused_elsewhere() -> None:
    with pytest.raises(MedqDegError, match="votes must be sampled with an endpoint, got 'exact'"):
        load_model("tiny", transformers={"votes": "exact"}, endpoint="http://localhost:1")
