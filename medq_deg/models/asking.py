"""How the votes of one row are obtained from an endpoint: in one request or in several, tried again, never twice.

Everything here runs in one event loop. Rows are chosen, and replies given back, in `medq_deg.models.endpoint`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from huggingface_hub import AsyncInferenceClient

from medq_deg.errors import MedqDegError, RowError
from medq_deg.models.address import without_key
from medq_deg.models.base import Queries
from medq_deg.models.chat import messages, texts_of, usage_of
from medq_deg.models.retry import EXCEPTIONS, Failure, Retries, failure_of, one_line, told
from medq_deg.seeds import derive_seed

MALFORMED = frozenset({400, 422})
"""Statuses by which a server says that the request itself is wrong."""

_HOPELESS = frozenset({401, 402, 403, 404})
_SHORT_REPLIES = 2
_SEEDS = 2**31
"""Servers take seeds of 32 bits at least, some no longer ones."""


@dataclass(frozen=True)
class Server:
    """What each request to an endpoint has in common.

    Attributes
    ----------
    url : str
        URL of the chat completions.
    model : str
        Name by which the server knows the model.
    key : str or None
        Key, never shown.
    key_variable : str
        Environment variable from which the key comes, or would.
    sampling : mapping
        temperature, top_p and max_tokens.
    extra_body : mapping
        Further fields of each request.
    concurrency : int
        Requests in flight at once.
    timeout : float
        Seconds that a request may take in all.
    retries : Retries
        How often a failed request is tried again, and after how long.
    """

    url: str
    model: str
    key: str | None = field(repr=False)
    key_variable: str
    sampling: Mapping[str, Any]
    extra_body: Mapping[str, Any]
    concurrency: int
    timeout: float
    retries: Retries

    def hide(self, text: str) -> str:
        """Return a text without the key."""
        return without_key(text, self.key)


@dataclass
class Row:
    """A claimed row and what was obtained for it.

    Attributes
    ----------
    index : int
        Its index in the queries.
    trials : int
        Votes wanted.
    outstanding : int
        Requests that it has in flight or still needs, as far as is known.
    id : str
        Id of the query, once it is read.
    votes : dict of int to str
        Texts by number of the vote.
    usage : Counter of str
        Tokens of all its requests.
    failure : Failure, optional
        Why the votes cannot all be had.
    """

    index: int
    trials: int
    outstanding: int
    id: str = ""
    votes: dict[int, str] = field(default_factory=dict)
    usage: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None

    def missing(self) -> list[int]:
        """Return the numbers of the votes that are still to be obtained."""
        return [vote for vote in range(self.trials) if vote not in self.votes]


class Memory:
    """What is learned about a server from one request to the next.

    Attributes
    ----------
    honours_n : bool, optional
        Whether one request can have several votes; None as long as that is not known.
    served : bool
        True once any request was answered.
    usage : Counter of str
        "prompt_tokens", "completion_tokens" and "requests" of all rows.
    partial : dict
        Votes of rows that failed, by the seed of their content, so that only the others are asked again.
    """

    def __init__(self) -> None:
        self.honours_n: bool | None = None
        self.served = False
        self.usage: Counter[str] = Counter()
        self.partial: dict[int, dict[int, str]] = {}
        self._short = 0

    def count(self, choices: int) -> None:
        """Learn from the number of choices that a request for several got."""
        if choices > 1:
            self.honours_n = True
        elif self.honours_n is None:
            self._short += 1
            if self._short >= _SHORT_REPLIES:
                self.honours_n = False


class _Client(AsyncInferenceClient):
    """A client whose connections are not the Hub's: they work with HF_HUB_OFFLINE set, and are kept, however many."""

    async def _get_async_client(self) -> httpx2.AsyncClient:
        if self._async_client is None:
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
            session = httpx2.AsyncClient(timeout=None, follow_redirects=True, limits=limits)
            self._async_client = await self.exit_stack.enter_async_context(session)
        return self._async_client


