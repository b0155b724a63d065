"""Logs of samples, written with ``--log_samples``, by lmms-eval and by lm-evaluation-harness.

lmms-eval: `<output>/<model>/<time>_samples_<task>.jsonl`; lm-evaluation-harness:
`<output>/<model>/samples_<task>_<time>.jsonl`. Beside them lies a summary, `*results*.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError, shown
from medq_deg.files import read_json
from medq_deg.harness.lmms_task import leaves
from medq_deg.harness.said import Results, Said
from medq_deg.harness.tables import records_of

FAILED: Final = "[LMMS_EVAL_REQUEST_FAILED"
"""How lmms-eval writes a request that failed."""

_NAMES: Final = (
    (re.compile(r"(?P<time>.+)_samples_medq_deg\w*\.jsonl"), "{}_results.json"),
    (re.compile(r"samples_medq_deg_l\d_(?P<time>.+)\.jsonl"), "results_{}.json"),
)
"""Names of logs, and of the summary that lies beside each."""

_DAY: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")


def read_lmms_eval(files: Sequence[Path]) -> Results:
    """Read lmms-eval's logs of one model; see `medq_deg.harness.imported.import_results`."""
    return _read(files, "lmms-eval")


def read_lm_eval(files: Sequence[Path]) -> Results:
    """Read lm-evaluation-harness's logs of one model; see `medq_deg.harness.imported.import_results`."""
    return _read(files, "lm-eval")


def _read(files: Sequence[Path], harness: str) -> Results:
    told = [(path, _summary(path)) for path in files]
    models = {name: path for path, held in told if (name := _model_of(held))}
    if len(models) > 1:
        (first, one), (second, other) = list(models.items())[:2]
        raise MedqDegError(
            f"{other}: is of the model {second!r}, {one} of {first!r}; import the files of each model into a run of "
            "its own"
        )
    days = [found.groups() for _, held in told if (found := _DAY.match(str(held.get("date", ""))))]
    return Results(
        _said(files, harness),
        {"name": harness, **({"model": next(iter(models))} if models else {})},
        date="-".join(max(days)) if days else None,
    )


def _summary(path: Path) -> Mapping[str, Any]:
    """Return what the summary of the same evaluation holds; nothing if it does not lie beside the samples."""
    for name, summary in _NAMES:
        if match := name.fullmatch(path.name):
            beside = path.with_name(summary.format(match["time"]))
            held = read_json(beside) if beside.exists() else {}
            return held if isinstance(held, dict) else {}
    return {}


def _model_of(held: Mapping[str, Any]) -> str | None:
    config = held.get("config")
    if not isinstance(config, Mapping):
        return None
    parts = [config.get("model"), config.get("model_args")]
    return " ".join(str(part) for part in parts if part) or None


def _said(files: Sequence[Path], harness: str) -> Iterator[Said]:
    for path in files:
        for place, sample in records_of(path):
            row = sample.get("accuracy")
            # lmms-eval leaves `resps` out where it is what the filter gave.
            given = sample.get("resps", sample.get("filtered_resps"))
            if not isinstance(row, Mapping) or "id" not in row or given is None:
                raise MedqDegError(
                    f"{place}: is no sample of a task that `medq-deg data export --format {harness}` wrote; run that "
                    "task with --log_samples, and import its files of samples"
                )
            for name, kind in (("question", str), ("answer", str), ("asked", int)):
                if not isinstance(row.get(name, kind()), kind):
                    raise MedqDegError(f"{place}: {name} is {shown(row[name])}, which no exported task writes")
            texts = [None if text is None else str(text) for text in leaves(given)]
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
