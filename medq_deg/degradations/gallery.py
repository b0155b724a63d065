"""A page to look at: original, L1 and L2 of every degradation that suits an image's modality."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from medq_deg.degradations.degradation import Degradation, describe
from medq_deg.degradations.folder import output_of
from medq_deg.degradations.registry import DEGRADATIONS
from medq_deg.degradations.scans import Reading, degrade_scan, read_scan
from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.medical import MedicalImage
from medq_deg.seeds import derive_seed
from medq_deg.taxonomy import APPLICABLE

_TILE, _GAP, _HEAD = 224, 6, 22
_COLUMNS = 2
_INK, _PAPER, _MUTED = "#111111", "#ffffff", "#555555"
_PAGE_TILE = 360


@dataclass(frozen=True)
class Subject:
    """A clean image or scan, its name and its modality."""

    name: str
    modality: str
    scan: MedicalImage


@dataclass(frozen=True)
class Panel:
    """Original, L1 and L2 of one degradation of one image."""

    subject: Subject
    degradation: str
    levels: tuple[Image.Image, Image.Image, Image.Image]


def subject_of_file(path: Path, modality: str | None, reading: Reading) -> Subject:
    """Read an image or a scan to show; its modality is what is given, else what a DICOM file says.

    Raises
    ------
    MedqDegError
        If the image cannot be used, or neither tells the modality.
    """
    scan = read_scan(path, reading)
    told = modality or scan.modality
    if told is None:
        raise MedqDegError(f"--image and --modality go together: {path} does not say its modality")
    return Subject(output_of(path).stem, told, scan)


def make_panels(
    subjects: Sequence[Subject],
    seed: int = 0,
    *,
    once: bool = False,
    only: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Panel]:
    """Degrade each image by everything that suits its modality, with a seed from its name and the type.

    With `once`, each type is shown on the first image that it suits, and no other; with `only`, one type is shown.
    """
    pairs = [(subject, name) for subject in subjects for name in APPLICABLE[subject.modality]]
    if only is not None:
        pairs = [(subject, name) for subject, name in pairs if name == only]
    if once:
        shown = {name: subject for subject, name in reversed(pairs)}
        pairs = [(shown[name], name) for name in DEGRADATIONS if name in shown]
    panels = []
    for done, (subject, name) in enumerate(pairs):
        progress(done, len(pairs))
        own = derive_seed(seed, subject.name, name)
        first, second = (degrade_scan(subject.scan, name, s, own, modality=subject.modality) for s in (1, 2))
        panels.append(Panel(subject, name, (subject.scan.image, first, second)))
    progress(len(pairs), len(pairs))
    return panels


def html_of(entry: Degradation) -> str:
    """Return a degradation as a piece of HTML: what it is, and the first image of the demonstration set it suits."""
    from medq_deg.demo import showcase

    name, modality, image = next(each for each in showcase() if each[1] in entry.modalities)
    subject = Subject(name, modality, MedicalImage(image, "PNG", modality))
    (panel,) = (each for each in make_panels([subject], only=entry.name))
    row = "display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; max-width: 60rem"
    return _section(panel).replace('<div class="row">', f'<div style="{row}">')


def write_gallery(panels: Sequence[Panel], folder: Path) -> tuple[Path, Path]:
    """Write `gallery.html`, which needs no other file, and `gallery.png`; return both paths."""
    page, sheet = folder / "gallery.html", folder / "gallery.png"
    with replace_file(page) as file:
        file.write(_page(panels).encode())
    with replace_file(sheet) as file:
        _sheet(panels).save(file, format="PNG", optimize=True)
    return page, sheet


def _sheet(panels: Sequence[Panel]) -> Image.Image:
    rows = math.ceil(len(panels) / _COLUMNS)
    panel_width, panel_height = 3 * _TILE + 4 * _GAP, _HEAD + _TILE + _GAP
    sheet = Image.new("RGB", (_COLUMNS * panel_width + _GAP, rows * panel_height + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for index, panel in enumerate(panels):
        left = _GAP + index % _COLUMNS * panel_width
        top = _GAP + index // _COLUMNS * panel_height
        title = f"{panel.subject.modality}: {panel.degradation.replace('_', ' ')}"
        draw.text((left, top), title, fill=_INK, font=font)
        for place, image in enumerate(panel.levels):
            tile = _fit(image, _TILE)
            x = left + place * (_TILE + _GAP)
            sheet.paste(tile, (x + (_TILE - tile.width) // 2, top + _HEAD - 2 + (_TILE - tile.height) // 2))
    return sheet


def _fit(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _page(panels: Sequence[Panel]) -> str:
    sections = "\n".join(_section(panel) for panel in panels)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>MedQ-Deg gallery</title>
<style>
:root {{ color-scheme: light dark; --muted: {_MUTED}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --muted: #aaaaaa; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 0; }}
p {{ margin: 0 0 .5rem; color: var(--muted); }}
.row {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; }}
figure {{ margin: 0; }}
img {{ width: 100%; background: #000; }}
figcaption {{ font-size: .85rem; color: var(--muted); }}
</style></head><body>
<h1>MedQ-Deg: the degradations</h1>
<p>Each row: the original, L1 (mild) and L2 (severe), with one seed.</p>
{sections}
</body></html>
"""


def _section(panel: Panel) -> str:
    entry = DEGRADATIONS[panel.degradation]
    captions = ["original"]
    for severity in (1, 2):
        captions.append(f"L{severity}: {describe(entry.parameters_for(severity, panel.subject.modality))}")
    figures = "".join(
        f'<figure><img src="{_data_url(image)}" alt="{html.escape(panel.subject.name)}, '
        f'{html.escape(entry.name)}, {html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for image, caption in zip(panel.levels, captions, strict=True)
    )
    title = f"{panel.subject.modality}: {entry.name.replace('_', ' ')}"
    return f'<h2>{html.escape(title)}</h2>\n<p>{html.escape(entry.summary)}</p>\n<div class="row">{figures}</div>'


def _data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    _fit(image, _PAGE_TILE).save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
