"""The folder of a run: `run.json`, `rows.jsonl` and the append-only `answers.jsonl`.

A row is answered when its line with status "ok" is complete on disk. A process that died leaves at most one torn last
line, which is cut off at the next start, so that the row is simply asked again. Of several processes each appends to a
file of its own, `answers-*.jsonl`; they are put together when the run is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medq_deg.errors import MedqDegError, shown
from medq_deg.evaluation.shapes import check_counts, check_record, check_row, check_run_json
from medq_deg.evaluation.subset import SUBSET_SEED
from medq_deg.files import parse_json, read_json, replace_file

RUN, ROWS, ANSWERS, LOCK = "run.json", "rows.jsonl", "answers.jsonl", ".lock"
PREFIX = "answers"

_UNWRITTEN = {"orders": 1, "image": "shown", "subset.rows": None, "subset.of": None, "subset.seed": SUBSET_SEED}
"""What settings mean that are written only where a run differs."""

_MOST_TOLD = 5
"""Settings that differ of which a sentence tells."""

_PATIENCE = 30.0
"""Seconds for which a part waits while other parts, which hold the lock of the whole for a moment, begin."""


class RunFolder:
    """The folder of one run.

    Parameters
    ----------
    path : Path
        Folder; made by `start`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / RUN).exists()

    def start(
        self,
        settings: Mapping[str, Any],
        environment: Mapping[str, Any],
        rows: Iterable[Mapping[str, Any]],
        *,
        shared: bool = False,
    ) -> None:
        """Begin a run, or check that a run to continue has the same settings.

        Parameters
        ----------
        settings : mapping
            What must not change between two starts: model, prompt, data, seed, number of votes.
        environment : mapping
            What may change: versions, hardware. That of the first start is kept, and later ones beside it.
        rows : iterable of mappings
            Every row of the run without its image, written once.
        shared : bool
            Whether others may be at work here, and settings must be theirs even if no answer is there yet.

        Raises
        ------
        MedqDegError
            If the folder holds a run with other settings.
        """
        if self.exists() and (shared or any(record["status"] == "ok" for record in self._records())):
            self.check_same(settings)
            run = self.read_run()
        else:
            run = {"settings": settings, "environment": environment}
        known = [run["environment"], *(run.get("later_environments") or [])]
        if environment not in known:
            run["later_environments"] = [*known[1:], environment]
        # rows.jsonl first: a run exists once run.json does, and then it is whole. Both are written again when a run
        # goes on, since the settings, and with them the rows' fingerprint, are the same.
        with replace_file(self.path / ROWS) as file:
            file.writelines(_line(row) for row in rows)
        with replace_file(self.path / RUN) as file:
            file.write(json.dumps(run, indent=2).encode() + b"\n")

    def _free(self) -> bool:
        """Whether nothing is here but what a start that was stopped leaves."""
        if not self.path.exists():
            return True
        return self.path.is_dir() and all(
            item.name == ROWS or item.name.startswith(LOCK) or item.name.endswith(".part")
            for item in self.path.iterdir()
        )

    @contextmanager
    def locked(self, part: str = "", *, lead: bool = True) -> Iterator[None]:
        """Hold the folder, or a part of the run in it, for this process.

        Parameters
        ----------
        part : str
            Name of the part that this process and its like work on; parts do not exclude one another.
        lead : bool
            False for a process whose leader holds the lock.

        Raises
        ------
        MedqDegError
            If another process works on the same, or the folder holds something else.
        OSError
            If the folder cannot be made or written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise MedqDegError(f"{self.path}: is a file, a run is a folder")
        if not self.exists() and not self._free():
            raise MedqDegError(f"{self.path}: is not empty and holds no run; choose another folder")
        self.path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            if lead:
                # A part looks whether the whole is held; the whole holds every part that was ever begun.
                whole = self._hold(held, LOCK, wait=_PATIENCE if part else 0)
                for name in [f"{LOCK}-{part}"] if part else [path.name for path in self.path.glob(f"{LOCK}-*")]:
                    self._hold(held, name)
                if part:
                    whole.release()
            yield

    def _hold(self, held: ExitStack, name: str, wait: float = 0) -> FileLock:
        lock = FileLock(self.path / name, timeout=wait)
        try:
            held.enter_context(lock)
        except Timeout:
            raise MedqDegError(f"{self.path}: another process is writing this run") from None
        return lock

    def check_same(self, settings: Mapping[str, Any]) -> None:
        """Raise `MedqDegError` that names what differs if this run has other settings."""
        before, now = (
            {**_UNWRITTEN, **_flatten(each)} for each in (self.read_run()["settings"], json.loads(json.dumps(settings)))
        )
        changed = [key for key in [*before, *(k for k in now if k not in before)] if before.get(key) != now.get(key)]
        if changed:
            told = "; ".join(
                f"{key} was {shown(before.get(key))}, is {shown(now.get(key))}" for key in changed[:_MOST_TOLD]
            )
            raise MedqDegError(
                f"{self.path}: holds a run with other settings: {told}. Choose another folder to start a new run"
            )

    def read_run(self) -> dict[str, Any]:
        """Return what `run.json` holds, "settings" and "environment" in any case."""
        path = self.path / RUN
        if not path.exists():
            raise MedqDegError(f"{self.path}: is not the folder of a run, {RUN} is missing")
        return check_run_json(path, renamed(read_json(path, finite=True)))

    def read(self) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """Return what `run.json` holds, every row, and the answers by id, checked against one another."""
        run, rows, answers = self.read_run(), self.read_rows(), self.read_answers()
        check_counts(self.path, run["settings"]["trials"], rows, answers)
        return run, rows, answers

    def read_rows(self) -> list[dict[str, Any]]:
        """Return every row of the run, without images."""
        path = self.path / ROWS
        if not path.exists():
            raise MedqDegError(f"{self.path}: is not the folder of a run, {ROWS} is missing")
        rows = list(read_lines(path))
        for number, row in enumerate(rows, 1):
            check_row(f"{path}, line {number}", row)
        if len({row["id"] for row in rows}) < len(rows):
            raise MedqDegError(f"{path}: holds a row twice")
        wanted = self.read_run()["settings"]["data"].get("rows")
        if len(rows) != wanted:
            raise MedqDegError(
                f"{path}: holds {len(rows)} of {wanted} rows; start the run again with the command that began it, "
                "which writes them anew"
            )
        return rows

    def read_answers(self) -> dict[str, dict[str, Any]]:
        """Return the answered rows by id; of a row answered twice, the first answer counts."""
        return {name: record for name, record in _final(self._records()).items() if record["status"] == "ok"}

    def read_failures(self) -> dict[str, str]:
        """Return, by id, why each row that was asked and has no answer failed last."""
        final = _final(self._records())
        return {name: str(record.get("error")) for name, record in final.items() if record["status"] != "ok"}

    def _records(self) -> Iterator[dict[str, Any]]:
        """Yield what all answer files hold."""
        for path in self._answer_paths():
            for number, record in enumerate(read_lines(path), 1):
                check_record(f"{path}, line {number}", record)
                yield record

    def open_answers(self, part: str = "") -> AnswerWriter:
        """Open an answer file for appending, without a torn last line."""
        return AnswerWriter(self.path / (f"{PREFIX}-{part}.jsonl" if part else ANSWERS))

    def tidy(self) -> None:
        """Put all answers into one file in the order of the rows, each row once; nothing may be writing."""
        paths, records = self._answer_paths(), list(self._records())
        kept = _final(records)
        if paths == [self.path / ANSWERS] and len(records) == len(kept):
            return
        self.write_answers(kept[row["id"]] for row in self.read_rows() if row["id"] in kept)
        for path in paths:
            if path.name != ANSWERS:
                path.unlink()

    def write_answers(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write all answers at once, in place of what the file holds."""
        with replace_file(self.path / ANSWERS) as file:
            file.writelines(_line(record) for record in records)

    def _answer_paths(self) -> list[Path]:
        return sorted([*self.path.glob(ANSWERS), *self.path.glob(f"{PREFIX}-*.jsonl")])


