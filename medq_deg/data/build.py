"""`medq-deg build`: from the sources to parquet shards, a manifest, a load report and a dataset card.

Stages: collect the clean questions and their images in a working folder; plan; write the shards of L0, L1 and L2;
write the manifest. Each stage's result appears when it is complete, so a build that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

import medq_deg
from medq_deg.bars import bars
from medq_deg.data.card import write_card
from medq_deg.data.clean import CleanPair, collect, read_pairs, write_pairs
from medq_deg.data.features import encoded
from medq_deg.data.manifest import fingerprint_of
from medq_deg.data.plan import Plan, PlannedRow, make_plan
from medq_deg.data.schema import MANIFEST, Question, row
from medq_deg.data.shards import SHARD_BYTES, Job, write_split
from medq_deg.data.sources import LoadReport, SourceRecord, registry
from medq_deg.degradations.version import DEGRADATION_VERSION, code_fingerprint
from medq_deg.encoding import Encoding
from medq_deg.engines.local import Engine, LocalEngine
from medq_deg.errors import MedqDegError, shown
from medq_deg.files import clear_parts, file_hash, hold_folder, read_json, replace_file
from medq_deg.seeds import check_seed, derive_seed
from medq_deg.taxonomy import SEVERITY_NAMES

REPORT: Final = "load_report.json"
_WORK: Final = ".build"
_HASHED_WHOLE: Final = 2**30


@dataclass(frozen=True)
class BuildSettings:
    """What decides the rows of a build."""

    sources: Mapping[str, str]
    seed: int = 0
    quotas: Literal["published"] | None = None
    questions: int | None = None
    shard_bytes: int = SHARD_BYTES
    keep_markings: bool = True
    encoding: Encoding = field(default_factory=Encoding)


def build(
    sources: Mapping[str, Path],
    out: Path,
    *,
    seed: int = 0,
    quotas: Literal["published"] | None = None,
    questions: int | None = None,
    workers: int = 1,
    shard_bytes: int = SHARD_BYTES,
    strict: bool = False,
    keep_markings: bool = True,
    encoding: Encoding | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Build the benchmark from its sources, or go on with a build that was stopped.

    Parameters
    ----------
    sources : mapping of str to Path
        File or folder of each source, by its name: one of `medq_deg.data.sources.registry.source_names()`, which
        an installed plugin adds to. They are read in that order: of two equal questions the first is kept.
    out : Path
        Folder of the result.
    seed, quotas
        As in `medq_deg.make_plan`.
    questions : int, optional
        Keep this many clean questions, chosen by the seed; all without it.
    workers : int
        Processes that make images; the result does not depend on it.
    shard_bytes : int
        Size of the images at which a shard is closed.
    strict : bool
        Stop before anything is written if a row of the sources cannot be used.
    keep_markings : bool
        As in `medq_deg.make_plan`.
    encoding : Encoding, optional
        How images are stored; PNG at level 1 without it.
    engine : Engine, optional
        Makes the images, in place of processes of this machine.
    progress : callable
        Called with the stage, the rows done and the total (0 where it is not known yet). By default a bar, which
        `datasets.disable_progress_bars()` hides.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    MedqDegError
        For an unknown or no source, no clean question, a skipped row where `strict` is set, and a folder that another
        process builds in or that holds another build or something else.

    Examples
    --------
    >>> build({"folder": Path("my_questions")}, Path("data"))  # doctest: +SKIP
    """
    check_seed(seed)
    if workers < 1:
        raise MedqDegError(f"workers must be 1 or more, got {workers}")
    if not sources:
        raise MedqDegError(f"no source is given; allowed: {', '.join(registry.source_names())}")
    for name in sources:
        registry.source(name)
    for path in sources.values():
        if not path.exists():
            raise MedqDegError(f"{path}: no such file or folder")
    if quotas not in (None, "published"):
        raise MedqDegError(f"quotas must be 'published' or None, got {quotas!r}")
    if out.exists() and not out.is_dir():
        raise MedqDegError(f"{out}: is a file; choose a folder")
    hashes = {name: _source_hash(sources[name], out) for name in registry.source_names() if name in sources}
    settings = BuildSettings(hashes, seed, quotas, questions, shard_bytes, keep_markings, encoding or Encoding())
    with hold_folder(out, f"{out}: another process is building here; wait until it ends, or choose another folder"):
        manifest = _claim(out, settings)
        if manifest is None:
            with ExitStack() as started:
                makers = engine or started.enter_context(LocalEngine(workers))
                told = progress or started.enter_context(bars(" rows"))
                manifest = _build(sources, out, settings, makers, strict, told)
        elif strict:
            _refuse_skipped(read_json(out / REPORT), out / REPORT)
        _tidy(out)
    return manifest


