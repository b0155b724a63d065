"""The manifest of a build as it may come from anybody: each part is read if it is what it should be, else told."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from medq_deg.data.schema import MANIFEST
from medq_deg.errors import MedqDegError, shown
from medq_deg.files import read_json
from medq_deg.taxonomy import SEVERITY_NAMES

COUNTED: Final = ("severity", "degradation")
"""Counts that `medq_deg.data.verify` holds against the rows."""

_SHARD: Final = re.compile(rf"data/(?:{'|'.join(SEVERITY_NAMES)})-[\w.-]+\.parquet")


@dataclass(frozen=True)
class Manifest:
    """What a manifest says, as far as it says it.

    Attributes
    ----------
    shards : mapping of str to str
        SHA-256 of each file, by its path in the folder of the build.
    counts : mapping of str to mapping, by `COUNTED`
        Rows by name.
    code : str
        Fingerprint of the code that made the images; empty if it is not said.
    keep_markings : bool
        Whether markings were kept.
    """

    shards: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    code: str = ""
    keep_markings: bool = False


def fingerprint_of(shards: Mapping[str, str]) -> str:
    """Return the fingerprint of a build: a SHA-256 over the names and hashes of its shards, in order."""
    return hashlib.sha256(json.dumps(shards, indent=2, ensure_ascii=False).encode() + b"\n").hexdigest()


def read_manifest(folder: Path, tell: Callable[[str], None]) -> Manifest:
    """Read the manifest of a build.

    Parameters
    ----------
    folder : Path
        What ``medq-deg build`` wrote.
    tell : callable
        Called with a sentence for each part that is not what it should be.

    Raises
    ------
    MedqDegError
        If there is none.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MedqDegError(f"{folder}: is no finished build, {MANIFEST} is missing")
    try:
        held = read_json(path)
    except MedqDegError as error:
        tell(str(error))
        return Manifest()
    if not isinstance(held, dict):
        tell(f"{MANIFEST}: is not the manifest of a build, but {shown(held)}")
        return Manifest()
    shards = _shards(held.get("shards"), tell)
    if held.get("fingerprint") != (wanted := fingerprint_of(shards)):
        tell(
            f"{MANIFEST}: its fingerprint is {shown(held.get('fingerprint'))}, that of the shards that it lists is "
            f"{wanted}"
        )
    counts = {name: _counts(held.get("counts"), name, tell) for name in COUNTED}
    settings = held.get("settings")
    if not isinstance(settings, dict) or not isinstance(settings.get("code"), str):
        tell(f"{MANIFEST}: is not the manifest of a build, its settings do not say which code made the images")
        return Manifest(shards, counts)
    return Manifest(shards, counts, settings["code"], bool(settings.get("keep_markings")))


def _shards(held: Any, tell: Callable[[str], None]) -> dict[str, str]:
    if not isinstance(held, dict) or not held:
        tell(f"{MANIFEST}: is not the manifest of a build, it lists no shards")
        return {}
    shards = {}
    for name, digest in held.items():
        if not _SHARD.fullmatch(name) or not isinstance(digest, str):
            tell(f"{MANIFEST}: lists {shown(name)} with {shown(digest)}, which is no shard of a build with its SHA-256")
        else:
            shards[name] = digest
    return shards


def _counts(held: Any, name: str, tell: Callable[[str], None]) -> dict[str, int]:
    found = held.get(name) if isinstance(held, dict) else None
    if not isinstance(found, dict) or not all(type(count) is int for count in found.values()):
        tell(f"{MANIFEST}: does not say how many rows there are by {name}")
        return {}
    return found
