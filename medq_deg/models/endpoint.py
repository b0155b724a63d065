"""Vision-language models behind an OpenAI-compatible endpoint: vLLM, SGLang, `transformers serve`, OpenAI, and others.

Requests run in a thread of their own, `concurrency` of them at a time; rows are claimed as requests end. A row whose
votes cannot all be obtained is a failed reply, which is missing data, never a wrong answer.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.models.address import chat_url, find_key, only_model, variable_of
from medq_deg.models.asking import MALFORMED, Asker, Memory, Row, Server
from medq_deg.models.base import Queries, Reply
from medq_deg.models.chat import check_extra_body
from medq_deg.models.retry import Retries

_RETRIES = Retries()
_WATCHED_ROWS = 20


class SamplingWarning(UserWarning):
    """A server seems not to sample: every row's votes are identical."""


class EndpointModel:
    """A model behind an OpenAI-compatible endpoint as a `medq_deg.models.base.Model`.

    Each vote is sampled at temperature 1.0 and top_p 1.0 with a seed of its own. All votes of a row come from one
    request where the server honours ``n``, which is found out by counting what it returns, else from one request each.

    Parameters
    ----------
    url : str
        The server or its API, such as "http://localhost:8000/v1".
    model : str
        Name by which the server knows the model; "auto" takes the one model that the server lists.
    concurrency : int
        Requests in flight at once, 1 or more. A request that waits for its next try counts.
    timeout : float
        Seconds that a request may take in all, more than 0.
    max_new_tokens : int
        Longest answer in tokens, 1 or more. A model that reasons first needs many more than the default.
    retries : Retries
        How often a failed request is tried again, and after how long.
    give_up_after : int
        Rows that may fail one after another before `answer` raises; 0 goes on regardless. Rows that the server calls
        malformed (400, 422) count only as long as no row was answered.
    prices : tuple of float, optional
        USD per million tokens of input and of output.
    extra_body : mapping, optional
        Further fields of each request, for what one server needs. None leaves out ``max_tokens``, ``temperature``,
        ``top_p`` or ``seed``, for servers that refuse them.
    key_variable : str, optional
        Environment variable that holds the key, see `medq_deg.models.address.find_key`.

    Raises
    ------
    MedqDegError
        If an argument is out of range, the URL may hold a secret, the key or the model cannot be had, or the endpoint
        is the Hub's and HF_HUB_OFFLINE is set.
    """

    def __init__(
        self,
        url: str,
        model: str = "auto",
        *,
        concurrency: int = 8,
        timeout: float = 120.0,
        max_new_tokens: int = 32,
        retries: Retries = _RETRIES,
        give_up_after: int = 20,
        prices: tuple[float, float] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        key_variable: str | None = None,
    ) -> None:
        if concurrency < 1:
            raise MedqDegError(f"concurrency must be 1 or more, got {concurrency}")
        if not 0 < timeout < math.inf:
            raise MedqDegError(f"timeout must be more than 0 seconds, got {timeout}")
        if max_new_tokens < 1:
            raise MedqDegError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
        if give_up_after < 0:
            raise MedqDegError(f"give_up_after must be 0 or more rows, got {give_up_after}")
        if prices is not None and not (len(prices) == 2 and all(0 <= price < math.inf for price in prices)):
            raise MedqDegError(f"prices must be two numbers of 0 or more, USD per million tokens, got {prices!r}")
        address = chat_url(url)
        key = find_key(address, key_variable)
        self.server = Server(
            url=address,
            model=only_model(address, key, timeout) if model == "auto" else model,
            key=key,
            key_variable=variable_of(address, key_variable),
            sampling={"temperature": 1.0, "top_p": 1.0, "max_tokens": max_new_tokens},
            extra_body=_as_json(extra_body or {}),
            concurrency=concurrency,
            timeout=timeout,
            retries=retries,
        )
        if self.server.hide(json.dumps(self.server.extra_body)) != json.dumps(self.server.extra_body):
            raise MedqDegError("extra_body holds the endpoint's key, which belongs in the environment alone")
        self.give_up_after, self.prices = give_up_after, prices
        self._memory = Memory()
        self._watch = _SamplingWatch()

    @property
    def usage(self) -> Counter[str]:
        """Number of "prompt_tokens", "completion_tokens" and "requests" so far, with those that came to nothing."""
        return self._memory.usage

    @property
    def cost(self) -> float | None:
        """What the tokens so far cost in USD, None without prices. A lower bound: some failures count no tokens."""
        if self.prices is None:
            return None
        tokens = self.usage["prompt_tokens"], self.usage["completion_tokens"]
        return sum(count * price for count, price in zip(tokens, self.prices, strict=True)) / 1e6

    def describe(self) -> dict[str, Any]:
        """Return name, endpoint and generation settings."""
        name = self.server.model
        return {
            "name": Path(name).name if Path(name).is_dir() else name,
            "endpoint": self.server.url,
            "generation": {**self.server.sampling, **self.server.extra_body},
        }

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield a reply for each query once it is done, with `trials` sampled answers or the reason why not.

        Raises
        ------
        MedqDegError
            If the server cannot be reached, or refuses key or model, before it has answered anything; and after
            `give_up_after` failed rows in a row.
        """
        claims = queries.claim()
        # What ended: a row's future, or None for a request within a row, which leaves room for another.
        ended: SimpleQueue[Future[None] | None] = SimpleQueue()
        rows: dict[Future[None], Row] = {}
        breaker = _Breaker(self.give_up_after)
        with _event_loop() as loop:
            asker = Asker(self.server, self._memory, queries, lambda: ended.put(None))
            try:
                while True:
                    while not queries.stopped and not breaker.open and self._has_room(rows.values()):
                        index = next(claims, None)
                        if index is None:
                            break
                        row = Row(index, trials, outstanding=1 if self._memory.honours_n is not False else trials)
                        future = asyncio.run_coroutine_threadsafe(asker.ask(row), loop)
                        rows[future] = row
                        future.add_done_callback(ended.put)
                    if breaker.open and ended.empty():
                        breaker.give_up()
                    if not rows:
                        return
                    end = ended.get()
                    if end is not None:
                        row = rows.pop(end)
                        end.result()
                        breaker.see(row)
                        self._watch.see(row)
                        yield _reply(row)
            finally:
                asyncio.run_coroutine_threadsafe(asker.close(), loop).result()

    def _has_room(self, rows: Collection[Row]) -> bool:
        """Whether another row would find a free slot.

        The first row is asked alone, to see what the server can do. A caller that is slower than the server holds it
        up, so that few replies wait to be stored.
        """
        if not self._memory.served:
            return not rows
        most = self.server.concurrency
        return len(rows) < 2 * most and sum(row.outstanding for row in rows) < most


class _Breaker:
    """Opens after a number of failed rows in a row; never if the number is 0."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failed = 0
        self._answered = False
        self._reason = ""

    @property
    def open(self) -> bool:
        return 0 < self._limit <= self._failed

    def see(self, row: Row) -> None:
        if row.failure is None:
            self._failed, self._answered = 0, True
        elif row.failure.status not in MALFORMED or not self._answered:
            self._failed += 1
            self._reason = row.failure.reason

    def give_up(self) -> None:
        raise MedqDegError(
            f"{self._failed} rows failed one after another, the last with: {self._reason}; what was answered is kept, "
            "and the same command goes on from there"
        )


