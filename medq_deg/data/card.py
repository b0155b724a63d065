"""The dataset card of a build, and the information about it that `datasets` and the Hub's viewer read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow.parquet as pq
import yaml
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard, DatasetCardData

from medq_deg.data.features import features
from medq_deg.data.sources import registry
from medq_deg.data.stored import shards_of
from medq_deg.files import replace_file
from medq_deg.taxonomy import CATEGORY_OF, NO_DEGRADATION, SEVERITY_NAMES

INFO: Final = "dataset_infos.json"
"""The file that holds licence and citation for programs too, for which the head of a card has no place."""

CONFIG: Final = "default"

_UNBUILT: Final[Mapping[str, tuple[str, str]]] = {
    "release": (
        "the authors' release (`jiyaoliufd/MedQ-DEG-Bench`)",
        "that of the release, and of the sources it was made from",
    ),
    "demo": ("the demonstration set of medq-deg", "per image, see its NOTICE"),
}
"""Name and licence of the sources that no build reads, by the value of the column `source`."""

_CITATION: Final = """@article{medqdeg,
  title   = {MedQ-Deg: A Multidimensional Benchmark for Evaluating MLLMs Across Medical Image Quality Degradations},
  author  = {Liu, Jiyao and others},
  journal = {arXiv preprint arXiv:2603.07769},
  year    = {2026}
}"""
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_PACKAGE: Final = Path(__file__).parent.parent
_COMPOSITION: Final = "<!-- composition -->"


def template() -> Path:
    """Return the card's template: inside an installed wheel, or at the root of a checkout."""
    installed = _PACKAGE / "dataset_card.md"
    return installed if installed.exists() else _PACKAGE.parent / "dataset_card.md"


def write_card(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write the card of a build from its manifest and the shards beside it, and the file `INFO`."""
    text = template().read_text(encoding="utf-8")
    with replace_file(path) as file:
        file.write(text.replace(_COMPOSITION, composition(manifest, path.parent)).encode())
    complete_card(path)


def complete_card(path: Path, others: Mapping[str, str] = MappingProxyType({})) -> None:
    """Bring the head of a card, and the file `INFO` beside it, up to what the shards hold; its text stays as it is.

    The head gets features, splits with their sizes, the files of each split and the size category.

    Parameters
    ----------
    path : Path
        The card.
    others : mapping of str to str
        Other configurations, and the folder of each, with the same splits.
    """
    info = info_of(path.parent)
    card = DatasetCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True)
    head = {name: value for name, value in _as_dict(card.data).items() if name not in ("dataset_info", "configs")}
    rows = sum(split.num_examples for split in info.splits.values())
    head["size_categories"] = [next((name for most, name in _SIZES if rows < most), "n>1M")]
    head["configs"] = [
        {
            "config_name": name,
            "data_files": [{"split": split, "path": f"{folder}/{split}-*.parquet"} for split in SEVERITY_NAMES],
        }
        for name, folder in {CONFIG: "data", **others}.items()
    ]
    data = DatasetCardData(**head)
    DatasetInfosDict({CONFIG: info}).to_dataset_card_data(data)
    with replace_file(path) as file:
        file.write(
            f"---\n{yaml.safe_dump(_as_dict(data), sort_keys=False, allow_unicode=True)}---\n{card.text}".encode()
        )
    with replace_file(path.with_name(INFO)) as file:
        told = _as_json(info)
        file.write(json.dumps({CONFIG: told}, indent=2).encode() + b"\n")


def _as_json(info: DatasetInfo) -> dict[str, Any]:
    """Return what every supported version of `datasets` reads of an info."""
    names = ("description", "citation", "homepage", "license", "download_size", "dataset_size")
    return {
        **{name: getattr(info, name) for name in names},
        "features": {name: _written(feature) for name, feature in info.features.items()},
        "splits": {
            name: {"name": name, "num_bytes": split.num_bytes, "num_examples": split.num_examples}
            for name, split in info.splits.items()
        },
    }


def _written(feature: Any) -> Any:
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    return asdict(feature) if inner is None else [_written(inner)]


def _as_dict(data: Any) -> dict[str, Any]:
    return dict(data.to_dict())


def info_of(folder: Path) -> DatasetInfo:
    """Return what is known of the dataset in a folder of shards: features, splits, sizes, licence and citation."""
    splits, download, size = SplitDict(), 0, 0
    for name, paths in shards_of(folder).items():
        rows = held = 0
        for path in paths:
            metadata = pq.read_metadata(path)
            rows += metadata.num_rows
            held += sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
            download += path.stat().st_size
        splits.add(SplitInfo(name, num_bytes=held, num_examples=rows))
        size += held
    sources = sorted({source for counts in _sources(folder).values() for source in counts})
    return DatasetInfo(
        description="Questions about medical images, clean (L0) and at two severities of degradation (L1, L2).",
        citation=_CITATION,
        homepage="https://arxiv.org/abs/2603.07769",
        license="; ".join(f"{name}: {_title_and_licence(name)[1]}" for name in sources),
        features=features(),
        config_name=CONFIG,
        splits=splits,
        download_size=download,
        dataset_size=size,
    )


def _sources(folder: Path) -> dict[str, Counter[str]]:
    """Return the number of rows of each source in each split."""
    return {
        split: sum(
            (Counter(pq.read_table(path, columns=["source"])["source"].to_pylist()) for path in paths), Counter()
        )
        for split, paths in shards_of(folder).items()
    }


def composition(manifest: Mapping[str, Any], folder: Path) -> str:
    """Return the tables of a build's composition as Markdown."""
    counts = manifest["counts"]
    parts = [
        f"Made by medq-deg {manifest['settings']['version']}, seed {manifest['settings']['seed']}, "
        f"fingerprint `{manifest['fingerprint']}`.",
        _table("severity", counts["severity"]),
        _table("modality", counts["modality"]),
        "Where the rows come from:",
        _origins(_sources(folder)),
        "Rows of each degradation, L1 and L2 together:",
        "| degradation | category | rows |\n|---|---|---|\n"
        + "\n".join(
            f"| {name} | {CATEGORY_OF[name]} | {count:,} |"
            for name, count in sorted(counts["degradation"].items())
            if name != NO_DEGRADATION
        ),
    ]
    if manifest["unmet_quotas"]:
        missed = ", ".join(f"{name} {count:+d}" for name, count in manifest["unmet_quotas"].items())
        parts.append(f"Rows more or fewer than published: {missed}.")
    return "\n\n".join(parts)


def _origins(sources: Mapping[str, Mapping[str, int]]) -> str:
    names = sorted({name for counts in sources.values() for name in counts})
    lines = ["| `source` | data set | licence | L0 | L1 | L2 |", "|---|---|---|--:|--:|--:|"]
    for name in names:
        title, licence = _title_and_licence(name)
        numbers = " | ".join(f"{sources[split].get(name, 0):,}" for split in SEVERITY_NAMES)
        lines.append(f"| `{name}` | {title} | {licence} | {numbers} |")
    return "\n".join(lines)


def _title_and_licence(name: str) -> tuple[str, str]:
    if name in _UNBUILT:
        return _UNBUILT[name]
    if name not in registry.source_names():
        return name, "ask its makers"  # of a plugin that is no longer installed
    found = registry.source(name)
    return found.title or name, found.licence


def _table(heading: str, counts: Mapping[str, int]) -> str:
    lines = [f"| {heading} | rows |", "|---|---|", *(f"| {name} | {count:,} |" for name, count in counts.items())]
    return "\n".join(lines)
