"""From a name to a model: what a third party installs, and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from medq_deg.cli.options import read_arguments
from medq_deg.errors import MedqDegError
from medq_deg.models import load
from medq_deg.models.load import load_model

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def code(language: str) -> str:
    """The first block of a language in the page."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


@pytest.mark.slow
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


class Plugin:
    """Keeps what it was made with."""

    def __init__(self, argument: str, *, temperature: float = 1.0, max_new_tokens: int = 7) -> None:
        self.made = argument, temperature, max_new_tokens


class Bare:
    """Takes nothing but what follows the colon."""

    def __init__(self, argument: str) -> None:
        self.made = argument


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {name: EntryPoint(name.lower(), f"{__name__}:{name}", load.GROUP) for name in ("Plugin", "Bare")}
    monkeypatch.setattr(load, "plugins", lambda: {point.name: point for point in points.values()})


@pytest.mark.usefixtures("plugins")
def test_a_plugin_gets_the_arguments_that_it_takes_and_no_others() -> None:
    def made(name: str, **options: Any) -> Any:
        return load_model(name, transformers={}, **options).made

    assert made("plugin:x") == ("x", 1.0, 7)
    assert made("plugin:x", max_new_tokens=9, arguments={"temperature": 0.5}) == ("x", 0.5, 9)
    assert made("bare:x") == "x"
    with pytest.raises(MedqDegError, match="unknown argument of the plugin 'plugin' 'temperatur'; did you mean"):
        made("plugin", arguments={"temperatur": 1})
    with pytest.raises(MedqDegError, match="the plugin 'bare' takes no --max-new-tokens"):
        made("bare", max_new_tokens=9)
    with pytest.raises(MedqDegError, match="unknown argument of the plugin 'bare' 'x'"):
        made("bare", arguments={"x": 1})


@pytest.mark.parametrize("where", [{"endpoint": "http://localhost:1"}, {}])
def test_arguments_are_for_plugins_only(where: dict[str, Any]) -> None:
    with pytest.raises(MedqDegError, match=r"--model-arg is for plugins, not for .*: dtype"):
        load_model("org/name", transformers={}, arguments={"dtype": "x"}, **where)


def test_arguments_are_read_as_json_where_they_are_json() -> None:
    assert read_arguments(["a=1", "b=true", "c=bfloat16", 'd={"x": [1]}', "e="]) == {
        "a": 1,
        "b": True,
        "c": "bfloat16",
        "d": {"x": [1]},
        "e": "",
    }
    for wrong in ("a", "=1", "a b=1"):
        with pytest.raises(MedqDegError, match="--model-arg must be KEY=VALUE"):
            read_arguments([wrong])
    with pytest.raises(MedqDegError, match="gives 'a' twice"):
        read_arguments(["a=1", "a=2"])


def test_a_name_that_is_nothing_is_refused() -> None:
    pytest.importorskip("transformers")
    with pytest.raises(MedqDegError, match="no-such/model"):
        load_model("no-such/model", transformers={})


def test_a_way_to_vote_that_only_transformers_has_is_refused_elsewhere() -> None:
    with pytest.raises(MedqDegError, match="votes must be sampled with an endpoint, got 'exact'"):
        load_model("tiny", transformers={"votes": "exact"}, endpoint="http://localhost:1")
