"""What is known of files that have not been touched since they were read, so that gigabytes are read once.

What is remembered is kept in the cache folder of `datasets` under a name that follows from every file's place, size,
inode and times. A file that was changed less than a moment before it was read is not remembered: a second change within
the same tick of the clock would not show.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import datasets

from medq_deg.files import replace_file
from medq_deg.registration import dataset_hash

_TICK: Final = 2.0
"""Seconds after which a change of a file surely changes its times."""


def cache_folder() -> Path:
    """Return the folder of this package in the cache of `datasets`."""
    return Path(datasets.config.HF_DATASETS_CACHE) / "medq-deg"


def remembered(what: str, files: Sequence[Path], read: Callable[[], str]) -> str:
    """Return what `read` returned when the same files were read before, or call it.

    Parameters
    ----------
    what : str
        What is asked of the files.
    files : sequence of Path
        All files that the answer depends on.
    read : callable
        Reads them.
    """
    began = time.time()
    path, newest = _name(what, files)
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        answer = read()
    if began - newest > _TICK and _name(what, files)[0] == path:
        try:
            with replace_file(path) as file:
                file.write(answer.encode())
        except OSError:
            pass  # a cache that cannot be written only costs time
    return answer


def _name(what: str, files: Sequence[Path]) -> tuple[Path, float]:
    stamps = []
    newest = 0.0
    for path in files:
        status = path.stat()
        stamps.append(
            [str(path.resolve()), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        )
        newest = max(newest, status.st_mtime, status.st_ctime)
    digest = hashlib.sha256(json.dumps([what, dataset_hash(), stamps]).encode()).hexdigest()
    return cache_folder() / "known" / digest, newest
