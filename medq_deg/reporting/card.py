"""The card: the answer of a run as one image of 1200 x 630 px, for a README, a post or a slide."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from medq_deg.reporting.examples import said_of
from medq_deg.reporting.images import Images
from medq_deg.reporting.text import shorten
from medq_deg.results.answer import Answer
from medq_deg.results.pairs import Pair
from medq_deg.storable import visible

SIZE: Final = (1200, 630)
"""Width and height, px; what link previews show whole."""

_SCALE: Final = 2
"""Drawn so many times larger, then scaled down: Pillow's shapes have no smooth edges."""

_INK, _MUTED, _RIGHT, _WRONG, _PAPER = "#16191d", "#555c66", "#0062a3", "#b84300", "#ffffff"
_TONES: Final = {"good": _RIGHT, "bad": _WRONG, "unsure": _MUTED}
_MARGIN, _TEXT_WIDTH, _LEFT, _COLUMN = 52, 552, 648, 240
_IMAGE_TOP, _IMAGE_HEIGHT = 104, 330


@dataclass(frozen=True)
class _Pen:
    """Draws in px of the card."""

    canvas: Image.Image

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.canvas)

    def font(self, size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
        """Return a font that every installation has, since it comes with matplotlib."""
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size * _SCALE)

    def text(self, x: float, y: float, words: str, size: int, colour: str, *, bold: bool = False) -> float:
        """Write one line; return the place where it ends."""
        font = self.font(size, bold=bold)
        self.draw.text((x * _SCALE, y * _SCALE), words, colour, font)
        return x + font.getlength(words) / _SCALE

    def lines(self, words: str, size: int, width: float, *, bold: bool = False, first: float = 0) -> list[str]:
        """Break a text into lines of a width; the first has `first` px less."""
        font = self.font(size, bold=bold)
        lines, room = [""], width - first
        for word in words.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and font.getlength(longer) > room * _SCALE:
                lines.append(word)
                room = width
            else:
                lines[-1] = longer
        return lines


def card(answer: Answer, about: str, example: Pair | None, images: Images, source: str) -> bytes:
    """Draw the card.

    Parameters
    ----------
    answer : Answer
        The answer of the run.
    about : str
        The small print: model, data, questions, range.
    example : Pair, optional
        An example; without it, or without its images, the answer has the whole width.
    images : Images
        Where its images come from.
    source : {"votes", "probabilities"}
        What the run is scored by.

    Returns
    -------
    bytes
        A PNG of 1200 x 630 px.
    """
    pen = _Pen(Image.new("RGB", (SIZE[0] * _SCALE, SIZE[1] * _SCALE), _PAPER))
    pair_pixels = [images.image(example.rows[name]["id"]) for name in ("L0", "L2")] if example else []
    shown = example is not None and all(pair_pixels)
    width = _TEXT_WIDTH if shown else SIZE[0] - 2 * _MARGIN
    y = 48.0
    for line in pen.lines("Can a model still be trusted when the medical image is bad?", 26, width):
        pen.text(_MARGIN, y, line, 26, _MUTED)
        y += 35
    _headline(pen, answer, width, y + 12)
    foot = pen.lines(f"medq-deg · {visible(about)}", 20, width)[:3]
    for place, line in enumerate(foot):
        pen.text(_MARGIN, SIZE[1] - 40 - 30 * (len(foot) - place), line, 20, _MUTED)
    if shown and example is not None:
        question = shorten(visible(" ".join(str(example.rows["L0"]["question"]).split())), 44)
        pen.text(_LEFT, 62, f"“{question}”", 20, _INK)
        for place, (name, title) in enumerate((("L0", "Clean"), ("L2", "Severe"))):
            pixels = pair_pixels[place]
            assert pixels is not None
            _example(pen, _LEFT + place * (_COLUMN + 18), title, example.rows[name], pixels, source)
    buffer = io.BytesIO()
    pen.canvas.resize(SIZE, Image.Resampling.LANCZOS).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _headline(pen: _Pen, answer: Answer, width: float, y: float) -> None:
    """Write the answer as large as its length allows."""
    for size in (47, 42, 37, 32, 28):
        start = pen.font(size, bold=True).getlength(f"{answer.word}. ") / _SCALE
        lines = pen.lines(answer.headline, size, width, bold=True, first=start)
        if y + len(lines) * size * 1.2 < SIZE[1] - 150:
            break
    x = pen.text(_MARGIN, y, f"{answer.word}. ", size, _TONES[answer.tone], bold=True)
    for place, line in enumerate(lines):
        pen.text(x if place == 0 else _MARGIN, y + place * size * 1.2, line, size, _INK, bold=True)


def _example(pen: _Pen, x: float, title: str, row: Mapping[str, Any], pixels: Image.Image, source: str) -> None:
    said = said_of(row, source)
    colour = {True: _RIGHT, False: _WRONG, None: _MUTED}[said.right]
    box = (round(x * _SCALE), _IMAGE_TOP * _SCALE)
    size = (_COLUMN * _SCALE, _IMAGE_HEIGHT * _SCALE)
    pen.canvas.paste(Image.new("RGB", size, "#000000"), box)
    fitted = pixels.convert("RGB")
    fitted.thumbnail(size, Image.Resampling.LANCZOS)
    if fitted.width < size[0] and fitted.height < size[1]:
        scale = min(size[0] / fitted.width, size[1] / fitted.height)
        fitted = fitted.resize((round(fitted.width * scale), round(fitted.height * scale)), Image.Resampling.LANCZOS)
    pen.canvas.paste(fitted, (box[0] + (size[0] - fitted.width) // 2, box[1] + (size[1] - fitted.height) // 2))
    if said.right is False:
        corner = (box[0] + size[0] - 1, box[1] + size[1] - 1)
        pen.draw.rectangle((*box, *corner), outline=_WRONG, width=3 * _SCALE)
    y = _IMAGE_TOP + _IMAGE_HEIGHT + 12
    pen.text(x, y, title, 21, _INK, bold=True)
    if said.right is not None:
        pen.text(x, y + 33, f"“{shorten(visible(said.text), 17)}”", 20, _INK)
    if source == "votes":
        _marks(pen, x, y + 78, row["votes"], str(row["answer"]))
    pen.text(x, y + 96, said.verdict, 20, colour, bold=True)


def _marks(pen: _Pen, x: float, y: float, votes: Sequence[str | None], answer: str) -> None:
    """Draw up to ten votes: dots are right, crosses wrong, dashes not readable."""
    reach, step = 7, _COLUMN / max(10, min(len(votes), 10))
    for place, vote in enumerate(sorted(votes, key=lambda vote: (vote != answer, not vote))[:10]):
        middle = x + place * step + reach + 1
        left, top, right, bottom = (value * _SCALE for value in (middle - reach, y - reach, middle + reach, y + reach))
        if vote == answer:
            pen.draw.ellipse((left, top, right, bottom), fill=_RIGHT)
        elif vote:
            pen.draw.line((left, top, right, bottom), fill=_WRONG, width=3 * _SCALE)
            pen.draw.line((left, bottom, right, top), fill=_WRONG, width=3 * _SCALE)
        else:
            pen.draw.line((left, y * _SCALE, right, y * _SCALE), fill=_MUTED, width=3 * _SCALE)
