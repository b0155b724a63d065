"""How shares are written for a reader: as whole numbers of 100, with the sign that a minus has in print."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def of_100(share: float) -> str:
    """Write a share as a whole number of 100, with a decimal where it would round to nothing.

    Examples
    --------
    >>> of_100(0.074), of_100(0.004), of_100(-0.02)
    ('7', '0.4', '−2')
    """
    value = 100 * share
    whole = round(value)
    if whole == 0 and abs(value) >= 0.05:
        return f"{value:.1f}".replace("-", "−")
    return f"{whole}".replace("-", "−")


def change_of_100(share: float) -> str:
    """Write a difference of two shares as a number of 100, with its sign."""
    written = of_100(share)
    return written if written.startswith("−") or written == "0" else f"+{written}"


def range_of_100(interval: Sequence[float], write: Callable[[float], str] = of_100) -> str:
    """Write a range by the function that writes its ends."""
    return f"{write(interval[0])} to {write(interval[1])}"


def more_or_fewer(interval: Sequence[float]) -> str:
    """Write a range of changes in words, so that no sign can be misread: "1 fewer to 2 more"."""
    low, high = interval
    if of_100(low) == of_100(high) == "0":
        return "no change"
    if low >= 0:
        return f"{range_of_100(interval)} more"
    if high <= 0:
        return f"{range_of_100((-high, -low))} fewer"
    return f"{of_100(-low)} fewer to {of_100(high)} more"
