"""From a model and a list of work to the records of its rows: what every start of a run and a dry run do alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import PAPER, Controls
from medq_deg.evaluation.plain import ask_plainly
from medq_deg.evaluation.records import record_of
from medq_deg.evaluation.work import WorkList
from medq_deg.models.base import Model, Reply
from medq_deg.models.parsing import check_parser
from medq_deg.seeds import check_seed

TRIALS: Final = 10
"""Votes per row (paper, section on calibration)."""

_TAKE_GREY: Final = "; a model or server that insists on an image is asked with --image grey"


@dataclass(frozen=True)
class Manner:
    """How the rows are asked, and their answers read.

    Attributes
    ----------
    trials : int
        Votes per row, 2 or more.
    seed : int
        Seed of the run.
    parser : str
        Name of the parser.
    controls : Controls
        What is different from the paper's way.
    """

    trials: int = TRIALS
    seed: int = 0
    parser: str = "strict"
    controls: Controls = PAPER

    def check(self) -> None:
        """Raise `MedqDegError` for what no run can start with."""
        if self.trials < 2:
            raise MedqDegError(f"trials must be 2 or more, got {self.trials}: one vote has no confidence")
        check_seed(self.seed)
        check_parser(self.parser)
        self.controls.check(self.trials)


def ask(
    model: Model, work: WorkList, columns: Sequence[Mapping[str, Any]], manner: Manner
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield index and record of each row as it is answered, or has failed.

    Raises
    ------
    MedqDegError
        If the model ends early, replies to what was not asked, or cannot be asked without an image at all.
    """
    blind, answered = manner.controls.image == "none", False
    try:
        for reply in _replies(model, work, manner):
            if reply.id not in work.pending:
                raise MedqDegError(f"the model replied to {reply.id!r}, which was not asked or had its reply")
            index = work.pending.pop(reply.id)
            row = columns[index]
            orders = manner.controls.orders_of(manner.seed, row["question_id"], len(row["options"]))
            record = record_of(reply, row["options"], manner.trials, manner.parser, orders)
            answered |= record["status"] == "ok"
            if blind and not answered:
                record["error"] += _TAKE_GREY
            yield index, record
    except Exception as error:  # what a model that was never asked without an image raises
        if blind and not answered:
            told = str(error) if isinstance(error, MedqDegError) else f"the model failed with {error!r}"
            raise MedqDegError(f"{told.splitlines()[0]}{_TAKE_GREY}") from error
        raise


def _replies(model: Model, work: WorkList, manner: Manner) -> Iterator[Reply]:
    plainly = manner.controls.orders > 1 and not getattr(model, "takes_orders", False)
    for reply in ask_plainly(model, work, manner.trials) if plainly else model.answer(work, manner.trials):
        yield reply
        while work.unreadable:
            yield work.unreadable.pop()
    yield from work.unreadable
    if work.stopped:
        return
    yield from [Reply(name, error="the model gave no reply") for name in work.pending]
    if next(work.claim(), None) is not None:
        raise MedqDegError("the model stopped answering before every row was asked")
