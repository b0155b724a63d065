"""OpenAI's Batch API: the rows of a run as files of requests, at half the price, answered within a day.

Before anything is sent, one row is asked directly, to learn what the server refuses. The others become lines of request
files, which are uploaded and made into batches; what is under way is kept in a folder beside the run's answers, so that
a run that was stopped collects, days later, what is there. Requests are those of `medq_deg.models.endpoint`: the same
votes end in the same answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.files import read_json, replace_file
from medq_deg.models.address import api_url
from medq_deg.models.asking import Ask, Asker, Row, Shown
from medq_deg.models.base import Queries, Reply
from medq_deg.models.endpoint import EndpointModel, reply_to, running_loop
from medq_deg.models.retry import Failure, failure_of_status, one_line, told
from medq_deg.models.wire import Received, parse

MOST_REQUESTS: Final = 50_000
MOST_BYTES: Final = 190 * 10**6
"""What a request file may hold: OpenAI allows 50,000 requests and 200 MB."""

MOST_RESULT: Final = 2**30
"""Longest file of results that is read, in bytes."""

_STATE = "batches.json"
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_ROUNDS = 7


class BatchModel(EndpointModel):
    """An `EndpointModel` that sends its rows through the Batch API.

    Parameters
    ----------
    *arguments, **options
        As `EndpointModel`.
    folder : Path
        Where request files, and what is under way, are kept.
    poll : float
        Seconds between two looks at a batch, more than 0.
    """

    first_rows = 1
    """One row is asked before the request files are made."""

    def __init__(self, *arguments: Any, folder: Path, poll: float = 60.0, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.max_cost is not None:
            raise MedqDegError("a batch is charged as a whole: --max-cost cannot be used with --batch")
        if poll <= 0:
            raise MedqDegError(f"poll must be more than 0 seconds, got {poll}")
        self.folder, self.poll = folder, poll

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield a reply for each query once its batch is done; stop where the user does, with what is under way kept.

        Raises
        ------
        MedqDegError
            As `EndpointModel.answer`, and if a batch fails as a whole.
        """
        self.begin()
        with running_loop() as loop:
            batches = _Batches(self, queries, trials)
            replies = batches.run()
            try:
                while True:
                    try:
                        step = anext(replies)
                        yield asyncio.run_coroutine_threadsafe(_awaited(step), loop).result()
                    except StopAsyncIteration:
                        return
            finally:
                asyncio.run_coroutine_threadsafe(batches.asker.close(), loop).result()


async def _awaited(step: Any) -> Reply:
    reply: Reply = await step
    return reply


