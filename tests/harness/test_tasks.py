"""The tasks for lmms-eval and lm-evaluation-harness, in themselves and in the harnesses."""

from __future__ import annotations

import io
import json
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from medq_deg.errors import MedqDegError
from medq_deg.harness.asked import choose
from medq_deg.harness.imported import import_results
from medq_deg.harness.lmms_task import METRICS, aggregate, process_results
from medq_deg.harness.tasks import export_lm_eval, export_lmms_eval
from medq_deg.metrics import calibration_shift
from medq_deg.models.prompts import build_prompt
from medq_deg.results.score import score_run
from tests.harness.direct import FIGURES, SUBSET, VOTES, same_as_direct, texts_of

DOC = {
    "id": "q/none/L0",
    "question_id": "q",
    "question": "Which?",
    "options": ["CT", "MRI", "PET"],
    "answer": "B",
    "votes": 3,
}


def test_the_metrics_of_a_row_are_ours_and_say_which_row_it_is() -> None:
    found = process_results(DOC, [["Answer: B", "B. MRI", "no idea"]])
    wanted = calibration_shift([["B", "B", None]], ["B"], [3])
    assert {name: found[name]["score"] for name in METRICS} == {name: wanted[name] for name in METRICS}
    assert found["accuracy"]["id"] == "q/none/L0"
    assert {item["question_id"] for item in found.values()} == {"q"}
    assert set(process_results(DOC, ["B"])) == {"accuracy", "parse_rate"}


def test_means_over_rows_are_the_figures_of_all_rows() -> None:
    said = [["B", "B", "A"], ["C", "A", "?"], ["B", "B", "B"]]
    rows = [process_results({**DOC, "answer": answer}, [texts]) for texts, answer in zip(said, "BCA", strict=True)]
    votes = [[text if text in "ABC" else None for text in texts] for texts in said]
    wanted = calibration_shift(votes, list("BCA"), [3] * 3)
    for name in METRICS:
        assert aggregate([row[name] for row in rows]) == pytest.approx(wanted[name], abs=1e-12)


@pytest.mark.parametrize("export", [export_lmms_eval, export_lm_eval])
def test_a_folder_holds_a_group_a_task_a_severity_and_the_rows_with_their_images(export: Any, tmp_path: Path) -> None:
    asked = choose("demo", subset=SUBSET, severities=[0, 2])
    written = export(asked, tmp_path, 4)
    assert [path.name for path in written] == ["medq_deg.yaml", "medq_deg_l0.yaml", "medq_deg_l2.yaml"]
    assert yaml.safe_load(written[0].read_text()) == {"group": "medq_deg", "task": ["medq_deg_l0", "medq_deg_l2"]}
    seen = []
    for path in written[1:]:
        task = yaml.safe_load(path.read_text())
        assert (path.parent / task["include"]).exists()
        seen += pq.read_table(task["dataset_kwargs"]["data_files"]["test"]).to_pylist()
    assert sorted(row["id"] for row in seen) == sorted(row["id"] for row in asked.columns)
    number = next(number for number, row in enumerate(asked.columns) if row["id"] == seen[-1]["id"])
    shown = np.asarray(Image.open(io.BytesIO(seen[-1]["image"]["bytes"])))
    assert np.array_equal(shown, np.asarray(asked.data[asked.places[number]]["image"]))
    assert (path.parent / "utils.py").read_text().count("process_results") == 1


def means_of(results: dict[str, Any], direct: Path) -> None:
    """Compare a harness's own figures with those of the direct run."""
    wanted = score_run(direct)["by_severity"]
    for severity, figures in wanted.items():
        for name in FIGURES:
            assert results[f"medq_deg_{severity.lower()}"][f"{name},votes"] == pytest.approx(figures[name], abs=1e-12)


