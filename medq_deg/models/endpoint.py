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
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from medq_deg.errors import MedqDegError
from medq_deg.models.address import api_url, chat_url, find_key, list_models, only_model, variable_of
from medq_deg.models.asking import MALFORMED, Asker, Row, Server
from medq_deg.models.base import Queries, Reply
from medq_deg.models.chat import ImageOptions, check_extra_body
from medq_deg.models.learning import DEAD_SECONDS, Memory
from medq_deg.models.options import MAX_NEW_TOKENS, ServerOptions, make_options
from medq_deg.models.price import Estimate, Prices, estimate
from medq_deg.models.retry import Retries
from medq_deg.models.servers import kind_of_host

_WATCHED_ROWS = 20
_LENGTHS = ("max_tokens", "max_completion_tokens")
_SAME_REFUSALS = 3
"""Rows that may be refused in the same words before any is answered."""


class ServedModelWarning(UserWarning):
    """Replies come from a model of another name."""


class SamplingWarning(UserWarning):
    """A server seems not to sample: every row's votes are identical."""


class EndpointModel:
    """A model behind an OpenAI-compatible endpoint as a `medq_deg.models.base.Model`.

    Each vote is sampled at temperature 1.0 and top_p 1.0 with a seed of its own, and with whatever else the server
    needs so that it samples from the model's own distribution, see `medq_deg.models.servers`. All votes of a row come
    from one request where the server honours ``n``, which is found out by counting what it returns, else from as few as
    it allows. A field that the server refuses is left out from then on, or sent under its newer name.

    Parameters
    ----------
    url : str
        The server or its API, such as "http://localhost:8000/v1".
    model : str
        Name by which the server knows the model; "auto" takes the one model that the server lists.
    options : ServerOptions, optional
        How it is asked; single values may be given by name instead, as in ``concurrency=2``.
    max_new_tokens : int
        Longest answer in tokens, 1 or more. A model that reasons first needs many more than the default.
    retries : Retries or int, optional
        How often a failed request is tried again, and after how long; a number stands for that many tries.
    tell : callable, optional
        Takes lines about what happens meanwhile: waits, fields that are left out, a budget that is spent.

    Raises
    ------
    MedqDegError
        If an argument is out of range, the URL may hold a secret, the key or the model cannot be had, or the endpoint
        is the Hub's and HF_HUB_OFFLINE is set.
    """

    takes_orders = True

    first_rows = 3
    """Rows from whose usage the others are estimated."""

    def __init__(
        self,
        url: str,
        model: str = "auto",
        options: ServerOptions | None = None,
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
        retries: Retries | int | None = None,
        tell: Callable[[str], None] = lambda line: None,
        **more: Any,
    ) -> None:
        if isinstance(retries, int):
            more["retries"] = retries
        chosen = make_options(ServerOptions, options, **more)
        if max_new_tokens < 1:
            raise MedqDegError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
        self.prices = None if chosen.prices is None else Prices.of(chosen.prices)
        address = chat_url(url)
        kind = kind_of_host(urlsplit(address).hostname or "")
        if chosen.max_cost is not None and self.prices is None and (kind is None or kind.name != "OpenRouter"):
            raise MedqDegError("a largest cost needs prices: give --price INPUT,OUTPUT in USD per million tokens")
        self.server = Server(
            url=address,
            model=model,
            key=find_key(address, chosen.key_variable),
            key_header=kind.key_header if kind is not None else "authorization",
            key_variable=variable_of(address, chosen.key_variable),
            sampling={"temperature": 1.0, "top_p": 1.0, "max_tokens": max_new_tokens},
            extra_body=_as_json(chosen.extra_body or {}),
            concurrency=chosen.concurrency,
            timeout=chosen.timeout,
            retries=retries if isinstance(retries, Retries) else Retries(chosen.retries),
            image=ImageOptions(chosen.image_format, chosen.image_detail, chosen.max_pixels),
            tell=tell,
        )
        if model == "auto":
            self.server = replace(self.server, model=_the_only_model(self.server))
        if self.server.hide(json.dumps(self.server.extra_body)) != json.dumps(self.server.extra_body):
            raise MedqDegError("extra_body holds the endpoint's key, which belongs in the environment alone")
        self.give_up_after, self.max_cost = chosen.give_up_after, chosen.max_cost
        self.memory = Memory(self.server.model)
        self.memory.dead_seconds = DEAD_SECONDS if chosen.give_up_after else math.inf
        if kind is not None:
            self.memory.looked = True
            self.memory.recognise(kind, "its host")
        self._watch = _SamplingWatch()
        self._most_requests = 1
        # Of the rows of this call of `answer` that have their reply: usage counts those in flight too.
        self._done: Counter[str] = Counter()
        self._charged = 0.0
        self._warned: set[str] = set()

    @property
    def usage(self) -> Counter[str]:
        """Number of "prompt_tokens", "completion_tokens" and "requests" so far, with those that came to nothing.

        Also of "cached_tokens", those of the prompt that the server says it had in its cache. A request of which a
        field was refused, and which was sent again without it, does not count.
        """
        return self.memory.usage

    @property
    def cost(self) -> float | None:
        """USD so far: what the server says it charged, else by `prices`; None without either. See `lost`."""
        if self.memory.charged is not None:
            return self.memory.charged
        return None if self.prices is None else self.prices.cost(self.usage)

    @property
    def at_least(self) -> bool:
        """Whether the server left tokens uncounted, as llama.cpp does with all choices but one."""
        return self.memory.at_least

    @property
    def longest_answer(self) -> int | None:
        """Most tokens of one answer that a request asks for; None where it sets no limit."""
        fields = {**self.server.sampling, **self.server.extra_body}
        limits = [fields[name] for name in _LENGTHS if isinstance(fields.get(name), int)]
        return max(limits, default=None)

    def estimate(self, rows: int) -> Estimate | None:
        """Return what a number of rows take if they are like those of this run that have their reply.

        None before the first.
        """
        if not self._done["rows"]:
            return None
        cost = self._charged or (None if self.prices is None else self.prices.cost(self._done))
        return estimate(rows, self._done["rows"], self._done, cost, at_least=self.at_least)

    @property
    def lost(self) -> bool:
        """Whether a reply was lost on the way, which the server may have charged."""
        return self.memory.lost

    def record(self) -> dict[str, Any]:
        """Return what `run.json` says about the server once it has answered: "sampling" and "served"."""
        own = {name: value for name, value in self.server.extra_body.items() if value is not None}
        return {
            "sampling": self.memory.sampling(self.server.sampling, own),
            "served": self.memory.served_by(),
        }

    def describe(self) -> dict[str, Any]:
        """Return name, endpoint and generation settings."""
        name = self.server.model
        image = self.server.image.described()
        return {
            "name": Path(name).name if Path(name).is_dir() else name,
            "endpoint": self.server.url,
            "generation": {**self.server.sampling, **self.server.extra_body},
            **({"image": image} if image else {}),
        }

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield a reply for each query once it is done, with `trials` sampled answers or the reason why not.

        Once the next row might pass `max_cost`, ``queries.stopped`` is set, and the rows in flight are the last.

        Raises
        ------
        MedqDegError
            If the server cannot be reached, or refuses key or model, before it has answered anything; and after
            `give_up_after` failed rows in a row.
        """
        claims = queries.claim()
        self.begin()
        spent_before = self.cost or 0.0
        # What ended: a row's future, or None for a request within a row, which leaves room for another.
        ended: SimpleQueue[Future[None] | None] = SimpleQueue()
        rows: dict[Future[None], Row] = {}
        breaker = _Breaker(self.give_up_after)
        with running_loop() as loop:
            asker = Asker(self.server, self.memory, queries, lambda: ended.put(None))
            try:
                while True:
                    while not queries.stopped and not breaker.open and self._has_room(rows.values()):
                        if self.max_cost is not None and not self._can_afford(len(rows), trials, spent_before):
                            if not rows:
                                queries.stopped = True
                                self._tell_spent(spent_before)
                            break
                        index = next(claims, None)
                        if index is None:
                            break
                        row = Row(index, trials, outstanding=math.ceil(trials / (self.memory.shape.most or trials)))
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
                        if row.dropped:
                            continue
                        breaker.see(row, self.memory.served)
                        self._watch.see(row)
                        self._most_requests = max(self._most_requests, row.requests)
                        self.count(row)
                        self._warn_of_models()
                        yield reply_to(row)
            finally:
                asyncio.run_coroutine_threadsafe(asker.close(), loop).result()

    def begin(self) -> None:
        """Forget what the rows of an earlier run took: those of another run, such as a blind one, are other rows."""
        self._done.clear()
        self._charged = 0.0

    def count(self, row: Row) -> None:
        """Count what a row took that has its reply."""
        self._done.update({"rows": 1, "requests": row.requests, **row.usage})
        self._charged += row.charged

    def _has_room(self, rows: Collection[Row]) -> bool:
        """Whether another row would find a free slot.

        The first row is asked alone, to see what the server can do. A caller that is slower than the server holds it
        up, so that few replies wait to be stored.
        """
        if not self.memory.served:
            return not rows
        most = self.server.concurrency
        return len(rows) < 2 * most and sum(row.outstanding for row in rows) < most

    def _can_afford(self, flying: int, trials: int, before: float) -> bool:
        """Whether one more row, beside those in flight, is sure to stay within the largest cost.

        Each is taken to cost as much as the dearest request so far, for as many requests as any row needed, with
        answers of the greatest length.
        """
        memory = self.memory
        if not memory.served:
            return True
        if self.prices is None:
            if memory.charged is None:
                raise MedqDegError("the server does not say what it charges: --max-cost needs --price INPUT,OUTPUT")
            dearest = memory.most_charged * self._most_requests
        else:
            limit = next((memory.sent[name] for name in _LENGTHS if name in memory.sent), memory.most_completion)
            prompt = memory.most_prompt * self._most_requests
            dearest = (prompt * self.prices.paid + trials * max(limit, memory.most_completion) * self.prices.got) / 1e6
        most = math.inf if self.max_cost is None else self.max_cost
        return (self.cost or 0.0) - before + (flying + 1) * dearest <= most

    def _tell_spent(self, before: float) -> None:
        bound = "at least " if self.at_least else ""
        self.server.tell(
            f"{bound}{(self.cost or 0.0) - before:.4f} USD are spent; another row might pass the largest cost of "
            f"{self.max_cost:g} USD"
        )

    def _warn_of_models(self) -> None:
        for name in list(self.memory.models):
            if name not in self._warned and name.removesuffix("@main") != self.server.model:
                self._warned.add(name)
                message = f"{self.server.model!r} was asked, the replies come from {name!r}"
                warnings.warn(message, ServedModelWarning, stacklevel=3)


class _Breaker:
    """Opens after a number of failed rows in a row; never if the number is 0.

    Before anything was answered, a few rows that are refused in the same words are enough.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failed = self._same = 0
        self._answered = False
        self._reason = ""

    @property
    def open(self) -> bool:
        return 0 < self._limit <= self._failed or (bool(self._limit) and self._same >= _SAME_REFUSALS)

    def see(self, row: Row, served: bool) -> None:
        if row.failure is None:
            self._failed, self._same, self._answered = 0, 0, True
        elif row.failure.status not in MALFORMED or not self._answered:
            self._failed += 1
            refused = row.failure.status in MALFORMED and not served
            self._same = (self._same if row.failure.reason == self._reason else 0) + 1 if refused else 0
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
        self._watching = len({answer.text for answer in row.votes.values()}) == 1 and self._rows < _WATCHED_ROWS
        if self._rows == _WATCHED_ROWS and len({answer.text for answer in row.votes.values()}) == 1:
            message = (
                f"the {row.trials} votes of each of the first {_WATCHED_ROWS} rows are identical: the server may not "
                "sample; see whether it wants a field of its own for that in extra_body"
            )
            warnings.warn(message, SamplingWarning, stacklevel=3)


def reply_to(row: Row) -> Reply:
    """Return the reply in a row that has all its votes, or has failed."""
    usage = dict(row.usage) or None
    if row.failure is not None:
        return Reply(id=row.id, error=row.failure.reason, usage=usage)
    answers = [row.votes[vote] for vote in range(row.trials)]
    return Reply(
        id=row.id,
        texts=tuple(answer.text for answer in answers),
        finish=tuple(answer.finish for answer in answers),
        usage=usage,
    )


def _the_only_model(server: Server) -> str:
    async def look() -> Any:
        wire = server.wire()
        try:
            return await list_models(wire, server.url)
        finally:
            await wire.close()

    with running_loop() as loop:
        outcome = asyncio.run_coroutine_threadsafe(look(), loop).result()
    return only_model(outcome, api_url(server.url, "/models"), server.hide)


def _as_json(extra_body: Mapping[str, Any]) -> dict[str, Any]:
    check_extra_body(extra_body)
    try:
        return dict(json.loads(json.dumps(dict(extra_body), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise MedqDegError(f"extra_body must be JSON: {error}") from None


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
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
