"""The evaluate module gives what `medq_deg.metrics` gives, to the last bit, in every way evaluate can be used."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import numpy as np
import pytest

from medq_deg.errors import MedqDegError
from medq_deg.metrics import FIGURES, calibration_shift
from medq_deg.metrics.columns import pack, unpack
from tests.conftest import load_module
from tests.metrics.models import questions_and_votes

evaluate = pytest.importorskip("evaluate")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "metrics" / "calibration_shift"
SETTINGS = {"confidence_level": 0.9, "n_resamples": 50, "seed": 3}


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)

    def load_module(*arguments, **keywords):
        return evaluate.load("metrics/calibration_shift", *arguments, cache_dir=str(tmp_path), **keywords)

    return load_module


@pytest.fixture(scope="module")
def data():
    votes, answers, groups = questions_and_votes(40, np.random.default_rng(1))
    votes[3][2] = votes[5][0] = None
    return {
        "predictions": votes,
        "references": answers,
        "num_choices": [4 + number % 3 for number in range(80)],
        "groups": groups,
        "severities": [0, 2] * 40,
    }


def expected(data, **settings):
    return calibration_shift(
        data["predictions"],
        data["references"],
        data["num_choices"],
        data.get("groups"),
        data.get("severities"),
        **settings,
    )


def test_compute_equals_the_function_to_the_last_bit(load, data):
    assert load().compute(**data, **SETTINGS) == expected(data, **SETTINGS)


def test_groups_and_severities_may_be_left_out_and_num_choices_may_be_one_number(load, data):
    short = {key: data[key] for key in ("predictions", "references")}
    result = load().compute(**short, num_choices=5)
    assert result == expected(short | {"num_choices": 5})
    assert "by_severity" not in result


def test_rows_can_be_added_one_by_one_and_in_batches(load, data):
    metric = load()
    for start in (0, 30):
        metric.add_batch(**{key: values[start : start + 30] for key, values in data.items()})
    for row in range(60, 80):
        metric.add(
            prediction=data["predictions"][row],
            reference=data["references"][row],
            **{key: data[key][row] for key in ("num_choices", "groups", "severities")},
        )
    assert metric.compute(**SETTINGS) == expected(data, **SETTINGS)


def test_severities_may_be_names(load, data):
    names = [f"L{severity}" for severity in data["severities"]]
    assert load().compute(**{**data, "severities": names}, **SETTINGS) == expected(data, **SETTINGS)
    assert expected({**data, "severities": names}) == expected(data)
    with pytest.raises(MedqDegError, match="the severity of row 1 must be 0, 1 or 2"):
        load().compute(**{**data, "severities": ["L0", "L4", *names[2:]]})


def test_both_treatments_of_missing_answers_pass_through(load, data):
    for invalid in ("wrong", "drop"):
        assert load().compute(**data, invalid=invalid) == expected(data, invalid=invalid)
    with pytest.raises(MedqDegError, match="invalid must be 'wrong' or 'drop', got 'category'"):
        load().compute(**data, invalid="category")


def test_the_metric_can_be_used_again(load, data):
    metric = load()
    first = metric.compute(**data)
    assert metric.compute(**data) == first


def test_probabilities_are_a_configuration(load, data):
    shares = np.random.default_rng(2).dirichlet(np.ones(4), size=80).tolist()
    result = load("probabilities").compute(
        predictions=shares, references=data["references"], num_choices=4, groups=data["groups"], **SETTINGS
    )
    assert result == calibration_shift(None, data["references"], 4, data["groups"], probabilities=shares, **SETTINGS)
    with pytest.raises(ValueError, match="config_name must be 'default' or 'probabilities'"):
        load("percent")


def test_it_combines_with_another_local_module(load, data, tmp_path):
    other = evaluate.load("tests/metrics/vote_accuracy", cache_dir=str(tmp_path))
    both = evaluate.combine([other, load()])
    both.add_batch(**data)
    result = both.compute()
    assert result == {"vote_accuracy": pytest.approx(result["accuracy"])} | expected(data)


def test_two_processes_share_the_work(load, data):
    halves = [{key: values[:40] for key, values in data.items()}, {key: values[40:] for key, values in data.items()}]
    metrics = [load(num_process=2, process_id=number, experiment_id="two") for number in (0, 1)]
    results = {}

    def work(number):
        metrics[number].add_batch(**halves[number])
        results[number] = metrics[number].compute(**SETTINGS)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert results[1] is None
    assert results[0] == expected(data, **SETTINGS)


def test_bad_input_gives_the_same_sentence_as_the_function(load):
    with pytest.raises(MedqDegError, match="vote 2 of row 0 is 'E', but the row has 4 options"):
        load().compute(predictions=[["A", "E"]], references=["A"], num_choices=4)
    with pytest.raises(MedqDegError, match="num_choices must be given"):
        load().compute(predictions=[["A", "B"]], references=["A"])
    with pytest.raises(ValueError, match="Mismatch in the number"):
        load().compute(predictions=[["A", "B"]], references=["A", "A"], num_choices=4)


def test_groups_of_some_batches_only_are_refused(load):
    metric = load()
    metric.add_batch(predictions=[["A", "B"]], references=["A"], num_choices=4, groups=["q"])
    metric.add_batch(predictions=[["A", "B"]], references=["A"], num_choices=4)
    with pytest.raises(MedqDegError, match="groups must be given for all rows or for none, got 1 of 2"):
        metric.compute()


def test_packing_twice_changes_nothing():
    once = pack({"predictions": [["A", None]], "references": ["A"], "num_choices": 4, "groups": [7]})
    assert once == {
        "predictions": [["A", ""]],
        "references": ["A"],
        "num_choices": [4],
        "groups": ["7"],
        "severities": [-1],
    }
    assert pack(once) == once
    assert unpack(once["groups"], once["severities"]) == (["7"], None)


def test_the_module_has_imports_that_the_scanner_of_evaluate_understands():
    source = (FOLDER / "calibration_shift.py").read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            assert node.lineno == node.end_lineno
    from evaluate.loading import get_imports

    found = {name for kind, name, *_ in get_imports(str(FOLDER / "calibration_shift.py"))}
    assert found == {"datasets", "evaluate", "medq_deg"}


def test_the_example_of_the_card_gives_what_the_card_says(load, tmp_path, monkeypatch, capsys):
    card = (FOLDER / "README.md").read_text()
    example = card.split("```python\n")[1].split("```")[0]
    said = example.split("# ")[-1].strip()
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", tmp_path)
    exec(compile(example, "card", "exec"), {})
    assert capsys.readouterr().out.strip() == said


START, END = "<!-- figures -->", "<!-- end of figures -->"


def card_of_the_figures() -> str:
    """The card with a table of the figures as they are; ``python -m tests.metrics.test_evaluate_module`` writes it."""
    before, rest = (FOLDER / "README.md").read_text().split(START)
    table, after = rest.split(END)
    head = "\n".join(table.strip().splitlines()[:2])
    lines = "\n".join(
        f"| `{key}` | {figure.title} | {figure.meaning} | {figure.low:g} to {figure.high:g} |"
        for key, figure in FIGURES.items()
    )
    return f"{before}{START}\n{head}\n{lines}\n{END}{after}"


def test_card_and_app_take_their_figures_from_the_figure_objects():
    assert (FOLDER / "README.md").read_text() == card_of_the_figures(), (
        "the figures have changed: write their table by python -m tests.metrics.test_evaluate_module"
    )
    module = app()
    table = module.report(module.EXAMPLE)
    places = [table.index(f"| {figure.title} |") for figure in FIGURES.values()]
    assert places == sorted(places)


def test_the_app_takes_names_of_severities_and_says_why_there_is_no_verdict():
    module = app()
    named = module.EXAMPLE.replace(",0\n", ",L0\n").replace(",2\n", ",L2\n")
    assert named != module.EXAMPLE
    assert module.report(named) == module.report(module.EXAMPLE)
    assert "not judged: too few questions" in module.report(named)


def app():
    return load_module(FOLDER / "app.py")


@pytest.mark.filterwarnings("error")
def test_the_app_reports_on_its_example_as_the_function_does():
    module = app()
    text = module.report(module.EXAMPLE, 0.9)
    result = calibration_shift(**module.read(module.EXAMPLE), confidence_level=0.9)
    low, high = result["calibration_shift_ci"]
    assert f"| Calibration Shift (paper) | {result['calibration_shift']:.3f} | {low:.3f} to {high:.3f} |" in text
    assert "paper's rule" in text
    assert "Fewer than 30 questions" in text


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no rows"),
        ("votes,answer\nA A,A", "no column 'num_choices'"),
        ("votes,answer,num_choices\nA A,A", "as many fields as the header"),
        ("votes,answer,num_choices\nA A,A,four", "num_choices of row 0 must be a whole number, got 'four'"),
        ("votes,answer,num_choices\nA A,E,4", "the answer of row 0 is 'E'"),
        ("votes,answer,num_choices\nA,A,4", "row 0 has 1 vote"),
    ],
)
def test_the_app_says_what_is_wrong_with_a_table(table, words):
    assert words in app().report(table)


def test_the_app_passes_warnings_on():
    assert "fewer than 5 votes" in app().report("votes,answer,num_choices\nA A,A,4\nA B,A,4")


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(card_of_the_figures())
