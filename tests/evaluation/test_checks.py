"""A run checked against itself, and votes that are read again from what the model said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medq_deg import demo, parse_answer
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.reparse import reparse
from medq_deg.evaluation.run import evaluate
from medq_deg.evaluation.store import read_lines
from medq_deg.results.score import score_run
from tests.evaluation.test_run import Echo

ROWS = 9
SAID = "B or maybe C"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    evaluate(Echo("The answer is B."), demo.rows()[:ROWS], tmp_path / "run", data_name="demo")
    return tmp_path / "run"


def change(path: Path, edit: Callable[[dict[str, Any]], Any], place: int = 4) -> None:
    """Edit one record of a JSONL file."""
    records = list(read_lines(path))
    edit(records[place])
    path.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))


def checks(run: Path) -> list[str]:
    found: list[str] = score_run(run, n_resamples=10)["checks"]
    return found


def test_a_run_that_fits_together_has_nothing_to_say(whole: Path) -> None:
    assert checks(whole) == []


def test_votes_that_the_parser_does_not_read_in_the_texts_are_told_with_the_remedy(whole: Path) -> None:
    change(whole / "answers.jsonl", lambda record: record.update(votes=["C"] * 10))
    (told,) = checks(whole)
    assert "The votes of 1 of 9 rows are not what the parser 'strict' reads" in told
    assert f"`medq-deg reparse {whole}`" in told
    assert reparse(whole, whole.with_name("again")) == (1, ROWS)
    assert checks(whole.with_name("again")) == []


def test_another_number_of_votes_than_trials_is_refused_by_the_row(whole: Path) -> None:
    change(whole / "answers.jsonl", lambda record: record["votes"].pop())
    with pytest.raises(MedqDegError, match=r"row 'demo-\S+' has 9 votes, the run has 10 trials"):
        score_run(whole)


@pytest.mark.parametrize("edit", [{"answer": "A"}, {"question": "Which plane?"}])
def test_a_changed_right_letter_or_question_is_told(edit: dict[str, str], whole: Path) -> None:
    def to_another(row: dict[str, Any]) -> None:
        row.update({"answer": "B" if row["answer"] == "A" else "A"} if "answer" in edit else edit)

    change(whole / "rows.jsonl", to_another)
    assert checks(whole) == [
        "The rows are not those that the run was made with: rows.jsonl was changed since it began."
    ]
    # An old run does not say which code made its images.
    path = whole / "run.json"
    run = json.loads(path.read_text())
    del run["environment"]["degradations"]
    path.write_text(json.dumps(run))
    (told,) = checks(whole)
    assert "or it was made by a version of medq-deg with other degradations" in told


def test_a_parser_that_is_not_known_here_cannot_be_checked(whole: Path) -> None:
    path = whole / "run.json"
    path.write_text(path.read_text().replace('"strict"', '"stricter"'))
    (told,) = checks(whole)
    assert told.startswith("The votes cannot be checked: ")
    assert "stricter" in told


def test_texts_that_were_not_kept_cannot_be_checked(whole: Path) -> None:
    change(whole / "answers.jsonl", lambda record: record.update(texts=[]))
    assert checks(whole) == ["The votes of 1 of 9 rows cannot be checked: there is no text for each of them."]
    with pytest.raises(MedqDegError, match="has no text for each of its votes"):
        reparse(whole, whole.with_name("again"))
    assert not whole.with_name("again").exists()


def test_a_run_read_by_another_parser_can_be_continued_with_it_and_the_first_stays(tmp_path: Path) -> None:
    rows, out = demo.rows()[:ROWS], tmp_path / "run"
    model = Echo(SAID)
    failed = rows[3]["id"]
    model.fails = {failed}
    evaluate(model, rows, out, data_name="demo")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert reparse(out, tmp_path / "other", "vlmevalkit")[1] == ROWS - 1
    for record in read_lines(tmp_path / "other" / "answers.jsonl"):
        options = next(row["options"] for row in rows.columns() if row["id"] == record["id"])
        assert record["votes"] == [parse_answer(SAID, options, "vlmevalkit")] * 10
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    environment = json.loads((tmp_path / "other" / "run.json").read_text())["environment"]
    assert environment["reparsed"]["parser_before"] == "strict"
    again = Echo(SAID)
    assert evaluate(again, rows, tmp_path / "other", data_name="demo", parser="vlmevalkit").answered == 1
    assert again.asked == [failed]
    with pytest.raises(MedqDegError, match="parser was 'vlmevalkit', is 'strict'"):
        evaluate(again, rows, tmp_path / "other", data_name="demo")


def test_reading_again_into_a_run_or_by_an_unknown_parser_is_refused(whole: Path) -> None:
    with pytest.raises(MedqDegError, match="holds a run already"):
        reparse(whole, whole)
    with pytest.raises(MedqDegError, match="parser"):
        reparse(whole, whole.with_name("again"), "lenient")
    assert not whole.with_name("again").exists()


@pytest.mark.parametrize(
    ("file", "edit", "told"),
    [
        ("rows.jsonl", {"severity": "0"}, "rows.jsonl, line 5: severity must be 0, 1 or 2, got '0'"),
        ("rows.jsonl", {"options": "ABC"}, "line 5: options must be a list of texts, got 'ABC'"),
        ("rows.jsonl", {"answer": "Z"}, "line 5: question .* has answer 'Z', which is no option"),
        ("answers.jsonl", {"votes": ["A", 3]}, "answers.jsonl, line 5: votes must be letters or null"),
        ("answers.jsonl", {"texts": [None]}, "line 5: texts must be a list of texts"),
        ("answers.jsonl", {"status": None}, "line 5: status must be ok or failed, got None"),
        ("answers.jsonl", {"probabilities": {"A": "x"}}, "line 5: probabilities must be numbers from 0 to 1 by letter"),
    ],
)
def test_what_is_no_row_or_answer_is_named_by_its_line(file: str, edit: dict[str, Any], told: str, whole: Path) -> None:
    change(whole / file, lambda record: record.update(edit))
    with pytest.raises(MedqDegError, match=told):
        score_run(whole)


@pytest.mark.parametrize("name", ["rows.jsonl", "answers.jsonl", "run.json"])
def test_a_file_nested_without_end_is_no_json(name: str, whole: Path) -> None:
    (whole / name).write_text("[" * 100_000 + "\n")
    with pytest.raises(MedqDegError, match="is not valid JSON"):
        score_run(whole)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trials", "ten"),
        ("model", []),
        ("model", {"name": "echo", "parameters": "=1+1"}),
        ("data", {"rows": None}),
        ("data", {"name": "demo", "rows": ROWS, "version": ["x"]}),
        ("data", {"rows": ROWS}),
        ("subset", {"rows": 3, "of": ROWS, "seed": "0"}),
    ],
)
def test_settings_that_are_none_are_named(name: str, value: Any, whole: Path) -> None:
    path = whole / "run.json"
    run = json.loads(path.read_text())
    run["settings"][name] = value
    path.write_text(json.dumps(run))
    with pytest.raises(MedqDegError, match=f"its setting {name}.* must be"):
        score_run(whole)


@pytest.mark.parametrize("environment", ["x", 3, True, [[]]])
def test_an_environment_that_is_no_object_is_named(environment: object, whole: Path) -> None:
    path = whole / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "environment": environment}))
    with pytest.raises(MedqDegError, match=r"run\.json: its environment must be an object"):
        score_run(whole)


def test_numbers_are_no_votes(whole: Path) -> None:
    change(whole / "answers.jsonl", lambda record: record.update(votes=[1] * 10))
    with pytest.raises(MedqDegError, match="line 5: votes must be letters or null"):
        score_run(whole)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", ["run.json", "rows.jsonl", "answers.jsonl"])
def test_what_is_no_number_is_no_json_wherever_it_stands(name: str, number: str, whole: Path) -> None:
    text = (whole / name).read_text()
    (whole / name).write_text(text.replace("{", f'{{"anything": [{number}], ', 1))
    with pytest.raises(MedqDegError, match=rf"{name}.*: is not valid JSON \({number} is no number\)"):
        score_run(whole)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sampling", {"neutral": "perhaps"}),
        ("sampling", ["neutral"]),
        ("later_environments", {"date": "2026-01-01"}),
        ("later_environments", [{"date": 2026}]),
        ("environment", {"degradations": 3}),
        ("imported", {"date": ["2026-01-01"]}),
    ],
)
def test_whatever_else_of_run_json_is_read_is_checked_with_it(key: str, value: Any, whole: Path) -> None:
    path = whole / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(MedqDegError, match=rf"run\.json: its ({key}|environment).* must be"):
        score_run(whole)


def test_a_value_as_long_as_a_book_is_cut_in_the_sentence(whole: Path) -> None:
    change(whole / "answers.jsonl", lambda record: record.update(votes=["A" * 10**5] * 10))
    with pytest.raises(MedqDegError) as caught:
        score_run(whole)
    assert len(str(caught.value)) < 1000
