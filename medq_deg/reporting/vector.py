"""Small pieces of SVG for the charts that are part of the page: their colours are classes, so they follow the page."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from medq_deg.storable import visible


def text(x: float, y: float, content: object, kind: str = "", anchor: str = "start") -> Markup:
    """Return a line of text; `anchor` is "start", "middle" or "end"."""
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}" text-anchor="{}">{}</text>').format(
        x, y, kind, anchor, visible(str(content))
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return Markup('<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}" class="{}"/>').format(x1, y1, x2, y2, kind)


def polyline(points: Iterable[tuple[float, float]], kind: str, *, closed: bool = False) -> Markup:
    """Return a line through points, or the area that they enclose."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Markup('<path d="M{}{}" class="{}"/>').format(path, "Z" if closed else "", kind)


def circle(x: float, y: float, radius: float, kind: str) -> Markup:
    """Return a circle."""
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" class="{}"/>').format(x, y, radius, kind)


def box(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """Return a rectangle; nothing is thinner than a pixel and a half."""
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}"/>').format(
        x, y, max(width, 1.5), height, kind
    )


def svg(width: float, height: float, parts: Iterable[Markup], label: str, kind: str = "") -> Markup:
    """Return an image that says in words what it shows."""
    body = Markup("").join(parts)
    return Markup(
        '<svg class="{}" viewBox="0 0 {:.0f} {:.0f}" width="{:.0f}" height="{:.0f}" role="img" aria-label="{}">{}</svg>'
    ).format(kind, width, height, width, height, escape(visible(label)), body)
