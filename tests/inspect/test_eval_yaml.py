"""The task that a pushed dataset's `eval.yaml` describes, built and run by inspect-ai's own reader."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make test-harnesses")

import huggingface_hub
import inspect_ai._eval.task.hf as reader
import numpy as np
from inspect_ai import eval as inspect_eval

from medq_deg import open_data
from medq_deg.data.build import build
from medq_deg.hub.entries import TASKS
from medq_deg.hub.push import complete
from medq_deg.images import open_image
from medq_deg.taxonomy import SEVERITY_NAMES
from tests.data.sources_of_demo import write_folder
from tests.inspect.replay import metrics_of, mock


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the files of a dataset as they would lie on the Hub."""
    folder = tmp_path_factory.mktemp("pushed")
    build({"folder": write_folder(folder / "mine", count=3)}, folder / "data")
    complete(folder / "data")
    return folder / "data"


@pytest.fixture
def hub(pushed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in place of the Hub; all else is inspect-ai's and `datasets`' own."""
    load = reader.hf_dataset

    def here(path: str, revision: str | None = None, **options: Any) -> Any:
        return load(path=str(pushed), cached=False, **options)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repo_id, filename, **options: str(pushed / filename))
    monkeypatch.setattr(reader, "hf_dataset", here)


@pytest.mark.usefixtures("hub")
def test_every_task_reads_all_rows_of_its_split_with_their_images(pushed: Path) -> None:
    tasks = reader.task_create_from_hf("hf/me/medq-deg")
    assert len(tasks) == len(TASKS)
    data = open_data(str(pushed))
    rows = {row["id"]: (place, row) for place, row in enumerate(data.columns())}
    wanted = Counter(SEVERITY_NAMES[row["severity"]] for _, row in rows.values())
    for task, figure in zip(tasks, TASKS, strict=True):
        assert len(task.dataset) == wanted[figure.split]
        for sample in task.dataset:
            place, row = rows[sample.metadata["id"]]
            assert (sample.target, sample.choices, sample.metadata["severity"]) == (
                row["answer"], row["options"], SEVERITY_NAMES.index(figure.split)
            )  # fmt: skip
            text, image = sample.input[0].content
            assert text.text == row["question"]
            head, _, content = image.image.partition(",")
            assert head == "data:image/png;base64"
            shown = open_image(base64.b64decode(content))
            assert np.array_equal(np.asarray(shown), np.asarray(data[place]["image"]))


@pytest.mark.usefixtures("hub")
def test_the_task_runs_with_ten_answers_a_row(tmp_path: Path) -> None:
    (task,) = reader.task_create_from_hf("hf/me/medq-deg/accuracy_l2")
    assert task.epochs == 10
    log = inspect_eval(task, model=mock(lambda content: "ANSWER: A"), log_dir=str(tmp_path), display="none", epochs=2)[
        0
    ]
    share = sum(sample.target == "A" for sample in task.dataset) / len(task.dataset)
    assert metrics_of(log)["accuracy"] == pytest.approx(share)
