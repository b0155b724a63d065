"""Degrading a picture file, or every picture of a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from medq_deg.degradations.apply import degrade
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import replace_file
from medq_deg.images import open_image
from medq_deg.seeds import check_seed, derive_seed

FORMATS: dict[str, dict[str, Any]] = {
    ".png": {},
    ".tif": {},
    ".tiff": {},
    ".bmp": {},
    ".webp": {"lossless": True},
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
}
"""Formats of a single picture's output by its suffix, and how each is written."""


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
    pairs = _pairs(source, target)
    if not pairs:
        raise MedqDegError(f"{source}: the folder holds no picture in a format that Pillow reads")
    folders = [path for _, path in pairs if path.is_dir()]
    if folders:
        raise MedqDegError(f"{folders[0]} is a folder, a picture would be written there")
    existing = [path for _, path in pairs if os.path.lexists(path)]
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
    if suffix not in FORMATS:
        raise MedqDegError(f"{target}: no picture is written with the suffix {suffix!r}; use {', '.join(FORMATS)}")
    image = open_image(source)
    try:
        result = degrade(image, name, severity, seed, **options)
    except ImageError as error:
        raise ImageError(f"{source}: {error}") from None
    with replace_file(target) as file:
        result.save(file, format=Image.registered_extensions()[suffix], **FORMATS[suffix])


def _pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Return pictures and where each goes; "a.jpg" beside "a.png" goes to "a.jpg.png"."""
    known = Image.registered_extensions()
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in known and path.is_file())
    plain = [path.relative_to(source).with_suffix(".png") for path in paths]
    wanted = Counter(_folded(path) for path in plain)
    pairs = []
    for path, output in zip(paths, plain, strict=True):
        alone = wanted[_folded(output)] == 1 or path.suffix == ".png"
        pairs.append((path, target / (output if alone else path.relative_to(source).with_name(path.name + ".png"))))
    taken: dict[str, Path] = {}
    for path, output in pairs:
        other = taken.setdefault(_folded(output), path)
        if other != path:
            raise MedqDegError(f"{other} and {path} would both be written to {output}; rename one")
    return pairs


def _folded(path: Path) -> str:
    # Some file systems do not tell the case of letters apart.
    return str(path).casefold()
