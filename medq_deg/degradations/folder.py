"""Degrading a file, or every image and scan of a folder."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from medq_deg.degradations.scans import Reading, degrade_scan, notes_on, read_scan
from medq_deg.encoding import Encoding
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.files import replace_file
from medq_deg.medical import looks_medical, name_tells
from medq_deg.seeds import check_seed, derive_seed

if TYPE_CHECKING:
    from medq_deg.engines.local import Engine

FORMATS: dict[str, dict[str, Any]] = {
    ".png": {},
    ".tif": {},
    ".tiff": {},
    ".bmp": {},
    ".webp": {"lossless": True},
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
}
"""Formats of a single image's output by its suffix, and how each is written."""


_SCAN_SUFFIXES: Final = (".dcm", ".dicom", ".dic", ".ima", ".nii", ".nii.gz")

_NO_IMAGES: Final = re.compile(
    r"\.(bat|cfg|csv|css|docx?|html?|ini|ipynb|js|jsonl?|log|md|parquet|ps1|py|rst|rtf|sh|toml|tsv|txt|xlsx?|xml|ya?ml)$",
    re.IGNORECASE,
)
"""Suffixes of files that lie beside images and do not look like any: they are counted, not held against a folder."""

_AHEAD: Final = 16
"""Files per worker that may be in work or wait to be told of."""

_NAMED: Final = 20
"""Files that are named for one reason; of more, only the number is told."""


@dataclass
class FolderReport:
    """What became of a folder.

    Attributes
    ----------
    written : list of Path
        Files that were written.
    skipped : list of (Path, str)
        Files that were left out, and why.
    others : list of Path
        Files that do not look like images.
    notes : Counter
        What a user should know of how images were made, and of how many it is true.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def lines(self, source: Path) -> list[str]:
        """Return the report as lines, with one line for each reason; paths are those from `source`."""
        reasons: dict[str, list[str]] = {}
        for path, reason in self.skipped:
            reasons.setdefault(reason, []).append(str(path.relative_to(source)))
        lines = [f"skipped {_listed(names)}: {reason}" for reason, names in reasons.items()]
        if self.others:
            lines.append(f"not images: {_listed([str(path.relative_to(source)) for path in self.others])}")
        lines += [f"{count} x {note}" for note, count in sorted(self.notes.items())]
        return lines


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} files: {', '.join(names[:_NAMED])}{more}" if len(names) > 1 else names[0]


def degrade_file(
    source: Path,
    target: Path,
    name: str,
    severity: int,
    seed: int,
    *,
    reading: Reading = Reading(),  # noqa: B008 - frozen
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
    **options: Any,
) -> list[str]:
    """Degrade one image or scan.

    Parameters
    ----------
    source, target : Path
        The format of `target` is that of its suffix; PNG, TIFF, BMP and WebP keep every bit, JPEG does not.
    name, severity, **options
        As in `medq_deg.degrade`.
    seed : int
        Mixed with the source's file name, so that every image of a study gets draws of its own.
    reading : Reading
        Window and frame.
    encoding : Encoding
        How a `target` of its suffix is written.

    Returns
    -------
    list of str
        What a user should know of how the image was read.

    Raises
    ------
    MedqDegError
        If the image or an argument cannot be used, or no format goes by the suffix.
    """
    own = derive_seed(check_seed(seed), source.name)
    return _degrade(source, target, _Manner(name, severity, reading, encoding, options), own)


@dataclass(frozen=True)
class _Manner:
    """What is done to every file of a folder."""

    name: str
    severity: int
    reading: Reading
    encoding: Encoding
    options: dict[str, Any]


@dataclass(frozen=True)
class _File:
    """One file of a folder: its source, where it goes, where if that name would tell, and its own seed."""

    source: Path
    plain: Path
    numbered: Path
    told: str
    seed: int
    manner: _Manner


def _degrade_one(file: _File) -> tuple[Path, list[str]]:
    """Return where a file was written, and what a user should know of it."""
    output = file.numbered if name_tells(file.source, file.told) else file.plain
    return output, _degrade(file.source, output, file.manner, file.seed)


def degrade_folder(
    source: Path,
    target: Path,
    name: str,
    severity: int,
    seed: int,
    *,
    reading: Reading = Reading(),  # noqa: B008 - frozen
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
    engine: Engine | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> FolderReport:
    """Degrade every image and scan under a folder, as PNG or WebP under the same relative names.

    One that cannot be used is reported and left out; the rest is written. A DICOM file whose name or folders hold what
    its header says of the patient or the study goes to ``image-00001.png``, by its place among the images.

    Parameters
    ----------
    source, target : Path
        Folders; `target` must not lie inside `source`.
    name, severity, **options
        As in `medq_deg.degrade`.
    seed : int
        Mixed with each file's relative path.
    reading : Reading
        Window and frame.
    encoding : Encoding
    engine : Engine, optional
        Degrades the files, whose folders its workers see; this process without it.
    overwrite : bool
        Replace files that exist; without it nothing is written if any exists.
    progress : callable
        Called with the number of images done and the total.

    Raises
    ------
    MedqDegError
        If the folder holds no image, the target lies inside it, or files would be overwritten.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise MedqDegError(f"the output {target} must not lie inside the input {source}")
    check_seed(seed)
    report = FolderReport()
    pairs = _pairs(source, target, encoding.suffix, report.others)
    if not pairs:
        raise MedqDegError(f"{source}: the folder holds no image and no scan")
    outputs = [path for _, *either in pairs for path in either]
    folders = [path for path in outputs if path.is_dir()]
    if folders:
        raise MedqDegError(f"{folders[0]} is a folder, an image would be written there")
    existing = [path for path in outputs if os.path.lexists(path)]
    if existing and not overwrite:
        raise MedqDegError(
            f"{existing[0]} exists, and {len(existing) - 1} more of {len(pairs)}: use --overwrite to replace them"
        )
    manner = _Manner(name, severity, reading, encoding, options)
    files = [
        _File(
            path,
            plain,
            numbered,
            str(plain.relative_to(target)),
            derive_seed(seed, path.relative_to(source).as_posix()),
            manner,
        )
        for path, plain, numbered in pairs
    ]
    results = map(_tried, files) if engine is None else engine.map(_degrade_one, files, ahead=_AHEAD)
    for done, (file, result) in enumerate(zip(files, results, strict=True)):
        progress(done, len(pairs))
        if isinstance(result, ImageError):
            report.skipped.append((file.source, str(result).removeprefix(f"{file.source}: ")))
        elif isinstance(result, MedqDegError):
            raise result
        else:
            report.written.append(result[0])
            report.notes.update(result[1])
    progress(len(pairs), len(pairs))
    return report


