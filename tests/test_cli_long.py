"""What the long commands share: results as JSON, silence, options from a file; and how commands are listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from medq_deg import cli, demo
from medq_deg.cli.doctor import findings
from medq_deg.evaluation.run import evaluate
from medq_deg.results.score import METRICS
from tests.conftest import Command, demo_image
from tests.data.sources_of_demo import write_folder
from tests.evaluation.test_run import Echo


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A run over a few rows."""
    rows = demo.rows()
    chosen = [rows[place] for place in range(6)]
    evaluate(Echo(), chosen, tmp_path / "run", data_name="demo", trials=2)
    return tmp_path / "run"


def test_json_is_the_result_and_all_of_standard_output(command: Command, made: Path) -> None:
    code, out, errors = command("score", made, "--json")
    assert code == 0
    assert json.loads(out) == json.loads((made / METRICS).read_text())
    assert f"next: medq-deg report {made}" in errors
    code, out, errors = command("score", made)
    assert "accuracy" in out.lower()  # and the next command has its own way again


def test_quiet_leaves_the_result_and_no_notes(command: Command, made: Path) -> None:
    code, out, errors = command("score", made, "--quiet")
    assert (code, errors) == (0, "")
    assert "metrics.json" in out


def test_an_error_is_told_however_quiet(command: Command, tmp_path: Path) -> None:
    code, out, errors = command("score", tmp_path / "none", "--quiet", "--json")
    assert (code, out) == (2, "")
    assert errors.startswith("medq-deg: ")


def test_what_was_left_out_is_part_of_the_json_of_a_folder(command: Command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(demo_image("ct_abdomen")).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    options = ("--degradation", "low_dose", "--severity", 1, "--modality", "CT", "--json")
    code, out, _ = command("degrade", tmp_path / "in", tmp_path / "out", *options)
    assert code == 1
    told = json.loads(out)
    assert [len(told["written"]), len(told["skipped"])] == [1, 1]


def test_options_come_from_a_file_and_what_is_typed_goes_before_them(command: Command, tmp_path: Path) -> None:
    Image.fromarray(demo_image("ct_abdomen")).save(tmp_path / "a.png")
    config = tmp_path / "options.yaml"
    config.write_text(yaml.safe_dump({"degradation": "low_dose", "severity": 2, "modality": "CT", "seed": 3}))
    wanted, typed = tmp_path / "wanted.png", tmp_path / "typed.png"
    for target, seed in ((wanted, 3), (typed, 4)):
        command("degrade", tmp_path / "a.png", target, "-t", "low_dose", "-s", 2, "--modality", "CT", "--seed", seed)
    assert command("degrade", tmp_path / "a.png", tmp_path / "b.png", "--config", config)[0] == 0
    assert (tmp_path / "b.png").read_bytes() == wanted.read_bytes()
    assert command("degrade", tmp_path / "a.png", tmp_path / "c.png", "--config", config, "--seed", 4)[0] == 0
    assert (tmp_path / "c.png").read_bytes() == typed.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sevrity: 2", "did you mean 'severity'"),
        ("- 2", "must hold options by name"),
        ("a: [", "is not YAML"),
        ("severity: seven", "severity"),
    ],
)
def test_a_file_of_options_that_cannot_be_used_is_one_sentence(
    command: Command, tmp_path: Path, text: str, said: str
) -> None:
    Image.fromarray(demo_image("ct_abdomen")).save(tmp_path / "a.png")
    (tmp_path / "o.yaml").write_text(text)
    options = ("-t", "low_dose", "--modality", "CT", "--config", tmp_path / "o.yaml")
    code, out, errors = command("degrade", tmp_path / "a.png", tmp_path / "b.png", *options)
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert said in errors
    assert command("score", "run", "--config", tmp_path / "none.yaml")[2].strip().endswith("no such file")


def test_a_run_json_gives_the_options_of_its_run(command: Command, made: Path) -> None:
    again = made.with_name("again")
    code, out, errors = command(
        *("evaluate", "--config", made / "run.json", "--model", "demo", "--trials", 3),
        *("--out", again, "--shard", "1/60", "--json"),
    )
    assert code == 0, errors
    settings = json.loads((again / "run.json").read_text())["settings"]
    assert (settings["data"]["name"], settings["trials"]) == ("demo", 3)
    assert json.loads(out)["run"] == str(again)


def test_flags_show_no_value_and_commands_stand_in_the_order_of_work(command: Command) -> None:
    out = command("--help")[1]
    places = [out.index(f"│ {name} ") for name in cli.ORDER]
    assert places == sorted(places)
    for words in ((), ("evaluate",), ("score",), ("data", "verify")):
        assert "<bool>" not in command(*words, "--help")[1]


def test_choices_are_listed_and_checked_at_once(command: Command) -> None:
    assert "<sampled|exact|repeat>" in command("evaluate", "--help")[1]
    code, _, errors = command("evaluate", "--model", "demo", "--try", 1, "--parser", "lenient")
    assert code == 2
    assert "lenient" in errors
    assert "strict" in errors


def test_a_model_folder_that_is_not_there_is_told(command: Command, tmp_path: Path) -> None:
    code, _, errors = command("evaluate", "--model", tmp_path / "nothing", "--data", "demo", "--try", 1)
    assert code == 2
    assert f"{tmp_path / 'nothing'}: no such folder" in errors


def test_names_are_printed_as_they_are(command: Command, made: Path) -> None:
    odd = made.rename(made.with_name("[bold]run[red] :smile: \x1b[31m"))
    _, out, errors = command("score", odd)
    assert "[bold]run[red] :smile: \ufffd[31m" in out
    assert "\x1b" not in out + errors


def test_doctor_tells_versions_and_no_token(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    code, out, errors = command("doctor", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["hub login"] == "a token is there"
    assert "secret" not in out + errors
    assert {"numpy", "torch"} <= set(told["packages"])
    assert set(findings()) == set(told)


def test_a_torchvision_that_does_not_import_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[str], Any] = __import__("importlib").import_module

    def broken(name: str) -> Any:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name)

    monkeypatch.setattr("medq_deg.cli.doctor._version", lambda name: "0.1")
    monkeypatch.setattr("importlib.import_module", broken)
    assert "pip uninstall torchvision" in findings()["problems"]["torchvision"]


@pytest.mark.parametrize("words", [("list",), ("score", "RUN"), ("score", "RUN", "--json")])
def test_a_terminal_without_utf_8_and_a_name_that_is_none_are_no_matter(words: tuple[str, ...], made: Path) -> None:
    odd = os.fsencode(made.parent) + b"/run\xff\xe9"
    os.rename(made, odd)
    told = subprocess.run(
        [sys.executable, "-m", "medq_deg", *(odd if word == "RUN" else word for word in words)],
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert (told.returncode, b"Traceback" in told.stderr) == (0, False), told.stderr


def test_a_source_by_name_is_that_source(command: Command, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine")
    for out, words in (("a", ("--folder", folder)), ("b", ("--source", f"folder={folder}"))):
        assert command("build", *words, "--out", tmp_path / out, "--quiet")[0] == 0
    made = [json.loads((tmp_path / out / "manifest.json").read_text())["fingerprint"] for out in ("a", "b")]
    assert made[0] == made[1]
    for words, said in ((("folder",), "must be NAME=PATH"), (("a=b", "a=c"), "'a' twice"), (("quiz=x",), "quiz")):
        given = [word for each in words for word in ("--source", each)]
        code, _, errors = command("build", *given, "--out", tmp_path / "c")
        assert (code, len(errors.splitlines())) == (2, 1)
        assert said in errors