class _SamplingWatch:
    """Warns once if none of the first rows has two votes that differ."""

    def __init__(self) -> None:
        self._rows = 0
        self._watching = True

    def see(self, row: Row) -> None:
        if not self._watching or row.failure is not None or row.trials < 2:
            return
        self._rows += 1
        self._watching = len(set(row.votes.values())) == 1 and self._rows < _WATCHED_ROWS
        if self._rows == _WATCHED_ROWS and len(set(row.votes.values())) == 1:
            message = (
                f"the {row.trials} votes of each of the first {_WATCHED_ROWS} rows are identical: the server may not "
                "sample; see whether it wants a field of its own for that in extra_body"
            )
            warnings.warn(message, SamplingWarning, stacklevel=3)


def _reply(row: Row) -> Reply:
    usage = dict(row.usage) or None
    if row.failure is not None:
        return Reply(id=row.id, error=row.failure.reason, usage=usage)
    return Reply(id=row.id, texts=tuple(row.votes[vote] for vote in range(row.trials)), usage=usage)


def _as_json(extra_body: Mapping[str, Any]) -> dict[str, Any]:
    check_extra_body(extra_body)
    try:
        return dict(json.loads(json.dumps(dict(extra_body), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise MedqDegError(f"extra_body must be JSON: {error}") from None


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread: it works on while the caller is busy, and beside a loop of the caller's own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="medq-deg-endpoint", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
