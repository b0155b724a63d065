"""Feeding a review back: the dataset without the pairs that reviewers removed, and the record of who removed what."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

import medq_deg
from medq_deg.data.card import write_card
from medq_deg.data.features import encoded, features
from medq_deg.data.load import Data, open_data
from medq_deg.data.schema import MANIFEST
from medq_deg.degradations.version import DEGRADATION_VERSION, code_fingerprint
from medq_deg.encoding import encode_png
from medq_deg.errors import MedqDegError
from medq_deg.files import file_hash, read_json, replace_file
from medq_deg.review.database import Database
from medq_deg.review.results import RULES, Pair, Review, check_rule, read_review
from medq_deg.review.store import check_fingerprint
from medq_deg.review.terms import DELETE, REASONS
from medq_deg.taxonomy import DEGRADATION_LABELS, MODALITIES, SEVERITY_NAMES

_UNREVIEWED: Final = "- No expert has reviewed these rows. The paper's experts removed 8.3 % of theirs."
"""The line of the card that is no longer true."""

_LISTED: Final = 200
"""Removed pairs that the card lists; the manifest has them all."""

_AT_ONCE: Final = 32


@dataclass(frozen=True)
class Applied:
    """What `apply_review` did.

    Attributes
    ----------
    manifest : dict
    removed : int
        Pairs.
    reviewed, pairs : int
        Pairs that somebody finished, and all.
    """

    manifest: dict[str, Any]
    removed: int
    reviewed: int
    pairs: int


def apply_review(
    name: str,
    path: Path,
    rule: str,
    out: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Applied:
    """Write a dataset without the pairs that a review removed; every clean row stays.

    Parameters
    ----------
    name : str
        The dataset that was reviewed, as in `medq_deg.open_data`.
    path : Path
        The review database.
    rule : {"majority", "any", "all"}
        See `medq_deg.review.results.RULES`. Pairs that nobody has finished stay.
    out : Path
        A folder that does not exist or is empty.
    progress : callable
        Called with a stage, the rows done and their total.

    Returns
    -------
    Applied

    Raises
    ------
    MedqDegError
        If the database is missing or none, or belongs to another dataset; for an unknown rule or a folder that is not
        empty.
    """
    check_rule(rule)
    database = Database(path, writable=False)
    try:
        review = read_review(database)
        if not review.fingerprint:
            raise MedqDegError(f"{path}: nothing was reviewed yet; `medq-deg review {name} --db {path}` begins")
        data = open_data(name, progress)
        check_fingerprint(database, data.name, data.fingerprint)
    finally:
        database.close()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MedqDegError(f"{out}: is not an empty folder; choose another one")
    # What is not complete never has the name: rows that are missing would look like rows that were removed.
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        applied = _written(data, review, rule, part, progress)
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return applied


def _written(data: Data, review: Review, rule: str, out: Path, progress: Callable[[str, int, int], None]) -> Applied:
    gone = [pair for pair in review.pairs if pair.removed(rule)]
    dropped = {(pair.question_id, pair.degradation) for pair in gone}
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("severity", "degradation", "modality", "source")}
    done = 0
    paths: list[Path] = []
    for split in SEVERITY_NAMES:
        with _Writer(out / "data", split) as writer:
            for shard, table in _tables(data, split):
                done += len(table)
                writer.write(shard, _kept(table, dropped, counts))
                progress("writing rows", done, len(data))
        paths += writer.paths
    shards = {path.relative_to(out).as_posix(): file_hash(path) for path in paths}
    manifest = _manifest(data, review, rule, gone, counts, shards)
    write_card(out / "README.md", manifest)
    _describe(out / "README.md", manifest["review"], gone, rule)
    with replace_file(out / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n")
    return Applied(manifest, len(gone), sum(bool(pair.opinions) for pair in review.pairs), len(review.pairs))


def _tables(data: Data, split: str) -> Iterator[tuple[int, pa.Table]]:
    """Yield the number of the shard, and the rows, of each piece of a split, with their images as they are stored."""
    schema = features().arrow_schema
    if data.shards:
        for number, path in enumerate(data.shards[split]):
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    yield number, file.read_row_group(group).select(schema.names).cast(schema)
        return
    severity = SEVERITY_NAMES.index(split)
    held: list[dict[str, Any]] = []
    for place, row in enumerate(data.columns()):
        if row["severity"] == severity:
            image = encode_png(data[place]["image"])
            held.append({**encoded(row), "image": {"bytes": image, "path": None}})
        if len(held) == _AT_ONCE:
            yield 0, pa.Table.from_pylist(held, schema=schema)
            held = []
    yield 0, pa.Table.from_pylist(held, schema=schema)


def _kept(table: pa.Table, dropped: set[tuple[str, str]], counts: Mapping[str, Counter[str]]) -> pa.Table:
    """Return the rows that stay, and count them."""
    rows = table.select(["question_id", "degradation", "severity", "modality", "source"]).to_pylist()
    keep = []
    for row in rows:
        degradation = DEGRADATION_LABELS[row["degradation"]]
        stays = (row["question_id"], degradation) not in dropped
        keep.append(stays)
        if stays:
            counts["severity"][SEVERITY_NAMES[row["severity"]]] += 1
            counts["degradation"][degradation] += 1
            counts["modality"][MODALITIES[row["modality"]]] += 1
            counts["source"][row["source"]] += 1
    return table.filter(pa.array(keep, pa.bool_()))


class _Writer:
    """Writes the shards of a split as they were cut, leaving out those that nothing is left of but for one."""

    def __init__(self, folder: Path, split: str) -> None:
        self.paths: list[Path] = []
        self._folder = folder
        self._split = split
        self._shard = -1
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is None and not self.paths:
            self._begin()
        self._open.__exit__(kind, error, trace)

    def write(self, shard: int, table: pa.Table) -> None:
        if shard != self._shard:
            self._open.close()
            self._shard, self._writer = shard, None
        if len(table):
            (self._writer or self._begin()).write_table(table)

    def _begin(self) -> pq.ParquetWriter:
        path = self._folder / f"{self._split}-{len(self.paths):05d}.parquet"
        file = self._open.enter_context(replace_file(path))
        self._writer = self._open.enter_context(pq.ParquetWriter(file, features().arrow_schema))
        self.paths.append(path)
        return self._writer


def _manifest(
    data: Data,
    review: Review,
    rule: str,
    gone: Sequence[Pair],
    counts: Mapping[str, Counter[str]],
    shards: Mapping[str, str],
) -> dict[str, Any]:
    before = _manifest_before(data)
    settings = before.get("settings") or {
        "sources": {data.name: data.fingerprint},
        "seed": 0,
        "quotas": None,
        "keep_markings": True,
        "degradation_version": DEGRADATION_VERSION,
        "code": code_fingerprint(),
        "version": medq_deg.__version__,
    }
    fewer = Counter(pair.degradation for pair in gone)
    unmet = dict(before.get("unmet_quotas", {}))
    if settings.get("quotas"):
        unmet = {name: unmet.get(name, 0) - 2 * fewer[name] for name in {**unmet, **fewer}}
    return {
        "fingerprint": hashlib.sha256(json.dumps(dict(shards), indent=2).encode() + b"\n").hexdigest(),
        "settings": settings,
        "counts": {kind: dict(found) for kind, found in counts.items()},
        "unmet_quotas": {name: rows for name, rows in unmet.items() if rows},
        "shards": dict(shards),
        "packages": before.get("packages")
        or {name: version(name) for name in ("numpy", "scipy", "opencv-python-headless", "pillow", "pyarrow")},
        "review": {
            "rule": rule,
            "meaning": f"a pair is removed if {RULES[rule]}",
            "of": {"name": data.name, "fingerprint": data.fingerprint},
            "reviewers_per_question": review.slots,
            "reviewers": sorted({opinion.reviewer for pair in review.pairs for opinion in pair.opinions}),
            "pairs": len(review.pairs),
            "reviewed": sum(bool(pair.opinions) for pair in review.pairs),
            "removed": [_record(pair) for pair in gone],
        },
    }


def _manifest_before(data: Data) -> dict[str, Any]:
    """Return the manifest of what was reviewed; an empty one where it has none, such as the demo."""
    if not data.shards:
        return {}
    path = data.shards[SEVERITY_NAMES[0]][0].parent.parent / MANIFEST
    found = read_json(path) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def _record(pair: Pair) -> dict[str, Any]:
    return {
        "question_id": pair.question_id,
        "degradation": pair.degradation,
        "modality": pair.modality,
        "verdicts": [{"reviewer": opinion.reviewer, **asdict(opinion.verdict)} for opinion in pair.opinions],
    }


def _describe(card: Path, told: Mapping[str, Any], gone: Sequence[Pair], rule: str) -> None:
    """Say in the card that experts have reviewed the rows, what they removed and why."""
    text = card.read_text(encoding="utf-8")
    share = 100 * len(gone) / max(1, told["reviewed"])
    line = (
        f"- Experts reviewed {told['reviewed']:,} of {told['pairs']:,} pairs and removed {len(gone):,} "
        f"({share:.1f} %), see above. The paper's experts removed 8.3 % of theirs."
    )
    text = text.replace(_UNREVIEWED, line)
    section = _section(told, gone, rule)
    before, heading, after = text.partition("\n## Columns")
    text = f"{before.rstrip()}\n\n{section}\n{heading}{after}" if heading else f"{text.rstrip()}\n\n{section}\n"
    with replace_file(card) as file:
        file.write(text.encode())


def _section(told: Mapping[str, Any], gone: Sequence[Pair], rule: str) -> str:
    names = ", ".join(map(_plain, told["reviewers"])) or "nobody"
    lines = [
        "## Expert review",
        "",
        f"Reviewed by {names}; {told['reviewers_per_question']} for each question. Rule `{rule}`: a pair, which is L1 "
        f"and L2 of one degradation of a question, is removed if {RULES[rule]}. {len(gone):,} of {told['reviewed']:,} "
        f"reviewed pairs were removed, {told['pairs'] - told['reviewed']:,} were not reviewed. "
        "Clean rows (L0) all stay.",
    ]
    if gone:
        by_type = Counter(pair.degradation for pair in gone)
        lines += ["", "| degradation | pairs removed |", "|---|--:|"]
        lines += [f"| {name} | {count:,} |" for name, count in sorted(by_type.items())]
        lines += ["", "| question | degradation | removed by | why |", "|---|---|---|---|"]
        for pair in gone[:_LISTED]:
            against = [opinion for opinion in pair.opinions if opinion.verdict.verdict == DELETE]
            who = ", ".join(_plain(opinion.reviewer) for opinion in against)
            why = "; ".join(_why(opinion.verdict.reason, opinion.verdict.comment) for opinion in against)
            lines.append(f"| {_plain(pair.question_id)} | {pair.degradation} | {who} | {why} |")
        if len(gone) > _LISTED:
            lines += ["", f"The other {len(gone) - _LISTED:,} are in `{MANIFEST}`."]
    return "\n".join(lines)


def _why(reason: str | None, comment: str) -> str:
    title = REASONS[reason][0] if reason is not None and reason in REASONS else "no reason"
    return f"{title} ({_plain(comment)})" if comment else title


def _plain(text: str) -> str:
    """Return a text that is no Markdown and no HTML, and stays in its cell."""
    escaped = "".join(
        f"\\{character}" if character in "\\`*_[]|#~!$" else character for character in " ".join(text.split())
    )
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
