"""The rows of a run that are still to be asked, as the queries that a model claims one after another."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from medq_deg.errors import RowError
from medq_deg.evaluation.controls import PAPER, Controls
from medq_deg.models.base import Query, Reply
from medq_deg.models.prompts import build_prompt
from medq_deg.seeds import derive_seed


class WorkList:
    """The queries that this process may ask; see `medq_deg.models.base.Queries`.

    Parameters
    ----------
    rows : sequence of mappings
        All rows of the run.
    ids : sequence of str
        Their ids, known without reading a row.
    todo : iterator of int
        Indices of rows to ask; taken one by one, so that processes can share one supply.
    seed : int
        Seed of the run.
    controls : Controls
        Orders of the options, and what stands in the place of the image.

    Attributes
    ----------
    pending : dict of str to int
        Ids of claimed rows that have no reply yet, with their index.
    unreadable : list of Reply
        Failed replies of rows that iteration could not read.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        ids: Sequence[str],
        todo: Iterator[int],
        seed: int,
        controls: Controls = PAPER,
    ) -> None:
        self.stopped = False
        self.pending: dict[str, int] = {}
        self.unreadable: list[Reply] = []
        self._rows, self._ids, self._todo, self._seed, self._controls = rows, ids, todo, seed, controls

    def __iter__(self) -> Iterator[Query]:
        """Claim and read one query after another."""
        for index in self.claim():
            try:
                query = self[index]
            except RowError as error:
                self.unreadable.append(Reply(error.row_id, error=str(error)))
            else:
                yield query

    def claim(self) -> Iterator[int]:
        """Claim one index after another, until none is left or the user stops."""
        while not self.stopped and (index := next(self._todo, None)) is not None:
            self.pending[self._ids[index]] = index
            yield index

    def __getitem__(self, index: int) -> Query:
        """Read a row, with its image."""
        try:
            row = self._rows[index]
            image = row["image"] if self._controls.image == "shown" else self._controls.in_place_of_image()
            if image is None and self._controls.image != "none":
                raise ValueError("it has no image")
        except Exception as error:  # broken images raise nearly anything
            raise RowError(self._ids[index], error) from error
        question, options = row["question"], tuple(row["options"])
        orders = self._controls.orders_of(self._seed, row["question_id"], len(options))
        return Query(
            id=row["id"],
            image=image,
            prompt=build_prompt(question, options),
            options=options,
            seed=derive_seed(self._seed, row["id"], "votes"),
            orders=orders,
            prompts=tuple(build_prompt(question, [options[place] for place in order]) for order in orders),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the supply of work behind: a worker process only reads rows."""
        return {**self.__dict__, "_todo": iter(()), "pending": {}, "unreadable": []}


@contextmanager
def stop_on_signal(work: WorkList, tell: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C, or a job scheduler's SIGTERM, end the work list, and the second interrupt at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        del number, frame
        if work.stopped:
            raise KeyboardInterrupt
        work.stopped = True
        tell()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
