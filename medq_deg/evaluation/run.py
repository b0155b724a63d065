"""The loop: ask a model every row that has no answer yet, and store each answer as it comes."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import medq_deg
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.asking import TRIALS, Manner, ask
from medq_deg.evaluation.controls import PAPER, Controls
from medq_deg.evaluation.missing import Missing
from medq_deg.evaluation.processes import OneProcess, Processes
from medq_deg.evaluation.progress import Progress, Tally
from medq_deg.evaluation.rows import Chosen, text_columns
from medq_deg.evaluation.sampling import record_identical, record_processes, recording
from medq_deg.evaluation.store import RunFolder
from medq_deg.evaluation.watch import Watch
from medq_deg.evaluation.work import WorkList, stop_on_signal
from medq_deg.models.base import Model
from medq_deg.models.prompts import INSTRUCTION, build_prompt

DEGRADATIONS = "degradations"
"""Key of `run.json`'s environment: the version of the code that made the images, part of the rows' fingerprint."""

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "pillow", "datasets", "torch", "transformers", "accelerate")


@dataclass(frozen=True)
class RunSummary:
    """What a start of a run did, in all its processes: rows, answered before, answered now, failed now; if stopped.

    `missing` counts the votes of all starts, and those that name no option.
    """

    rows: int
    before: int
    answered: int
    failed: int
    stopped: bool = False
    missing: Missing = field(default_factory=Missing)


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count` of a run's rows, as in a job array; numbers start at 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/8"; raise `MedqDegError` for anything else."""
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise MedqDegError(f"shard must be i/n with i from 1 to n, such as 3/8, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"shard{self.number}of{self.count}"

    def __contains__(self, index: int) -> bool:
        return index % self.count == self.number - 1


def evaluate(
    model: Model,
    rows: Sequence[Mapping[str, Any]],
    out: Path,
    *,
    data_name: str,
    data_version: str | None = None,
    trials: int = TRIALS,
    seed: int = 0,
    parser: str = "strict",
    controls: Controls = PAPER,
    shard: Shard | None = None,
    keep_going: bool = False,
    processes: Processes | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> RunSummary:
    """Ask a model every row `trials` times; continue where an earlier start of the same run ended.

    The first Ctrl-C, or SIGTERM, lets the model finish what it is at, and ends the run in good order.

    Parameters
    ----------
    model : Model
        See `medq_deg.models.base`.
    rows : sequence of mappings
        Rows with the columns of `medq_deg.data.schema`; a `datasets.Dataset` will do. Images are read when needed.
    out : Path
        Folder of the run.
    data_name : str
        What the data is called in `run.json`.
    data_version : str, optional
        What tells these images from others with the same questions, such as the fingerprint of a build. Without it
        the version of the code that degrades images is taken.
    trials : int
        Votes per row, 2 or more.
    seed : int
        Seed of the votes; each row's own is derived from it and the row's id.
    parser : {"strict", "vlmevalkit", "medqdeg-vlmevalkit"}
        See `medq_deg.parse_answer`.
    controls : Controls
        Orders of the options, image, and subset, see `medq_deg.evaluation.controls`.
    shard : Shard, optional
        Ask only this part of the rows. Shards write to files of their own, in one folder or in several.
    keep_going : bool
        Go on even if after 20 rows more than half of the votes are cut off, or none names an option.
    processes : Processes, optional
        The processes that share this start, see `medq_deg.evaluation.processes`; by default this one alone.
    progress : callable
        Called with a `Progress` at the start and after each reply.

    Returns
    -------
    RunSummary

    Raises
    ------
    MedqDegError
        If a row is invalid or two share an id, or the folder holds a run with other settings. Nothing is asked then.
        Later, if an answer cannot be written, or the first rows show that the run would come to nothing.
    """
    manner = Manner(trials, seed, parser, controls)
    revision = getattr(rows, "revision", None)
    rows, columns, settings = _to_ask(model, rows, manner, data_name, data_version)
    processes = processes or OneProcess()
    part = range(len(columns)) if shard is None else [index for index in range(len(columns)) if index in shard]
    folder = RunFolder(out)
    tally = Tally(columns, len(part))
    watch = Watch(processes, keep_going=keep_going)
    todo: list[int] | None = None
    name = "" if shard is None else str(shard)
    with folder.locked(name, lead=processes.rank == 0):
        if processes.rank == 0:
            folder.start(settings, environment(processes.size, revision), columns, shared=shard is not None)
            answers = folder.read_answers()
            todo = [index for index in part if columns[index]["id"] not in answers]
            for index in sorted({*part}.difference(todo)):
                tally.add(index, answers[columns[index]["id"]])
            if watch.begin(tally.missing, tally.done if todo else 0):
                todo = []
        before = tally.done
        work = WorkList(rows, [row["id"] for row in columns], processes.share(todo), seed, controls)

        def tell_stop() -> None:
            progress(tally.progress(stopping=True))

        with (
            folder.open_answers(_file_name(name, processes)) as writer,
            stop_on_signal(work, tell_stop),
            recording(folder, model, processes) as note,
        ):
            progress(tally.progress())
            for index, record in ask(model, work, columns, manner):
                writer.append(record)
                note(record)
                tally.add(index, record)
                processes.count(record["status"], 1)
                work.stopped |= watch.see(record)
                progress(tally.progress(before + processes.count("ok", 0)))
        processes.finish()
        if processes.rank == 0:
            record_processes(folder, processes)
        if processes.rank == 0 and shard is None:
            folder.tidy()
            record_identical(folder)
    if processes.rank == 0 and (told := watch.stopped):
        raise MedqDegError(f"{out}: {told}")
    answered, failed = processes.count("ok", 0), processes.count("failed", 0)
    return RunSummary(len(part), before, answered, failed, work.stopped, watch.missing)


def try_rows(
    model: Model,
    rows: Sequence[Mapping[str, Any]],
    count: int,
    *,
    trials: int = TRIALS,
    seed: int = 0,
    parser: str = "strict",
    controls: Controls = PAPER,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask a model `count` rows, evenly spread, and yield prompt and record of each; nothing is written.

    Raises
    ------
    MedqDegError
        As `evaluate`, and if `count` is below 1.
    """
    if count < 1:
        raise MedqDegError(f"a dry run needs 1 row or more, got {count}")
    manner = Manner(trials, seed, parser, controls)
    manner.check()
    rows, columns = _chosen(rows, controls)
    places = sorted({place * len(columns) // count for place in range(count)})
    work = WorkList(rows, [row["id"] for row in columns], iter(places), seed, controls)
    for index, record in ask(model, work, columns, manner):
        yield build_prompt(columns[index]["question"], columns[index]["options"]), record


def _file_name(shard: str, processes: Processes) -> str:
    """Return what this process's answer file is called; empty for a process alone with the whole run."""
    rank = f"rank{processes.rank}" if processes.size > 1 else ""
    return "-".join(filter(None, (shard, rank)))


def _to_ask(
    model: Model, rows: Sequence[Mapping[str, Any]], manner: Manner, data_name: str, data_version: str | None
) -> tuple[Sequence[Mapping[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Return the rows to ask, their columns, and what `run.json` says of the run."""
    manner.check()
    asked, columns = _chosen(rows, manner.controls)
    settings = {
        "model": _described(model),
        "data": {
            "name": data_name,
            "rows": len(columns),
            "version": data_version,
            "fingerprint": fingerprint(columns, data_version),
        },
        "prompt": INSTRUCTION,
        "parser": manner.parser,
        "trials": manner.trials,
        "seed": manner.seed,
        **manner.controls.settings(len(rows)),
    }
    return asked, columns, settings


def _chosen(
    rows: Sequence[Mapping[str, Any]], controls: Controls
) -> tuple[Sequence[Mapping[str, Any]], list[dict[str, Any]]]:
    """Return the rows that the controls ask, and their columns; a blind baseline reads no image."""
    everything = text_columns(rows)
    places = controls.choose(everything)
    columns = [everything[place] for place in places]
    if controls.image != "shown":
        return columns, columns
    return (rows if len(places) == len(everything) else Chosen(rows, places)), columns


def _described(model: Model) -> dict[str, Any]:
    described = model.describe()
    try:
        json.dumps(described)
    except (TypeError, ValueError) as error:
        raise MedqDegError(f"the model describes itself by what is not JSON: {error}") from None
    if not isinstance(described, dict) or not isinstance(described.get("name"), str) or not described["name"]:
        raise MedqDegError(f"the model's description needs a name, got {described!r}")
    return described


def fingerprint(columns: Sequence[Mapping[str, Any]], version: str | None = None) -> str:
    """Return a SHA-256 over every row's columns and the version of the images, see `evaluate`."""
    if not version:
        from medq_deg.degradations.version import code_fingerprint  # OpenCV and SciPy with it

        version = code_fingerprint()
    digest = hashlib.sha256(version.encode())
    for row in columns:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass"))
    return digest.hexdigest()


def environment(processes: int, revision: str | None = None) -> dict[str, Any]:
    """Return date, versions and hardware of a start, for `run.json`.

    Parameters
    ----------
    processes : int
        How many share it.
    revision : str, optional
        Commit of the dataset on the Hub that is asked.
    """
    from medq_deg.degradations.version import DEGRADATION_VERSION, code_fingerprint

    packages = {"medq-deg": medq_deg.__version__}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    torch = sys.modules.get("torch")
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "accelerator": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None,
        "processes": processes,
        **({"data_revision": revision} if revision else {}),
        DEGRADATIONS: code_fingerprint(),
        "degradation_version": DEGRADATION_VERSION,
        "packages": packages,
    }
