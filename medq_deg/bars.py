"""Bars for who calls the package from Python, drawn as `datasets` draws its own and hidden with them.

`datasets.disable_progress_bars()` or the variable ``HF_DATASETS_DISABLE_PROGRESS_BARS`` hides them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def bars(unit: str) -> Iterator[Callable[..., None]]:
    """Yield a function of (what is done, done, total, note) that draws a bar, and a new one for each new work.

    Parameters
    ----------
    unit : str
        What is counted.
    """
    from datasets.utils import tqdm

    drawn: Any = None
    shown = ""

    def update(what: str, done: int, total: int, note: str = "") -> None:
        nonlocal drawn, shown
        if drawn is None or shown != what:
            if drawn is not None:
                drawn.close()
            shown = what
            drawn = tqdm(desc=what, unit=unit, initial=done, total=total or None)
        drawn.total = total or None  # 0 where it is not known yet
        drawn.set_postfix_str(note, refresh=False)
        drawn.update(done - drawn.n)

    try:
        yield update
    finally:
        if drawn is not None:
            drawn.close()
