"""Reading and writing files so that nothing is silently wrong and nothing is left half-written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from medq_deg.errors import MedqDegError
from medq_deg.images import open_image

__all__ = ["file_hash", "open_image", "read_json", "replace_file"]


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


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or raise `MedqDegError` if it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MedqDegError(f"{path}: is not valid JSON ({error})") from None


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