def _tried(file: _File) -> tuple[Path, list[str]] | MedqDegError:
    try:
        return _degrade_one(file)
    except ImageError as error:
        return error


def output_of(path: Path, suffix: str = ".png") -> Path:
    """Return the name under which a file's image is written: its own, or "image" where that would tell."""
    name = _stem(path.name)
    return Path(f"image{suffix}" if name_tells(path, name) else f"{name}{suffix}")


def _degrade(source: Path, target: Path, manner: _Manner, seed: int) -> list[str]:
    name, options = manner.name, manner.options
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise MedqDegError(f"{target}: no image is written with the suffix {suffix!r}; use {', '.join(FORMATS)}")
    scan = read_scan(source, manner.reading)
    try:
        result = degrade_scan(scan, name, manner.severity, seed, **options)
    except ImageError as error:
        raise ImageError(f"{source}: {error}") from None
    with replace_file(target) as file:
        if suffix == manner.encoding.suffix:
            file.write(manner.encoding.encode(result))
        else:
            result.save(file, format=Image.registered_extensions()[suffix], **FORMATS[suffix])
    return notes_on(scan, name, options.get("modality"))


def _pairs(source: Path, target: Path, suffix: str, others: list[Path]) -> list[tuple[Path, Path, Path]]:
    """Return images, where each goes ("a.jpg" beside "a.png" to "a.jpg.png"), and where if that name would tell.

    Files that do not look like images are added to `others`.
    """
    paths: list[Path] = []
    for path in sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith(".")):
        beside = _NO_IMAGES.search(path.name) and not looks_medical(path)
        (others if beside else paths).append(path)
    plain = [path.relative_to(source).with_name(f"{_stem(path.name)}{suffix}") for path in paths]
    wanted = Counter(_folded(path) for path in plain)
    pairs = []
    for path, output in zip(paths, plain, strict=True):
        alone = wanted[_folded(output)] == 1 or path.suffix == suffix
        own = output if alone else path.relative_to(source).with_name(path.name + suffix)
        pairs.append((path, target / own))
    taken: dict[str, Path] = {}
    for path, output in pairs:
        other = taken.setdefault(_folded(output), path)
        if other != path:
            raise MedqDegError(f"{other} and {path} would both be written to {output}; rename one")
    numbered = (target / f"image-{number:05d}{suffix}" for number in itertools.count(1))
    free = (path for path in numbered if _folded(path) not in taken)
    return [(path, output, next(free)) for path, output in pairs]


def _stem(name: str) -> str:
    """Return a name without the suffix of an image or a scan; "1.2.840.7" has none."""
    return _suffixes().sub("", name)


@cache
def _suffixes() -> re.Pattern[str]:
    known = (*reversed(_SCAN_SUFFIXES), *Image.registered_extensions())
    return re.compile(f"(?<=.)({'|'.join(map(re.escape, known))})$", re.IGNORECASE)


def _folded(path: Path) -> str:
    # Some file systems do not tell the case of letters apart.
    return str(path).casefold()
