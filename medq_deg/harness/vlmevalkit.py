"""The TSV files that VLMEvalKit's class for this benchmark reads, each vote a row.

What its code does with them, and what is written so that nothing gets lost on the way:

- it reads with pandas, which takes an option such as "None" for a missing one and "5" for a number: those get a
  no-break space in front, which its prompt strips again;
- it reads the options A to E alone: rows with more are refused;
- it stores each image under `image_path` and never writes that file anew: names are hashes of the content;
- an `image` of digits names the row whose image it shares: the votes of a row share one.
"""

from __future__ import annotations

import base64
import codecs
import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from medq_deg.data.names import HUB_RELEASE
from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.harness.asked import Asked, check_votes
from medq_deg.taxonomy import NO_DEGRADATION

FILES: Final[Mapping[str, str]] = {
    "MedQDEGBench_good_test": "MedQ-Robust-good-test.tsv",
    "MedQDEGBench_simulate_test": "MedQ-Robust-simulate-test.tsv",
}
"""What VLMEvalKit calls the clean rows, and the degraded ones, and the file of each."""

DATASETS: Final = (*FILES, "MedQDEGBench_good_dev", "MedQDEGBench_simulate_dev")

ROW_ID, VOTE, VOTES = "medq_id", "vote", "votes"
"""Columns of ours, which VLMEvalKit carries over into its results."""

MOST_OPTIONS: Final = 5

_GUARD: Final = "\u00a0"
_SEVERITIES: Final = ("good", "mild", "severe")
_REVISION: Final = "main"


def export_vlmevalkit(
    asked: Asked,
    out: Path,
    votes: int,
    *,
    hub_cache: bool = False,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Path]:
    """Write the TSV files; return their paths.

    Parameters
    ----------
    asked : Asked
        Rows to export.
    out : Path
        Folder; it holds the files, or with `hub_cache` a folder ``hub`` that is laid out as a cache of the Hub, in
        which VLMEvalKit finds them offline with ``HF_HOME=OUT``.
    votes : int
        Rows of the file for each row of the data.
    hub_cache : bool
        See `out`.
    progress : callable
        Called with a stage, rows done and rows in all.

    Raises
    ------
    MedqDegError
        If a row has more than five options, or a text that VLMEvalKit would read differently. Nothing is written then.
    """
    check_votes(votes)
    for row in asked.columns:
        _check(row)
    folder = out if not hub_cache else _cache(out, asked)
    written = []
    for name, clean in zip(FILES.values(), (True, False), strict=True):
        numbers = [number for number, row in enumerate(asked.columns) if (row["severity"] == 0) == clean]
        if numbers:
            written.append(folder / name)
            _write(asked, numbers, folder / name, votes, progress)
    if hub_cache:
        with replace_file(folder.parents[1] / "refs" / _REVISION) as file:
            file.write(folder.name.encode())
    return written


def _write(
    asked: Asked, numbers: Sequence[int], path: Path, votes: int, progress: Callable[[str, int, int], None]
) -> None:
    with replace_file(path) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file), delimiter="\t", lineterminator="\n")
        writer.writerow([*_columns(asked.columns[numbers[0]]), "index", "image", "image_path", VOTE, VOTES])
        for done, number in enumerate(numbers):
            progress(f"writing {path.name}", done, len(numbers))
            image = asked.image(number)
            first, cells = number * votes, list(_columns(asked.columns[number]).values())
            name = f"{hashlib.sha256(image).hexdigest()[:32]}.png"
            for vote in range(votes):
                shown = first if vote else base64.b64encode(image).decode()
                writer.writerow([*cells, first + vote, shown, name, vote, votes])
        progress(f"writing {path.name}", len(numbers), len(numbers))


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that all votes of a row share."""
    options = [option if _survives(option) else _GUARD + option for option in row["options"]]
    return {
        "question": row["question"].strip(),  # as our own prompt has it
        **dict.fromkeys(LETTERS[:MOST_OPTIONS], ""),
        **dict(zip(LETTERS, options, strict=False)),
        "answer": row["answer"],
        "modality": row["modality"],
        "degradation_type": "" if row["degradation"] == NO_DEGRADATION else row["degradation"],
        "degradation_severity": _SEVERITIES[row["severity"]],
        "source": row["source"],
        "category": row["task"],
        "l2-category": "; ".join(row["skills"]),
        ROW_ID: row["id"],
    }


def _check(row: Mapping[str, Any]) -> None:
    if len(row["options"]) > MOST_OPTIONS:
        raise MedqDegError(
            f"row {row['id']!r} has {len(row['options'])} options, and VLMEvalKit shows {MOST_OPTIONS} (A to E); "
            "leave such questions out, or use another format"
        )
    if changed := next((option for option in row["options"] if option != option.strip()), None):
        raise MedqDegError(f"row {row['id']!r}: VLMEvalKit would strip the option {changed!r}")
    for text in (row["question"].strip(), row["id"], *(option for option in row["options"] if "\x00" in option)):
        if not _survives(text):
            raise MedqDegError(f"row {row['id']!r}: VLMEvalKit's reader would not read {text!r} as this text")


@lru_cache(4096)
def _survives(text: str) -> bool:
    """Return whether pandas reads a cell of this text, alone in its column, as the same text and not as a number."""
    import pandas as pd

    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter="\t", lineterminator="\n").writerows([["cell"], [text]])
    buffer.seek(0)
    read = pd.read_csv(buffer, sep="\t")["cell"]
    return len(read) == 1 and isinstance(read[0], str) and read[0] == text


def _cache(out: Path, asked: Asked) -> Path:
    """Return the folder of a snapshot in a cache of the Hub; its revision is that of the rows."""
    revision = hashlib.sha256("\n".join([asked.data.fingerprint, *(row["id"] for row in asked.columns)]).encode())
    repository = f"datasets--{HUB_RELEASE.replace('/', '--')}"
    return out / "hub" / repository / "snapshots" / revision.hexdigest()[:40]
