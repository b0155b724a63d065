"""Reading and writing files so that nothing is silently wrong and nothing is left half-written."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from filelock import FileLock, Timeout

from medq_deg.errors import MedqDegError

__all__ = ["clear_parts", "file_hash", "hold_folder", "parse_json", "read_json", "replace_file"]

DEEPEST: Final = 64
"""Deepest nesting of JSON that is read."""

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name only when it is complete.

    What is written goes to a temporary file in the same folder, which takes the name at the end, or is removed
    if anything fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say where
        raise


@contextmanager
def hold_folder(folder: Path, told: str) -> Iterator[None]:
    """Make a folder if need be and keep others from holding it at the same time; nothing is left in it.

    Raises
    ------
    MedqDegError
        `told`, if another process, or another thread, holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MedqDegError(told) from None
        except (ImportError, OSError):
            # Windows, and network disks that cannot lock a folder.
            lock = FileLock(folder / ".lock", timeout=0)
            try:
                held.enter_context(lock)
            except Timeout:
                raise MedqDegError(told) from None
            held.callback((folder / ".lock").unlink, missing_ok=True)
        yield


def clear_parts(folder: Path) -> None:
    """Remove what `replace_file` left in a folder, itself alone, when its process was killed."""
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def read_json(path: Path, *, finite: bool = False) -> Any:
    """Return what a JSON file holds, see `parse_json`, or raise `MedqDegError` if it is not JSON."""
    try:
        return parse_json(path.read_bytes(), finite=finite)
    except (ValueError, RecursionError) as error:
        raise MedqDegError(f"{path}: is not valid JSON ({error})") from None


def parse_json(data: bytes, *, finite: bool = False) -> Any:
    """Return what JSON in UTF-8 holds.

    Parameters
    ----------
    data : bytes
        A document.
    finite : bool
        Refuse numbers that are none, which JSON does not have and Python writes: NaN, Infinity, and 1e999.

    Raises
    ------
    ValueError
        If it is no JSON, or is nested deeper than `DEEPEST`: what is made of it could not be written again.
    """
    check_depth(data)
    if finite:
        return json.loads(data.decode("utf-8"), parse_constant=_finite, parse_float=_finite)
    return json.loads(data.decode("utf-8"))


def check_depth(data: bytes) -> None:
    """Raise ValueError if JSON is nested deeper than `DEEPEST`."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return
    depth = 0
    for token in _TOKENS.finditer(data):
        start = token[0][:1]
        depth += (start in b"[{") - (start in b"]}")
        if depth > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number")
    return value


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, read a piece at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
