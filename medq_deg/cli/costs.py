"""What a run at an endpoint will take, in tokens and money: what is sure before, the rest from the first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from medq_deg.cli.console import say
from medq_deg.evaluation.progress import Progress
from medq_deg.models.base import Model
from medq_deg.models.endpoint import EndpointModel

SUBSETS: Final = (1000, 3000)
"""Sizes of subsets of which the cost is told too."""


def telling_costs(
    model: Model, trials: int, progress: Callable[[Progress], None], tell: Callable[[str], None] = say
) -> Callable[[Progress], None]:
    """Return a callback for a run's progress that also tells what the run will take.

    Before the first row is asked it tells how many are left, and at most what their answers cost; once the first are
    answered, what all take if the others are like them.

    Parameters
    ----------
    model : Model
        Who is asked; of one that is no endpoint nothing is told.
    trials : int
        Votes per row.
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
            if rows:
                tell(_beforehand(served, rows, trials, now.done))
        elif rows > 0 and now.done - before >= min(served.first_rows, rows):
            for line in _estimated(served, rows):
                tell(line)
            rows = 0
        progress(now)

    return update


def share_budget(model: Model, max_cost: float | None, processes: int) -> None:
    """Leave an endpoint's next run what is left of the largest cost that all runs and processes of a command share."""
    if max_cost is not None and isinstance(model, EndpointModel):
        model.max_cost = max(max_cost / processes - (model.cost or 0.0), 0.0)


def _beforehand(model: EndpointModel, rows: int, trials: int, done: int) -> str:
    first = min(model.first_rows, rows)
    told = f"{f'{done} rows are answered, ' if done else ''}{rows} are left: "
    longest, prices = model.longest_answer, model.prices
    if longest is not None:
        most = f"at most {rows * trials * longest} new tokens"
        cost = "" if prices is None else f" ({rows * trials * longest * prices.got / 1e6:.2f} USD)"
        told += f"{most}{cost}; "
    what = "prompt tokens" if prices is None else "prompt tokens and the cost"
    return f"{told}{what} are estimated after the first {f'{first} rows' if first > 1 else 'row'}"


def _estimated(model: EndpointModel, rows: int) -> Iterator[str]:
    sizes = [rows, *(size for size in SUBSETS if size < rows and model.cost is not None)]
    for size in sizes:
        if (told := model.estimate(size)) is not None:
            yield f"from the first rows it is estimated: {told}"
    if model.max_cost is not None:
        yield f"the run stops before {model.max_cost:g} USD are passed; the same command continues it"
