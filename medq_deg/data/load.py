"""The one place that knows what a name of data stands for: `open_data`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from medq_deg import demo
from medq_deg.data.names import DEMO, EMBEDDED, HUB_RELEASE, RELEASE
from medq_deg.degradations.version import code_fingerprint
from medq_deg.demo.crops import held_out_rows
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import SEVERITY_NAMES

ALLOWED: Final = (
    "demo, demo-held-out, release, release:DIR with the authors' TSV files, a folder that `medq-deg build` wrote, or "
    "the ORG/NAME of a dataset of that layout on the Hub"
)

_HUB_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_PUSHED: Final = ("data/*.parquet", "*.json", "README.md")


class Rows(Protocol):
    """What holds rows: a sequence that can show their columns without reading images."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any: ...

    def columns(self) -> Iterator[dict[str, Any]]:
        """Yield the rows without their images."""
        ...


@dataclass(frozen=True)
class Data(Sequence[Mapping[str, Any]]):
    """Rows, clean ones first, with the columns of `medq_deg.data.schema`; a row is read, and made, on access.

    Attributes
    ----------
    name : str
        What a run, and a report, calls the data.
    fingerprint : str
        Changes with anything that the rows and their images hold, and with nothing else: not with where they lie.
    rows : Rows
        The rows themselves.
    shards : mapping of str to sequence of Path
        The parquet files of each split; empty for data whose images are made.
    revision : str, optional
        Commit of the dataset on the Hub that the rows were read from.
    """

    name: str
    fingerprint: str
    rows: Rows
    shards: Mapping[str, Sequence[Path]]
    revision: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def columns(self) -> Iterator[dict[str, Any]]:
        """Yield the rows without their images, which are neither read nor made."""
        return self.rows.columns()


def open_data(name: str, progress: Callable[[str, int, int], None] = lambda stage, done, total: None) -> Data:
    """Return the data that a name stands for.

    Parameters
    ----------
    name : str
        "demo" is the demo set on whole images, "demo-held-out" the same questions on the parts of its images that
        the demo model was not trained on. "release" is the authors' release from the Hub, "release:DIR" a local copy of
        its TSV files; it is converted to parquet once, in the cache of `datasets`, and read from there. Anything else
        is a folder that ``medq-deg build`` wrote, or, if there is no such folder, a dataset of that layout on the Hub,
        ORG/NAME.
    progress : callable
        Called with a stage, what is done and the total (0 where it is not known), while files are read.

    Returns
    -------
    Data
        A sequence of rows, as `medq_deg.evaluation.run.evaluate` wants them.

    Raises
    ------
    MedqDegError
        If `name` is none of these, a build is not finished, files cannot be read, or the Hub cannot be reached.

    Examples
    --------
    >>> data = medq_deg.open_data("demo")
    >>> data[0]["question_id"], data[0]["image"].size
    """
    if not isinstance(name, (str, Path)):
        raise MedqDegError(f"the name of data must be a text, got {name!r}; allowed: {ALLOWED}")
    name = str(name)
    if name in EMBEDDED:
        return Data(name, code_fingerprint(), demo.rows() if name == DEMO else held_out_rows(), {})
    kind, colon, place = name.partition(":")
    if kind == RELEASE and (colon or not Path(name).is_dir()):
        if colon and not place:
            raise MedqDegError(f"{name!r} names no folder; release:DIR is wanted, or release for the Hub's")
        return _release(Path(place) if colon else _download_release(), progress)
    folder = Path(name)
    if folder.is_dir():
        return _stored(folder.resolve().name, folder, progress)
    if folder.exists() or not _HUB_NAME.fullmatch(name):
        raise MedqDegError(f"unknown data {name!r}; allowed: {ALLOWED}")
    snapshot = _download(name)
    return replace(
        _stored(name, snapshot, progress), revision=snapshot.name if _COMMIT.fullmatch(snapshot.name) else None
    )


def _release(folder: Path, progress: Callable[[str, int, int], None]) -> Data:
    from medq_deg.data.convert import converted
    from medq_deg.data.stored import StoredRows, shards_of

    shards, content = converted(folder, progress)
    found = shards_of(shards)
    return Data(RELEASE, content, StoredRows(path for paths in found.values() for path in paths), found)


def _stored(name: str, folder: Path, progress: Callable[[str, int, int], None]) -> Data:
    from medq_deg.data.known import remembered
    from medq_deg.data.stored import StoredRows, content_of, shards_of

    if (folder / ".build").exists():
        raise MedqDegError(f"{folder}: is a build that has not finished; the command that began it goes on with it")
    shards = shards_of(folder)
    empty = [split for split in SEVERITY_NAMES if not shards[split]]
    if empty:
        raise MedqDegError(
            f"unknown data {str(folder)!r}: the folder holds no shards of {', '.join(empty)}; make them with "
            f"`medq-deg build ... --out {folder}`, or name the authors' TSV files with release:DIR, in Python "
            "load_dataset('medq-deg', 'release', data_dir=DIR)"
        )
    paths = [path for split in SEVERITY_NAMES for path in shards[split]]
    rows = StoredRows(paths)
    progress("checking what the data holds", 0, 0)
    return Data(name, remembered("content", paths, lambda: content_of(paths)), rows, shards)


def _download_release() -> Path:
    from huggingface_hub import cached_assets_path

    # Real files, not links into a cache: an image that is a link out of its folder is refused.
    folder = cached_assets_path("medq-deg", namespace="release")
    try:
        return _fetched(HUB_RELEASE, local_dir=folder)
    except _CannotFetchError as error:
        raise MedqDegError(
            f"the authors' release cannot be fetched from the Hub ({error}). Download the TSV files of the dataset "
            f"{HUB_RELEASE} and name them release:FOLDER, or load them with load_dataset('medq-deg', 'release', "
            "data_dir=FOLDER); or build the benchmark from its sources with `medq-deg build` and load it with "
            "load_dataset('medq-deg', data_dir=OUT); or try load_dataset('medq-deg', 'demo'), which needs no network"
        ) from None


def _download(repo: str) -> Path:
    try:
        return _fetched(repo, allow_patterns=list(_PUSHED))
    except _CannotFetchError as error:
        raise MedqDegError(
            f"{repo!r} is no folder here, and no dataset that can be fetched from the Hub ({error}); allowed: {ALLOWED}"
        ) from None


class _CannotFetchError(Exception):
    pass


def _fetched(repo: str, **options: Any) -> Path:
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(repo, repo_type="dataset", **options))
    except (
        OSError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        httpx2.HTTPError,
    ) as error:
        raise _CannotFetchError(type(error).__name__) from None
