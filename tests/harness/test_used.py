"""What an imported run is good for, and the command lines of docs/harnesses.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from medq_deg.cli import app
from medq_deg.data.build import build
from medq_deg.harness.asked import choose
from medq_deg.harness.imported import import_results
from medq_deg.hub.submit import prepare, prepare_results
from medq_deg.results.leaderboard import leaderboard
from tests.data.sources.samples import IMAGES, encoded, write_tsv
from tests.harness.direct import SUBSET, VOTES, texts_of
from tests.harness.test_imported import FILE, results, take, write

DOCS = Path(__file__).parents[2] / "docs" / "harnesses.md"
CLEAN = "speaker_MedQDEGBench_good_test.tsv"


@pytest.fixture
def imported(direct: Path, tmp_path: Path) -> Path:
    files = [write(tmp_path / FILE, results(direct)), write(tmp_path / CLEAN, results(direct, (0,)))]
    take(files, tmp_path / "imported")
    return tmp_path / "imported"


def test_an_imported_run_stands_on_the_leaderboard_as_the_direct_one_does(direct: Path, imported: Path) -> None:
    mine = {Path(entry.run).name: entry for entry in leaderboard([direct, imported], n_resamples=50) if entry.run}
    one, other = mine[direct.name], mine["imported"]
    for name in ("accuracy_l0", "accuracy_l2", "change", "shift_l0", "shift_l2", "votes", "coverage", "intervals"):
        assert getattr(one, name) == getattr(other, name), name
    assert "Sampling is not known to be the model's own distribution" in other.notes


@pytest.mark.slow
def test_a_report_shows_an_imported_run_and_where_it_comes_from(imported: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(imported), "--out", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "r.html").read_text()
    assert "speaker" in page
    assert "Sampling is not known to be the model" in page


def _benchmark(folder: Path, questions: int = 12) -> Path:
    """Build data that is the benchmark's by its source."""
    rows = [
        {"index": n, "image": encoded(IMAGES[n % len(IMAGES)]), "question": f"Which is it ({n})?", "modality": "CT",
         "A": "CT", "B": "MRI", "answer": "AB"[n % 2], "category": "Modality"}
        for n in range(questions)
    ]  # fmt: skip
    build({"gmai": write_tsv(folder / "gmai.tsv", rows)}, folder / "data")
    return folder / "data"


@pytest.mark.slow
def test_submit_accepts_an_imported_run_on_the_benchmark_and_says_what_is_not_known(tmp_path: Path) -> None:
    data = str(_benchmark(tmp_path))
    said = [
        {"medq_id": row["id"], "question": row["question"], "answer": row["answer"], "vote": vote, "votes": 10,
         "prediction": "AB"[(vote + len(row["id"])) % 2]}
        for row in choose(data).columns
        for vote in range(10)
    ]  # fmt: skip
    import_results([write(tmp_path / FILE, said)], "vlmevalkit", tmp_path / "run", data=data, model="org/model")
    figures = prepare(tmp_path / "run", "org/model", "org/medq-deg", dry_run=True)
    assert "calibration_shift" in figures.text
    assert "Sampling is not known to be the model''s own distribution" in figures.text
    answers = prepare_results(tmp_path / "run", "org/results", dry_run=True)
    held = {Path(path).name: json.loads(text) for path, text in answers.files.items() if path.endswith("run.json")}
    assert held["run.json"]["imported"]["name"] == "VLMEvalKit"


def _commands() -> list[str]:
    """Return the command lines in the code blocks of the page, lines that go on joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    return [
        line.strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]


OURS = [line for line in _commands() if line.startswith("medq-deg ")]


def test_the_page_has_an_export_or_an_import_for_every_harness() -> None:
    for harness in ("inspect", "vlmevalkit", "lmms-eval", "lm-eval"):
        assert any(f"--from {harness} " in line for line in OURS), harness
    for form in ("vlmevalkit", "lmms-eval", "lm-eval"):
        assert any(f"--format {form} " in line for line in OURS), form


def _files(harness: str, direct: Path, folder: Path) -> list[str]:
    """Write what a harness would have left of the direct run."""
    if harness == "vlmevalkit":
        return [str(write(folder / FILE, results(direct))), str(write(folder / CLEAN, results(direct, (0,))))]
    said, written = texts_of(direct), []
    for severity in (0, 1, 2):
        name = (
            f"samples_medq_deg_l{severity}_1.jsonl" if harness == "lm-eval" else f"1_samples_medq_deg_l{severity}.jsonl"
        )
        rows = choose("demo", subset=SUBSET, severities=[severity]).columns
        told = [
            {"resps": [said[row["id"]]],
             "accuracy": {**{key: row[key] for key in ("id", "question", "answer")}, "asked": VOTES, "score": 0.0}}
            for row in rows
        ]  # fmt: skip
        (folder / name).write_text("".join(json.dumps(each) + "\n" for each in told))
        written.append(str(folder / name))
    return written


@pytest.mark.parametrize("line", OURS)
def test_every_command_of_ours_on_the_page_runs_as_it_is_written(
    line: str, direct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(line)[1:]
    if "--from" in words and words[words.index("--from") + 1] == "inspect":
        pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make test-harnesses")
        pytest.skip("its logs are made, and imported by this command, in tests/inspect/test_import.py")
    monkeypatch.chdir(tmp_path)
    words = ["demo" if word == "DIR" else word for word in words]
    given: dict[str, Any] = {"--votes": "2"}
    if words[0] == "import-results":
        first = words.index("--from")
        words = [words[0], *_files(words[first + 1], direct, tmp_path), *words[first:], "--subset", str(SUBSET)]
    elif words[0] == "score":
        (tmp_path / "runs").mkdir()
        (tmp_path / words[1]).symlink_to(direct)
    elif words[:2] == ["data", "export"]:
        words = [given.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        words += ["--subset", str(SUBSET)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


def test_every_option_of_the_task_on_the_page_is_one_and_every_one_is_told() -> None:
    pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make test-harnesses")
    import inspect

    from medq_deg.inspect.task import medq_deg

    known = set(inspect.signature(medq_deg).parameters)
    used = {found for line in _commands() for found in re.findall(r"-T (\w+)=", line)}
    told = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE))
    assert used <= known == told