class Asker:
    """Obtains the votes of rows from a server.

    Parameters
    ----------
    server : Server
        Where to ask, and how.
    memory : Memory
        What is known about the server.
    queries : Queries
        Where rows are read from.
    wake : callable
        Called whenever a request has ended for good.
    """

    def __init__(self, server: Server, memory: Memory, queries: Queries, wake: Callable[[], None]) -> None:
        self.server, self.memory, self.queries, self.wake = server, memory, queries, wake
        self.slots = asyncio.Semaphore(server.concurrency)
        # Without this header, the client would send the user's Hub token to any server.
        headers: Any = {"authorization": None if server.key is None else f"Bearer {server.key}"}
        self.client = _Client(base_url=server.url, headers=headers)

    async def close(self) -> None:
        """Cancel what is in flight and close the connections."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.client.close()  # type: ignore[no-untyped-call]

    async def ask(self, row: Row) -> None:
        """Fill the votes of a row, or set why that fails.

        Raises
        ------
        MedqDegError
            If the server cannot be used at all, see `_check_usable`.
        """
        try:
            conversation, seed, content = await asyncio.to_thread(self._read, row)
        except RowError as error:
            row.id, row.failure = error.row_id, Failure(str(error), again=False)
            return
        row.votes |= self.memory.partial.pop(content, {})
        while (missing := row.missing()) and row.failure is None:
            together = self.memory.honours_n is not False
            parts = [missing] if together else [[vote] for vote in missing]
            row.outstanding = len(parts)
            await asyncio.gather(*(self._obtain(row, part, conversation, seed) for part in parts))
        if row.failure is not None and row.votes:
            self.memory.partial[content] = row.votes

    def _read(self, row: Row) -> tuple[list[dict[str, Any]], int, int]:
        query = self.queries[row.index]
        row.id = query.id
        try:
            conversation = messages(query.prompt, query.image)
        except (OSError, ValueError) as error:
            raise RowError(query.id, error) from error
        return conversation, query.seed, derive_seed(row.trials, query.seed, conversation)

    async def _obtain(self, row: Row, votes: list[int], conversation: list[dict[str, Any]], seed: int) -> None:
        """Send a request for votes until it brings at least one, or has failed for good."""
        retries, failures = self.server.retries, 0
        try:
            async with self.slots:
                while row.failure is None:
                    texts = await self._request(row, votes, conversation, seed)
                    if not isinstance(texts, Failure):
                        row.votes |= zip(votes, texts, strict=False)
                        return
                    failures += 1
                    if not texts.again or failures > retries.count:
                        row.failure = texts
                        self._check_usable(texts, failures)
                        return
                    await retries.sleep(retries.wait(failures, texts.after))
        finally:
            row.outstanding -= 1
            self.wake()

    async def _request(
        self, row: Row, votes: list[int], conversation: list[dict[str, Any]], seed: int
    ) -> list[str] | Failure:
        """Send one request; some servers refuse to give several votes at once, and are asked for one."""
        several = len(votes) > 1
        outcome = await self._send(row, votes, conversation, seed)
        if several and isinstance(outcome, Failure) and outcome.status in MALFORMED and not self.memory.honours_n:
            outcome = await self._send(row, votes[:1], conversation, seed)
            if not isinstance(outcome, Failure):
                self.memory.honours_n = False
        return outcome

    async def _send(
        self, row: Row, votes: Sequence[int], conversation: list[dict[str, Any]], seed: int
    ) -> list[str] | Failure:
        server = self.server
        self.memory.usage["requests"] += 1
        try:
            completion = await asyncio.wait_for(
                self.client.chat_completion(
                    conversation,
                    model=server.model,
                    n=len(votes) if len(votes) > 1 else None,
                    seed=derive_seed(seed, votes[0]) % _SEEDS,
                    **server.sampling,
                    extra_body=dict(server.extra_body),
                ),
                server.timeout,
            )
        except EXCEPTIONS as error:
            return failure_of(error, server.timeout, server.hide)
        tokens = usage_of(getattr(completion, "usage", None))
        row.usage.update(tokens)
        self.memory.usage.update(tokens)
        choices = texts_of(getattr(completion, "choices", None))
        texts = [server.hide(text) for text in choices if text is not None]
        if not texts:
            reason = one_line(server.hide(told(getattr(completion, "error", None))))
            return Failure(f"a reply without an answer{f': {reason}' if reason else ''}")
        if len(votes) > 1:
            self.memory.count(len(choices))
        self.memory.served = True
        return texts

    def _check_usable(self, failure: Failure, tries: int) -> None:
        """Raise `MedqDegError` if nothing was served yet and the failure says that nothing will be."""
        server = self.server
        if self.memory.served:
            return
        if failure.unreachable:
            raise MedqDegError(f"{server.url} cannot be reached: {failure.reason} ({tries} tries)")
        if failure.status == 404:
            raise MedqDegError(f"{server.url} has no model {server.model!r}, or is no chat endpoint: {failure.reason}")
        if failure.status in _HOPELESS:
            sent = "it was sent" if server.key is not None else "none was sent"
            raise MedqDegError(
                f"{server.url} refuses to serve: {failure.reason} (the key comes from {server.key_variable}; {sent})"
            )
