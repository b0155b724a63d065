"""The wheel, made from the sdist and installed alone with the base dependencies: `make test-package`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(os.environ.get("PACKAGE", ROOT / ".venv-package")) / "bin"

pytestmark = pytest.mark.skipif(not (BIN / "medq-deg").exists(), reason="needs the environment of `make test-package`")

RUN = """
import medq_deg
from medq_deg import demo
from medq_deg.models.base import Reply

class First:
    def describe(self):
        return {"name": "always the first option"}

    def answer(self, queries, trials):
        for query in queries:
            yield Reply(query.id, texts=("A",) * trials)

run = medq_deg.evaluate(First(), demo.rows()[:15], "run", trials=5)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of a plain Python object, made by the installed package."""
    path = tmp_path_factory.mktemp("installed")
    python(RUN, path)
    return path


def call(command: list[str | Path], directory: Path) -> str:
    hidden = {"PYTHONPATH", "PYTHONHOME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"HF_HOME": str(directory / "cache"), "HF_DATASETS_CACHE": str(directory / "cache")}
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def python(code: str, directory: Path) -> str:
    return call([BIN / "python", "-c", code], directory)


def medq_deg(directory: Path, *arguments: str | Path) -> str:
    return call([BIN / "medq-deg", *arguments], directory)


def test_it_is_the_installed_package_without_any_extra(tmp_path: Path) -> None:
    code = (
        "import importlib.util, medq_deg; print(medq_deg.__file__)\n"
        "print([name for name in ('torch', 'fastapi', 'pydicom', 'pytest') if importlib.util.find_spec(name)])"
    )
    place, extras = python(code, tmp_path).splitlines()
    assert Path(place).is_relative_to(BIN.parent)
    assert extras == "[]"


def test_load_dataset_reads_the_demonstration_set(tmp_path: Path) -> None:
    code = (
        "import datasets, medq_deg\n"
        "rows = datasets.load_dataset('medq-deg', 'demo', split='L0')\n"
        "print(len(rows), rows[0]['image'].mode, rows[0]['severity'])"
    )
    assert python(code, tmp_path) == "85 L 0"


def test_evaluate_load_finds_the_metric(tmp_path: Path) -> None:
    votes = "predictions=[['A'] * 10, ['B'] * 5 + ['C'] * 5], references=['A', 'B'], num_choices=[4, 4]"
    code = f"import evaluate, medq_deg; print(evaluate.load('calibration_shift').compute({votes})['accuracy'])"
    assert python(code, tmp_path) == "0.75"


def test_degrade_writes_an_image(tmp_path: Path) -> None:
    python("from PIL import Image; Image.new('L', (96, 96), 90).save('grey.png')", tmp_path)
    medq_deg(tmp_path, "degrade", "grey.png", "bad.png", "--degradation", "gaussian_noise", "--severity", "2")
    assert (tmp_path / "bad.png").read_bytes() != (tmp_path / "grey.png").read_bytes()


def test_score_report_and_leaderboard_read_a_run(folder: Path) -> None:
    medq_deg(folder, "score", "run")
    assert json.loads((folder / "run" / "metrics.json").read_text())["rows"] == 15
    medq_deg(folder, "report", "run", "--out", "report.html", "--data", "demo")
    assert "always the first option" in (folder / "report.html").read_text()
    assert "always the first option" in medq_deg(folder, "leaderboard", "run")


def test_commands_whose_extras_are_not_there_have_their_help(tmp_path: Path) -> None:
    for command in ("build", "submit", "review", "doctor"):
        assert "Usage" in medq_deg(tmp_path, command, "--help")


def test_what_needs_an_extra_names_it(tmp_path: Path) -> None:
    command: list[str | Path] = [BIN / "medq-deg", "evaluate", "--model", "org/model", "--data", "demo", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install 'medq-deg[models]'" in done.stderr) == (2, True), done.stderr


def test_every_module_imports_or_names_a_package_of_an_extra(tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, medq_deg\n"
        "for module in pkgutil.walk_packages(medq_deg.__path__, 'medq_deg.', onerror=lambda name: None):\n"
        "    if module.name.rpartition('.')[2] in ('__main__', '_registry'): continue\n"
        "    try: importlib.import_module(module.name)\n"
        "    except ModuleNotFoundError as error: print(error.name.partition('.')[0])"
    )
    lacking = set(python(code, tmp_path).split())
    assert lacking <= {"torch", "transformers", "fastapi", "monai", "torchio", "inspect_ai", "pydicom", "nibabel"}
