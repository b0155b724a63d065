"""Pushing a build to a Hub double on loopback, in processes of their own: the Hub's address is fixed at import."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

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
    return run(["-c", CLI, "data", "push", str(folder), "--repo", repo, *options], address, **environment)


CLI = "import sys; from medq_deg import cli; sys.argv[0] = 'medq-deg'; cli.main()"


def run(arguments: list[str], address: str, **environment: str) -> tuple[int, str, str]:
    variables = {**os.environ, "HF_ENDPOINT": address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    variables.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert TOKEN not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_build_is_uploaded_whole_in_one_commit(built: Path, hub: HubDouble) -> None:
    code, said, errors = push(built, "me/medq-deg", hub.address, "--private")
    assert code == 0, errors
    assert "/commit/" in said
    files = hub.repositories["me/medq-deg"]
    shards = {f"data/{path.name}" for path in (built / "data").iterdir()}
    assert set(files) >= shards | {"README.md", "manifest.json", "load_report.json", "eval.yaml"}
    assert all(files[name] == (built / name).read_bytes() for name in shards)
    assert {name for name in files if name.startswith("inspect/")} == {f"inspect/{Path(name).name}" for name in shards}
    assert (hub.commits, hub.private["me/medq-deg"]) == (1, True)


@pytest.mark.slow
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


@pytest.mark.slow
def test_no_network_and_offline_mode_are_one_line(built: Path) -> None:
    code, _, errors = push(built, "me/medq-deg", "http://127.0.0.1:9")
    assert (code, "cannot be reached" in errors, "Traceback" in errors) == (2, True, False)
    code, _, errors = push(built, "me/medq-deg", "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert (code, "HF_HUB_OFFLINE forbids it" in errors, "Traceback" in errors) == (2, True, False)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_pushed_build_loads_by_split_and_is_data_by_its_name(built: Path, hub: HubDouble, tmp_path: Path) -> None:
    code, _, errors = push(built, "me/medq-deg", hub.address)
    assert code == 0, errors
    code, said, errors = run(
        ["-c", "import datasets, medq_deg\n"
         "rows = datasets.load_dataset('me/medq-deg', split='L2')\n"
         "print(len(rows), rows[0]['image'].mode in ('L', 'RGB'), rows.features['degradation'].int2str(0))\n"
         "data = medq_deg.open_data('me/medq-deg')\n"
         "print(data.name, len(data), data.fingerprint == medq_deg.open_data(" + repr(str(built)) + ").fingerprint)\n"],
        hub.address,
        HF_HOME=str(tmp_path),
        HF_DATASETS_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert code == 0, errors
    assert said.splitlines()[-2:] == [f"{rows_of(built, 'L2')} True none", f"me/medq-deg {rows_of(built)} True"]


@pytest.mark.slow
def test_the_card_tells_the_viewer_and_programs_what_the_rows_are(built: Path, hub: HubDouble) -> None:
    push(built, "me/medq-deg", hub.address)
    files = hub.repositories["me/medq-deg"]
    head, text = files["README.md"].decode().removeprefix("---\n").split("\n---\n", 1)
    told = yaml.safe_load(head)
    assert [each["config_name"] for each in told["configs"]] == ["default", "inspect"]
    assert [each["split"] for each in told["configs"][0]["data_files"]] == ["L0", "L1", "L2"]
    assert told["license"]
    assert told["size_categories"] == ["n<1K"]
    splits = {each["name"]: each for each in told["dataset_info"]["splits"]}
    assert {name: split["num_examples"] for name, split in splits.items()} == {
        name: rows_of(built, name) for name in ("L0", "L1", "L2")
    }
    columns = {each["name"]: each.get("dtype") for each in told["dataset_info"]["features"]}
    assert columns["image"] == "image"
    assert columns["degradation"]["class_label"]["names"]["0"] == "none"
    counts = " | ".join(str(rows_of(built, name)) for name in ("L0", "L1", "L2"))
    assert any(line.startswith("| `folder` |") and line.endswith(f"| {counts} |") for line in text.splitlines())
    info = json.loads(files["dataset_infos.json"])["default"]
    assert "2603.07769" in info["citation"]
    assert info["license"]
    assert set(info["features"]) == set(columns)


@pytest.mark.slow
def test_pushing_keeps_what_was_written_into_the_card(built: Path, hub: HubDouble, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(built, folder)
    card = folder / "README.md"
    card.write_text(card.read_text().replace("# MedQ-Deg\n", "# Ours\n\nSeen by Dr. A.\n", 1))
    push(folder, "me/ours", hub.address)
    assert "# Ours\n\nSeen by Dr. A.\n" in hub.repositories["me/ours"]["README.md"].decode()


@pytest.mark.slow
def test_rows_made_on_the_fly_are_pushed_with_their_degraded_images(
    built: Path, hub: HubDouble, tmp_path: Path
) -> None:
    code, _, errors = run(
        ["-c", "import datasets, medq_deg\n"
         f"clean = datasets.load_dataset({str(built)!r}, split='L0')\n"
         "medq_deg.apply_plan(clean, medq_deg.make_plan(clean)).push_to_hub('me/lazy')\n"],
        hub.address,
        HF_HOME=str(tmp_path),
        HF_DATASETS_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert code == 0, errors
    files = [content for name, content in hub.repositories["me/lazy"].items() if name.endswith(".parquet")]
    made = {row["id"]: row["image"]["bytes"] for file in files for row in pq.read_table(io.BytesIO(file)).to_pylist()}
    shards = [pq.read_table(path).to_pylist() for path in (built / "data").iterdir()]
    stored = {row["id"]: row["image"]["bytes"] for rows in shards for row in rows}
    assert made.keys() == stored.keys()
    for name, data in made.items():
        assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(each))) for each in (data, stored[name]))), name


def rows_of(folder: Path, split: str = "L") -> int:
    return sum(pq.read_metadata(path).num_rows for path in (folder / "data").glob(f"{split}*"))
