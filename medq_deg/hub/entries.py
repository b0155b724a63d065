"""From the figures of a run to the Hub's evaluation results, and the list of tasks that `eval.yaml` shares with them.

A model's repository holds its figures in `.eval_results/*.yaml`, each under the id of a task that the dataset's
`eval.yaml` names. `TASKS` is the one place where these ids are written. Format: the Hub's documentation of evaluation
results, and inspect-ai's reader of `eval.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.asking import TRIALS
from medq_deg.hub.data_uris import CONFIG, IMAGE, METADATA
from medq_deg.results.sampling import sampling_note
from medq_deg.taxonomy import SEVERITY_NAMES

PATH: Final = ".eval_results/medq-deg.yaml"
"""Where a model's repository holds the figures."""

_BROKEN: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What PyYAML raises, beside its own errors, for a scalar that is not what its tag says, and for endless nesting."""

Figures = Mapping[str, Mapping[str, Any]]
"""Figures by severity name, as in ``metrics.json``."""


@dataclass(frozen=True)
class Task:
    """A figure of the benchmark.

    Attributes
    ----------
    id : str
        Id in `eval.yaml` and in the entries.
    split : str
        Split that a framework reads for it.
    needs : tuple of str
        Severities without which it is undefined.
    value : callable
        From the figures by severity to the value, a fraction.
    """

    id: str
    split: str
    needs: tuple[str, ...]
    value: Callable[[Figures], float]


def _accuracy(severity: str) -> Task:
    return Task(f"accuracy_{severity.lower()}", severity, (severity,), lambda by: float(by[severity]["accuracy"]))


TASKS: Final = (
    *map(_accuracy, SEVERITY_NAMES),
    Task("robustness_drop", "L2", ("L0", "L2"), lambda by: float(by["L0"]["accuracy"] - by["L2"]["accuracy"])),
    Task("calibration_shift", "L2", ("L2",), lambda by: float(by["L2"]["calibration_shift"])),
)
"""Accuracy at each severity; what is lost from L0 to L2; and the paper's Calibration Shift at L2."""


def eval_yaml() -> dict[str, Any]:
    """Return what `eval.yaml` says of the benchmark: its tasks, with the columns that inspect-ai reads.

    inspect-ai reads an image from a data URI alone, so the tasks name the configuration that holds them, see
    `medq_deg.hub.data_uris`. It rejects the whole file if one task has no field spec, solver and scorer, or an unknown
    key, so all tasks have them. It cannot compute the last two, which the description says.
    """
    return {
        "name": "MedQ-Deg",
        "description": "Multiple-choice questions on medical images, clean (L0) and at two severities of degradation "
        "(L1, L2). accuracy_*: the share of sampled answers that are right, in percent. robustness_drop: accuracy_l0 "
        "minus accuracy_l2. calibration_shift: confidence minus accuracy at L2, from repeated answers. The last two "
        "are computed by medq-deg; run by inspect-ai, they give the accuracy at L2.",
        "evaluation_framework": "inspect-ai",
        "tasks": [
            {
                "id": task.id,
                "config": CONFIG,
                "split": task.split,
                "field_spec": {
                    "input": "question",
                    "input_image": IMAGE,
                    "choices": "options",
                    "target": "answer",
                    "metadata": list(METADATA),
                },
                "epochs": TRIALS,
                "epoch_reducer": "mean",
                "solvers": [{"name": "multiple_choice"}],
                "scorers": [{"name": "choice"}],
            }
            for task in TASKS
        ],
    }


def values(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the value of each task, in percent with two decimals as the paper has them.

    Parameters
    ----------
    result : mapping
        What `medq_deg.results.score.score_run` returned.

    Raises
    ------
    MedqDegError
        If the run lacks a severity.
    """
    by = result["by_severity"]
    for task in TASKS:
        missing = [severity for severity in task.needs if severity not in by]
        if missing:
            raise MedqDegError(f"the run has no rows at {' and '.join(missing)}, which {task.id} needs")
    return {task.id: round(100 * task.value(by), 2) for task in TASKS}


def make_entries(
    result: Mapping[str, Any],
    dataset: str,
    *,
    date: str | None = None,
    revision: str | None = None,
    source: str | None = None,
) -> list[EvalResultEntry]:
    """Return an entry for each task.

    Parameters
    ----------
    result : mapping
        What `medq_deg.results.score.score_run` returned.
    dataset : str
        The benchmark's dataset on the Hub, ORG/NAME.
    date : str, optional
        Day on which the model was asked, ISO 8601.
    revision : str, optional
        Commit of the dataset that it was asked about.
    source : str, optional
        Address of the answers, or of whatever else the figures come from.
    """
    rows = ", ".join(f"{figures['n']} at {name}" for name, figures in result["by_severity"].items())
    how = "exact probabilities" if result["model"].get("votes") == "exact" else f"{result['trials']} sampled answers"
    notes = f"percent; {how} per row; rows: {rows}; data {result['data']['fingerprint'][:16]}"
    if told := sampling_note(result["sampling"]):
        notes += f"; {told}"
    return [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=task,
            value=value,
            notes=notes,
            date=date,
            dataset_revision=revision,
            source_url=source,
        )
        for task, value in values(result).items()
    ]


def merge(text: str | None, entries: Iterable[EvalResultEntry]) -> str:
    """Return the YAML of a file in which `entries` replace those of the same dataset and task, and all others stay.

    Parameters
    ----------
    text : str, optional
        The file as it is.
    entries : iterable of EvalResultEntry
        The new ones.

    Raises
    ------
    MedqDegError
        If `text` is no list of entries, or the result does not read back as what was written.
    """
    new = list(entries)
    places = {(entry.dataset_id, entry.task_id) for entry in new}
    # Others stay as they are written: the parser drops keys that it does not know.
    kept = [item for item in _items(text) if _place(item) not in places]
    try:
        merged = yaml.safe_dump(
            [*kept, *eval_result_entries_to_yaml(new)], sort_keys=False, allow_unicode=True, width=2**16
        )
        ours = yaml.safe_load(merged)[len(kept) :]
    except (yaml.YAMLError, *_BROKEN):
        raise _not_a_list() from None
    # Those of others are not read: what they may hold is for others to say.
    if parse_eval_result_entries(ours) != new:
        raise MedqDegError(f"{PATH}: does not read back as it was written")
    return merged


def _items(text: str | None) -> list[dict[str, Any]]:
    try:
        items = (yaml.safe_load(text) if text else None) or []
    except (yaml.YAMLError, *_BROKEN):
        raise _not_a_list() from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _not_a_list()
    return items


def _not_a_list() -> MedqDegError:
    return MedqDegError(f"{PATH} on the Hub is no list of evaluation results; repair it there first")


def _place(item: Mapping[str, Any]) -> tuple[str, str] | None:
    dataset = item.get("dataset")
    name, task = (dataset.get("id"), dataset.get("task_id")) if isinstance(dataset, dict) else (None, None)
    return (name, task) if isinstance(name, str) and isinstance(task, str) else None
