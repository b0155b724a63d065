"""Checking a build: counts, hashes, columns, images, and whether images can be made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features
from PIL import Image

from medq_deg.data.features import features
from medq_deg.data.schema import LETTERS, MANIFEST, row_id
from medq_deg.degradations import degrade
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import file_hash, read_json
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

    Every shard's hash and columns, the counts, that ids are unique and rows valid, that each image decodes and each
    degraded row has its clean row; and that a sample of degraded images, made again from the clean ones, has the same
    pixels.

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
        If the folder has no readable manifest. Everything else that is wrong is in the result.
    """
    manifest = _manifest(folder)
    result = Verification()
    total = sum(manifest["counts"]["severity"].values())
    readable = _readable_shards(folder, manifest, result)
    clean: dict[str, bytes] = {}
    seen: set[str] = set()
    severities: Counter[str] = Counter()
    degradations: Counter[str] = Counter()
    chosen = _sample(folder, readable, sample, seed)
    wanted = {row["question_id"] for row in chosen.values()}
    questions: set[str] = set()
    markings = bool(manifest["settings"].get("keep_markings"))
    for name in sorted(readable):  # L0 comes first
        with pq.ParquetFile(folder / name) as file:
            for batch in file.iter_batches(32):
                for row in batch.to_pylist():
                    result.rows += 1
                    progress(result.rows, total)
                    if not _labelled(row):
                        result.add(
                            f"{name}: row {row['id']!r} has a severity, degradation or modality that there is not"
                        )
                        continue
                    _check_row(row, name, seen, questions, result)
                    severities[SEVERITY_NAMES[row["severity"]]] += 1
                    degradations[DEGRADATION_LABELS[row["degradation"]]] += 1
                    if not row["severity"] and row["question_id"] in wanted:
                        clean[row["question_id"]] = row["image"]["bytes"]
                    if row["id"] in chosen:
                        _remake(row, clean.get(row["question_id"]), result, markings=markings)
    for kind, counts in (("severity", severities), ("degradation", degradations)):
        if dict(counts) != manifest["counts"][kind]:
            result.add(f"rows by {kind} are {dict(counts)}, the manifest says {manifest['counts'][kind]}")
    if manifest["settings"]["code"] != code_fingerprint():
        result.add(
            f"the images were made by other code ({manifest['settings']['code']}) than the installed one "
            f"({code_fingerprint()}): remade images may differ"
        )
    return result


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        raise MedqDegError(f"{folder}: is no finished build, {MANIFEST} is missing")
    manifest: dict[str, Any] = read_json(path)
    parts = [manifest.get(name) if isinstance(manifest, dict) else None for name in ("shards", "counts", "settings")]
    if not all(isinstance(part, dict) for part in parts) or not {"severity", "degradation"} <= set(manifest["counts"]):
        raise MedqDegError(f"{path}: is not the manifest of a build")
    return manifest


def _readable_shards(folder: Path, manifest: dict[str, Any], result: Verification) -> list[str]:
    """Check the files of the shards, and return the names of those whose rows can be read."""
    schema = features().arrow_schema
    readable = []
    for name, wanted in manifest["shards"].items():
        path = folder / name
        if not path.exists():
            result.add(f"{name}: is missing")
            continue
        digest = file_hash(path)
        if digest != wanted:
            result.add(f"{name}: its SHA-256 is {digest}, the manifest says {wanted}")
        try:
            found: pa.Schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            result.add(f"{name}: is no parquet file that can be read ({' '.join(str(error).split())[:100]})")
            continue
        if not found.equals(schema):
            result.add(f"{name}: its columns are {found.names} with other types than {schema.names}")
        elif _labels(Features.from_arrow_schema(found)) != _labels(features()):
            result.add(f"{name}: its class labels are other names, or in another order, than this version's")
        else:
            readable.append(name)
    listed = {path.relative_to(folder).as_posix() for path in (folder / "data").glob("*.parquet")}
    for name in sorted(listed - set(manifest["shards"])):
        result.add(f"{name}: is not in the manifest")
    return readable


def _labels(columns: Features) -> dict[str, list[str]]:
    return {name: feature.names for name, feature in columns.items() if isinstance(feature, ClassLabel)}


def _labelled(row: dict[str, Any]) -> bool:
    columns = (("severity", SEVERITIES), ("degradation", DEGRADATION_LABELS), ("modality", MODALITIES))
    return all(isinstance(row[name], int) and 0 <= row[name] < len(names) for name, names in columns)


def _check_row(row: dict[str, Any], name: str, seen: set[str], questions: set[str], result: Verification) -> None:
    if row["id"] in seen:
        result.add(f"{name}: two rows have the id {row['id']!r}")
    seen.add(row["id"])
    degradation = DEGRADATION_LABELS[row["degradation"]]
    if row["id"] != row_id(row["question_id"], degradation, row["severity"]):
        result.add(f"{name}: row {row['id']!r} does not fit its question, degradation and severity")
    if row["answer"] not in LETTERS[: len(row["options"])]:
        result.add(f"{name}: row {row['id']!r} has answer {row['answer']!r}, which is no option")
    if row["severity"] == 0:
        questions.add(row["question_id"])
    elif row["question_id"] not in questions:
        result.add(f"{name}: row {row['id']!r} has no clean row")
    if _decoded(row["image"]["bytes"]) is None:
        result.add(f"{name}: the image of row {row['id']!r} cannot be decoded")


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
            rows += pq.read_table(folder / name, columns=["id", "question_id"]).to_pylist()
    rows.sort(key=lambda row: derive_seed(seed, row["id"], "verify"))
    return {row["id"]: row for row in rows[:count]}


def _remake(row: dict[str, Any], clean: bytes | None, result: Verification, *, markings: bool) -> None:
    source, made = _decoded(clean), _decoded(row["image"]["bytes"])
    if source is None or made is None:
        return  # told already
    again = degrade(
        source,
        DEGRADATION_LABELS[row["degradation"]],
        row["severity"],
        row["seed"],
        modality=MODALITIES[row["modality"]],
        keep_marking=markings and MODALITIES[row["modality"]] in GREY_MODALITIES,
    )
    if again.mode != made.mode:  # WebP knows no grey images
        again, made = again.convert("RGB"), made.convert("RGB")
    same = again.size == made.size and np.array_equal(np.asarray(again), np.asarray(made))
    if not same and again.size == made.size:
        # Another machine's arithmetic may round a level differently.
        same = np.abs(np.asarray(again).astype(int) - np.asarray(made).astype(int)).max() <= 1
    result.remade += 1
    if not same:
        result.add(f"row {row['id']!r}: the image cannot be made again from its clean row and seed")
