"""Degrading parquet data sets and choosing the engine, for the commands that make images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medq_deg import encoding
from medq_deg.cli.console import console, say, stages
from medq_deg.engines import EngineName
from medq_deg.errors import MedqDegError

if TYPE_CHECKING:
    from medq_deg.engines.local import Engine
    from medq_deg.scale.table import Recipe

_SHOWN = 20
"""Different reasons that are shown."""

Engines: TypeAlias = Annotated[
    EngineName, typer.Option("--engine", help="local: processes of this machine; dask: a cluster, see docs/scale.md.")
]
Cluster: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Scheduler of --engine dask; without it --workers are started here."
    ),
]
Format: TypeAlias = Annotated[
    encoding.Format | None,
    typer.Option("--format", help="webp-lossless is 30 % smaller and six times slower. By default png."),
]
PngLevel: TypeAlias = Annotated[
    int | None,
    typer.Option("--png-level", metavar="0-9", help="zlib's level of PNG; higher is smaller and slower. By default 1."),
]


def is_dataset(source: str) -> bool:
    """Whether a command's input is a parquet data set: an address, a parquet file, or a folder of nothing else."""
    from medq_deg.scale.places import is_address

    if is_address(source):
        return True
    path = Path(source)
    if not path.is_dir():
        return path.suffix.lower() == ".parquet"
    files = (item for item in path.rglob("*") if item.is_file() and not item.name.startswith((".", "_")))
    kinds = {item.suffix.lower() for item in files}
    return ".parquet" in kinds and kinds <= {".parquet", ".md", ".json", ".jsonl", ".txt", ".yaml", ".yml", ".csv"}


@contextmanager
def opened_engine(name: EngineName, cluster: str | None, workers: int) -> Iterator[Engine]:
    """Start an engine, or connect to its cluster.

    Raises
    ------
    MedqDegError
        For an address without an engine that takes one, and what the engine refuses.
    """
    from medq_deg.engines.local import LocalEngine

    if name == "local":
        if cluster is not None:
            raise MedqDegError(f"--cluster {cluster} needs --engine dask")
        with LocalEngine(workers) as local:
            yield local
        return
    from medq_deg.engines.cluster import dask_engine

    with dask_engine(cluster, workers) as dask:
        yield dask


def degrade_rows(
    source: str, target: str, recipe: Recipe, *, engine: EngineName, cluster: str | None, workers: int
) -> None:
    """Degrade a data set, and tell what became of it; exit code 1 if images are missing."""
    from medq_deg.scale.dataset import degrade_dataset

    with opened_engine(engine, cluster, workers) as started, stages() as progress:
        report = degrade_dataset(source, target, recipe, started, progress=progress)
    for reason, count in report.reasons.most_common(_SHOWN):
        say(f"{count} x {reason}")
    if len(report.reasons) > _SHOWN:
        say(f"and {len(report.reasons) - _SHOWN} other reasons")
    kept = f", {report.kept} of which were there before" if report.kept else ""
    lost = (
        f"{report.missing} without an image, see the column {recipe.columns.error!r}"
        if report.missing
        else "all with an image"
    )
    console.print(
        f"{report.rows} rows in {report.files} files{kept}, {lost}: {target}", highlight=False, soft_wrap=True
    )
    if report.missing:
        raise typer.Exit(1)
