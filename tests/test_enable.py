"""The `.pth` file of `medq-deg enable`, in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import medq_deg
from medq_deg.enable import line


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    return folder


def start(environment: Path, text: str, code: str, directory: Path) -> tuple[str, str]:
    paths = sysconfig.get_paths("venv", {"base": str(environment), "platbase": str(environment)})
    (Path(paths["purelib"]) / "medq-deg-names.pth").write_text(text)
    python = Path(paths["scripts"]) / Path(sys.executable).name
    done = subprocess.run(
        [python, "-c", code],
        cwd=directory,
        env={"PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


LOADED = "import sys; print(getattr(sys.modules.get('medq_deg'), '__file__', None), 'numpy' in sys.modules)"


def test_python_starts_with_the_names_and_nothing_heavy(environment: Path, tmp_path: Path) -> None:
    said, errors = start(environment, line(), LOADED, tmp_path)
    assert (said, errors) == (f"{Path(medq_deg.__file__).resolve()} False", "")


def test_after_the_package_is_gone_python_starts_in_silence_and_runs_nothing_else_of_its_name(
    environment: Path, tmp_path: Path
) -> None:
    (tmp_path / "medq_deg.py").write_text("print('planted')")
    gone = line().replace(str(Path(medq_deg.__file__).resolve()), str(tmp_path / "gone" / "__init__.py"))
    assert gone != line()
    assert start(environment, gone, LOADED, tmp_path) == ("None False", "")


def test_enabling_in_the_presence_of_a_file_of_that_name_loads_the_package(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "medq_deg.py").write_text("print('planted')")
    said, _ = start(environment, line(), "import medq_deg; print(medq_deg.__version__)", tmp_path)
    assert said == medq_deg.__version__
