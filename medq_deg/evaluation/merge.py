"""Putting the parts of a run together: shards that ran in folders of their own, or in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.sampling import keep_worst, record_identical
from medq_deg.evaluation.store import RunFolder


def merge(parts: Sequence[Path], out: Path) -> tuple[int, int]:
    """Merge runs with the same settings into one folder, each row once.

    Parameters
    ----------
    parts : sequence of Path
        Folders of runs; `out` may be among them.
    out : Path
        Folder of the merged run. Of a row that several have answered, the answer that `out` has, or else the first,
        counts.

    Returns
    -------
    answered, rows : int
        Rows with an answer, and all rows of the run.

    Raises
    ------
    MedqDegError
        If a folder is no run, two differ in a setting, or `out` is being written. Nothing is written then.
    """
    if not parts:
        raise MedqDegError("merge needs at least one run")
    folders = [RunFolder(path) for path in parts]
    run, rows, _ = folders[0].read()
    for folder in folders:
        folder.check_same(run["settings"])
    held = [folder.read() for folder in folders]
    target = RunFolder(out)
    with target.locked():
        target.start(run["settings"], run["environment"], rows)
        known = target.read_answers()
        with target.open_answers() as writer:
            for _, _, answers in held:
                for name, record in answers.items():
                    if known.setdefault(name, record) is record:  # not known before
                        writer.append(record)
        target.tidy()
        keep_worst(target, [each for each, _, _ in held])
        record_identical(target)
    return len(known), len(rows)
