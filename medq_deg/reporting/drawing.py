"""How the report draws: colours, marks, and from a matplotlib figure to small SVG for the page and to files.

The colours are those of Okabe and Ito, which people with a colour-vision deficiency tell apart; yellow and black are
left out, which vanish on a light or a dark page. No figure says anything by colour alone: each run has a mark of its
own, too.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine

from medq_deg.storable import no_formula

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKS: Final = ("o", "s", "^", "D", "v", "P")
"""Colour and mark of each run that a figure tells apart, in order."""

MOST_RUNS: Final = len(COLOURS)
"""Runs told apart in a figure and listed in a table of cells; the rest is gray there, and in the files."""

SEVERITY_COLOURS: Final = {"L0": "#009e73", "L1": "#e69f00", "L2": "#0072b2"}
SEVERITY_MARKS: Final = {"L0": "o", "L1": "^", "L2": "s"}

INK: Final = "#1b1b1b"
"""Text and axes; becomes the colour of the text around the figure on the page."""
FADED: Final = "#8a8a8a"
"""Gray that is seen on a light and on a dark page."""

_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a model may be called "$x$"
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FADED,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
}
_SVG: Final = "http://www.w3.org/2000/svg"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_FONTS: Final = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif"
_LONG_NUMBER: Final = re.compile(r"-?\d+\.\d{2,}")

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Figure:
    """A figure, ready to be shown and written.

    Attributes
    ----------
    name : str
        Stem of its files.
    title, caption : str
        For the page.
    alt : str
        What it shows, in words.
    svg : str
        For the page: scalable, drawn in the colour of the text around it.
    file_svg, png : bytes
        For files, on white.
    columns : sequence of str
        Headings of its data.
    rows : list of tuples
        Its data.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    file_svg: bytes
    png: bytes
    columns: Sequence[str]
    rows: list[Row]

    def csv(self) -> bytes:
        """Return the data as CSV; a text that a spreadsheet would take for a formula gets an apostrophe."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([no_formula(value) for value in row] for row in (self.columns, *self.rows))
        return buffer.getvalue().encode()


def draw(
    name: str,
    title: str,
    caption: str,
    alt: str,
    size: tuple[float, float],
    paint: Callable[[Canvas], None],
    columns: Sequence[str],
    rows: list[Row],
) -> Figure:
    """Paint a figure of a size in inches, and make its SVG and PNG."""
    svg, png = io.StringIO(), io.BytesIO()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # an emoji in a name; SVG leaves it to the reader's fonts
        # Room at the edges, in inches: a text is wider at one resolution than at another, and was cut off.
        canvas = Canvas(figsize=size)
        paint(canvas)
        ConstrainedLayoutEngine(w_pad=0.12).execute(canvas)
        # Past `savefig`, which draws each once more to find a layout. They have no types.
        bitmap: Any = FigureCanvasAgg(canvas)
        vectors: Any = FigureCanvasSVG(canvas)
        canvas.set(dpi=150, facecolor="white")
        bitmap.print_png(png)
        for patch in (canvas.patch, *(axes.patch for axes in canvas.axes)):
            patch.set(facecolor="none", edgecolor="none")
        vectors.print_svg(svg, metadata={"Date": None})
    tree = _small(svg.getvalue())
    tree.set("role", "img")
    tree.set("aria-label", alt)
    page = ElementTree.tostring(tree, encoding="unicode").replace(INK, "currentColor")
    background = ElementTree.Element(f"{{{_SVG}}}rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    tree.insert(0, background)
    file = b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(tree, encoding="utf-8")
    return Figure(name, title, caption, alt, page, file, png.getvalue(), columns, rows)


def _small(svg: str) -> ElementTree.Element:
    """Reduce matplotlib's SVG to plain attributes: no style, which a page's policy refuses, and no spare digits."""
    ElementTree.register_namespace("", _SVG)
    tree = ElementTree.fromstring(svg)
    for parent in list(tree.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    values = [value for each in tree.iter() for value in each.attrib.values()]
    used = {found for value in values for found in re.findall(r"^#(\w+)$|url\(#(\w+)\)", value)}
    names = {name for found in used for name in found}
    for each in tree.iter():
        if each.get("id") not in names:
            each.attrib.pop("id", None)
        if link := each.attrib.pop(_LINK, None):
            each.set("href", link)
        each.attrib.update(_attributes(each.attrib.pop("style", "")))
        for key in {"d", "x", "y", "transform"} & each.attrib.keys():
            each.set(key, _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", each.attrib[key]).strip())
        each.tail = None
        if each.text and not each.text.strip():
            each.text = None
    for key in ("width", "height", "version"):
        tree.attrib.pop(key, None)
    return tree


def _attributes(style: str) -> dict[str, str]:
    """Turn a style into the attributes that say the same."""
    attributes: dict[str, str] = {}
    for declaration in style.split(";"):
        key, _, value = declaration.strip().partition(": ")
        if key == "font":
            attributes["font-family"] = _FONTS
            if size := re.search(r"([\d.]+)px", value):
                attributes["font-size"] = size[1]
            if re.search(r"\b(bold|700)\b", value):
                attributes["font-weight"] = "bold"
        elif key and (key, value) not in (("stroke-linejoin", "miter"), ("stroke-linecap", "butt")):
            attributes[key] = value
    return attributes
