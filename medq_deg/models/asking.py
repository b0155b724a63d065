"""How the votes of one row are obtained from an endpoint: in one request or in several, tried again, never twice.

Everything here runs in one event loop. Rows are chosen, and replies given back, in `medq_deg.models.endpoint`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from medq_deg.errors import MedqDegError, RowError
from medq_deg.models.address import list_models, without_key
from medq_deg.models.base import Queries
from medq_deg.models.chat import Answer, ImageOptions, answers_of, cost_of, messages, usage_of
from medq_deg.models.fields import refusal_of
from medq_deg.models.learning import Memory, Shape
from medq_deg.models.retry import Failure, Retries, failure_of_status, one_line, told
from medq_deg.models.servers import kind_of_headers, kind_of_models, kind_of_refusal, kind_of_reply
from medq_deg.models.wire import Received, Wire
from medq_deg.seeds import derive_seed

MALFORMED = frozenset({400, 422})
"""Statuses by which a server says that the request itself is wrong."""

_HOPELESS = frozenset({401, 402, 403, 404, 405})
_SEEDS = 2**31
"""Servers take seeds of 32 bits at least, some no longer ones."""

_SHOWN_WAIT = 5.0
_MOST_CHANGES = 12
_DROPPABLE = frozenset({"logprobs", "top_logprobs"})
"""Fields of the user's that change no vote, so that a server may refuse them."""


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
    key_header : str
        Header that carries the key.
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
    image : Image
        How an image is shown.
    tell : callable
        Takes a line about what the user waits for.
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
    key_header: str = "authorization"
    image: ImageOptions = field(default_factory=ImageOptions)
    tell: Callable[[str], None] = lambda line: None

    def hide(self, text: str) -> str:
        """Return a text without the key."""
        return without_key(text, self.key)

    def headers(self) -> dict[str, str]:
        """Return the header that carries the key, if there is one."""
        if self.key is None:
            return {}
        return {self.key_header: f"Bearer {self.key}" if self.key_header == "authorization" else self.key}

    def wire(self) -> Wire:
        """Return a client."""
        return Wire(self.headers(), self.timeout, self.hide)

    def body(self, ask: Ask, memory: Memory, shape: Shape) -> dict[str, Any]:
        """Return the body of a request."""
        several = len(ask.votes) > 1
        fields = {
            **self.sampling,
            **memory.neutral,
            "seed": derive_seed(ask.seed, ask.votes[0] - ask.start) % _SEEDS,
            **({"n": len(ask.votes)} if several else {}),
            **self.extra_body,
        }
        shaped = shape.apply({name: value for name, value in fields.items() if value is not None})
        return {"model": self.model, "messages": ask.messages, **shaped}


