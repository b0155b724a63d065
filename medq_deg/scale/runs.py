"""Runs in an object store, brought to this machine: what the parts of a job array left there is merged from here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pyarrow.fs as pafs

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.store import ANSWERS, PREFIX, ROWS, RUN
from medq_deg.scale.places import Place, check_bucket, is_address, open_place, telling

_KEPT: Final = (RUN, ROWS, ANSWERS, f"{PREFIX}-*.jsonl")
_PIECE: Final = 2**20


@contextmanager
def fetched(addresses: Sequence[str]) -> Iterator[list[Path]]:
    """Yield folders of runs on this machine; those in an object store are copied, and the copies removed afterwards.

    Raises
    ------
    MedqDegError
        If an address cannot be read or holds no run. Whatever is wrong with a copy is told of its address.
    """
    with tempfile.TemporaryDirectory(prefix="medq-deg-runs-") as scratch:
        folders, origins = [], {}
        for number, address in enumerate(addresses):
            if not is_address(address):
                folders.append(Path(address))
                continue
            folder = Path(scratch) / str(number)
            _fetch(open_place(address), folder)
            folders.append(folder)
            origins[str(folder)] = address.partition("?")[0].rstrip("/")
        try:
            yield folders
        except MedqDegError as error:
            told = str(error)
            for folder_name, origin in origins.items():
                told = told.replace(folder_name, origin)
            raise MedqDegError(told) from None


def _fetch(run: Place, folder: Path) -> None:
    check_bucket(run)
    with telling(run):
        found = run.system.get_file_info(pafs.FileSelector(run.path, allow_not_found=True))
    names = [info.base_name for info in found if any(fnmatch(info.base_name, kept) for kept in _KEPT)]
    if RUN not in names:
        raise MedqDegError(f"{run}: is not the folder of a run, {RUN} is missing")
    folder.mkdir(parents=True)
    for name in names:
        source = run / name
        with (folder / name).open("wb") as file, telling(source), source.system.open_input_stream(source.path) as data:
            while piece := data.read(_PIECE):
                file.write(piece)
