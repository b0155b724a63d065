"""Reading the votes of a finished run again, by another parser or another version of it, without asking the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import medq_deg
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.records import reread
from medq_deg.evaluation.sampling import keep_worst
from medq_deg.evaluation.store import RunFolder
from medq_deg.models.parsing import check_parser


def reparse(
    path: Path,
    out: Path,
    parser: str | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, int]:
    """Copy a run into a new folder with its votes read again from the stored texts.

    Parameters
    ----------
    path : Path
        Folder of the run; it stays as it is.
    out : Path
        Folder of the new run, which must hold none.
    parser : str, optional
        Name of the parser, by default the run's.
    progress : callable
        Called with the rows that are done and their number.

    Returns
    -------
    changed, answered : int
        Rows whose votes are others now, and rows that have an answer.

    Raises
    ------
    MedqDegError
        If `path` is no run or has a row without texts, the parser is unknown, or `out` is not free. Nothing is written
        then.
    """
    folder, target = RunFolder(path), RunFolder(out)
    run, rows, answers = folder.read()
    before = str(run["settings"].get("parser"))
    chosen = before if parser is None else parser
    check_parser(chosen)
    if target.exists():
        raise MedqDegError(f"{out}: holds a run already; choose another folder")
    records = []
    changed = 0
    for done, row in enumerate(rows):
        progress(done, len(rows))
        if (record := answers.get(row["id"])) is None:
            continue
        texts = record.get("texts")
        if not isinstance(texts, list) or len(texts) != len(record["votes"]):
            raise MedqDegError(
                f"{path}: row {row['id']!r} has no text for each of its votes, so they cannot be read again"
            )
        records.append(reread(record, row["options"], chosen))
        changed += records[-1]["votes"] != record["votes"]
    progress(len(rows), len(rows))
    made = {"from": path.resolve().name, "parser_before": before, "version": medq_deg.__version__}
    with target.locked():
        target.write_answers(records)
        target.start({**run["settings"], "parser": chosen}, {**run["environment"], "reparsed": made}, rows)
        keep_worst(target, [run])
    return changed, len(records)