def _build(
    sources: Mapping[str, Path],
    out: Path,
    settings: BuildSettings,
    engine: Engine,
    strict: bool,
    progress: Callable[[str, int, int], None],
) -> dict[str, Any]:
    work = out / _WORK
    clean, report = _clean(sources, work, settings, strict, progress)
    by_id = {pair.question.question_id: pair for pair in clean}
    modalities = ({"question_id": name, "modality": pair.question.modality} for name, pair in by_id.items())
    plan = make_plan(modalities, settings.seed, settings.quotas, keep_markings=settings.keep_markings)
    paths: list[Path] = []
    made = 0

    def count(rows: int) -> None:
        nonlocal made
        made += rows
        progress("writing rows", made, len(plan))

    for severity, split in enumerate(SEVERITY_NAMES):
        planned = [(by_id[each.question_id], each) for each in plan if each.severity == severity]
        rows = [encoded(row(pair.question, each.degradation, severity, each.seed)) for pair, each in planned]
        jobs = [_job(work / "images", pair, each, settings.encoding) for pair, each in planned]
        paths += write_split(
            out / "data", split, rows, jobs, engine=engine, shard_bytes=settings.shard_bytes, progress=count
        )
    manifest = _manifest(settings, plan, {name: pair.question for name, pair in by_id.items()}, paths, out)
    with replace_file(out / REPORT) as file:
        file.write(_json(report))
    write_card(out / "README.md", manifest)
    with replace_file(out / MANIFEST) as file:
        file.write(_json(manifest))
    return manifest


def _tidy(out: Path) -> None:
    """Remove what only an unfinished build needs, and what a killed one left."""
    shutil.rmtree(out / _WORK, ignore_errors=True)
    for folder in (out, out / "data"):
        clear_parts(folder)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _settings(settings: BuildSettings) -> dict[str, Any]:
    return {
        **asdict(settings),
        "degradation_version": DEGRADATION_VERSION,
        "code": code_fingerprint(),
        "version": medq_deg.__version__,
    }


def _claim(out: Path, settings: BuildSettings) -> dict[str, Any] | None:
    """Start a build in a folder, or check that one to go on with is the same; return the manifest of a finished one."""
    wanted = _settings(settings)
    if (out / MANIFEST).exists():
        found = read_json(out / MANIFEST)
        if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
            raise MedqDegError(f"{out / MANIFEST}: is not the manifest of a build; choose another folder")
        _check_same(out, found["settings"], wanted)
        return found
    begun = out / _WORK / "settings.json"
    if any((out / "data").glob("*.parquet")):
        _check_same(out, _held(begun), wanted)
        return None
    if _held(begun) == wanted:
        return None
    # Nothing that is final was written yet: a build with other settings, or of a source since repaired, starts anew.
    _tidy(out)
    if any(path.name != ".lock" and (path.name != "data" or any(path.iterdir())) for path in out.iterdir()):
        raise MedqDegError(f"{out}: is not empty and holds no build; choose another folder")
    with replace_file(begun) as file:
        file.write(_json(wanted))
    return None


def _held(begun: Path) -> dict[str, Any]:
    """Return the settings of a build that was begun; nothing if they cannot be read, since it is then another."""
    try:
        found = read_json(begun) if begun.exists() else {}
    except MedqDegError:
        found = {}
    return found if isinstance(found, dict) else {}


