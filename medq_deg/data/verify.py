"""Checking a build: counts, hashes, columns, images, and whether images can be made again."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features
from PIL import Image

from medq_deg.data.features import features
from medq_deg.data.manifest import Manifest, read_manifest
from medq_deg.data.schema import LETTERS, row_id, unsound
from medq_deg.data.stored import UNREADABLE
from medq_deg.degradations import degrade
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import ImageError, MedqDegError, shown
from medq_deg.files import file_hash
from medq_deg.images import open_image
from medq_deg.seeds import derive_seed
from medq_deg.taxonomy import DEGRADATION_LABELS, GREY_MODALITIES, MODALITIES, SEVERITIES, SEVERITY_NAMES

_MOST_PROBLEMS = 100


@dataclass
class Verification:
    """What a check found: rows seen, images made again, and what is wrong, one sentence each."""

    rows: int = 0
    remade: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Note a problem; after 100, only that there are more."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)
        elif len(self.problems) == _MOST_PROBLEMS:
            self.problems.append("more problems were found than are listed")


def verify(
    folder: Path, *, sample: int = 50, seed: int = 0, progress: Callable[[int, int], None] = lambda done, total: None
) -> Verification:
    """Check a build against its manifest and against itself.

    The manifest's fingerprint, every shard's hash and columns, the counts, that ids are unique and rows valid, that
    each image decodes and each degraded row has its clean row; and that a sample of degraded images, made again
    from the clean ones, has the same pixels.

    Parameters
    ----------
    folder : Path
        What ``medq-deg build`` wrote.
    sample : int
        Degraded images to make again.
    seed : int
        Chooses the sample.
    progress : callable
        Called with rows done and the total.

    Raises
    ------
    MedqDegError
        If the folder has no manifest. Everything else that is wrong is in the result.
    """
    result = Verification()
    manifest = read_manifest(folder, result.add)
    total = sum(manifest.counts.get("severity", {}).values())
    readable = _readable_shards(folder, manifest, result)
    chosen = _sample(folder, readable, sample, seed)
    check = _Check(result, chosen, markings=manifest.keep_markings)
    for name in sorted(readable):  # L0 comes first
        try:
            with pq.ParquetFile(folder / name) as file:
                for batch in file.iter_batches(32):
                    for row in batch.to_pylist():
                        result.rows += 1
                        progress(result.rows, total)
                        check.row(row, name)
        except UNREADABLE as error:
            result.add(f"{name}: its rows cannot be read to the end ({_told(error)})")
    for kind, counts in (("severity", check.severities), ("degradation", check.degradations)):
        if dict(counts) != manifest.counts.get(kind):
            result.add(f"rows by {kind} are {dict(counts)}, the manifest says {shown(manifest.counts.get(kind))}")
    if manifest.code and manifest.code != code_fingerprint():
        result.add(
            f"the images were made by other code ({shown(manifest.code)}) than the installed one "
            f"({code_fingerprint()}): remade images may differ"
        )
    return result


class _Check:
    """Looks at one row after another, and remembers what later ones are held against."""

    def __init__(self, result: Verification, chosen: Mapping[str, Mapping[str, Any]], *, markings: bool) -> None:
        self._result, self._chosen, self._markings = result, chosen, markings
        self._wanted = {row["question_id"] for row in chosen.values()}
        self._clean: dict[str, bytes] = {}
        self._seen: set[str] = set()
        self._questions: set[str] = set()
        self.severities: Counter[str] = Counter()
        self.degradations: Counter[str] = Counter()

    def row(self, row: dict[str, Any], name: str) -> None:
        """Check a row of the shard `name`."""
        if wrong := unsound(row):
            self._result.add(f"{name}: the {wrong} of row {shown(row.get('id'))} is {shown(row.get(wrong))}")
            return
        if not _labelled(row):
            self._result.add(
                f"{name}: row {shown(row['id'])} has a severity, degradation or modality that there is not"
            )
            return
        _check_row(row, name, self._seen, self._questions, self._result)
        self.severities[SEVERITY_NAMES[row["severity"]]] += 1
        self.degradations[DEGRADATION_LABELS[row["degradation"]]] += 1
        if not row["severity"] and row["question_id"] in self._wanted:
            self._clean[row["question_id"]] = row["image"]["bytes"]
        if row["id"] in self._chosen:
            _remake(row, self._clean.get(row["question_id"]), self._result, markings=self._markings)


def _readable_shards(folder: Path, manifest: Manifest, result: Verification) -> list[str]:
    """Check the files of the shards, and return the names of those whose rows can be read."""
    schema = features().arrow_schema
    readable = []
    for name, wanted in manifest.shards.items():
        path = folder / name
        if not path.is_file():
            result.add(f"{name}: is missing")
            continue
        digest = file_hash(path)
        if digest != wanted:
            result.add(f"{name}: its SHA-256 is {digest}, the manifest says {shown(wanted)}")
        try:
            found: pa.Schema = pq.read_schema(path)
            labels = _labels(Features.from_arrow_schema(found)) if found.equals(schema) else {}
        except UNREADABLE as error:
            result.add(f"{name}: is no parquet file that can be read ({_told(error)})")
            continue
        if not found.equals(schema):
            result.add(f"{name}: its columns are {shown(found.names)} with other types than {schema.names}")
        elif labels != _labels(features()):
            result.add(f"{name}: its class labels are other names, or in another order, than this version's")
        else:
            readable.append(name)
    listed = {path.relative_to(folder).as_posix() for path in (folder / "data").glob("*.parquet")}
    for name in sorted(listed - set(manifest.shards)):
        result.add(f"{name}: is not in the manifest")
    return readable


def _told(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _labels(columns: Features) -> dict[str, list[str]]:
    return {name: feature.names for name, feature in columns.items() if isinstance(feature, ClassLabel)}


def _labelled(row: dict[str, Any]) -> bool:
    columns = (("severity", SEVERITIES), ("degradation", DEGRADATION_LABELS), ("modality", MODALITIES))
    return all(isinstance(row[name], int) and 0 <= row[name] < len(names) for name, names in columns)


def _check_row(row: dict[str, Any], name: str, seen: set[str], questions: set[str], result: Verification) -> None:
    if row["id"] in seen:
        result.add(f"{name}: two rows have the id {shown(row['id'])}")
    seen.add(row["id"])
    degradation = DEGRADATION_LABELS[row["degradation"]]
    if row["id"] != row_id(row["question_id"], degradation, row["severity"]):
        result.add(f"{name}: row {shown(row['id'])} does not fit its question, degradation and severity")
    if row["answer"] not in LETTERS[: len(row["options"])]:
        result.add(f"{name}: row {shown(row['id'])} has answer {shown(row['answer'])}, which is no option")
    if row["severity"] == 0:
        questions.add(row["question_id"])
    elif row["question_id"] not in questions:
        result.add(f"{name}: row {shown(row['id'])} has no clean row")
    if _decoded(row["image"]["bytes"]) is None:
        result.add(f"{name}: the image of row {shown(row['id'])} cannot be decoded")


def _decoded(data: bytes | None) -> Image.Image | None:
    try:
        return open_image(data) if data else None
    except ImageError:
        return None


def _sample(folder: Path, shards: Sequence[str], count: int, seed: int) -> dict[str, dict[str, Any]]:
    """Choose degraded rows by the hash of their id, so that no reader's order matters."""
    rows: list[dict[str, Any]] = []
    for name in shards:
        if not name.startswith(f"data/{SEVERITY_NAMES[0]}"):
            with contextlib.suppress(*UNREADABLE):  # told when its rows are read
                rows += pq.read_table(folder / name, columns=["id", "question_id"]).to_pylist()
    rows = [row for row in rows if row["id"] is not None and row["question_id"] is not None]
    rows.sort(key=lambda row: derive_seed(seed, row["id"], "verify"))
    return {row["id"]: row for row in rows[:count]}


def _remake(row: dict[str, Any], clean: bytes | None, result: Verification, *, markings: bool) -> None:
    source, made = _decoded(clean), _decoded(row["image"]["bytes"])
    if source is None or made is None:
        return  # told already
    try:
        again = degrade(
            source,
            DEGRADATION_LABELS[row["degradation"]],
            row["severity"],
            row["seed"],
            modality=MODALITIES[row["modality"]],
            keep_marking=markings and MODALITIES[row["modality"]] in GREY_MODALITIES,
        )
    except MedqDegError as error:
        result.add(f"row {shown(row['id'])}: the image cannot be made again: {error}")
        return
    if again.mode != made.mode:  # WebP knows no grey images
        again, made = again.convert("RGB"), made.convert("RGB")
    same = again.size == made.size and np.array_equal(np.asarray(again), np.asarray(made))
    if not same and again.size == made.size:
        # Another machine's arithmetic may round a level differently.
        same = np.abs(np.asarray(again).astype(int) - np.asarray(made).astype(int)).max() <= 1
    result.remade += 1
    if not same:
        result.add(f"row {shown(row['id'])}: the image cannot be made again from its clean row and seed")
