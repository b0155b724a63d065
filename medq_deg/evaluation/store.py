"""The folder of a run: `run.json`, `rows.jsonl` and the append-only `answers.jsonl`.

A row is answered when its line with status "ok" is complete on disk. A process that died leaves at most one torn last
line, which is cut off at the next start, so that the row is simply asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file

RUN, ROWS, ANSWERS = "run.json", "rows.jsonl", "answers.jsonl"


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
        self, settings: Mapping[str, Any], environment: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Begin a run, or check that a run to continue has the same settings.

        Parameters
        ----------
        settings : mapping
            What must not change between two starts: model, prompt, data, seed, number of votes.
        environment : mapping
            What may change: versions, hardware, time.
        rows : iterable of mappings
            Every row of the run without its picture, written once.

        Raises
        ------
        MedqDegError
            If the folder holds a run with other settings, something else, or cannot be written.
        """
        if self.exists():
            self._check_same(settings)
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise MedqDegError(f"{self.path}: is not empty and holds no run; choose another folder")
        # rows.jsonl first: a run exists once run.json does, and then it is whole.
        with replace_file(self.path / ROWS) as file:
            file.writelines(_line(row) for row in rows)
        with replace_file(self.path / RUN) as file:
            file.write(json.dumps({"settings": settings, "environment": environment}, indent=2).encode() + b"\n")

    def _check_same(self, settings: Mapping[str, Any]) -> None:
        before, now = _flatten(self.read_run()["settings"]), _flatten(json.loads(json.dumps(settings)))
        changed = [key for key in [*before, *(k for k in now if k not in before)] if before.get(key) != now.get(key)]
        if changed:
            told = "; ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in changed)
            raise MedqDegError(
                f"{self.path}: holds a run with other settings: {told}. Choose another folder to start a new run"
            )

    def read_run(self) -> dict[str, Any]:
        """Return what `run.json` holds: "settings" and "environment"."""
        path = self.path / RUN
        if not path.exists():
            raise MedqDegError(f"{self.path}: is not the folder of a run, {RUN} is missing")
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MedqDegError(f"{path}: is not valid JSON ({error})") from None
        if not isinstance(run, dict) or not isinstance(run.get("settings"), dict):
            raise MedqDegError(f"{path}: has no settings")
        return run

    def read_rows(self) -> list[dict[str, Any]]:
        """Return every row of the run, without pictures."""
        path = self.path / ROWS
        if not path.exists():
            raise MedqDegError(f"{self.path}: is not the folder of a run, {ROWS} is missing")
        return list(read_lines(path))

    def read_answers(self) -> dict[str, dict[str, Any]]:
        """Return the answered rows by id; of a row answered twice, the first answer counts."""
        answers: dict[str, dict[str, Any]] = {}
        for path in sorted(self.path.glob("answers*.jsonl")):
            for record in read_lines(path):
                if record["status"] == "ok":
                    answers.setdefault(record["id"], record)
        return answers

    def open_answers(self) -> AnswerWriter:
        """Open the answer file for appending, without a torn last line."""
        return AnswerWriter(self.path / ANSWERS)


class AnswerWriter:
    """Appends answers, each in one write that is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        cut_torn_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record."""
        self._file.write(_line(record))
        os.fsync(self._file.fileno())

    def __enter__(self) -> AnswerWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


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
                yield json.loads(line)
            except ValueError as error:
                raise MedqDegError(f"{path}, line {number}: is not valid JSON ({error})") from None


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
