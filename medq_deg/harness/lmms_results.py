"""lmms-eval's logs of samples: `<output>/<model>/<time>_samples_<task>.jsonl`, written with ``--log_samples``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.files import read_json
from medq_deg.harness.lmms_task import leaves
from medq_deg.harness.said import Results, Said
from medq_deg.harness.tables import records_of

FAILED: Final = "[LMMS_EVAL_REQUEST_FAILED"
"""How lmms-eval writes a request that failed."""

_NAME: Final = re.compile(r"(?P<time>.+)_samples_(?P<task>medq_deg\w*)\.jsonl")


def read_lmms_eval(files: Sequence[Path]) -> Results:
    """Read logged samples of one model; see `medq_deg.harness.imported.import_results`."""
    told = [(path, _results(path)) for path in files]
    models = {name: path for path, held in told if (name := _model_of(held))}
    if len(models) > 1:
        (first, one), (second, other) = list(models.items())[:2]
        raise MedqDegError(
            f"{other}: is of the model {second!r}, {one} of {first!r}; import the files of each model into a run of "
            "its own"
        )
    version = next((held["lmms_eval_version"] for _, held in told if held.get("lmms_eval_version")), None)
    return Results(
        _said(files),
        {"name": "lmms-eval", **({"version": version} if version else {})},
        model={"lmms_eval": next(iter(models))} if models else {},
    )


def _results(path: Path) -> Mapping[str, Any]:
    """Return what the summary of the same evaluation holds, which lies beside the samples; nothing without it."""
    match = _NAME.fullmatch(path.name)
    beside = path.with_name(f"{match['time']}_results.json") if match else None
    held = read_json(beside) if beside is not None and beside.exists() else {}
    return held if isinstance(held, dict) else {}


def _model_of(held: Mapping[str, Any]) -> str | None:
    config = held.get("config") or {}
    parts = [config.get("model"), config.get("model_args")]
    return " ".join(str(part) for part in parts if part) or None


def _said(files: Sequence[Path]) -> Iterator[Said]:
    for path in files:
        for place, sample in records_of(path):
            row = sample.get("accuracy")
            if not isinstance(row, Mapping) or "id" not in row or "resps" not in sample:
                raise MedqDegError(
                    f"{place}: is no sample of a task that `medq-deg data export --format lmms-eval` wrote; run that "
                    "task with --log_samples, and import its *_samples_medq_deg_*.jsonl"
                )
            texts = [None if text is None else str(text) for text in leaves(sample["resps"])]
            for vote, text in enumerate(texts):
                yield Said(
                    place,
                    str(row["id"]),
                    None if text is None or text.startswith(FAILED) else text,
                    vote=vote,
                    question=row.get("question"),
                    answer=row.get("answer"),
                    asked=row.get("asked"),
                )
