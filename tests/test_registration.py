"""`evaluate.load("calibration_shift")` by its bare name, in fresh processes and any directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

VOTES = "predictions=[['A'] * 10, ['B'] * 5 + ['C'] * 5], references=['A', 'B'], num_choices=[4, 4]"


def python(code: str, directory: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    ["import medq_deg, evaluate", "import evaluate, medq_deg", "from evaluate import load; import medq_deg, evaluate"],
)
def test_the_bare_name_loads_in_any_order_of_imports(imports: str, tmp_path: Path) -> None:
    code = f"{imports}; print(evaluate.load('calibration_shift').compute({VOTES})['accuracy'])"
    assert python(code, tmp_path) == "0.75"


@pytest.mark.slow
def test_the_module_and_the_library_agree_to_the_last_bit(tmp_path: Path) -> None:
    code = (
        "import medq_deg, evaluate\n"
        "votes = [list('AABACAAAAD'), list('BBBBBBCBBB'), list('CDCDCDCDCD')] * 8\n"
        "answers, groups = list('ABD') * 8, [f'q{i // 3}' for i in range(24)]\n"
        "same = dict(num_choices=[4] * 24, groups=groups, severities=[0, 1, 2] * 8)\n"
        "same |= dict(confidence_level=0.9, n_resamples=99)\n"
        "a = evaluate.load('calibration_shift').compute(predictions=votes, references=answers, **same)\n"
        "print(a == medq_deg.metrics.calibration_shift(votes, answers, **same), 'accuracy_ci' in a)\n"
    )
    assert python(code, tmp_path) == "True True"


@pytest.mark.slow
def test_other_names_are_looked_up_as_before(tmp_path: Path) -> None:
    code = (
        "import medq_deg, evaluate\n"
        "try:\n    evaluate.load('no_such_metric_anywhere')\n"
        "except Exception as error: print(type(error).__name__, 'no_such_metric_anywhere' in str(error))\n"
    )
    assert python(code, tmp_path).endswith("True")


@pytest.mark.slow
def test_a_folder_goes_first_only_if_it_holds_what_its_name_says(tmp_path: Path) -> None:
    folder = tmp_path / "calibration_shift"
    folder.mkdir()
    code = "import medq_deg, evaluate; print(type(evaluate.load('calibration_shift')).__name__)"
    assert python(code, tmp_path) == "CalibrationShift"
    (folder / "calibration_shift.py").write_text(
        "import datasets\nimport evaluate\n"
        "class Mine(evaluate.Metric):\n"
        "    def _info(self):\n"
        "        wanted = datasets.Features({'predictions': datasets.Value('string')})\n"
        "        return evaluate.MetricInfo(description='', citation='', features=wanted)\n"
    )
    assert python(code, tmp_path) == "Mine"
    warned = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"'calibration_shift' is read from the folder of that name in the working directory, {folder}" in (
        warned.stderr
    )


@pytest.mark.slow
def test_a_clone_of_the_project_is_no_dataset_and_a_folder_of_parquet_files_is_one_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "medq-deg"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("# A clone\n")
    (folder / "data" / "rows.csv").write_text("a\n1\n")
    code = (
        "import warnings, medq_deg, datasets\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    rows = datasets.load_dataset('medq-deg', *{arguments}, cache_dir='cache')\n"
        "print(rows.column_names, [str(each.message)[:20] for each in said if 'working dir' in str(each.message)])"
    )
    columns, said = python(code.replace("{arguments}", "['demo']"), tmp_path).split("} ")
    assert "question" in columns
    assert said == "[]"
    table = pa.table({"mine": [1, 2]})
    pq.write_table(table, folder / "data" / "train-0.parquet")
    (folder / "data" / "rows.csv").unlink()
    columns, said = python(code.replace("{arguments}", "[]"), tmp_path).split("} ")
    assert "'mine'" in columns
    assert said == "[\"'medq-deg' is read f\"]"


@pytest.mark.slow
def test_importing_twice_wraps_once(tmp_path: Path) -> None:
    code = (
        "import evaluate, medq_deg\n"
        "from medq_deg import registration\n"
        "before = evaluate.loading.evaluation_module_factory\n"
        "registration.register(); registration.register()\n"
        "print(*(m.evaluation_module_factory is before for m in (evaluate.loading, evaluate.inspect)))\n"
    )
    assert python(code, tmp_path) == "True True"
