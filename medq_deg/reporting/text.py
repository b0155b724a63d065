"""How names, numbers and untrusted text are written in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from medq_deg.storable import visible


def finalize(value: Any) -> Any:
    """Make what a template prints visible; Jinja escapes it afterwards."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def shorten(text: str, length: int) -> str:
    """Cut a text at a length."""
    return text if len(text) <= length else text[: length - 1] + "…"


def words(name: str) -> str:
    """Write an identifier of the taxonomy as words: "low_dose" is "low dose"."""
    return name.replace("_", " ")


def percent(value: float | None) -> str:
    """Write a share in percent."""
    return "–" if value is None else f"{100 * value:.1f} %"


def signed(value: float | None) -> str:
    """Write a shift with its sign."""
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def decimal(value: float | None) -> str:
    """Write a figure that has no unit."""
    return "–" if value is None else f"{value:.3f}"


def points(value: float | None) -> str:
    """Write a difference of two shares in percentage points, with its sign."""
    if value is None:
        return "–"
    rounded = round(100 * value, 1) + 0.0  # no minus before 0
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def between(interval: Sequence[float] | None, write: Any) -> str:
    """Write an interval by the function that writes its figure; empty where there is none."""
    return "" if interval is None else f"{write(interval[0]).removesuffix(' %')} to {write(interval[1])}"


def flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List nested settings as names and texts."""
    pairs: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", str(value)))
    return pairs
