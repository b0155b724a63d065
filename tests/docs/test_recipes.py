"""The recipes of docs/architecture.md, followed on a copy of the package and in a package of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

RECIPES = {block.title: block.code for block in blocks(ROOT / "docs" / "architecture.md") if block.title}


def run(site: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder that goes before what is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "HF_HUB_OFFLINE": "1"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
        cwd=cwd or site,
    )


def passed(site: Path, *tests: str, cwd: Path | None = None) -> None:
    result = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, *tests, cwd=cwd)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package to which every recipe was applied: one file each, and one test."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "medq_deg", folder / "medq_deg", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dataset_card.md", folder)
    for title, code in RECIPES.items():
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        if title == "medq_deg/metrics/figures.py":
            entry = "    " + code.strip().replace("\n", "\n    ") + ",\n"
            path.write_text(
                path.read_text().replace(
                    '    Figure(\n        "parse_rate"', entry + '    Figure(\n        "parse_rate"'
                )
            )
        elif title == "medq_deg/cli/results.py":
            path.write_text(path.read_text() + "\n\n" + code)
        else:
            assert not path.exists(), f"{title} is there already"
            path.write_text(code)
    return folder


def test_every_recipe_takes_one_file_and_one_test() -> None:
    ours = [title for title in RECIPES if title.startswith("medq_deg/")]
    assert len(ours) == 4
    assert [title for title in RECIPES if title not in ours and not title.startswith("tests/")] == ["pyproject.toml"]


@pytest.mark.slow
def test_the_recipes_tests_pass_on_the_copy(copy: Path) -> None:
    tests = sorted(title for title in RECIPES if title.startswith("tests/"))
    assert len(tests) == 3
    passed(copy, *tests)
    where = run(copy, "-c", "import medq_deg; print(medq_deg.__file__)")
    assert where.stdout.startswith(str(copy))


def test_what_was_added_is_in_the_lists_and_in_the_commands(copy: Path) -> None:
    listed = run(copy, "-m", "medq_deg", "list")
    assert "19 degradations" in listed.stdout
    assert "smoke" in listed.stdout
    shown = run(copy, "-m", "medq_deg", "count", "--help")
    assert "how many rows a run has answered" in " ".join(shown.stdout.split())
    missing = run(copy, "-m", "medq_deg", "count", "nowhere")
    assert missing.returncode == 2
    assert len(missing.stderr.strip().splitlines()) == 1, missing.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "before", "after", "told"),
    [
        (
            "smoke",
            'reference="alpha compositing, Porter and Duff 1984",',
            "",
            "missing 1 required keyword-only argument: 'reference'",
        ),
        ("smoke", 'clinician="', 'klinician="', "unexpected keyword argument 'klinician'"),
        ("smoke", 'category="intensity"', 'category="fog"', "smoke: category must be one of"),
        ("smoke", "def smoke", "def bubble", "bubble: is declared twice in medq_deg/degradations/types"),
        ("quiz", 'Source("quiz"', 'Source("gmai"', "two sources are called 'gmai'"),
        ("quiz", 'source="quiz"', 'source="gmai"', "the source 'quiz' yields a record of 'gmai'"),
    ],
)
def test_an_incomplete_file_is_refused_by_name(
    title: str, before: str, after: str, told: str, copy: Path, tmp_path: Path
) -> None:
    path = next(copy / name for name in RECIPES if name.endswith(f"/{title}.py") and name.startswith("medq_deg"))
    right = path.read_text()
    assert before in right
    asked = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "tests/data/sources/test_quiz.py"]
    loaded = [
        "-c",
        "import medq_deg.degradations; from medq_deg.data.sources.registry import source_names; source_names()",
    ]
    try:
        path.write_text(right.replace(before, after))
        result = run(copy, *(asked if before == 'source="quiz"' else loaded))
    finally:
        path.write_text(right)
    assert result.returncode != 0
    assert told in result.stdout + result.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The degradation and the source of the recipes, installed as a package of somebody's own."""
    project = tmp_path_factory.mktemp("project")
    (project / "pyproject.toml").write_text(RECIPES["pyproject.toml"])
    for title in ("medq_deg/degradations/types/smoke.py", "medq_deg/data/sources/quiz.py"):
        (project / Path(title).name).write_text(RECIPES[title])
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(project)], check=True)
    for title in ("tests/degradations/test_smoke.py", "tests/data/sources/test_quiz.py"):
        (folder / Path(title).name).write_text(RECIPES[title])
    return folder


@pytest.mark.slow
def test_a_plugin_s_degradation_and_source_pass_the_same_tests(site: Path) -> None:
    passed(site, "test_smoke.py", "test_quiz.py")
    assert "19 degradations" in run(site, "-m", "medq_deg", "list").stdout


def test_sources_that_are_known_are_named_with_those_of_plugins(site: Path) -> None:
    code = "from medq_deg.data.sources.registry import source, source_names; print(source_names()); source('quizz')"
    result = run(site, "-c", code)
    assert result.stdout.strip() == "('gmai', 'omnimedvqa', 'medxpertqa', 'folder', 'quiz')"
    assert result.stderr.splitlines()[-1].endswith(
        "unknown source 'quizz'; did you mean 'quiz'? Allowed: gmai, omnimedvqa, medxpertqa, folder, quiz."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("folder", "def read(path, report): yield", "the source 'folder' of other has a name that is taken"),
        ("release", "def read(path, report): yield", "the source 'release' of other has a name that is taken"),
        ("odd", "read = 3", "must be a Source, a module with a SOURCE, or a function, got 3"),
        ("odd", "import nothing_like_it", "the source 'odd' of other cannot be loaded: No module named"),
        ("odd", "def read(path, report): yield 3", "the source 'odd' must yield SourceRecord, got int"),
        (
            "odd",
            "from medq_deg.data.sources import Source\nread = Source('even', lambda path, report: [])",
            "the source 'odd' of other calls itself 'even'",
        ),
    ],
)
def test_a_plugin_that_is_wrong_is_named_and_harms_no_other_build(
    name: str, code: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "other.py").write_text(code + "\n")
    metadata = tmp_path / "other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[medq_deg.sources]\n{name} = other:read\n")
    call = (
        "import sys; from pathlib import Path; from medq_deg.data.build import build; "
        "build({sys.argv[1]: Path('.')}, Path('out'))"
    )
    result = run(tmp_path, "-c", call, name)
    assert told in result.stderr.splitlines()[-1]
    if name == "odd":
        other = run(tmp_path, "-c", call, "folder")
        assert "must have one CSV, TSV or JSONL file" in other.stderr.splitlines()[-1]
