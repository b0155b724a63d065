"""Degrading a picture file, or every picture of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from medq_deg.degradations.apply import degrade
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import open_image, replace_file
from medq_deg.seeds import check_seed, derive_seed

SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"lossless": True},
}
"""How a single picture is written when its name asks for one of these formats."""


@dataclass
class FolderReport:
    """What became of a folder: files written, and files left out with the reason."""

    written: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def degrade_file(source: Path, target: Path, name: str, severity: int, seed: int, **options: Any) -> None:
    """Degrade one picture file.

    Parameters
    ----------
    source, target : Path
        The format of `target` is that of its suffix; PNG, TIFF, BMP and WebP keep every bit, JPEG does not.
    name, severity, **options
        As in `medq_deg.degrade`.
    seed : int
        Mixed with the source's file name, so that every picture of a study gets draws of its own.

    Raises
    ------
    MedqDegError
        If the picture or an argument cannot be used, or no format goes by the suffix.
    """
    _degrade(source, target, name, severity, derive_seed(check_seed(seed), source.name), options)


def degrade_folder(
    source: Path,
    target: Path,
    name: str,
    severity: int,
    seed: int,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> FolderReport:
    """Degrade every picture under a folder, as PNG under the same relative names.

    A picture that cannot be read is reported and left out; the rest is written.

    Parameters
    ----------
    source, target : Path
        Folders; `target` must not lie inside `source`.
    name, severity, **options
        As in `medq_deg.degrade`.
    seed : int
        Mixed with each file's relative path.
    overwrite : bool
        Replace files that exist; without it nothing is written if any exists.
    progress : callable
        Called with the number of pictures done and the total.

    Raises
    ------
    MedqDegError
        If the folder holds no picture, the target lies inside it, or files would be overwritten.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise MedqDegError(f"the output {target} must not lie inside the input {source}")
    check_seed(seed)
    pairs = list(_pairs(source, target))
    if not pairs:
        raise MedqDegError(f"{source}: the folder holds no picture in a format that Pillow reads")
    existing = [path for _, path in pairs if path.exists()]
    if existing and not overwrite:
        raise MedqDegError(
            f"{existing[0]} exists, and {len(existing) - 1} more of {len(pairs)}: use --overwrite to replace them"
        )
    report = FolderReport()
    for done, (path, output) in enumerate(pairs):
        progress(done, len(pairs))
        try:
            _degrade(path, output, name, severity, derive_seed(seed, path.relative_to(source).as_posix()), options)
            report.written.append(output)
        except ImageError as error:
            report.skipped.append((path, str(error)))
    progress(len(pairs), len(pairs))
    return report


def _degrade(source: Path, target: Path, name: str, severity: int, seed: int, options: dict[str, Any]) -> None:
    suffix = target.suffix.lower()
    picture_format = Image.registered_extensions().get(suffix)
    if picture_format not in Image.SAVE:
        raise MedqDegError(f"{target}: no picture format goes by the suffix {suffix!r}; use .png, .tif, .bmp or .jpg")
    image = open_image(source)
    try:
        result = degrade(image, name, severity, seed, **options)
    except ImageError as error:
        raise ImageError(f"{source}: {error}") from None
    with replace_file(target) as file:
        result.save(file, format=picture_format, **SAVE_OPTIONS.get(suffix, {}))


def _pairs(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Yield pictures and where each goes; "a.jpg" beside "a.png" goes to "a.jpg.png"."""
    known = Image.registered_extensions()
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in known and path.is_file())
    stems: dict[Path, int] = {}
    for path in paths:
        stems[path.with_suffix("")] = stems.get(path.with_suffix(""), 0) + 1
    for path in paths:
        alone = stems[path.with_suffix("")] == 1 or path.suffix.lower() == ".png"
        output = path.with_suffix(".png") if alone else path.with_name(path.name + ".png")
        yield path, target / output.relative_to(source)