def test_the_demo_answered_in_lmms_eval_and_imported_is_the_direct_run(direct: Path, tmp_path: Path) -> None:
    pytest.importorskip("lmms_eval", reason="lmms-eval is not installed: make test-harnesses")
    from lmms_eval.api.model import lmms
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.loggers import EvaluationTracker
    from lmms_eval.tasks import TaskManager

    said = {name: deque(texts) for name, texts in texts_of(direct).items()}

    class Speaks(lmms):
        is_simple = True

        def generate_until(self, requests: list[Any]) -> list[str]:
            answers = []
            for request in requests:
                prompt, _, visuals, number, task, split = request.args
                doc = self.task_dict[task][split][number]
                assert prompt == build_prompt(doc["question"], doc["options"])
                assert [image.mode for image in visuals(doc)] == ["RGB"]
                answers.append(said[doc["id"]].popleft())
            return answers

        def loglikelihood(self, requests: list[Any]) -> Any: ...

        def generate_until_multi_round(self, requests: list[Any]) -> Any: ...

    export_lmms_eval(choose("demo", subset=SUBSET), tmp_path, VOTES)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    found = simple_evaluate(Speaks(), tasks=["medq_deg"], task_manager=manager, batch_size=1)
    means_of(found["results"], direct)
    assert isinstance(found["results"]["medq_deg_l2"]["accuracy_stderr_clustered,votes"], float)
    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    tracker.general_config_tracker.model_name_sanitized = "speaker"
    tracker.date_id = "20261125_101500"
    for task, samples in found["samples"].items():
        tracker.save_results_samples(task, samples)
    files = sorted((tmp_path / "out").rglob("*_samples_*.jsonl"))
    assert len(files) == 3
    import_results(files, "lmms-eval", tmp_path / "run", data="demo", model="org/speaker", subset=SUBSET)
    same_as_direct(tmp_path / "run", direct)


def test_the_demo_answered_in_lm_eval_and_imported_is_the_direct_run(direct: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is not installed: make test-harnesses")
    from lm_eval.api.model import LM
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    said = {name: deque(texts) for name, texts in texts_of(direct).items()}
    images: dict[str, int] = defaultdict(int)

    class Speaks(LM):
        MULTIMODAL = True

        def generate_until(self, requests: list[Any]) -> list[str]:
            for request in requests:
                assert request.args[0].count("<image>") == 1
                images[request.doc["id"]] += len(request.args[2]["visual"])
            return [said[request.doc["id"]].popleft() for request in requests]

        def loglikelihood(self, requests: list[Any]) -> Any: ...

        def loglikelihood_rolling(self, requests: list[Any]) -> Any: ...

    export_lm_eval(choose("demo", subset=SUBSET), tmp_path, VOTES)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    found = simple_evaluate(Speaks(), tasks=["medq_deg"], task_manager=manager, bootstrap_iters=0)
    means_of(found["results"], direct)
    assert set(images.values()) == {VOTES}
    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    tracker.general_config_tracker.model_name_sanitized = "speaker"
    tracker.date_id = "2026-11-25T10-15-00.0"
    for task, samples in found["samples"].items():
        tracker.save_results_samples(task, samples)
    files = sorted((tmp_path / "out").rglob("samples_*.jsonl"))
    assert len(files) == 3
    import_results(files, "lm-eval", tmp_path / "run", data="demo", model="org/speaker", subset=SUBSET)
    same_as_direct(tmp_path / "run", direct)


def sample(number: int, **changed: Any) -> dict[str, Any]:
    row = choose("demo", subset=SUBSET, severities=[0]).columns[number]
    accuracy = {"score": 0.0, **{name: row[name] for name in ("id", "question", "answer")}, "asked": 3}
    return {"filtered_resps": ["A", "B", "C"], "accuracy": accuracy, **changed}


def write(folder: Path, name: str, samples: list[dict[str, Any]], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}_samples_medq_deg_l0.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in samples))
    (folder / f"{name}_results.json").write_text(json.dumps({"config": config, "date": "20261125_101500"}))
    return path


def test_logs_of_two_models_or_of_another_task_are_refused_and_a_failed_request_is_no_answer(tmp_path: Path) -> None:
    everything = [sample(number) for number in range(len(choose("demo", subset=SUBSET, severities=[0]).columns))]
    one = write(tmp_path / "a", "20261125_1", everything, model="m", model_args="x=1")
    other = write(tmp_path / "b", "20261125_2", everything, model="m", model_args="x=2")

    def take(*files: Path) -> Any:
        return import_results(files, "lmms-eval", tmp_path / "run", data="demo", model="m", subset=SUBSET)

    with pytest.raises(MedqDegError, match=r"is of the model 'm x=2', .* of 'm x=1'"):
        take(one, other)
    with pytest.raises(MedqDegError, match="line 1: is no sample of a task that"):
        take(write(tmp_path / "c", "t", [{"resps": ["A"], "accuracy": 1.0}]))
    with pytest.raises(MedqDegError, match=r"row .* has 2 of 3 votes"):
        take(write(tmp_path / "d", "t", [sample(0, filtered_resps=["A", "B"]), *everything[1:]]))
    failed = sample(0, filtered_resps=["A", "[LMMS_EVAL_REQUEST_FAILED after 3 retries] gone", "B"])
    made = take(write(tmp_path / "e", "t", [failed, *everything[1:]]))
    assert made.answered == made.rows - 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["imported"]["date"] == "2026-11-25"
