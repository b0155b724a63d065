"""Pushing a build to a Hub double on loopback, in processes of their own: the Hub's address is fixed at import."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from medq_deg.data.build import build
from medq_deg.hub.entries import eval_yaml
from tests.data.sources_of_demo import write_folder
from tests.hub.double import HubDouble

TOKEN = "hf_secretsecretsecret"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build({"folder": write_folder(folder / "mine", count=3)}, folder / "data")
    return folder / "data"


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    double = HubDouble()
    yield double
    double.close()


def push(folder: Path, repo: str, address: str, *options: str, **environment: str) -> tuple[int, str, str]:
    variables = {**os.environ, "HF_ENDPOINT": address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    variables.pop("HF_HUB_OFFLINE", None)
    code = "import sys; from medq_deg import cli; sys.argv[0] = 'medq-deg'; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "push", str(folder), "--repo", repo, *options],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert TOKEN not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_build_is_uploaded_whole_in_one_commit(built: Path, hub: HubDouble) -> None:
    code, said, errors = push(built, "me/medq-deg", hub.address, "--private")
    assert code == 0, errors
    assert "/commit/" in said
    files = hub.repositories["me/medq-deg"]
    shards = {f"data/{path.name}" for path in (built / "data").iterdir()}
    assert set(files) >= shards | {"README.md", "manifest.json", "load_report.json", "eval.yaml"}
    assert all(files[name] == (built / name).read_bytes() for name in shards)
    assert (hub.commits, hub.private["me/medq-deg"]) == (1, True)


@pytest.mark.parametrize("status", [403, 409, 500])
def test_a_refusal_is_one_line_and_nothing_is_there(built: Path, hub: HubDouble, status: int) -> None:
    hub.status = status
    code, _, errors = push(built, "me/medq-deg", hub.address)
    lines = [line for line in errors.splitlines() if line.startswith("medq-deg:")]
    assert code == 2
    assert len(lines) == 1
    assert f"the Hub refused ({status})" in lines[0] or "no such repository" in lines[0]
    assert not hub.repositories.get("me/medq-deg")
    assert "Traceback" not in errors


def test_no_network_and_offline_mode_are_one_line(built: Path) -> None:
    code, _, errors = push(built, "me/medq-deg", "http://127.0.0.1:9")
    assert (code, "cannot be reached" in errors, "Traceback" in errors) == (2, True, False)
    code, _, errors = push(built, "me/medq-deg", "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert (code, "HF_HUB_OFFLINE forbids it" in errors, "Traceback" in errors) == (2, True, False)


def test_a_bad_name_or_an_unfinished_build_is_one_line(built: Path, hub: HubDouble, tmp_path: Path) -> None:
    code, _, errors = push(built, "not a name", hub.address)
    assert (code, "is no name of a repository" in errors) == (2, True)
    code, _, errors = push(tmp_path, "me/medq-deg", hub.address)
    assert (code, "is no finished build" in errors) == (2, True)
    assert not hub.repositories


def test_eval_yaml_names_a_task_for_each_severity() -> None:
    value = yaml.safe_load(yaml.safe_dump(eval_yaml()))
    assert [task["split"] for task in value["tasks"]] == ["L0", "L1", "L2", "L2", "L2"]
    assert value["tasks"][0]["field_spec"]["target"] == "answer"
