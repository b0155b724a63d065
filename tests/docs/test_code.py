"""Every code block of the README and of docs/ is run, or says what it needs.

A line ``# needs ...`` ends what is run of a block; behind a command it is about that command alone. What a plugin's or
another program's page shows is run where `ELSEWHERE` says.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tomllib

from medq_deg import cli
from medq_deg.demo import FOLDER
from tests.data.sources.samples import write_tsv
from tests.data.sources.test_gmai import row as gmai_row
from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.medical import files

ELSEWHERE = {"architecture.md": "test_recipes.py", "harnesses.md": "test_used.py"}
NEEDS = re.compile(r"#\s*needs (?P<what>\S.+)$")
SERVES = re.compile(r"^review (?!invite|report|export|backup|revoke)")
LANGUAGES = {"bash", "python", "csv", "text", "toml", "yaml", "nginx", "json"}
SUBSET = "60"
"""Rows that are asked of the demonstration set, so that it takes seconds."""


def lines(code: str) -> list[str]:
    """The commands of a block up to a line that says what the rest needs, lines that go on joined."""
    found = []
    for line in code.replace("\\\n", " ").splitlines():
        if line.strip().startswith("# needs "):
            break
        if line.strip() and not line.strip().startswith("#"):
            found.append(line.strip())
    return found


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages take for granted: images, scans, a source, a build, a model, two runs."""
    folder = tmp_path_factory.mktemp("play")
    images = FOLDER / "images"
    for name, image in (
        ("scan.png", "ct_abdomen"),
        ("scans/a.png", "ct_abdomen"),
        ("scans/b.png", "ct_abdomen"),
        ("mine/chest1.png", "xray_chest_pa"),
        ("mine/scan/head7.png", "ct_abdomen"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / f"{image}.png", folder / name)
    table = next(block.code for block in blocks(ROOT / "README.md") if block.kind == "csv")
    (folder / "mine" / "questions.csv").write_text(table)
    hu = np.linspace(-1000, 1000, 64 * 64).reshape(64, 64).astype(np.int16)
    (folder / "dicom").mkdir()
    for name in ("scan.dcm", "dicom/a.dcm"):
        files.ct(folder / name, hu)
    volume = np.random.default_rng(0).integers(0, 900, (64, 64, 60)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / "volume.nii.gz")
    write_tsv(folder / "GMAI_mm_bench_VAL.tsv", [gmai_row(1), gmai_row(2)])
    (folder / "my-model").symlink_to(FOLDER / "tiny-llava")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        call("build --folder mine/ --out medq-deg-data/", patch)
        for seed, name in enumerate(("my-model", "other-model")):
            call(f"evaluate --model ./my-model --data medq-deg-data/ --out runs/{name} --seed {seed}", patch)
    return folder


def call(words: str, patch: pytest.MonkeyPatch) -> None:
    """Run one command of ours in this process; it must succeed."""
    given = shlex.split(words, comments=True)
    if given[0] == "evaluate" and "demo" in given and "--subset" not in given:
        given += ["--subset", SUBSET]
    patch.setattr("sys.argv", ["medq-deg", *given])
    with pytest.raises(SystemExit) as end:
        sys.exit(cli.main())
    assert end.value.code in (0, None), words


def serve(words: str) -> None:
    """Start a command that serves until Ctrl-C, wait for its address, and stop it."""
    given = shlex.split(words, comments=True)
    command = [sys.executable, "-m", "medq_deg", *given, "--port", "0"]
    command += [] if "--no-browser" in given else ["--no-browser"]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with Path("served.log").open("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": paths})
        try:
            for _ in range(600):
                told = Path("served.log").read_text()
                if "http" in told or process.poll() is not None:
                    break
                time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    assert "http" in told, told


def run_shell(code: str, patch: pytest.MonkeyPatch) -> None:
    for line in lines(code):
        if NEEDS.search(line):
            continue
        program, _, rest = line.partition(" ")
        if program == "medq-deg":
            (serve(rest) if SERVES.match(rest) else call(rest, patch))
        elif program == "make":
            assert re.search(rf"^{shlex.split(rest, comments=True)[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        elif program == "pip":
            install(shlex.split(rest, comments=True)[1], patch)
        elif program == "export":
            patch.setenv(*shlex.split(rest, comments=True)[0].split("=", 1))
        else:
            pytest.fail(f"{line!r}: say what it needs")


def install(what: str, patch: pytest.MonkeyPatch) -> None:
    """Install the package that lies here; of ours, see that the extras are there."""
    if what == ".":
        site = Path.cwd() / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, "--target", str(site), "."], check=True)
        patch.syspath_prepend(str(site))
        return
    found = re.fullmatch(r"(?:medq-deg|\.)\[([a-z,]+)\]", what)
    assert found, what
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(found[1].split(",")) <= set(extras)


def run_page(page: Path, patch: pytest.MonkeyPatch) -> None:
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks(page):
        if re.match(r"# [\w.]+\n", block.code):  # a file, by the name in its first line
            Path(block.code.splitlines()[0].removeprefix("# ")).write_text(block.code)
        elif block.kind == "bash":
            run_shell(block.code, patch)
        elif block.kind == "python" and not block.code.startswith("# needs "):
            exec(compile("\n" * block.line + block.code, str(block.page), "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, play: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medq_deg.degradations import registry

    before = set(registry.DEGRADATIONS)
    monkeypatch.chdir(play)
    try:
        run_page(page, monkeypatch)
    finally:
        for name in set(registry.DEGRADATIONS) - before:
            registry.unregister(name)


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page)], ids=str)
def test_a_block_names_its_language_and_what_else_it_needs(block: Block) -> None:
    assert block.kind in LANGUAGES
    if block.kind == "text":
        assert not re.search(r"^(medq-deg|pip|python) ", block.code, re.MULTILINE)
    if block.kind == "bash":
        for line in lines(block.code):
            assert line.startswith(("medq-deg ", "make ", "pip ", "export ")) or NEEDS.search(line), line


def test_no_block_escapes() -> None:
    for page in PAGES:
        fences = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("```")]
        assert len(fences) == 2 * len(list(blocks(page))), page
