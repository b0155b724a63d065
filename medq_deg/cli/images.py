"""The commands that degrade pictures and show what degradations look like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from medq_deg.cli.console import bar, console, errors
from medq_deg.cli.options import Seed
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

images = typer.Typer()


@images.command(
    epilog="Example: medq-deg degrade scans/ degraded/ --type sparse_view --severity 2 --modality CT --seed 7"
)
def degrade(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of pictures.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file for a picture, a folder for a folder.")],
    kind: Annotated[str, typer.Option("--type", "-t", metavar="TYPE", help="Degradation; `medq-deg list` shows them.")],
    severity: Annotated[str, typer.Option("--severity", "-s", metavar="S", help="0 clean, 1 mild, 2 severe.")],
    seed: Seed = 0,
    modality: Annotated[str | None, typer.Option(help="Modality of the pictures, such as CT.")] = None,
    keep_marking: Annotated[bool, typer.Option("--keep-marking", help="Keep coloured markings sharp.")] = False,
    rounding: Annotated[str, typer.Option(help="nearest, or truncate as the paper's authors did.")] = "nearest",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Degrade a picture, or every picture of a folder.

    A folder's pictures are written as PNG under the same names; one that cannot be read is reported and left out, and
    the exit code is then 1.
    """
    from medq_deg.degradations.folder import degrade_file, degrade_folder

    name, level = resolve_degradation(kind), resolve_severity(severity)
    options: dict[str, Any] = {
        "modality": resolve_modality(modality) if modality is not None else None,
        "rounding": rounding,
        "keep_marking": keep_marking,
    }
    if not source.is_dir():
        output = target / f"{source.stem}.png" if target.is_dir() else target
        if os.path.lexists(output) and not overwrite:
            raise MedqDegError(f"{output} exists: use --overwrite to replace it")
        degrade_file(source, output, name, level, seed, **options)
        return
    if target.exists() and not target.is_dir():
        raise MedqDegError(f"{target} is a file, but {source} is a folder: a folder is needed for the output")
    with bar("degrading") as progress:
        report = degrade_folder(source, target, name, level, seed, overwrite=overwrite, progress=progress, **options)
    for _, reason in report.skipped:
        errors.print(f"skipped {reason}", markup=False, highlight=False, style="yellow")
    console.print(
        f"{len(report.written)} pictures written to {target}, {len(report.skipped)} skipped",
        highlight=False,
        soft_wrap=True,
    )
    if report.skipped:
        raise typer.Exit(1)


@images.command("list", epilog="Example: medq-deg list models")
def list_names(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="degradations, or models: the published ones.")] = (
        "degradations"
    ),
) -> None:
    """List the degradations, whom they suit and how strong they are; or the published models and how to run them."""
    from medq_deg.cli import tables

    if what not in ("degradations", "models"):
        raise UnknownNameError("list", what, ("degradations", "models"))
    tables.print_models() if what == "models" else tables.print_degradations()


@images.command(epilog="Example: medq-deg gallery gallery/ --image scan.png --modality CT")
def gallery(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for gallery.html and gallery.png.")],
    image: Annotated[
        Path | None, typer.Option(help="Your picture; without it, one of the demo's per modality.")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="Modality of your picture, such as CT.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Show each type once, not for every modality.")] = False,
    seed: Seed = 0,
) -> None:
    """Show original, L1 and L2 of every degradation that suits a picture, on one page."""
    from medq_deg import demo as demo_set
    from medq_deg.degradations.gallery import Picture, make_panels, write_gallery
    from medq_deg.images import open_image

    if (image is None) != (modality is None):
        raise MedqDegError("--image and --modality go together")
    if image is not None and modality is not None:
        pictures = [Picture(image.stem, resolve_modality(modality), open_image(image))]
    else:
        pictures = [Picture(name, of, picture) for name, of, picture in demo_set.showcase()]
    with bar("degrading") as progress:
        panels = make_panels(pictures, seed, once=once, progress=progress)
    for path in write_gallery(panels, out):
        console.print(f"written: {path}", highlight=False, soft_wrap=True)
