"""The commands that degrade images and show what degradations look like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from medq_deg.cli.console import bar, console, errors, say
from medq_deg.cli.options import Seed
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

images = typer.Typer()


Window: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="W",
        help="auto, lung, brain, bone, soft, or LEVEL,WIDTH. The presets are for Hounsfield units; without it DICOM "
        "and NIfTI are shown as with auto, and other images of 16 bits are left out.",
    ),
]
Frame: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Frame of a cine, slice of a volume, from 0; the middle one without it.")
]


@images.command(epilog="Example: medq-deg degrade scans/ degraded/ --type low_dose --severity 2 --window lung --seed 7")
def degrade(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An image or scan, or a folder of them.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file for an image, a folder for a folder.")],
    kind: Annotated[str, typer.Option("--type", "-t", metavar="TYPE", help="Degradation; `medq-deg list` shows them.")],
    severity: Annotated[str, typer.Option("--severity", "-s", metavar="S", help="0 clean, 1 mild, 2 severe.")],
    seed: Seed = 0,
    modality: Annotated[str | None, typer.Option(help="Modality, such as CT; else what a DICOM file says.")] = None,
    window: Window = None,
    frame: Frame = None,
    burned_in: Annotated[
        bool, typer.Option("--keep-burned-in", help="Write images that say that text is burned into them.")
    ] = False,
    keep_marking: Annotated[bool, typer.Option("--keep-marking", help="Keep coloured markings sharp.")] = False,
    rounding: Annotated[str, typer.Option(help="nearest, or truncate as the paper's authors did.")] = "nearest",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Degrade an image or a scan (DICOM, NIfTI), or every one of a folder.

    A folder's images are written as PNG under the same names, without anything of their headers; one that cannot be
    used is reported and left out, and the exit code is then 1. On CT in Hounsfield units the physics runs before the
    window.
    """
    from medq_deg.degradations.folder import degrade_file, degrade_folder, output_of
    from medq_deg.degradations.scans import Reading
    from medq_deg.medical.windows import parse_window

    name, level = resolve_degradation(kind), resolve_severity(severity)
    parse_window(window)
    reading = Reading(window, frame, burned_in)
    options: dict[str, Any] = {
        "modality": resolve_modality(modality) if modality is not None else None,
        "rounding": rounding,
        "keep_marking": keep_marking,
    }
    if not source.is_dir():
        output = target / output_of(source) if target.is_dir() else target
        if os.path.lexists(output) and not overwrite:
            raise MedqDegError(f"{output} exists: use --overwrite to replace it")
        for note in degrade_file(source, output, name, level, seed, reading=reading, **options):
            say(note)
        return
    if target.exists() and not target.is_dir():
        raise MedqDegError(f"{target} is a file, but {source} is a folder: a folder is needed for the output")
    with bar("degrading") as progress:
        report = degrade_folder(
            source, target, name, level, seed, reading=reading, overwrite=overwrite, progress=progress, **options
        )
    for line in report.lines(source):
        errors.print(line, markup=False, highlight=False, style="yellow")
    console.print(
        f"{len(report.written)} images written to {target}, {len(report.skipped)} skipped",
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
        Path | None, typer.Option(help="Your image or scan; without it, one of the demo's per modality.")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="Modality of your image, such as CT.")] = None,
    window: Window = None,
    frame: Frame = None,
    once: Annotated[bool, typer.Option("--once", help="Show each type once, not for every modality.")] = False,
    seed: Seed = 0,
) -> None:
    """Show original, L1 and L2 of every degradation that suits an image, on one page."""
    from medq_deg import demo as demo_set
    from medq_deg.degradations.gallery import Subject, make_panels, subject_of_file, write_gallery
    from medq_deg.degradations.scans import Reading
    from medq_deg.medical import MedicalImage

    if image is not None:
        of = resolve_modality(modality) if modality is not None else None
        images = [subject_of_file(image, of, Reading(window, frame))]
    elif modality is not None or window is not None or frame is not None:
        raise MedqDegError("--image and --modality go together, and --window and --frame with them")
    else:
        images = [Subject(name, of, MedicalImage(image, "PNG")) for name, of, image in demo_set.showcase()]
    with bar("degrading") as progress:
        panels = make_panels(images, seed, once=once, progress=progress)
    for path in write_gallery(panels, out):
        console.print(f"written: {path}", highlight=False, soft_wrap=True)
