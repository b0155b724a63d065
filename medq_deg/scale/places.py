"""Addresses of files and folders on this machine and in object stores, opened through pyarrow's file systems.

Whatever a store answers that keeps a job from its work becomes one sentence that names the address.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs

from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file

SCHEMES: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws, or a role of the machine; "
    "AWS_ENDPOINT_URL for a store that is not Amazon's",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or a role of the machine",
    "hf": "HF_TOKEN, or `hf auth login`",
}
"""Object stores by the scheme of their addresses, and where each finds its credentials."""

_GS_PATIENCE: Final = "retry_limit_seconds=60"
"""Google's client tries for 15 minutes by itself, for missing credentials too."""

SCRATCH: Final = ".medq-deg"
"""Folder beside the files of a result: its settings, what is being written, and who writes."""


@dataclass(frozen=True)
class Place:
    """A file or a folder.

    Attributes
    ----------
    address : str
        As the user wrote it, without a question mark and what follows; for messages.
    system : pyarrow.fs.FileSystem
    path : str
        Within `system`.
    """

    address: str
    system: Any
    path: str

    @property
    def local(self) -> bool:
        """Whether it is on this machine's own file systems."""
        return isinstance(self.system, pafs.LocalFileSystem)

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.address.rstrip('/')}/{name}", self.system, f"{self.path.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.address

    def info(self) -> Any:
        """Return pyarrow's `FileInfo`; its type says whether there is such a file or folder."""
        with telling(self):
            return self.system.get_file_info(self.path)

    def exists(self) -> bool:
        """Whether there is such a file or folder."""
        return bool(self.info().type != pafs.FileType.NotFound)

    def read(self) -> bytes:
        """Return the content of a file."""
        with telling(self), self.system.open_input_file(self.path) as file:
            return bytes(file.read())


def is_address(text: str) -> bool:
    """Whether a text is the address of something that need not be on this machine, such as ``s3://bucket/images``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def open_place(address: str) -> Place:
    """Open an address.

    Parameters
    ----------
    address : str
        A path on this machine, or ``s3://``, ``gs://``, ``hf://datasets/`` or ``file://`` and what follows. Options of
        pyarrow's file systems may follow a question mark, such as ``endpoint_override``.

    Raises
    ------
    MedqDegError
        If no file system goes by the address.
    """
    if not is_address(address):
        return Place(address, pafs.LocalFileSystem(), str(Path(address).absolute()))
    scheme = address.partition("://")[0].lower()
    if scheme not in (*SCHEMES, "file"):
        raise MedqDegError(
            f"{address}: no file system goes by {scheme}://; allowed: {', '.join(f'{name}://' for name in SCHEMES)}, "
            "file://, and paths on this machine"
        )
    plain = address.partition("?")[0].rstrip("/")
    wanted = address
    if scheme == "gs" and "retry_limit_seconds" not in address:
        wanted += ("&" if "?" in address else "?") + _GS_PATIENCE
    try:
        system, path = pafs.FileSystem.from_uri(wanted)
    except (pa.ArrowException, ValueError, OSError, ImportError) as error:
        raise MedqDegError(f"{plain}: cannot be opened ({_short(error)})") from None
    place = Place(_without_keys(plain), system, path.rstrip("/"))
    if scheme in ("s3", "gs") and not place.path:
        raise MedqDegError(f"{plain}: names no bucket; an address is {scheme}://BUCKET/FOLDER")
    return place


def check_bucket(place: Place) -> None:
    """Raise `MedqDegError` if the bucket of a place in an object store does not exist."""
    if place.address.partition("://")[0] not in ("s3", "gs"):
        return
    bucket = place.path.partition("/")[0]
    try:
        found = place.system.get_file_info(bucket)
    except (OSError, pa.ArrowException):
        return  # who may use a folder need not be allowed to ask for its bucket: using the folder tells
    if found.type == pafs.FileType.NotFound:
        raise MedqDegError(f"{place}: the bucket {bucket!r} does not exist, or is not visible with these credentials")


@contextmanager
def telling(place: Place) -> Iterator[None]:
    """Turn what a file system raises into one sentence about the place."""
    try:
        yield
    except FileNotFoundError:
        raise MedqDegError(f"{place}: no such file or folder") from None
    except (OSError, pa.ArrowException) as error:
        # pyarrow wraps some errors of its streams in others, without their kind.
        raise MedqDegError(f"{place}: {_reason(place, error)}") from None


def _reason(place: Place, error: Exception) -> str:
    told = _short(error)
    if place.local:
        return told
    scheme = place.address.partition("://")[0]
    if re.search(
        r"credential|ACCESS_DENIED|Access ?Denied|Forbidden|\b40[13]\b|OAuth2|InvalidAccessKey|SIGNATURE", told
    ):
        return (
            f"the store does not let this job in ({told}); credentials are read from {SCHEMES.get(scheme, 'the URI')}"
        )
    if "NO_SUCH_BUCKET" in told:
        return f"the bucket {place.path.partition('/')[0]!r} does not exist"
    return f"the store cannot be used ({told})"


def _short(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    told = re.sub(r"\(Request ID: [^)]*\)", "", " ".join(str(error).split()))
    told = re.sub(r"\. Learn more about .*", "", told)
    return told.strip()[:300] or type(error).__name__


def _without_keys(address: str) -> str:
    """Return an address without user and password, which no message and no file should hold."""
    return re.sub(r"://[^/@]*@", "://", address)


@dataclass(frozen=True)
class Found:
    """A file of a data set: its name relative to the folder, and its size in bytes."""

    name: str
    size: int


def parquet_files(place: Place) -> tuple[Place, list[Found]]:
    """Return the folder of a data set and its parquet files, in the order of their names.

    Parameters
    ----------
    place : Place
        A folder, of which names that begin with a dot or an underscore are left out, or a parquet file.

    Raises
    ------
    MedqDegError
        If there is nothing, or no parquet file.
    """
    check_bucket(place)
    info = place.info()
    if info.type == pafs.FileType.NotFound:
        raise MedqDegError(f"{place}: no such file or folder")
    if info.type == pafs.FileType.File:
        if not place.path.lower().endswith(".parquet"):
            raise MedqDegError(f"{place}: is no parquet file, and no folder of them")
        folder, _, name = place.path.rpartition("/")
        return Place(place.address.rpartition("/")[0], place.system, folder), [Found(name, info.size)]
    with telling(place):
        infos = place.system.get_file_info(pafs.FileSelector(place.path, recursive=True))
    start = len(place.path.strip("/")) + 1 if not place.local else len(place.path.rstrip("/")) + 1
    files = [
        Found(name, info.size)
        for info in infos
        if info.type == pafs.FileType.File
        for name in [info.path[start:] if place.local else info.path.strip("/")[start:]]
        if name.lower().endswith(".parquet") and not any(part.startswith((".", "_")) for part in name.split("/"))
    ]
    if not files:
        raise MedqDegError(f"{place}: holds no parquet file")
    return place, sorted(files, key=lambda file: file.name)


@contextmanager
def replace_place(target: Place, scratch: Place) -> Iterator[Any]:
    """Open a binary file that appears under its name only when it is complete, in an object store too.

    pyarrow completes an upload whenever a stream is closed, also after an error; so nothing but a whole file is moved
    from its name in the scratch folder to its own, which a store does in one step.

    Parameters
    ----------
    target : Place
    scratch : Place
        Folder of the same store for what is not complete; it is not used on this machine, where `replace_file` is.
    """
    if target.local:
        with replace_file(Path(target.path)) as file:
            yield file
        return
    part = scratch / f"parts/{uuid.uuid4().hex}"
    try:
        with telling(target):
            with part.system.open_output_stream(part.path) as file:
                yield file
            target.system.move(part.path, target.path)
    except BaseException:
        remove(part)
        raise


def remove(place: Place) -> None:
    """Remove a file, if it is there and the store lets it be removed."""
    with suppress(OSError, pa.ArrowException):
        place.system.delete_file(place.path)


def clear(folder: Place) -> None:
    """Remove a folder and what is in it, if it is there."""
    with suppress(OSError, pa.ArrowException):
        folder.system.delete_dir(folder.path)