def _check_same(out: Path, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    changed = [key for key in wanted if before.get(key) != wanted[key]]
    if changed:
        told = "; ".join(f"{key} was {shown(before.get(key))}, is {shown(wanted[key])}" for key in changed)
        raise MedqDegError(f"{out}: holds a build with other settings: {told}. Choose another folder")


def _source_hash(path: Path, out: Path) -> str:
    """Return a SHA-256 of a file's content, or of a folder's: what is in `out` is not part of it.

    Of a folder of more than 1 GiB the images count by name and size, since reading them twice would take minutes.
    """
    if path.is_file():
        return file_hash(path)
    within = out.resolve()
    items = [item for item in sorted(path.rglob("*")) if item.is_file() and not item.resolve().is_relative_to(within)]
    sizes = [item.stat().st_size for item in items]
    whole = sum(sizes) <= _HASHED_WHOLE
    digest = hashlib.sha256()
    for item, size in zip(items, sizes, strict=True):
        digest.update(os.fsencode(item.relative_to(path).as_posix()) + f" {size}\n".encode())
        if whole or item.suffix.lower() in (".json", ".jsonl", ".csv", ".tsv"):
            digest.update(file_hash(item).encode())
    return digest.hexdigest()


def _clean(
    sources: Mapping[str, Path],
    work: Path,
    settings: BuildSettings,
    strict: bool,
    progress: Callable[[str, int, int], None],
) -> tuple[list[CleanPair], dict[str, Any]]:
    listed, reported = work / "clean.jsonl", work / "report.json"
    if not listed.exists():
        report = LoadReport()
        records = chain.from_iterable(registry.read(name, sources[name], report) for name in settings.sources)
        found = collect(_counted(records, progress), work / "images", report)
        with replace_file(reported) as file:
            file.write(_json(report.as_dict()))
        if not found:
            raise MedqDegError(f"the sources hold no usable question; see {reported}: {report.reasons()}")
        if settings.questions is not None:
            found = _subset(found, settings.questions, settings.seed)
        if strict:
            _refuse_skipped(read_json(reported), reported)
        write_pairs(found, listed)
    elif strict:
        _refuse_skipped(read_json(reported), reported)
    return read_pairs(listed), read_json(reported)


def _refuse_skipped(report: Mapping[str, Any], path: Path) -> None:
    told = LoadReport.of(report)
    if told.skipped:
        raise MedqDegError(
            f"{sum(told.skipped.values()):,} of {told.rows_read:,} rows cannot be used; see {path}: {told.reasons()}"
        )


def _counted(records: Iterable[SourceRecord], progress: Callable[[str, int, int], None]) -> Iterator[SourceRecord]:
    for done, record in enumerate(records, 1):
        yield record
        progress("reading sources", done, 0)


def _subset(pairs: Sequence[CleanPair], count: int, seed: int) -> list[CleanPair]:
    if not 1 <= count <= len(pairs):
        raise MedqDegError(f"questions must be 1 to {len(pairs)}, the clean questions there are, got {count}")
    order = sorted(range(len(pairs)), key=lambda i: derive_seed(seed, pairs[i].question.question_id, "subset"))
    return [pairs[i] for i in sorted(order[:count])]


def _job(images: Path, pair: CleanPair, planned: PlannedRow, encoding: Encoding) -> Job:
    return Job(
        images / pair.image,
        planned.degradation,
        planned.severity,
        planned.seed,
        pair.question.modality,
        planned.keep_marking,
        encoding,
    )


def _manifest(
    settings: BuildSettings, plan: Plan, questions: Mapping[str, Question], paths: Sequence[Path], out: Path
) -> dict[str, Any]:
    shards = {path.relative_to(out).as_posix(): file_hash(path) for path in paths}
    return {
        # What the shards hold, and nothing of how or from where they were made.
        "fingerprint": fingerprint_of(shards),
        "settings": _settings(settings),
        "counts": {
            "severity": dict(Counter(SEVERITY_NAMES[each.severity] for each in plan)),
            "degradation": plan.counts(),
            "modality": dict(Counter(questions[each.question_id].modality for each in plan)),
            "source": dict(Counter(questions[each.question_id].source for each in plan)),
        },
        "unmet_quotas": dict(plan.unmet),
        "shards": shards,
        "packages": {name: version(name) for name in ("numpy", "scipy", "opencv-python-headless", "pillow", "pyarrow")},
    }