class AnswerWriter:
    """Appends answers, each in one write that is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        cut_torn_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record; raise `MedqDegError` if it cannot be written, and leave nothing of it."""
        line = _line(record)
        start = self._file.tell()
        try:
            written = 0
            while written < len(line):  # a full disk writes a part first, and raises only when asked again
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(start)
            raise MedqDegError(
                f"{self._path}: cannot be written ({error.strerror}); the answers before are kept, and the same "
                "command continues the run"
            ) from error

    def __enter__(self) -> AnswerWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def _final(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what counts of each row, by id: its first answer, or without one its last failure."""
    final: dict[str, dict[str, Any]] = {}
    for record in records:
        before = final.get(record["id"])
        if before is None or before["status"] != "ok":
            final[record["id"]] = record
    return final


def cut_torn_line(path: Path) -> None:
    """Cut off what follows the last line end of a file, if the file exists."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a JSONL file; a torn last line is left out, any other broken line is an error."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield parse_json(line, finite=True)
            except (ValueError, RecursionError) as error:
                raise MedqDegError(f"{path}, line {number}: is not valid JSON ({error})") from None


def _line(record: Mapping[str, Any]) -> bytes:
    # Escaped: a model can say half a surrogate pair, which UTF-8 cannot hold.
    try:
        return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except ValueError as error:
        raise MedqDegError(f"the record of row {record.get('id')!r} cannot be written: {error}") from None


def renamed(run: Any) -> Any:
    """Give settings of older runs their name of today, in place: "picture" is "image"."""
    settings = run.get("settings") if isinstance(run, dict) else None
    for held in (settings, settings.get("model") if isinstance(settings, dict) else None):
        if isinstance(held, dict) and "picture" in held:
            held["image"] = held.pop("picture")
    return run


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