@dataclass(frozen=True)
class Ask:
    """One request that is to be sent: a conversation, and the numbers of the votes that it should bring.

    Attributes
    ----------
    messages : list
        The conversation.
    seed : int
        Seed of the conversation's votes.
    start : int
        Number of its first vote within the row.
    votes : list of int
        Numbers of the votes wanted.
    """

    messages: list[dict[str, Any]] = field(repr=False)
    seed: int
    start: int
    votes: list[int]


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
    votes : dict of int to Answer
        Answers by number of the vote, order of the options after order.
    usage : Counter of str
        Tokens of all its requests.
    failure : Failure, optional
        Why the votes cannot all be had.
    dropped : bool
        Whether it was given up, unanswered, since the user asked to stop or nothing more will be served.
    requests : int
        Requests that were sent for it, other than those of which a field was refused.
    charged : float
        USD that the server says it charged for them.
    """

    index: int
    trials: int
    outstanding: int
    id: str = ""
    votes: dict[int, Answer] = field(default_factory=dict)
    usage: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None
    dropped: bool = False
    requests: int = 0
    charged: float = 0.0


@dataclass(frozen=True)
class Shown:
    """A row as it is shown: its conversations, each with its votes, and a seed of all that."""

    conversations: Sequence[Ask]
    content: int

    def missing(self, row: Row, most: int | None) -> list[Ask]:
        """Return the requests for the votes that a row lacks, conversation by conversation."""
        asks = []
        for conversation in self.conversations:
            lacking = [vote for vote in conversation.votes if vote not in row.votes]
            step = most or max(len(lacking), 1)
            asks += [replace(conversation, votes=lacking[i : i + step]) for i in range(0, len(lacking), step)]
        return asks


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
        self.over = False  # nothing more will be served: what still waits for its turn is not sent
        self.wire = server.wire()

    async def close(self) -> None:
        """Cancel what is in flight and close the connections."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.wire.close()

    async def look(self) -> None:
        """Find out what the server is from its list of models, once, unless its host tells."""
        if self.memory.looked:
            return
        self.memory.looked = True
        outcome = await list_models(self.wire, self.server.url)
        if not isinstance(outcome, Failure):
            models, received = outcome
            if found := kind_of_models(models, received.headers):
                self.memory.recognise(*found)

    async def ask(self, row: Row) -> None:
        """Fill the votes of a row, or set why that fails.

        Raises
        ------
        MedqDegError
            If the server cannot be used at all, see `_check_usable`.
        """
        await self.look()
        try:
            shown = await asyncio.to_thread(self.show, row)
        except RowError as error:
            row.id, row.failure = error.row_id, Failure(str(error), again=False)
            return
        row.votes |= self.memory.partial.pop(shown.content, {})
        first = True
        while (asks := shown.missing(row, self.memory.shape.most)) and row.failure is None and not row.dropped:
            # One request goes ahead, so that the others find image and prompt in a provider's cache.
            ahead = asks[:1] if first else asks
            row.outstanding, first = len(ahead), False
            await asyncio.gather(*(self._obtain(row, ask) for ask in ahead))
        if row.votes and (row.failure is not None or row.dropped):
            self.memory.partial[shown.content] = row.votes

    def show(self, row: Row) -> Shown:
        """Read a row and return what is sent of it; raise `RowError` if it cannot be read."""
        query = self.queries[row.index]
        row.id = query.id
        conversations: list[Ask] = []
        try:
            part = None if query.image is None else self.server.image.part(query.image)
        except (OSError, ValueError) as error:
            raise RowError(query.id, error) from error
        start = 0
        for asked in query.conversations(row.trials):
            conversation = messages(asked.prompt, part)
            votes = list(range(start, start + asked.trials))
            conversations.append(Ask(conversation, asked.seed, start, votes))
            start += asked.trials
        return Shown(conversations, derive_seed(row.trials, query.seed, [ask.messages for ask in conversations]))

    async def _obtain(self, row: Row, ask: Ask) -> None:
        """Send a request for votes until it brings at least one, or has failed for good."""
        retries, failures = self.server.retries, 0
        try:
            async with self.slots:
                row.dropped = row.dropped or self.over
                while row.failure is None and not row.dropped:
                    answers = await self._request(row, ask)
                    if not isinstance(answers, Failure):
                        row.votes |= zip(ask.votes, answers, strict=False)
                        return
                    failures += 1
                    dead = self.memory.fail(answers)
                    if dead or not answers.again or failures > retries.count:
                        row.failure = answers
                        try:
                            self._check_usable(answers, failures, dead)
                        except MedqDegError:
                            self.over = True
                            raise
                        return
                    wait = retries.wait(failures, answers.after)
                    if wait >= _SHOWN_WAIT:
                        self.server.tell(f"waiting {wait:.0f} s: {answers.reason}")
                    row.dropped = await retries.pause(wait, lambda: self.queries.stopped)
        finally:
            row.outstanding -= 1
            self.wake()

    async def _request(self, row: Row, ask: Ask) -> list[Answer] | Failure:
        """Send one request, and again at once in the shape that the server wants; what it takes is remembered."""
        shape, votes = self.memory.shape, ask.votes
        for _ in range(_MOST_CHANGES):
            ask = replace(ask, votes=votes[: shape.most])
            body = self.server.body(ask, self.memory, shape)
            outcome = await self._send(row, ask, body)
            if outcome == "again":
                shape = self.memory.shape
                continue
            if not isinstance(outcome, Failure):
                self._remember(shape)
                return outcome
            changed = self._changed(outcome, ask, body, shape) if outcome.status in MALFORMED else None
            if changed is None:
                return outcome
            row.requests -= 1
            self.memory.usage["requests"] -= 1  # a request that is refused is neither answered nor charged
            shape = changed
        return Failure("the server refuses the request in every form", again=False)

    def _changed(self, failure: Failure, ask: Ask, body: Mapping[str, Any], shape: Shape) -> Shape | None:
        """Return the shape in which to send a refused request again, or None.

        Where the server does not say what it refuses, the two likely reasons are tried: several choices, and the fields
        that a server of unknown kind is sent on trial.
        """
        memory, n = self.memory, len(ask.votes)
        message = told(failure.body)
        kind = kind_of_refusal(message)
        sent = [name for name in body if name not in {"model", "messages"}]
        refusal = refusal_of(failure.body, message or failure.reason, sent, n)
        own = {name for name in self.server.extra_body if self.server.extra_body[name] is not None} - _DROPPABLE
        if refusal.names & own and not refusal.names - own:
            return None
        if kind is not None and memory.recognise(kind, f"its words, {kind.refusal!r}"):
            return replace(memory.shape, most=shape.most)
        refusal = replace(refusal, names=refusal.names - own)
        if refusal.names == {"temperature"}:
            raise MedqDegError(
                f"{self.server.url} refuses temperature 1, by which votes are sampled: {failure.reason}. Models that "
                "reason may fix it: --extra-body '{\"temperature\": null}' leaves it out, and the run then says that "
                "its sampling is not known to be neutral"
            )
        if refusal.names or refusal.several:
            return shape.after(refusal, n, memory.tried)
        if n > 1 and shape.most is None and not memory.honours_n:
            return replace(shape, most=1)
        if not memory.served and memory.tried - shape.left_out:
            return replace(shape, left_out=shape.left_out | memory.tried, most=memory.shape.most)
        return None

    def _remember(self, shape: Shape) -> None:
        before = self.memory.shape
        self.memory.shape = shape = before.joined(shape)
        dropped = sorted(shape.left_out - before.left_out - self.memory.tried)
        renamed = [f"{new} in place of {old}" for old, new in shape.newer.items() if before.newer.get(old) != new]
        lines = [*(f"without {name}" for name in dropped), *(f"with {words}" for words in renamed)]
        if shape.most != before.most and shape.most is not None:
            lines.append(f"with at most {shape.most} choice{'s' if shape.most > 1 else ''}")
        if lines:
            self.server.tell(f"the server takes requests only {', '.join(lines)}")

    async def _send(self, row: Row, ask: Ask, body: dict[str, Any]) -> list[Answer] | Failure | Literal["again"]:
        server, memory = self.server, self.memory
        memory.usage["requests"] += 1
        row.requests += 1
        outcome = await self.wire.ask("POST", server.url, json=body)
        if isinstance(outcome, Failure):
            return outcome
        return self.take(row, ask, body, *outcome)

    def take(
        self, row: Row, ask: Ask, body: Mapping[str, Any], reply: Any, received: Received
    ) -> list[Answer] | Failure | Literal["again"]:
        """Return the answers in a reply, why there are none, or "again" if it was not sampled as it should be."""
        server, memory = self.server, self.memory
        if not isinstance(reply, Mapping):
            return Failure("the reply is not a chat completion")
        tokens, choices, charged = usage_of(reply), answers_of(reply), cost_of(reply)
        answers = [replace(answer, text=server.hide(answer.text)) for answer in choices if answer is not None]
        row.usage.update(tokens)
        memory.count(tokens, len(choices), sum(bool(answer.text) for answer in answers), charged)
        row.charged += charged or 0.0
        if error := reply.get("error"):
            return _failure_within(error, received, server.hide)
        if not answers:
            return Failure("a reply without an answer")
        if self._recognised(reply, received) and not memory.served:
            return "again"
        self._note_model(reply.get("model"))
        if len(ask.votes) > 1:
            memory.count_choices(len(choices))
        memory.sent = {name: value for name, value in body.items() if name != "messages"}
        memory.succeed()
        return answers

    def _recognised(self, reply: Mapping[str, Any], received: Received) -> bool:
        """Look at a reply for what the server is and what is behind it; return whether that changes what it is sent."""
        memory = self.memory
        before = memory.neutral
        if not memory.known_by and (found := kind_of_headers(received.headers)):
            memory.recognise(*found)
        if (not memory.known_by or memory.kind.relays) and (found := kind_of_reply(reply)):
            memory.recognise(*found)
        return memory.neutral != before

    def _note_model(self, name: object) -> None:
        if isinstance(name, str) and name:
            self.memory.models[one_line(self.server.hide(name))] = None

    def _check_usable(self, failure: Failure, tries: int, dead: bool) -> None:
        """Raise `MedqDegError` if the failure says that nothing more will be served."""
        server, served = self.server, self.memory.served
        if failure.sort == "money":
            raise MedqDegError(
                f"{server.url} serves no more: {failure.reason}; what was answered is kept, and the same command goes "
                "on from there"
            )
        if failure.sort == "redirect":
            raise MedqDegError(f"{server.url}: {failure.reason}")
        if dead and (served or not failure.unreachable):
            raise MedqDegError(
                f"{server.url} has failed on every request of the last half minute: {failure.reason}; what was "
                "answered is kept, and the same command goes on from there"
            )
        if served:
            return
        if failure.sort == "images":
            raise MedqDegError(f"{server.model!r} at {server.url} takes no images: {failure.reason}")
        if failure.sort == "page":
            raise MedqDegError(
                f"{server.url} is a web page, not a chat endpoint; the address of an API often ends in /v1"
            )
        if failure.unreachable:
            raise MedqDegError(f"{server.url} cannot be reached: {failure.reason} ({tries} tries)")
        if failure.status in {404, 405}:
            hint = "" if "/v1" in server.url else "; the address of an API often ends in /v1"
            raise MedqDegError(
                f"{server.url} has no model {server.model!r}, or is no chat endpoint: {failure.reason}{hint}"
            )
        if failure.status in _HOPELESS:
            sent = "it was sent" if server.key is not None else "none was sent"
            raise MedqDegError(
                f"{server.url} refuses to serve: {failure.reason} (the key comes from {server.key_variable}; {sent})"
            )


def _failure_within(error: Any, received: Received, hide: Callable[[str], str]) -> Failure:
    """Return what an error in a reply of status 200 means: a gateway's way to pass on the failure behind it."""
    code = error.get("code") if isinstance(error, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 200
    failure = failure_of_status(status, received.headers, {"error": error}, "", hide)
    reason = f"a reply without an answer{failure.reason.removeprefix(f'HTTP {status}')}"
    return replace(failure, reason=reason, again=not failure.sort, status=None)
