"""A harness's result files as a run: the same folder that ``medq-deg evaluate`` writes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.evaluation.processes import OneProcess
from medq_deg.evaluation.records import FINISHES, record_of
from medq_deg.evaluation.run import environment, fingerprint
from medq_deg.evaluation.sampling import SAMPLING, are_identical, recording
from medq_deg.evaluation.store import RunFolder
from medq_deg.files import file_hash
from medq_deg.harness.asked import Asked, choose
from medq_deg.harness.inspect_logs import read_inspect
from medq_deg.harness.lmms_results import read_lm_eval, read_lmms_eval
from medq_deg.harness.said import Results, Said, check_complete, gather
from medq_deg.harness.vlmevalkit_results import read_vlmevalkit
from medq_deg.models.base import Finish, Reply
from medq_deg.models.parsing import check_parser
from medq_deg.models.prompts import INSTRUCTION

READERS: Final[Mapping[str, Callable[[Sequence[Path]], Results]]] = {
    "inspect": read_inspect,
    "vlmevalkit": read_vlmevalkit,
    "lmms-eval": read_lmms_eval,
    "lm-eval": read_lm_eval,
}
"""What reads a harness's files, by its name."""

IDENTICAL: Final = "every row has the same answer in all its votes: was the model sampled, at temperature 1?"

_PICKLES: Final = (".pkl", ".pickle", ".pk")


@dataclass(frozen=True)
class Imported:
    """What an import made: rows of the run, rows with all their votes, votes per row."""

    rows: int
    answered: int
    trials: int


def import_results(
    files: Sequence[Path],
    harness: str,
    out: Path,
    *,
    data: str,
    model: str | None = None,
    parser: str | None = None,
    subset: int | None = None,
    partial: bool = False,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Imported:
    """Make a run of what another harness got.

    Rows are joined by their id, and checked by question and right letter; the texts are parsed by our own parser. A
    request that failed in the harness leaves its row without an answer.

    Parameters
    ----------
    files : sequence of Path
        Result files of one model.
    harness : {"inspect", "vlmevalkit", "lmms-eval", "lm-eval"}
        Who wrote them.
    out : Path
        Folder of the run; it must not hold one.
    data : str
        The data that was exported, see `medq_deg.open_data`.
    model : str, optional
        What the model is called; inspect-ai's logs tell it.
    parser : str, optional
        See `medq_deg.parse_answer`; by default the one that an inspect-ai log names, else "strict".
    subset : int, optional
        The number that the export was made with.
    partial : bool
        Accept rows that are missing or have fewer votes than were asked for; they stay without an answer.
    progress : callable
        As in `medq_deg.open_data`.

    Raises
    ------
    MedqDegError
        If a file cannot be read, does not belong to the data or to one model, or is not complete. Nothing is written
        then.

    Warns
    -----
    UserWarning
        If the answers of every row are all the same.
    """
    if harness not in READERS:
        raise UnknownNameError("harness", harness, READERS)
    _check_files(files)
    folder = RunFolder(out)
    if folder.exists():
        raise MedqDegError(f"{out}: holds a run already; choose another folder")
    results = READERS[harness](files)
    name = model or results.model.get("name")
    if not name:
        raise MedqDegError(f"--model is needed: the files of {harness} do not say which model answered")
    parser = parser or results.parser or "strict"
    check_parser(parser)
    everything = choose(data, progress=progress)
    if results.data.get("version") not in (None, everything.data.fingerprint):
        raise MedqDegError(
            f"{files[0]}: was asked with the data {results.data.get('name')!r}, not {everything.data.name!r} as it is "
            "here; name the data that was asked with --data"
        )
    votes = gather(results, everything.columns, data, partial=partial)
    severities = results.severities
    if severities is None:
        severities = sorted({row["severity"] for row in everything.columns if row["id"] in votes.rows})
    asked = choose(data, severities=severities, subset=subset or results.subset)
    place = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    check_complete(votes, asked.columns, place, partial=partial)
    records = [
        record_of(_reply(row["id"], votes.rows[row["id"]], votes.trials), row["options"], votes.trials, parser)
        for row in asked.columns
        if row["id"] in votes.rows
    ]
    told = _Told(results, harness, files, identical=are_identical(each for each in records if each["votes"]))
    settings = _settings(asked, {**results.model, "name": name}, parser, votes.trials)
    with folder.locked():
        folder.start(settings, environment(1), asked.columns)
        with recording(folder, cast("Any", told), OneProcess()) as note:
            folder.write_answers(records)
            for record in records:
                note(record)
    if told.identical:
        warnings.warn(IDENTICAL, stacklevel=2)
    return Imported(len(asked), sum(record["status"] == "ok" for record in records), votes.trials)


class _Told:
    """What `run.json` says of where the answers come from."""

    def __init__(self, results: Results, harness: str, files: Sequence[Path], *, identical: bool) -> None:
        self.identical = identical
        self._record = {
            SAMPLING: {
                "neutral": "unknown",
                "sent": {},
                "how": f"{harness} does not say how the model was sampled",
                **results.sampling,
                "identical": identical,
            },
            "imported": {
                **results.harness,
                **({"date": results.date} if results.date else {}),
                "files": {path.name: file_hash(path) for path in files},
            },
        }

    def record(self) -> dict[str, Any]:
        return self._record


def _settings(asked: Asked, model: dict[str, Any], parser: str, trials: int) -> dict[str, Any]:
    data = asked.data
    return {
        "model": model,
        "data": {
            "name": data.name,
            "rows": len(asked),
            "version": data.fingerprint,
            "fingerprint": fingerprint(asked.columns, data.fingerprint),
        },
        "prompt": INSTRUCTION,
        "parser": parser,
        "trials": trials,
        "seed": 0,
        **asked.settings,
    }


def _reply(name: str, said: Sequence[Said], trials: int) -> Reply:
    texts = tuple(each.text for each in said if each.text is not None)
    failed = len(said) - len(texts)
    error = f"{failed} of {trials} requests failed in the harness" if failed else None
    ends = tuple(cast("Finish", each.finish) for each in said if each.finish in FINISHES)
    return Reply(name, texts, error=error, finish=ends if len(ends) == len(texts) else ())


def _check_files(files: Sequence[Path]) -> None:
    """Raise `MedqDegError` for a file that is missing, there twice, or a pickle."""
    if not files:
        raise MedqDegError("no result files are named")
    names: dict[str, Path] = {}
    for path in files:
        if path.suffix.lower() in _PICKLES:
            raise MedqDegError(
                f"{path}: is a pickle, which can run any code when it is read, and is never read; have the harness "
                "write xlsx, tsv or json (in VLMEvalKit: PRED_FORMAT=tsv)"
            )
        if not path.is_file():
            raise MedqDegError(f"{path}: there is no such file")
        if (before := names.get(path.name)) is not None:
            same = before.resolve() == path.resolve()
            raise MedqDegError(
                f"{path}: is {'given twice' if same else f'called like {before}'}; give each file once, and files of "
                "one model alone, under names of their own"
            )
        names[path.name] = path
