"""Submitting runs to a Hub double on loopback, in processes of their own: the Hub's address is fixed at import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.hub.entries import PATH, TASKS, eval_yaml, make_entries, merge
from medq_deg.hub.submit import LEADERBOARD, prepare, prepare_results, provenance, safe_name, send
from medq_deg.metrics import summarize
from medq_deg.results.score import score_run
from tests.hub.double import HubDouble
from tests.hub.runs import benchmark_rows, make_run

TOKEN = "hf_" + "secret" * 6
STRANGE = 'org/"my" model\'s 🩻 <b>é</b>'
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    double = HubDouble()
    double.add_model("me/model")
    double.repositories["me/results"] = {}
    yield double
    double.close()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    errors: str

    @property
    def complaint(self) -> str:
        """The one line of an error."""
        lines = self.errors.splitlines()
        assert self.code == 2, self
        assert [line for line in lines if line.startswith("medq-deg:")] == lines[-1:], self.errors
        assert "Traceback" not in self.errors
        return lines[-1]


def submit(run: Path, address: str, *options: str, typed: str = "", **environment: str) -> Said:
    home = run.parent / "home"
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_ENDPOINT": address,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
    }
    variables.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-m", "medq_deg", "submit", str(run), *options],
        env={**variables, **environment},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=run.parent,
    )
    assert TOKEN not in done.stdout + done.stderr
    written = [path for folder in (run, home) if folder.exists() for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]
    return Said(done.returncode, done.stdout, done.stderr)


MODEL = ("--repo", "me/model", "--dataset", "org/medq-deg")
RESULTS = ("--results-repo", "me/results")


@pytest.mark.slow
def test_the_diff_is_shown_and_a_pull_request_opened(run: Path, hub: HubDouble) -> None:
    said = submit(run, hub.address, *MODEL, "--yes")
    assert said.code == 0, said.errors
    assert "+    task_id: robustness_drop" in said.out
    assert said.out.splitlines()[-1] == f"{hub.address}/me/model/discussions/1"
    (request,) = hub.pull_requests
    assert list(request.files) == [PATH]
    assert request.parent == hub.head("me/model")
    entries = parse_eval_result_entries(yaml.safe_load(request.files[PATH]))
    figures = json.loads((run / "metrics.json").read_text())["by_severity"]
    value = {entry.task_id: entry.value for entry in entries}
    assert list(value) == [task.id for task in TASKS]
    assert value["accuracy_l1"] == round(100 * figures["L1"]["accuracy"], 2)
    assert value["robustness_drop"] == round(100 * (figures["L0"]["accuracy"] - figures["L2"]["accuracy"]), 2)
    assert value["calibration_shift"] == round(100 * figures["L2"]["calibration_shift"], 2)
    assert {entry.dataset_id for entry in entries} == {"org/medq-deg"}
    assert not hub.repositories["me/model"]  # a pull request changes nothing by itself
    assert f"Bearer {TOKEN}" in hub.authorizations


@pytest.mark.slow
def test_nothing_is_sent_without_a_yes(run: Path, hub: HubDouble) -> None:
    for typed, code in (("n\n", 1), ("\n", 1), ("", 130)):  # the last is no answer at all, as Ctrl-D is
        said = submit(run, hub.address, *MODEL, typed=typed)
        assert (said.code, "task_id: accuracy_l0" in said.out, hub.commits) == (code, True, 0)
    said = submit(run, hub.address, *MODEL, typed="y\n")
    assert (said.code, hub.commits) == (0, 1)


@pytest.mark.slow
def test_a_dry_run_asks_the_hub_nothing(run: Path, hub: HubDouble) -> None:
    for options in (MODEL, RESULTS):
        said = submit(run, "http://127.0.0.1:9", *options, "--dry-run", "--yes", HF_HUB_OFFLINE="1")
        assert (said.code, "accuracy_l0" in said.out) == (0, True), said.errors
    submit(run, hub.address, *MODEL, "--dry-run")
    assert (hub.authorizations, hub.commits) == (set(), 0)


@pytest.mark.slow
def test_results_of_others_stay_as_they_are_written(run: Path, hub: HubDouble) -> None:
    others = (
        "- dataset: {id: cais/hle, task_id: hle, revision: abc}\n  value: 20.9\n  evaluation_framework: ours\n"
        "- dataset: {id: org/medq-deg, task_id: older_task}\n  value: 1\n"
        "- dataset: {id: org/medq-deg, task_id: accuracy_l0}\n  value: 99.0\n"
    )
    hub.add_model("me/model", {PATH: others.encode()})
    said = submit(run, hub.address, *MODEL, "--yes")
    assert said.code == 0, said.errors
    before, after = yaml.safe_load(others), yaml.safe_load(hub.pull_requests[0].files[PATH])
    assert after[:2] == before[:2]
    assert [item["dataset"]["task_id"] for item in after[2:]] == [task.id for task in TASKS]
    assert "-  value: 99.0" in said.out
    # What the Hub holds already is not sent again.
    hub.add_model("me/model", {PATH: hub.pull_requests[0].files[PATH]})
    said = submit(run, hub.address, *MODEL, "--yes")
    assert (said.code, "already" in said.out, hub.commits) == (0, True, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "advice", "options"),
    [
        (401, "log in with", MODEL),
        (403, "check the token's right", MODEL),
        (403, "check the token's right", RESULTS),
        (409, "the repository changed meanwhile", RESULTS),
        (412, "the repository changed meanwhile", MODEL),
        (500, "the Hub has a fault", MODEL),
    ],
)
def test_a_refusal_is_one_line_and_nothing_is_there(
    run: Path, hub: HubDouble, status: int, advice: str, options: tuple[str, ...]
) -> None:
    hub.status = status
    said = submit(run, hub.address, *options, "--yes")
    assert f"the Hub refused ({status})" in said.complaint
    assert advice in said.complaint
    assert not hub.pull_requests
    assert not hub.repositories["me/model"]
    assert not hub.repositories["me/results"]


@pytest.mark.slow
def test_a_missing_repository_no_network_and_offline_mode_are_one_line(run: Path, hub: HubDouble) -> None:
    said = submit(run, hub.address, "--repo", "me/nobody", "--dataset", "org/medq-deg", "--yes")
    assert "me/nobody: there is no such repository" in said.complaint
    assert "cannot be reached" in submit(run, "http://127.0.0.1:9", *MODEL, "--yes").complaint
    said = submit(run, hub.address, *MODEL, "--yes", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE forbids it" in said.complaint
    assert "no token" in submit(run, hub.address, *MODEL, "--yes", HF_TOKEN="").complaint
    assert hub.commits == 0


@pytest.mark.slow
def test_a_file_on_the_hub_that_is_no_text_is_one_line(run: Path, hub: HubDouble) -> None:
    hub.add_model("me/model", {PATH: bytes(range(256))})
    assert "is no text; repair it there first" in submit(run, hub.address, *MODEL, "--yes").complaint
    assert hub.commits == 0


@pytest.mark.slow
def test_a_change_between_the_diff_and_the_yes_is_noticed(run: Path, hub: HubDouble) -> None:
    def somebody_else() -> None:
        if hub.reads == 2:
            hub.repositories["me/model"][PATH] = b"- dataset: {id: cais/hle, task_id: hle}\n  value: 1\n"

    hub.on_read = somebody_else
    assert "changed meanwhile" in submit(run, hub.address, *MODEL, "--yes").complaint
    assert hub.commits == 0


@pytest.mark.slow
def test_a_results_dataset_gets_a_folder_that_can_be_scored_again(run: Path, hub: HubDouble) -> None:
    said = submit(run, hub.address, *RESULTS, "--yes")
    assert said.code == 0, said.errors
    (request,) = hub.pull_requests
    folders = {name.rsplit("/", 1)[0] for name in request.files}
    assert len(folders) == 1
    folder = folders.pop()
    assert folder.startswith("results/org-guesser-")
    held = {name.rsplit("/", 1)[1]: content for name, content in request.files.items()}
    assert set(held) == {LEADERBOARD, "run.json", "metrics.json", "rows.jsonl", "answers.jsonl"}
    rows = [json.loads(line) for line in held["rows.jsonl"].splitlines()]
    answers = [json.loads(line) for line in held["answers.jsonl"].splitlines()]
    assert not {"question", "options", "image"} & set(rows[0])
    again = summarize([{**row, **answer} for row, answer in zip(rows, answers, strict=True)], confidence_level=None)
    assert again["accuracy"] == json.loads(held["metrics.json"])["accuracy"]
    entry = json.loads(held[LEADERBOARD])
    for severity in ("L0", "L1", "L2"):
        cells = [cell for cell in entry["cells"] if cell["severity"] == severity]
        mean = sum(cell["n"] * cell["accuracy"] for cell in cells) / sum(cell["n"] for cell in cells)
        assert entry["values"][f"accuracy_{severity.lower()}"] == pytest.approx(100 * mean, abs=0.006)
    # The same run is not taken twice.
    hub.repositories["me/results"] |= request.files
    assert "holds this run already" in submit(run, hub.address, *RESULTS, "--yes").complaint


@pytest.mark.slow
def test_the_most_talkative_log_holds_no_token(run: Path, hub: HubDouble) -> None:
    hub.status = 403
    for verbose in ({"HF_HUB_VERBOSITY": "debug"}, {"HF_DEBUG": "1"}):
        assert submit(run, hub.address, *MODEL, "--yes", **verbose).code == 2


def refuse(run: Path, match: str) -> None:
    for prepared in (
        lambda: prepare(run, "me/model", "org/medq-deg", dry_run=True),
        lambda: prepare_results(run, "me/results", dry_run=True),
    ):
        with pytest.raises(MedqDegError, match=match):
            prepared()


def edit(run: Path, **settings: object) -> None:
    held = json.loads((run / "run.json").read_text())
    held["settings"] |= settings
    (run / "run.json").write_text(json.dumps(held))


def test_what_is_no_whole_run_on_the_benchmark_is_refused(run: Path, tmp_path: Path) -> None:
    refuse(tmp_path / "nothing", "is not the folder of a run")
    refuse(make_run(tmp_path / "empty", rows=[]), "has no rows")
    refuse(make_run(tmp_path / "l0", rows=benchmark_rows(severities=(0,))[:2]), "no rows at L1, L2")
    refuse(make_run(tmp_path / "no_l0", rows=benchmark_rows(severities=(1, 2))[:6]), "no rows at L0")
    mixed = [row for severity in (0, 1, 2) for row in benchmark_rows(severities=(severity,))[:2]]
    refuse(make_run(tmp_path / "open", rows=mixed, fails=1), "1 of 6 rows have no answer; finish the run")
    refuse(make_run(tmp_path / "demo", rows=list(demo.rows())[:3]), "the demo set, which is not the benchmark")
    refuse(make_run(tmp_path / "named", rows=mixed, data_name="demo"), "the demo set, which is not the benchmark")
    own = [{**row, "source": "folder"} for row in mixed]
    refuse(make_run(tmp_path / "own", rows=own), "data from folder, which is not the benchmark")
    refuse(make_run(tmp_path / "note", rows=mixed, note="untrained demo model"), "untrained demo model")
    refuse(make_run(tmp_path / "parser", rows=mixed, parser="vlmevalkit"), "read by the parser 'vlmevalkit'")
    (run / "rows.jsonl").write_text((run / "rows.jsonl").read_text().replace('"answer":"A"', '"answer":"B"'))
    refuse(run, "rows.jsonl was changed since it began")


def test_votes_that_are_not_what_the_model_said_are_refused(run: Path) -> None:
    path = run / "answers.jsonl"
    said = [json.loads(line) for line in path.read_text().splitlines()]
    said[3]["votes"] = ["A"] * 5
    path.write_text("".join(json.dumps(record) + "\n" for record in said))
    refuse(run, "The votes of 1 of .* rows are not what the parser 'strict' reads in their texts")
    said[3]["votes"] = ["A"] * 4
    path.write_text("".join(json.dumps(record) + "\n" for record in said))
    refuse(run, "has 4 votes, the run has 5 trials")


def test_what_looks_like_a_secret_is_not_sent(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = json.loads((run / "run.json").read_text())["settings"]["model"]
    for secret in (TOKEN, "sk-" + "a" * 30, "http://me:password@host/v1", "http://:pa:ss@host/v1"):
        edit(run, model={**model, "endpoint": secret})
        with pytest.raises(MedqDegError, match="looks like a token or a password; nothing was sent") as caught:
            prepare_results(run, "me/results", dry_run=True)
        assert secret not in str(caught.value)
    monkeypatch.setenv("MY_API_KEY", "no special looks")
    edit(run, model={**model, "endpoint": "http://host/no special looks"})
    with pytest.raises(MedqDegError, match="holds the value of MY_API_KEY"):
        prepare_results(run, "me/results", dry_run=True)


def test_a_strange_name_is_safe_everywhere(tmp_path: Path) -> None:
    mixed = [row for severity in (0, 1, 2) for row in benchmark_rows(severities=(severity,))[:2]]
    run = make_run(tmp_path / "run", STRANGE, rows=mixed)
    entries = parse_eval_result_entries(yaml.safe_load(prepare(run, "me/m", "org/d", dry_run=True).text))
    assert len(entries) == len(TASKS)
    submission = prepare_results(run, "me/results", dry_run=True)
    assert submission.path.startswith("results/org-my-model-s-b-b-")
    assert json.loads(submission.text)["model"] == STRANGE
    assert [safe_name(name) for name in ("../../etc", "🩻", "a" * 200)] == ["etc", "model", "a" * 80]


@pytest.mark.slow
def test_bad_names_of_repositories_and_bad_files_are_one_line(run: Path) -> None:
    for name in ("not a name", "nobody", "a/b/c", ""):
        with pytest.raises(MedqDegError, match="ORG/NAME is wanted"):
            prepare(run, name, "org/medq-deg", dry_run=True)
        with pytest.raises(MedqDegError, match="ORG/NAME is wanted"):
            prepare(run, "me/model", name, dry_run=True)
    entries = make_entries(score_run(run), "org/medq-deg")
    for text in ("{a: 1}", "[1]", "a: [", "text"):
        with pytest.raises(MedqDegError, match="is no list of evaluation results"):
            merge(text, entries)
    with pytest.raises(MedqDegError, match="a dry run cannot be sent"):
        send(prepare(run, "me/model", "org/medq-deg", dry_run=True))


def test_eval_yaml_has_the_tasks_of_the_entries_in_the_form_that_inspect_reads(run: Path) -> None:
    value = yaml.safe_load(yaml.safe_dump(eval_yaml()))
    entries = make_entries(score_run(run), "org/medq-deg")
    assert [task["id"] for task in value["tasks"]] == [entry.task_id for entry in entries]
    for task in value["tasks"]:
        assert set(task) == {
            "id", "config", "split", "field_spec", "epochs", "epoch_reducer", "solvers", "scorers"
        }  # fmt: skip


def test_entries_say_when_of_which_commit_and_from_where_as_far_as_that_is_known(run: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(run, copied)
    held = json.loads((copied / "run.json").read_text())
    held["environment"] |= {"date": "2026-11-20", "data_revision": "a" * 40}
    held["later_environments"] = [{**held["environment"], "date": "2026-11-21"}]
    held["settings"]["data"]["name"] = "org/medq-deg"
    (copied / "run.json").write_text(json.dumps(held))
    text = prepare(copied, "me/model", "org/medq-deg", source="https://example.org/answers", dry_run=True).text
    for entry in parse_eval_result_entries(yaml.safe_load(text)):
        assert (entry.date, entry.dataset_revision) == ("2026-11-21", "a" * 40)
        assert entry.source_url == "https://example.org/answers"
    assert provenance(held, "org/another") == {"date": "2026-11-21"}
    assert provenance({**held, "later_environments": [{"data_revision": "b" * 40}]}, "org/medq-deg") == {
        "date": "2026-11-20"
    }
    assert provenance({**held, "imported": {"date": "2026-10-01"}}, "org/another") == {"date": "2026-10-01"}
    assert provenance({**held, "imported": {}}, "org/another") == {}
    with pytest.raises(MedqDegError, match="the source must be an address"):
        prepare(run, "me/model", "org/medq-deg", source="answers.html", dry_run=True)
