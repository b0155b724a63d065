"""`load_dataset("medq-deg")`: the demo set, a local build, or the authors' release.

The class works when called directly; `medq_deg.registration` makes the bare name find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq

from medq_deg import demo
from medq_deg.data.features import encoded, features
from medq_deg.data.planned import PlannedRows
from medq_deg.data.schema import COLUMNS, row, row_seed
from medq_deg.data.sources import LoadReport, read_release
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import SEVERITY_NAMES

RELEASE = "jiyaoliufd/MedQ-DEG-Bench"
DESCRIPTION = "Questions about medical images, clean (L0) and at a mild (L1) and a severe (L2) degradation of 18 types."
DEMO, RELEASED, DEFAULT = "demo", "release", "default"


class MedqDegBuilder(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """Builder of the splits L0, L1 and L2.

    Configurations: "demo" is embedded in the package and needs no network. "release" converts the authors' TSV files,
    from `data_dir` or from the Hub. "default" reads what ``medq-deg build`` wrote to `data_dir`, and without a
    `data_dir` is the release.
    """

    VERSION = datasets.Version("0.1.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        datasets.BuilderConfig(name=DEFAULT, version=VERSION, description=DESCRIPTION),
        datasets.BuilderConfig(name=DEMO, version=VERSION, description=f"{DEMO}: {demo.NOTE}"),
        datasets.BuilderConfig(name=RELEASED, version=VERSION, description=f"The authors' release, {RELEASE}."),
    ]
    DEFAULT_CONFIG_NAME = DEFAULT

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.config.description or DESCRIPTION,
            features=features(),
            homepage="https://arxiv.org/abs/2603.07769",
        )

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        if self.config.name == DEMO:
            rows = demo.rows()
            places: dict[str, list[Any]] = {name: [] for name in SEVERITY_NAMES}
            for place, each in enumerate(rows.columns()):
                places[SEVERITY_NAMES[each["severity"]]].append(place)
            return _splits("demo", {name: _pieces(values) for name, values in places.items()})
        folder = Path(self.config.data_dir) if self.config.data_dir else None
        if folder is not None and not folder.is_dir():
            raise MedqDegError(f"data_dir {str(folder)!r} is not a folder")
        if folder is not None and self.config.name == DEFAULT:
            return _splits("parquet", _shards(folder))
        return _splits("release", {name: [[str(folder or _download()), s]] for s, name in enumerate(SEVERITY_NAMES)})

    def _generate_examples(self, kind: str, pieces: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        read = _READERS[kind]
        for piece in pieces:
            for found in read(piece):
                yield found["id"], {name: found[name] for name in COLUMNS}


def _splits(kind: str, pieces: dict[str, list[Any]]) -> list[Any]:
    # A list in gen_kwargs is what `datasets` divides among processes: one per split.
    return [
        datasets.SplitGenerator(name=name, gen_kwargs={"kind": kind, "pieces": parts}) for name, parts in pieces.items()
    ]


def _pieces(values: list[int], size: int = 32) -> list[list[int]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _demo_rows(places: list[int]) -> Iterator[dict[str, Any]]:
    rows: PlannedRows = demo.rows()
    for place in places:
        yield rows[place]


def _shards(folder: Path) -> dict[str, list[Any]]:
    found = {name: sorted(str(path) for path in (folder / "data").glob(f"{name}-*.parquet")) for name in SEVERITY_NAMES}
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise MedqDegError(
            f"{folder}: holds no shards of {', '.join(empty)}; make them with `medq-deg build ... --out {folder}`, or "
            f"name the authors' TSV files with load_dataset('medq-deg', 'release', data_dir=...)"
        )
    # Row groups, not files, are what `datasets` divides among processes: a small build has one file a split.
    return {
        name: [[path, group] for path in paths for group in range(pq.read_metadata(path).num_row_groups)]
        for name, paths in found.items()
    }


def _parquet_rows(piece: tuple[str, int]) -> Iterator[dict[str, Any]]:
    path, group = piece
    with pq.ParquetFile(path) as file:
        yield from file.read_row_group(group).to_pylist()


def _release_rows(piece: tuple[str, int]) -> Iterator[dict[str, Any]]:
    folder, severity = piece
    for record in read_release(Path(folder), LoadReport()):
        if record.severity == severity:
            seed = row_seed(0, record.key, record.degradation) if severity else 0
            columns = encoded(row(record.as_question(record.key), record.degradation, severity, seed))
            yield {**columns, "image": {"bytes": record.picture, "path": None}}


_READERS: dict[str, Callable[[Any], Iterator[dict[str, Any]]]] = {
    "demo": _demo_rows,
    "parquet": _parquet_rows,
    "release": _release_rows,
}


def _download() -> Path:
    from huggingface_hub import cached_assets_path, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        # Real files, not links into a cache: a picture that is a link out of its folder is refused.
        folder = cached_assets_path("medq-deg", namespace="release")
        return Path(snapshot_download(RELEASE, repo_type="dataset", local_dir=folder))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise MedqDegError(
            f"the authors' release cannot be fetched from the Hub ({type(error).__name__}). Download the TSV files of "
            f"the dataset {RELEASE} and load them with load_dataset('medq-deg', 'release', data_dir=FOLDER); or build "
            "the benchmark from its sources with `medq-deg build` and load it with load_dataset('medq-deg', "
            "data_dir=OUT); or try load_dataset('medq-deg', 'demo'), which needs no network"
        ) from None
