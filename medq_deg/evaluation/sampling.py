"""Whether votes are samples of the model's own distribution: what a run records about it, and what a reader is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from medq_deg.evaluation.store import RUN, RunFolder
from medq_deg.files import read_json, replace_file
from medq_deg.models.base import Model

SAMPLING: Final = "sampling"
"""Key of `run.json`: "neutral" (true, false or "unknown"), "sent" (the fields), "how" (that is known), "identical"."""

IDENTICAL: Final = "the votes of every row are identical, so the model was not sampled, or is certain of everything"
"""Why a run of identical votes gets no verdict."""

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
        self._path = folder.path / RUN
        self._record = getattr(model, "record", None)
        self._before: Mapping[str, Any] = read_json(self._path).get(SAMPLING) or {}
        self._written: dict[str, Any] = {}

    def write(self) -> None:
        """Write what is known now, if that is news."""
        known = dict(self._record()) if self._record is not None else {}
        sampling = known.get(SAMPLING) or {"neutral": "unknown", "sent": {}, "how": "the model does not say"}
        known[SAMPLING] = worst(self._before, sampling)
        known = json.loads(json.dumps(known))
        if known == self._written:
            return
        self._written = known
        with replace_file(self._path) as file:
            file.write(json.dumps({**read_json(self._path), **known}, indent=2).encode() + b"\n")


@contextmanager
def recording(folder: RunFolder, model: Model, *, lead: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Record into `run.json` while a model answers; yield a function that is given each answer.

    Parameters
    ----------
    folder : RunFolder
        A run that was begun.
    model : Model
        Who answers.
    lead : bool
        Whether this process is the one that writes.
    """
    if not lead:
        yield lambda record: None
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


def record_identical(folder: RunFolder) -> None:
    """Note in `run.json` whether the answers of every row are the same."""
    run = folder.read_run()
    identical = are_identical(folder.read_answers().values())
    if run.get(SAMPLING) and run[SAMPLING].get("identical") != identical:
        run[SAMPLING]["identical"] = identical
        with replace_file(folder.path / RUN) as file:
            file.write(json.dumps(run, indent=2).encode() + b"\n")


def are_identical(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether each row has several answers (``texts``) that are all the same."""
    several = [texts for row in rows if len(texts := row.get("texts") or ()) > 1]
    return bool(several) and all(len(set(texts)) == 1 for texts in several)


def withhold(scores: Any, reason: str) -> None:
    """Make every verdict inside the scores of a run "undecided", for a reason."""
    if isinstance(scores, Mapping):
        if "verdict" in scores and isinstance(scores, dict):
            scores["verdict"], scores["reason"] = "undecided", reason
            if scores.get("verdict_holm") is not None:
                scores["verdict_holm"] = "undecided"
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


def sampling_note(sampling: Mapping[str, Any]) -> str | None:
    """Return the sentence that stands beside confidence and verdict, None if there is nothing to say."""
    if sampling["identical"]:
        return f"{IDENTICAL[0].upper()}{IDENTICAL[1:]}: confidence says nothing, and no verdict is given."
    if sampling["neutral"] is False:
        return f"Sampling was not the model's own distribution ({sampling['how']}): confidence is not the model's."
    if sampling["neutral"] == "unknown":
        return f"Sampling is not known to be the model's own distribution ({sampling['how']})."
    return None
