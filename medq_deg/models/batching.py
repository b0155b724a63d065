"""Batches of rows of similar length, prepared ahead in workers: so that the accelerator neither pads nor waits.

Each row goes through the processor alone, in a worker; batches are put together afterwards, when lengths are known. The
result is the same, to the value, as giving the processor the whole batch (tested for every supported family).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from medq_deg.errors import MedqDegError, RowError
from medq_deg.models.base import Queries, Query

WINDOW: Final = 4
"""Batches among which rows of similar length are looked for."""

_AHEAD: Final = 8
"""Rows per worker that may wait to be asked."""


@dataclass(frozen=True)
class Prompt:
    """One prompt as a batch of one, and the seed of its samples."""

    inputs: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Prepared:
    """A row as its model takes it: inputs of a batch of one, or why it cannot be asked.

    Attributes
    ----------
    id : str
        Id of the row.
    seed : int
        Of its samples.
    letters : int
        Options.
    inputs : mapping
        What the processor made of it.
    error : str, optional
        Why it cannot be asked.
    orders : tuple of mappings
        Inputs with the options in each order, the first of them `inputs`; empty for one order.
    seeds : tuple of int
        Of each order's samples.
    """

    id: str
    seed: int
    letters: int
    inputs: Mapping[str, Any]
    error: str | None = None
    orders: tuple[Mapping[str, Any], ...] = ()
    seeds: tuple[int, ...] = ()

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts of the row, one for each order."""
        if not self.orders:
            return (Prompt(self.inputs, self.seed),)
        return tuple(Prompt(inputs, seed) for inputs, seed in zip(self.orders, self.seeds, strict=True))

    @property
    def length(self) -> int:
        """Tokens of the prompt, the image's included."""
        return int(self.inputs["input_ids"].shape[1]) if self.error is None else 0


class Prepare(Protocol):
    """From a query to inputs."""

    def __call__(self, query: Query) -> Mapping[str, Any]:
        """Return the inputs of a query as a batch of one, its options as they are given."""
        ...

    def orders(self, query: Query, inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the inputs with the options in each order, given those of the first."""
        ...


class _Preparing(Dataset[Prepared]):
    def __init__(self, queries: Queries, prepare: Prepare, as_arrays: bool) -> None:
        self._queries, self._prepare, self._as_arrays = queries, prepare, as_arrays

    def __getitem__(self, index: int) -> Prepared:
        try:
            query = self._queries[index]
        except RowError as error:
            return Prepared(error.row_id, seed=0, letters=0, inputs={}, error=str(error))
        row: dict[str, Any] = {"id": query.id, "seed": query.seed, "letters": len(query.options)}
        try:
            inputs = dict(self._prepare(query))
            orders = self._prepare.orders(query, inputs) if query.orders else []
        except Exception as error:  # noqa: BLE001  # whatever a processor raises, this row fails and no other
            return Prepared(**row, inputs={}, error=f"the processor refused it: {error}")
        if self._as_arrays:  # tensors would travel through shared memory, which containers have little of
            # What orders share stays one object, so that it travels once.
            arrays = {id(v): v.numpy() for each in (inputs, *orders) for v in each.values() if _is_tensor(v)}
            orders = [{k: arrays.get(id(v), v) for k, v in each.items()} for each in orders]
            inputs = {k: arrays.get(id(v), v) for k, v in inputs.items()}
        seeds = tuple(asked.seed for asked in query.conversations(len(orders))) if orders else ()
        return Prepared(**row, inputs=inputs, orders=tuple(orders), seeds=seeds)


class RowsAhead:
    """Prepares the rows of a run ahead of the model.

    Parameters
    ----------
    queries : Queries
        What is to be asked.
    prepare : Prepare
        From a query to the inputs of a batch of one; runs in the workers, so it must be picklable.
    workers : int
        Processes; 0 prepares in this one.

    Attributes
    ----------
    waited : float
        Seconds that the model has waited for rows.
    """

    def __init__(self, queries: Queries, prepare: Prepare, workers: int) -> None:
        self._queries = queries
        self._workers = workers
        self._rows = _Preparing(queries, prepare, as_arrays=workers > 0)
        self.waited = 0.0

    def batches(self, size: Callable[[], int]) -> Iterator[list[Prepared]]:
        """Yield batches of at most `size()` rows of similar length, until the rows end or the user stops."""
        waiting: list[Prepared] = []
        rows = self._read()
        while True:
            start = time.perf_counter()
            while len(waiting) < WINDOW * size() and (row := next(rows, None)) is not None:
                waiting.append(row)
            self.waited += time.perf_counter() - start
            if not waiting or self._queries.stopped:
                return
            batch = _alike(waiting, size())
            waiting = [row for row in waiting if all(row is not taken for taken in batch)]
            yield batch

    def _read(self) -> Iterator[Prepared]:
        loader = DataLoader(
            self._rows,
            batch_size=None,
            sampler=_Claims(self._queries),  # read lazily, its length is never asked for
            num_workers=self._workers,
            collate_fn=_as_is,
            prefetch_factor=_AHEAD if self._workers else None,
            worker_init_fn=_quiet,
            generator=torch.Generator(),  # or it draws from the caller's
            # A fork would inherit locks of threads that it does not inherit: OpenCV's pool waits for ever.
            multiprocessing_context="spawn" if self._workers else None,
        )
        yield from loader


class _Claims:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def __iter__(self) -> Iterator[int]:
        return self._queries.claim()


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _as_is(row: Any) -> Any:
    return row


def _quiet(worker: int) -> None:
    """Leave Ctrl-C and SIGTERM to the main process, which finishes what it began; and one worker is one thread."""
    del worker
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _alike(rows: Sequence[Prepared], size: int) -> list[Prepared]:
    """Return at most `size` rows of similar length, the one that has waited longest among them."""
    ordered = sorted(rows, key=lambda row: row.length)
    oldest = next(place for place, row in enumerate(ordered) if row is rows[0])
    first = max(min(oldest - size // 2, len(ordered) - size), 0)
    return ordered[first : first + size]


def collate(rows: Sequence[Mapping[str, Any]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Put inputs of single rows together: left-pad what has one entry a token, stack the rest along the first axis.

    Images of different sizes, or numbers of images, are padded with zeros at the end, as processors do.
    """
    batch: dict[str, torch.Tensor] = {}
    for name in rows[0]:
        parts = [torch.as_tensor(row[name]) for row in rows]
        tokens = [row["input_ids"].shape[1] for row in rows]
        if all(part.ndim == 2 and part.shape[1] == length for part, length in zip(parts, tokens, strict=True)):
            fill = pad_token_id if name == "input_ids" else 0
            longest = max(tokens)
            parts = [torch.nn.functional.pad(part, (longest - part.shape[1], 0), value=fill) for part in parts]
        elif any(part.ndim > 2 and part.shape[1] == length for part, length in zip(parts, tokens, strict=True)):
            raise MedqDegError(f"models with {name} of {parts[0].ndim} axes, as for cross-attention, are not supported")
        else:
            shape = np.max([part.shape[1:] for part in parts], axis=0).astype(int).tolist()
            parts = [_pad_to(part, shape) for part in parts]
        batch[name] = torch.cat(parts)
    return batch


def _pad_to(part: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    room: list[int] = []
    for have, want in zip(part.shape[1:], shape, strict=True):
        room = [0, want - have, *room]
    return torch.nn.functional.pad(part, room)
