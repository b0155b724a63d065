"""What is refused of result files, and what an imported run is good for. The files here are VLMEvalKit's."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from medq_deg.cli import app
from medq_deg.errors import MedqDegError
from medq_deg.harness.asked import choose
from medq_deg.harness.imported import import_results
from medq_deg.hub.submit import prepare
from medq_deg.results.compare import compare_runs
from medq_deg.results.score import score_run
from tests.harness.direct import SUBSET, VOTES, texts_of

Rows = list[dict[str, Any]]
FILE = "speaker_MedQDEGBench_simulate_test.tsv"


def results(direct: Path, severities: tuple[int, ...] = (1, 2)) -> Rows:
    """Return the records of a result file for some severities of the direct run."""
    said = texts_of(direct)
    return [
        {
            "question": row["question"],
            "answer": row["answer"],
            "medq_id": row["id"],
            "vote": vote,
            "votes": VOTES,
            "prediction": said[row["id"]][vote],
        }
        for row in choose("demo", subset=SUBSET, severities=severities).columns
        for vote in range(VOTES)
    ]


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path


def take(files: list[Path], out: Path, **options: Any) -> Any:
    given = {"data": "demo", "model": "speaker", "subset": SUBSET, **options}
    return import_results(files, "vlmevalkit", out, **given)


def first(rows: Rows, **changed: Any) -> Rows:
    return [{**rows[0], **changed}, *rows[1:]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: first(rows, medq_id="elsewhere/none/L0"), "line 2: row 'elsewhere/none/L0' is not in the data"),
        (lambda rows: first(rows, medq_id=""), "line 2: names no row; export the data with"),
        (lambda rows: [{k: v for k, v in row.items() if k != "medq_id"} for row in rows], "has no column 'medq_id'"),
        (lambda rows: [{k: v for k, v in row.items() if k != "prediction"} for row in rows], "'prediction'"),
        (lambda rows: first(rows, answer="Z"), "line 2: the right letter of row .* is 'Z'"),
        (lambda rows: first(rows, question="Another?"), "line 2: the question of row .* is 'Another"),
        (lambda rows: [*rows, rows[0]], "vote 1 of row .* is there already, in .*line 2"),
        (lambda rows: rows[1:], f"row .* has {VOTES - 1} of {VOTES} votes; run the harness again"),
        (lambda rows: rows[VOTES:], r"row .* is missing, 1 of \d+ rows in all; run the harness again"),
        (lambda rows: rows[:-VOTES], r"row .* is missing, 1 of \d+ rows in all"),
        (lambda rows: [{**row, "vote": 0, "votes": 1} for row in rows if row["vote"] == 0], "has 1 vote, and confid"),
        (lambda rows: first(rows, votes=VOTES + 1), f"asked for {VOTES} votes, rows before it for {VOTES + 1}"),
        (lambda rows: first(rows, vote="two"), "line 2: vote must be a whole number, got 'two'"),
        (lambda rows: [{**row, "model": "ab"[n > 30]} for n, row in enumerate(rows)], "of the model 'b', .* of 'a'"),
        (lambda rows: [{k: v for k, v in row.items() if k not in ("vote", "votes")} for row in rows] + rows[:0], None),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_row_and_remedy_and_nothing_is_written(
    direct: Path, tmp_path: Path, change: Callable[[Rows], Rows], told: str | None
) -> None:
    path = write(tmp_path / FILE, change(results(direct)))
    if told is None:  # votes are in order without their numbers
        take([path], tmp_path / "run")
        return
    with pytest.raises(MedqDegError, match=told):
        take([path], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_doubled_votes_are_found_without_their_numbers_too(direct: Path, tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k not in ("vote", "votes")} for row in results(direct)]
    path = write(tmp_path / FILE, [*rows, rows[0]])
    with pytest.raises(MedqDegError, match=f"row .* has {VOTES} of {VOTES + 1} votes"):
        take([path], tmp_path / "run")


def test_files_of_two_models_are_refused(direct: Path, tmp_path: Path) -> None:
    one = write(tmp_path / FILE, results(direct))
    other = write(tmp_path / "other_MedQDEGBench_good_test.tsv", results(direct, (0,)))
    with pytest.raises(MedqDegError, match=r"other_\S+: is of the model 'other', .* of 'speaker'"):
        take([one, other], tmp_path / "run")


def test_pickles_are_refused_by_name_and_never_read(tmp_path: Path) -> None:
    for ending in ("pkl", "PICKLE"):
        path = tmp_path / f"speaker_MedQDEGBench_good_test.{ending}"
        path.write_bytes(pickle.dumps([]))
        with pytest.raises(MedqDegError, match=rf"{path.name}: is a pickle, .* PRED_FORMAT"):
            take([path], tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("r.json", "[1]", "record 1: is no record"),
        ("r.json", "{}", "a list of records is wanted"),
        ("r.jsonl", "\n{", "line 2: is not valid JSON"),
        ("r.tsv", "medq_id\tprediction\nonly\n", "line 2: has not as many cells"),
        ("r.parquet", "", "cannot be read; allowed: .xlsx, .tsv, .csv, .json, .jsonl"),
        ("r.json", "[]", "hold no answers"),
    ],
)
def test_a_broken_file_is_named(name: str, content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(MedqDegError, match=told):
        take([path], tmp_path / "run")


def test_a_broken_excel_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    path = tmp_path / "r.xlsx"
    path.write_bytes(b"no zip")
    with pytest.raises(MedqDegError, match="is no Excel file"):
        take([path], tmp_path / "run")


def test_files_that_are_missing_or_given_twice_and_a_folder_that_is_taken_are_named(
    direct: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / FILE, results(direct))
    with pytest.raises(MedqDegError, match="there is no such file"):
        take([tmp_path / "no.tsv"], tmp_path / "run")
    with pytest.raises(MedqDegError, match="is given twice"):
        take([path, path], tmp_path / "run")
    with pytest.raises(MedqDegError, match="--model is needed"):
        take([path], tmp_path / "run", model=None)
    with pytest.raises(MedqDegError, match="unknown harness 'helm'"):
        import_results([path], "helm", tmp_path / "run", data="demo")
    with pytest.raises(MedqDegError, match="holds a run already"):
        take([path], direct)


def test_rows_of_a_whole_export_are_not_taken_for_a_subset(direct: Path, tmp_path: Path) -> None:
    path = write(tmp_path / FILE, results(direct))
    with pytest.raises(MedqDegError, match="give --subset if the export had it"):
        take([path], tmp_path / "run", subset=None)
    with pytest.raises(MedqDegError, match=r"is not among the .* rows that are asked for; give --subset"):
        take([path], tmp_path / "run", subset=55)


def test_failed_requests_leave_their_rows_open_and_partial_accepts_what_is_missing(
    direct: Path, tmp_path: Path
) -> None:
    rows = results(direct)
    failed = first(rows, prediction="Failed to obtain answer via API.")
    made = take([write(tmp_path / FILE, failed)], tmp_path / "run")
    assert made.answered == made.rows - 1
    with pytest.raises(MedqDegError, match="have no answer"):
        score_run(tmp_path / "run")
    assert score_run(tmp_path / "run", coverage=0.5)["coverage"] < 1
    path = write(tmp_path / "speaker_2_MedQDEGBench_simulate_test.tsv", rows[VOTES + 1 :])
    made = take([path], tmp_path / "partial", partial=True)
    assert made.answered == made.rows - 2


def test_identical_votes_everywhere_are_warned_about(direct: Path, tmp_path: Path) -> None:
    path = write(tmp_path / FILE, [{**row, "prediction": "A"} for row in results(direct)])
    with pytest.warns(UserWarning, match="every row has the same answer in all its votes"):
        take([path], tmp_path / "run")
    assert score_run(tmp_path / "run")["sampling"]["identical"] is True


def test_texts_are_read_by_our_parser_and_the_run_says_where_it_comes_from(direct: Path, tmp_path: Path) -> None:
    rows = first(results(direct), prediction="I cannot see a lesion.")
    path = write(tmp_path / FILE, rows)
    take([path], tmp_path / "run")
    record = json.loads((tmp_path / "run" / "answers.jsonl").read_text().splitlines()[0])
    assert record["votes"][0] is None
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["imported"] == {"name": "VLMEvalKit", "files": {FILE: hashlib.sha256(path.read_bytes()).hexdigest()}}
    assert run["settings"]["parser"] == "strict"


def test_an_imported_run_compares_with_a_direct_one_and_submit_says_what_it_lacks(direct: Path, tmp_path: Path) -> None:
    files = [
        write(tmp_path / FILE, results(direct)),
        write(tmp_path / "speaker_MedQDEGBench_good_test.tsv", results(direct, (0,))),
    ]
    take(files, tmp_path / "run")
    assert compare_runs(direct, tmp_path / "run")["overall"]["accuracy"]["difference"] == 0
    with pytest.raises(MedqDegError, match="the demo set, which is not the benchmark; a control run: a subset of"):
        prepare(tmp_path / "run", "org/model", "org/medq-deg", dry_run=True)


def test_the_commands_export_and_import(direct: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    done = run(app, ["data", "export", "demo", "--format", "vlmevalkit", "--out", str(tmp_path / "o"), "--votes", "2",
                     "--subset", "60", "--severity", "0"])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["MedQ-Robust-good-test.tsv"]
    path = write(tmp_path / FILE, results(direct))
    done = run(app, ["import-results", str(path), "--from", "vlmevalkit", "--data", "demo", "--model", "speaker",
                     "--out", str(tmp_path / "run"), "--subset", str(SUBSET)])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert f"{VOTES} votes each" in done.output.replace("\n", " ")
    done = run(app, ["data", "export", "demo", "--format", "helm", "--out", str(tmp_path / "o")])
    assert done.exit_code == 2
    assert "'vlmevalkit', 'lmms-eval', 'lm-eval'" in done.output.replace("\n", " ")
