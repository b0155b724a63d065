"""Whether votes are samples of the model's own distribution: what a run records about it, and what a reader is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any, Final

from medq_deg.evaluation.processes import Processes
from medq_deg.evaluation.store import RUN, RunFolder
from medq_deg.files import read_json, replace_file
from medq_deg.models.base import Model

SAMPLING: Final = "sampling"
"""Key of `run.json`: "neutral" (true, false or "unknown"), "sent" (the fields), "how" (that is known), "identical"."""

_ORDER: Final = (False, "unknown", True)


class Recorder:
    """Writes what a model records about itself while it answers into `run.json`.

    A model with a method ``record`` has its keys written there; of `SAMPLING`, the worst of all starts is kept.

    Parameters
    ----------
    folder : RunFolder
        The run.
    model : Model
        The model.
    """

    def __init__(self, folder: RunFolder, model: Model) -> None:
        self._folder, self._model = folder, model
        self._before: Mapping[str, Any] = read_json(folder.path / RUN).get(SAMPLING) or {}
        self._written: dict[str, Any] = {}

    def write(self) -> None:
        """Write what is known now, if that is news."""
        stored = read_json(self._folder.path / RUN).get(SAMPLING) or {}
        if stored != self._written.get(SAMPLING, self._before):
            self._before = worst(self._before, stored)  # another shard of the run has written meanwhile
        known = _known(self._model)
        known[SAMPLING] = worst(self._before, known[SAMPLING])
        if known == self._written:
            return
        self._written = known
        _write(self._folder, known)


def _known(model: Model) -> dict[str, Any]:
    """Return what a model records about itself, with `SAMPLING` in any case."""
    record = getattr(model, "record", None)
    known = dict(record()) if record is not None else {}
    known.setdefault(SAMPLING, {"neutral": "unknown", "sent": {}, "how": "the model does not say"})
    return dict(json.loads(json.dumps(known)))


def _write(folder: RunFolder, known: Mapping[str, Any]) -> None:
    path = folder.path / RUN
    with replace_file(path) as file:
        file.write(json.dumps({**read_json(path), **known}, indent=2).encode() + b"\n")


@contextmanager
def recording(folder: RunFolder, model: Model, processes: Processes) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Record into `run.json` while a model answers; yield a function that is given each answer.

    Parameters
    ----------
    folder : RunFolder
        A run that was begun.
    model : Model
        Who answers.
    processes : Processes
        Those that share the run: rank 0 writes, the others leave their record for `record_processes`.
    """
    if processes.rank:
        try:
            yield lambda record: None
        finally:
            processes.tell(SAMPLING, json.dumps(_known(model)[SAMPLING]))
        return
    recorder = Recorder(folder, model)
    told = False

    def note(record: Mapping[str, Any]) -> None:
        nonlocal told
        if record["status"] == "ok" and not told:
            told = True
            recorder.write()

    try:
        yield note
    finally:
        recorder.write()


def record_processes(folder: RunFolder, processes: Processes) -> None:
    """Keep in `run.json` the worst of what the processes of a run recorded, once all have finished."""
    keep_worst(folder, [{SAMPLING: json.loads(told)} for told in processes.told(SAMPLING)])


def keep_worst(folder: RunFolder, runs: Iterable[Mapping[str, Any]]) -> None:
    """Keep in `run.json` the worst record of sampling, its own or that of other runs whose answers it holds."""
    before = folder.read_run().get(SAMPLING) or {}
    now = reduce(worst, (run[SAMPLING] for run in runs if run.get(SAMPLING)), before)
    if now != before:
        _write(folder, {SAMPLING: now})


def record_identical(folder: RunFolder) -> None:
    """Note in `run.json` whether the answers of every row are the same."""
    sampling = folder.read_run().get(SAMPLING)
    identical = are_identical(folder.read_answers().values())
    if sampling and sampling.get("identical") != identical:
        _write(folder, {SAMPLING: {**sampling, "identical": identical}})


def are_identical(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether each row has several answers (``texts``) that are all the same."""
    several = [texts for row in rows if len(texts := row.get("texts") or ()) > 1]
    return bool(several) and all(len(set(texts)) == 1 for texts in several)


def withhold(scores: Any, reason: str) -> None:
    """Make every verdict inside the scores of a run "undecided", for a reason."""
    if isinstance(scores, Mapping):
        if "verdict" in scores and isinstance(scores, dict):
            scores["verdict"], scores["reason"] = "undecided", reason
            for adjusted in ("verdict_holm", "verdict_page"):
                if scores.get(adjusted) is not None:
                    scores[adjusted] = "undecided"
        for value in scores.values():
            withhold(value, reason)


def worst(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return which of two records says less good of a run's sampling; one of a start that sent nothing says nothing."""
    if not before.get("sent"):
        return dict(now)
    if not now.get("sent"):
        return dict(before)
    return dict(min(now, before, key=lambda record: _ORDER.index(record["neutral"])))


def sampling_of(run: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known about a run's sampling.

    Parameters
    ----------
    run : mapping
        What `run.json` holds.
    rows : iterable of mappings
        Its answered rows, with their ``texts``.

    Returns
    -------
    dict
        ``neutral``: True, False or "unknown"; ``sent`` and ``how`` of the record; ``identical``: whether the answers of
        every row are the same, which no sample at temperature 1 is.
    """
    record = run.get(SAMPLING)
    if not isinstance(record, Mapping) or record.get("neutral") not in _ORDER:
        # Before there was a record, transformers was told everything, and a server only temperature and top_p.
        served = "endpoint" in run["settings"]["model"]
        record = {"neutral": "unknown" if served else True, "sent": {}, "how": "the run is of an older version"}
    return {**record, "identical": are_identical(rows)}
