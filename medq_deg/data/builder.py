"""`load_dataset("medq-deg")`: what `medq_deg.open_data` finds, as a dataset in the cache of `datasets`.

The class works when called directly; `medq_deg.registration` makes the bare name find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets

from medq_deg import demo
from medq_deg.data.features import encoded, features
from medq_deg.data.load import open_data
from medq_deg.data.names import DEMO, HUB_RELEASE, RELEASE
from medq_deg.data.schema import COLUMNS
from medq_deg.data.stored import StoredRows, rows_of_group
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import SEVERITY_NAMES

DESCRIPTION = "Questions about medical images, clean (L0), mildly (L1) and severely degraded (L2), in 18 ways."
DEFAULT = "default"


class MedqDegConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """A configuration whose cache is named by what the data holds, not by where it lies."""

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None) -> str:
        """Return the name of the cache folder: it changes with the content, and equal contents share it."""
        if self.name == DEMO:
            return str(super().create_config_id(config_kwargs, custom_features))
        others = {name: value for name, value in config_kwargs.items() if name != "data_dir"}
        content = open_data(self.data()).fingerprint
        return str(super().create_config_id({**others, "content": content}, custom_features))

    def data(self) -> str:
        """Return the name of the data as `medq_deg.open_data` wants it."""
        if self.name == DEMO:
            return DEMO
        if not self.data_dir:
            return RELEASE
        if not Path(self.data_dir).is_dir():
            raise MedqDegError(f"data_dir {str(self.data_dir)!r} is not a folder")
        return f"{RELEASE}:{self.data_dir}" if self.name == RELEASE else str(Path(self.data_dir).absolute())


class MedqDegBuilder(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """Builder of the splits L0, L1 and L2.

    Configurations: "demo" is embedded in the package and needs no network. "release" converts the authors' TSV files,
    from `data_dir` or from the Hub. "default" reads what ``medq-deg build`` wrote to `data_dir`, and without a
    `data_dir` is the release.
    """

    VERSION = datasets.Version("0.1.0")
    BUILDER_CONFIG_CLASS = MedqDegConfig
    BUILDER_CONFIGS = [  # noqa: RUF012
        MedqDegConfig(name=DEFAULT, version=VERSION, description=DESCRIPTION),
        MedqDegConfig(name=DEMO, version=VERSION, description=f"{DEMO}: {demo.NOTE}"),
        MedqDegConfig(name=RELEASE, version=VERSION, description=f"The authors' release, {HUB_RELEASE}."),
    ]
    DEFAULT_CONFIG_NAME = DEFAULT

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.config.description or DESCRIPTION,
            features=features(),
            homepage="https://arxiv.org/abs/2603.07769",
        )

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        data = open_data(self.config.data())
        if not data.shards:
            places: dict[str, list[int]] = {name: [] for name in SEVERITY_NAMES}
            for place, each in enumerate(data.columns()):
                places[SEVERITY_NAMES[each["severity"]]].append(place)
            return _splits({name: _pieces(data.name, values) for name, values in places.items()})
        # Row groups, not files, are what `datasets` divides among processes: a small build has one file a split.
        return _splits({name: StoredRows(paths).groups for name, paths in data.shards.items()})

    def _generate_examples(self, pieces: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for source, part in pieces:
            # `datasets` may turn paths into texts, and tuples into lists.
            rows = (
                rows_of_group(Path(source), part) if isinstance(part, int) else map(open_data(source).__getitem__, part)
            )
            for found in rows:
                yield found["id"], {name: value for name, value in encoded(found).items() if name in COLUMNS}


def _splits(pieces: dict[str, list[Any]]) -> list[Any]:
    # A list in gen_kwargs is what `datasets` divides among processes: one per split.
    return [datasets.SplitGenerator(name=name, gen_kwargs={"pieces": parts}) for name, parts in pieces.items()]


def _pieces(name: str, places: list[int], size: int = 32) -> list[tuple[str, list[int]]]:
    return [(name, places[start : start + size]) for start in range(0, len(places), size)]
