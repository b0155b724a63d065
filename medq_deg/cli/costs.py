"""What a run at an endpoint will take, in tokens and money, as soon as its first rows tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from medq_deg.cli.console import say
from medq_deg.evaluation.progress import Progress
from medq_deg.models.base import Model
from medq_deg.models.endpoint import EndpointModel

FIRST_ROWS: Final = 3
"""Rows from whose usage the others are estimated."""

SUBSETS: Final = (1000, 3000)
"""Sizes of subsets of which the cost is told too."""


def telling_costs(
    model: Model, progress: Callable[[Progress], None], tell: Callable[[str], None] = say
) -> Callable[[Progress], None]:
    """Return a callback for a run's progress that also tells what the run will take, once a few rows are answered.

    Parameters
    ----------
    model : Model
        Who is asked; of one that is no endpoint nothing is told.
    progress : callable
        Called with each `Progress`.
    tell : callable
        Takes a line.
    """
    if not isinstance(model, EndpointModel):
        return progress
    served, rows, before = model, -1, -1

    def update(now: Progress) -> None:
        nonlocal rows, before
        if before < 0:
            before, rows = now.done, now.total - now.done
        elif rows > 0 and now.done - before >= min(FIRST_ROWS, rows):
            for line in _lines(served, rows):
                tell(line)
            rows = 0
        progress(now)

    return update


def _lines(model: EndpointModel, rows: int) -> Iterable[str]:
    sizes = [rows, *(size for size in SUBSETS if size < rows and model.cost is not None)]
    for size in sizes:
        yield f"from the first rows it is estimated: {model.estimate(size)}"
    if model.max_cost is not None:
        yield f"the run stops before {model.max_cost:g} USD are passed; the same command continues it"
