"""Several orders of the options for a model that knows of one: a plain query for each order, put together again.

A model that ignored the orders of a query would have its votes mapped wrongly, unseen; so it never gets such a query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from medq_deg.errors import RowError
from medq_deg.evaluation.work import WorkList
from medq_deg.models.base import Model, Query, Reply

ROWS_AT_ONCE = 16
"""Rows of which the orders are asked in turn, and whose images are held in memory meanwhile."""


def ask_plainly(model: Model, work: WorkList, trials: int) -> Iterator[Reply]:
    """Yield a reply to each query of a work list, with the answers to its orders one after another."""
    claims = work.claim()
    while indices := list(islice(claims, ROWS_AT_ONCE)):
        queries: list[Query] = []
        for index in indices:
            try:
                queries.append(work[index])
            except RowError as error:
                yield Reply(error.row_id, error=str(error))
        replies: dict[tuple[str, int], Reply] = {}
        for (order, votes), plain in _by_order(queries, trials).items():
            for reply in model.answer(_Plain(work, plain), votes):
                replies[reply.id, order] = reply
                if reply.error is None and len(reply.texts) != votes:
                    told = f"{len(reply.texts)} answers instead of {votes} to order {order + 1} of the options"
                    replies[reply.id, order] = Reply(reply.id, error=told)
        for query in queries:
            parts = [replies.get((query.id, order)) for order in range(len(query.orders))]
            if all(part is not None for part in parts) or not work.stopped:
                yield _together(query, parts)


def _by_order(queries: Iterable[Query], trials: int) -> dict[tuple[int, int], list[Query]]:
    """Return plain queries by the number of their order and of their votes."""
    plain: dict[tuple[int, int], list[Query]] = {}
    for query in queries:
        for order, asked in enumerate(query.conversations(trials)):
            one = replace(query, prompt=asked.prompt, options=asked.options, seed=asked.seed, orders=(), prompts=())
            plain.setdefault((order, asked.trials), []).append(one)
    return plain


def _together(query: Query, parts: Sequence[Reply | None]) -> Reply:
    """Return one reply of those to each order; if one failed, all of it has."""
    told = [part or Reply(query.id, error="the model gave no reply") for part in parts]
    usage = [part.usage for part in told if part.usage is not None]
    total = {
        name: sum(each.get(name, 0) for each in usage) for name in dict.fromkeys(n for each in usage for n in each)
    }
    if error := next((part.error for part in told if part.error is not None), None):
        return Reply(query.id, error=error, usage=total or None)
    shares = [part.probabilities for part in told if part.probabilities is not None]
    return Reply(
        query.id,
        texts=tuple(text for part in told for text in part.texts),
        usage=total or None,
        finish=tuple(end for part in told for end in part.finish) if all(part.finish for part in told) else (),
        probabilities_by_order=tuple(shares) if len(shares) == len(told) else (),
    )


class _Plain:
    """Plain queries as a model claims them; see `medq_deg.models.base.Queries`."""

    def __init__(self, work: WorkList, queries: Sequence[Query]) -> None:
        self._work, self._queries = work, queries

    @property
    def stopped(self) -> bool:
        return self._work.stopped

    @stopped.setter
    def stopped(self, value: bool) -> None:
        self._work.stopped = value

    def __iter__(self) -> Iterator[Query]:
        return (self._queries[index] for index in self.claim())

    def claim(self) -> Iterator[int]:
        for index in range(len(self._queries)):
            if self.stopped:
                return
            yield index

    def __getitem__(self, index: int) -> Query:
        return self._queries[index]
