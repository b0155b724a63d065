"""The commands that degrade images and show what degradations look like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from medq_deg.cli.console import bar, console, errors, say, say_next, tell_result
from medq_deg.cli.datasets import Cluster, Engines, Format, PngLevel, degrade_rows, is_dataset, opened_engine
from medq_deg.cli.long import long_command
from medq_deg.cli.options import Seed
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

if TYPE_CHECKING:
    from medq_deg.encoding import Encoding

images = typer.Typer()

_ROWS = "Parquet data sets, see docs/scale.md"


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


@images.command(
    epilog="Example: medq-deg degrade scans/ degraded/ --degradation low_dose --severity 2 --window lung --seed 7"
)
@long_command
def degrade(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="An image or scan, a folder of them, or a parquet data set: a file, a folder, s3://, gs:// or "
            "hf://datasets/.",
        ),
    ],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="A file for an image, a folder for a folder or a data set.")
    ],
    kind: Annotated[
        str | None,
        typer.Option("--degradation", "--type", "-t", metavar="NAME", help="`medq-deg list` shows them."),
    ] = None,
    severity: Annotated[
        str | None, typer.Option("--severity", "-s", metavar="S", help="0 clean, 1 mild, 2 severe.")
    ] = None,
    seed: Seed = 0,
    modality: Annotated[str | None, typer.Option(help="Modality, such as CT; else what a DICOM file says.")] = None,
    window: Window = None,
    frame: Frame = None,
    burned_in: Annotated[
        bool, typer.Option("--keep-burned-in", help="Write images that say that text is burned into them.")
    ] = False,
    keep_marking: Annotated[bool, typer.Option("--keep-marking", help="Keep coloured markings sharp.")] = False,
    rounding: Annotated[
        Literal["nearest", "truncate"], typer.Option(help="truncate as the paper's authors did.")
    ] = "nearest",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    image_format: Format = None,
    png_level: PngLevel = None,
    engine: Engines = "local",
    cluster: Cluster = None,
    workers: Annotated[int, typer.Option(help="Processes for a folder or a data set.")] = 1,
    image_column: Annotated[
        str | None, typer.Option(help="Column of images; by default image.", rich_help_panel=_ROWS)
    ] = None,
    degradation_column: Annotated[
        str | None,
        typer.Option(help="Column that names it; by default degradation, if there is one.", rich_help_panel=_ROWS),
    ] = None,
    severity_column: Annotated[
        str | None, typer.Option(help="By default severity, if there is one.", rich_help_panel=_ROWS)
    ] = None,
    seed_column: Annotated[
        str | None, typer.Option(help="By default seed, if there is one.", rich_help_panel=_ROWS)
    ] = None,
    modality_column: Annotated[
        str | None, typer.Option(help="By default modality, if there is one.", rich_help_panel=_ROWS)
    ] = None,
    error_column: Annotated[
        str | None,
        typer.Option(help="Column to add, why an image is missing; by default error.", rich_help_panel=_ROWS),
    ] = None,
) -> None:
    """Degrade an image or a scan (DICOM, NIfTI), every one of a folder, or the images of a parquet data set.

    A folder's images are written as PNG under the same names, without anything of their headers; one that cannot be
    used is reported and left out, and the exit code is then 1. On CT in Hounsfield units the physics runs before the
    window.

    A data set keeps its rows, columns and files; what its columns degradation, severity, seed and modality say of a row
    is done to it. An image that cannot be used becomes a null with its reason in the column error. The same command
    goes on with a data set that was stopped.
    """
    from medq_deg.degradations.scans import Reading
    from medq_deg.encoding import Encoding
    from medq_deg.medical.windows import parse_window

    parse_window(window)
    name = resolve_degradation(kind) if kind is not None else None
    level = resolve_severity(severity) if severity is not None else None
    options: dict[str, Any] = {
        "modality": resolve_modality(modality) if modality is not None else None,
        "rounding": rounding,
        "keep_marking": keep_marking,
    }
    encoding = Encoding(image_format or "png", png_level)
    named = {
        "image": image_column,
        "degradation": degradation_column,
        "severity": severity_column,
        "seed": seed_column,
        "modality": modality_column,
        "error": error_column,
    }
    columns = {what: column for what, column in named.items() if column is not None}
    if is_dataset(source):
        from medq_deg.scale.table import Columns, Recipe

        scans = {"--window": window, "--frame": frame, "--keep-burned-in": burned_in, "--overwrite": overwrite}
        given = [option for option, value in scans.items() if value not in (None, False)]
        if given:
            raise MedqDegError(f"{given[0]} is for files of images and scans, and {source} is a data set")
        recipe = Recipe(name, level, seed=seed, encoding=encoding, columns=Columns(**columns), **options)
        degrade_rows(source, target, recipe, engine=engine, cluster=cluster, workers=workers)
        return
    if columns:
        raise MedqDegError(f"--{next(iter(columns))}-column is for parquet data sets, and {source} is none")
    if not os.path.lexists(source):
        raise MedqDegError(f"{source}: no such file or folder")
    if name is None or level is None:
        raise MedqDegError(
            f"{'--degradation' if name is None else '--severity'} is needed for files of images and scans"
        )
    options |= {"reading": Reading(window, frame, burned_in), "encoding": encoding}
    if not Path(source).is_dir():
        chosen = image_format is not None or png_level is not None
        _degrade_file(Path(source), Path(target), name, level, seed, overwrite=overwrite, chosen=chosen, **options)
        return
    with opened_engine(engine, cluster, workers) as started:
        options["engine"] = started
        _degrade_folder(Path(source), Path(target), name, level, seed, overwrite=overwrite, **options)


def _degrade_file(
    source: Path, target: Path, name: str, level: int, seed: int, *, overwrite: bool, chosen: bool, **options: Any
) -> None:
    from medq_deg.degradations.folder import degrade_file, output_of

    encoding: Encoding = options["encoding"]
    output = target / output_of(source, encoding.suffix) if target.is_dir() else target
    if chosen and output.suffix.lower() != encoding.suffix:
        raise MedqDegError(f"{output}: --format {encoding.format} writes files that end with {encoding.suffix}")
    if os.path.lexists(output) and not overwrite:
        raise MedqDegError(f"{output} exists: use --overwrite to replace it")
    for note in degrade_file(source, output, name, level, seed, **options):
        say(note)
    tell_result(written=[str(output)], skipped=[])
    say_next("medq-deg", "gallery", "gallery/", "--image", source, *_of(options))


def _degrade_folder(
    source: Path, target: Path, name: str, level: int, seed: int, *, overwrite: bool, **options: Any
) -> None:
    from medq_deg.degradations.folder import degrade_folder

    if target.exists() and not target.is_dir():
        raise MedqDegError(f"{target} is a file, but {source} is a folder: a folder is needed for the output")
    with bar("degrading") as progress:
        report = degrade_folder(source, target, name, level, seed, overwrite=overwrite, progress=progress, **options)
    for line in report.lines(source):
        errors.print(line, markup=False, highlight=False, style="yellow")
    console.print(
        f"{len(report.written)} images written to {target}, {len(report.skipped)} skipped",
        highlight=False,
        soft_wrap=True,
    )
    tell_result(written=[str(path) for path in report.written], skipped=[str(path) for path in report.skipped])
    say_next("medq-deg", "build", "--folder", source, "--out", "medq-deg-data/")
    if report.skipped:
        raise typer.Exit(1)


def _of(options: dict[str, Any]) -> tuple[str, ...]:
    return ("--modality", str(options["modality"])) if options["modality"] else ()


@images.command("list", epilog="Example: medq-deg list models")
def list_names(
    what: Annotated[
        Literal["degradations", "models"], typer.Argument(metavar="WHAT", help="degradations, or the published models.")
    ] = "degradations",
) -> None:
    """List the degradations, whom they suit and how strong they are; or the published models and how to run them."""
    from medq_deg.cli import lists

    if what == "models":
        lists.print_models()
        say_next("medq-deg", "evaluate", "--model", "Qwen2.5-VL-7B", "--data", "demo", "--out", "runs/qwen")
    else:
        lists.print_degradations()
        say_next("medq-deg", "gallery", "gallery/")


@images.command(epilog="Example: medq-deg gallery gallery/ --image scan.png --modality CT")
@long_command
def gallery(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for gallery.html and gallery.png.")],
    image: Annotated[
        Path | None, typer.Option(help="Your image or scan; without it, one of the demo's per modality.")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="Modality of your image, such as CT.")] = None,
    window: Window = None,
    frame: Frame = None,
    once: Annotated[bool, typer.Option("--once", help="Show each degradation once, not for every modality.")] = False,
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
    written = write_gallery(panels, out)
    for path in written:
        console.print(f"written: {path}", highlight=False, soft_wrap=True)
    tell_result(written=[str(path) for path in written])
    say_next("medq-deg", "degrade", "IN", "OUT", "--degradation", panels[0].degradation, "--severity", 2)