class _Batches:
    """The rows of one start, in rounds: what a batch leaves open goes into the next."""

    def __init__(self, model: BatchModel, queries: Queries, trials: int) -> None:
        self.model, self.queries, self.trials = model, queries, trials
        self.server = model.server
        self.asker = Asker(model.server, model.memory, queries, lambda: None)
        self.rows: dict[str, Row] = {}
        self.state = _State(model.folder)

    @property
    def stopped(self) -> bool:
        """Whether the user has asked to stop."""
        return self.queries.stopped

    async def run(self) -> AsyncIterator[Reply]:
        """Yield replies as batches end."""
        for index in self.queries.claim():
            row = Row(index, self.trials, outstanding=1)
            self.rows[str(index)] = row
        learned = False
        for _ in range(_ROUNDS):
            if not await self._collect_known() and not self.stopped:
                if self.rows and not learned:
                    learned = True
                    await self.asker.ask(next(iter(self.rows.values())))
                    for reply in self._finished():
                        yield reply
                if self.rows and not self.stopped:
                    await self._submit()
            for reply in self._finished():
                yield reply
            if self.stopped or not self.rows:
                return
        for row in self.rows.values():
            row.failure = Failure("the batches left votes open")
        for reply in self._finished():
            yield reply

    def _finished(self) -> Iterator[Reply]:
        """Yield replies to rows that have all their votes, or have failed."""
        for name, row in list(self.rows.items()):
            if row.failure is not None or len(row.votes) == row.trials:
                del self.rows[name]
                self.model.count(row)
                yield reply_to(row)

    async def _shown(self, row: Row) -> Shown | None:
        try:
            return await asyncio.to_thread(self.asker.show, row)
        except MedqDegError as error:
            row.id = row.id or getattr(error, "row_id", "")
            row.failure = Failure(str(error), again=False)
            return None

    async def _submit(self) -> None:
        """Write what is open into request files, upload each and make it a batch."""
        lines: list[bytes] = []
        size = 0
        for row in self.rows.values():
            shown = await self._shown(row)
            if self.stopped:
                return
            for ask in shown.missing(row, self.model.memory.shape.most) if shown is not None else ():
                line = self._line(row, ask)
                if lines and (len(lines) == MOST_REQUESTS or size + len(line) > MOST_BYTES):
                    await self._upload(lines)
                    lines, size = [], 0
                lines.append(line)
                size += len(line)
        if lines:
            await self._upload(lines)

    def _line(self, row: Row, ask: Ask) -> bytes:
        body = self.server.body(ask, self.model.memory, self.model.memory.shape)
        request = {"custom_id": name_of(row, ask), "method": "POST", "url": "/v1/chat/completions", "body": body}
        return json.dumps(request, separators=(",", ":")).encode() + b"\n"

    async def _upload(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        path = self.model.folder / f"requests-{hashlib.sha256(data).hexdigest()[:16]}.jsonl"
        with replace_file(path) as file:
            file.write(data)
        form = {"files": {"file": (path.name, data, "application/jsonl")}, "data": {"purpose": "batch"}}
        uploaded = await self._call("POST", "/files", timeout=max(600.0, self.server.timeout), **form)
        wanted = {
            "input_file_id": uploaded["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        batch = await self._call("POST", "/batches", json=wanted)
        self.state.add(str(batch["id"]), len(lines))
        self.server.tell(f"batch {one_line(str(batch['id']))}: {len(lines)} requests were sent")

    async def _collect_known(self) -> bool:
        """Wait for the batches under way and take what they brought; return whether there were any."""
        known = list(self.state.open())
        for batch in known:
            ended = await self._wait(batch)
            if ended is None:
                return True
            files = [ended[name] for name in ("output_file_id", "error_file_id") if ended.get(name)]
            for line in chain.from_iterable([await self._lines(str(file)) for file in files]):
                await self._take(line)
            self.state.close(batch)
            if not files:
                errors = ended.get("errors")
                reason = told(errors.get("data")) if isinstance(errors, dict) else ""
                raise MedqDegError(
                    f"{self.server.url}: batch {batch} {ended['status']}: {one_line(self.server.hide(reason))}"
                )
        return bool(known)

    async def _wait(self, batch: str) -> dict[str, Any] | None:
        """Return a batch once it has ended, None if the user stops before."""
        shown = ""
        while True:
            now = await self._call("GET", f"/batches/{batch}")
            if now.get("status") in _ENDED:
                return now
            counts = now.get("request_counts") or {}
            line = (
                f"batch {batch}: {one_line(str(now.get('status')))}, {counts.get('completed')} of {counts.get('total')}"
            )
            if line != shown:
                self.server.tell(line)
            shown = line
            if await self.server.retries.pause(self.model.poll, lambda: self.queries.stopped):
                return None

    async def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """Return the JSON of a call, tried again as often as any request."""
        retries, failures = self.server.retries, 0
        while True:
            outcome = await self.asker.wire.ask(method, api_url(self.server.url, path), **content)
            if not isinstance(outcome, Failure) and isinstance(outcome[0], dict):
                return outcome[0]
            failure = outcome if isinstance(outcome, Failure) else Failure("the reply is no object")
            failures += 1
            if not failure.again or failures > retries.count or self.queries.stopped:
                raise MedqDegError(f"{api_url(self.server.url, path)}: {failure.reason}")
            await retries.pause(retries.wait(failures, failure.after), lambda: self.queries.stopped)

    async def _lines(self, file: str) -> list[Any]:
        outcome = await self.asker.wire.fetch(
            api_url(self.server.url, f"/files/{file}/content"), MOST_RESULT, timeout=max(600.0, self.server.timeout)
        )
        if isinstance(outcome, Failure):
            raise MedqDegError(f"{self.server.url}: the results of a batch cannot be had: {outcome.reason}")
        return [parse(line) for line in outcome.data.splitlines() if line.strip()]

    async def _take(self, line: Any) -> None:
        """Take the votes of one line of results, or why there are none."""
        name = str(line.get("custom_id")) if isinstance(line, dict) else ""
        found = await self._asked(name)
        if found is None:
            return
        row, ask = found
        response = line.get("response") or {}
        status, body = response.get("status_code"), response.get("body")
        if status != 200:
            code = status if isinstance(status, int) else 500
            failure = failure_of_status(code, {}, body or line.get("error"), "", self.server.hide)
            if not failure.again:
                row.failure = failure
            return
        self.model.memory.usage["requests"] += 1
        sent = self.server.body(ask, self.model.memory, self.model.memory.shape)
        answers = self.asker.take(row, ask, sent, body, Received(200, {}, b""))
        if isinstance(answers, list):
            row.votes |= zip(ask.votes, answers, strict=False)

    async def _asked(self, name: str) -> tuple[Row, Ask] | None:
        """Return the row and the request that a line of results is about, None if it is none of this run's."""
        index, _, rest = name.partition("-")
        row = self.rows.get(index)
        if row is None:
            return None
        shown = await self._shown(row)
        for conversation in shown.conversations if shown is not None else ():
            votes = [int(vote) for vote in rest.partition("-")[0].split("_") if vote.isdigit()]
            ask = Ask(conversation.messages, conversation.seed, conversation.start, votes)
            if votes and set(votes) <= set(conversation.votes) and name_of(row, ask) == name:
                return row, ask
        return None


def name_of(row: Row, ask: Ask) -> str:
    """Return the custom_id of a request: the row's index, the votes, and a hash of row, conversation and seed."""
    digest = hashlib.sha256(json.dumps([row.id, row.trials, ask.seed, ask.messages]).encode()).hexdigest()[:16]
    return f"{row.index}-{'_'.join(map(str, ask.votes))}-{digest}"


class _State:
    """Which batches are under way."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _STATE
        folder.mkdir(parents=True, exist_ok=True)
        held = read_json(self.path) if self.path.exists() else {}
        if not isinstance(held, dict) or not all(
            isinstance(batch, dict) and isinstance(batch.get("collected"), bool) for batch in held.values()
        ):
            raise MedqDegError(f"{self.path}: does not say which batches are under way; remove it to send them anew")
        self._batches: dict[str, dict[str, Any]] = held

    def open(self) -> Iterator[str]:
        return (name for name, batch in self._batches.items() if not batch["collected"])

    def add(self, name: str, requests: int) -> None:
        self._batches[name] = {"requests": requests, "collected": False}
        self._write()

    def close(self, name: str) -> None:
        self._batches[name]["collected"] = True
        self._write()

    def _write(self) -> None:
        with replace_file(self.path) as file:
            file.write(json.dumps(self._batches, indent=2).encode() + b"\n")
