"""The dataset card of a build: `dataset_card.md` with the configuration of its files and its composition filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medq_deg.files import replace_file
from medq_deg.taxonomy import NO_DEGRADATION, SEVERITY_NAMES, category_of

_PACKAGE = Path(__file__).parent.parent
_COMPOSITION = "<!-- composition -->"


def template() -> Path:
    """Return the card's template: inside an installed wheel, or at the root of a checkout."""
    installed = _PACKAGE / "dataset_card.md"
    return installed if installed.exists() else _PACKAGE.parent / "dataset_card.md"


def write_card(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write the card of a build from its manifest."""
    text = template().read_text(encoding="utf-8")
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    configs = ["configs:", "- config_name: default", "  data_files:"]
    for split in SEVERITY_NAMES:
        configs += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    body = body.replace(_COMPOSITION, composition(manifest))
    with replace_file(path) as file:
        file.write("\n".join(["---", front, *configs, "---", body]).encode())


def composition(manifest: Mapping[str, Any]) -> str:
    """Return the tables of a build's composition as Markdown."""
    counts = manifest["counts"]
    parts = [
        f"Made by medq-deg {manifest['settings']['version']}, seed {manifest['settings']['seed']}, "
        f"fingerprint `{manifest['fingerprint']}`.",
        _table("severity", counts["severity"]),
        _table("modality", counts["modality"]),
        _table("source", counts["source"]),
        "Rows of each degradation, L1 and L2 together:",
        "| degradation | category | rows |\n|---|---|---|\n"
        + "\n".join(
            f"| {name} | {category_of(name)} | {count:,} |"
            for name, count in sorted(counts["degradation"].items())
            if name != NO_DEGRADATION
        ),
    ]
    if manifest["unmet_quotas"]:
        missed = ", ".join(f"{name} {count:+d}" for name, count in manifest["unmet_quotas"].items())
        parts.append(f"Rows more or fewer than published: {missed}.")
    return "\n\n".join(parts)


def _table(heading: str, counts: Mapping[str, int]) -> str:
    lines = [f"| {heading} | rows |", "|---|---|", *(f"| {name} | {count:,} |" for name, count in counts.items())]
    return "\n".join(lines)
