"""A chat completions server on loopback that fails in the ways real ones do, and remembers what it served."""

from __future__ import annotations

import json
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROMPT_TOKENS, COMPLETION_TOKENS = 7, 3
"""Tokens that the server counts for a request, and for each choice in the reply."""

FAULTS = ("429", "500", "hang", "cut", "no json", "other json", "empty", "null", "error in 200")
ODDITIES = ("refusal", "reasoning", "fewer", "more")


@dataclass
class Asked:
    """One request as the server saw it."""

    number: int
    row: str
    body: dict[str, Any]
    headers: dict[str, str]
    fault: str | None = None
    refused: tuple[Any, ...] | None = None
    served: list[str] = field(default_factory=list)
    tokens: tuple[int, int] = (0, 0)
    at: float = field(default_factory=time.monotonic)

    @property
    def n(self) -> int:
        return int(self.body.get("n", 1))


class FaultyServer:
    """A server whose replies `behave` decides, request by request.

    Parameters
    ----------
    behave : callable
        Takes a request and returns None (a good reply), or one of FAULTS, ODDITIES, "400", "401", "drop", "echo ...",
        or status, JSON and perhaps headers.
    honours_n : bool or "refuses"
        Whether a good reply has as many choices as asked; "refuses" answers 400 to more than one.
    delay : float
        Seconds before a good reply.
    hang : float
        Seconds that a hanging reply takes.
    """

    def __init__(
        self,
        behave: Callable[[Asked], Any] = lambda asked: None,
        *,
        honours_n: bool | str = True,
        delay: float = 0.0,
        hang: float = 1.5,
        say: Callable[[Asked, int], str] | None = None,
    ) -> None:
        self.behave, self.honours_n, self.delay, self.hang = behave, honours_n, delay, hang
        self.say = say or (lambda asked, number: f"Answer: {'ABCD'[number % 4]}\n#{number}")
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.models = ["tiny"]
        self.retry_after = "1"
        self.owner: str | None = None
        self.headers: dict[str, str] = {}
        self.reply: dict[str, Any] = {}
        self.usage: dict[str, Any] = {}
        self.choices = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def served(self, row: str) -> list[str]:
        """What the row was given, in the order in which it left."""
        return [text for asked in self.asked if asked.row == row for text in asked.served]

    def faults(self) -> Counter[str | None]:
        return Counter(asked.fault for asked in self.asked)

    def stop(self) -> None:
        self.http.shutdown()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.http.server_close()

    def _begin(self, body: dict[str, Any], headers: dict[str, str]) -> Asked:
        prompt = body["messages"][0]["content"][-1]["text"]
        row = re.match(r"Row (\S+)\.", prompt)
        with self._lock:
            asked = Asked(len(self.asked), row[1] if row else prompt, body, headers)
            asked.fault = fault = self.behave(asked)
            if isinstance(fault, tuple):
                asked.fault, asked.refused = f"{fault[0]}", fault
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        return asked

    def _end(self) -> None:
        with self._lock:
            self._at_once -= 1

    def _choice(self, asked: Asked) -> dict[str, Any]:
        with self._lock:
            number, self.choices = self.choices, self.choices + 1
        text = self.say(asked, number)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if asked.fault == "refusal":
            text = f"I cannot help with that. (choice {number})"
            message = {"role": "assistant", "content": None, "refusal": text}
        elif asked.fault == "reasoning":
            text = f"<think>It may be D.</think>{text}"
            message["content"] = text
        elif asked.fault == "echo text":
            message["content"] = f"You sent {asked.headers.get('authorization')}"
        elif asked.fault in CHOICES:
            return {"index": 0, **CHOICES[asked.fault]}
        asked.served.append(text)
        return {"index": 0, "finish_reason": "stop", "message": message}

    def _completion(self, asked: Asked) -> dict[str, Any]:
        count = asked.n if self.honours_n is True else 1
        if asked.fault == "fewer":
            count = max(count // 2, 1)
        elif asked.fault == "more":
            count += 2
        elif asked.fault in {"empty", "error in 200"}:
            count = 0
        choices = [self._choice(asked) for _ in range(count)]
        asked.tokens = PROMPT_TOKENS, COMPLETION_TOKENS * count
        reply: dict[str, Any] = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": asked.body["model"],
            "choices": choices,
            "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS * count, **self.usage},
            **self.reply,
        }
        if asked.fault == "error in 200":
            reply["error"] = {"message": "upstream is overloaded", "code": 502}
        return reply

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                server._connections.append(self.connection)

            def version_string(self) -> str:
                return server.headers.get("server", "test")

            def log_message(self, *arguments: object) -> None: ...

            def do_GET(self) -> None:
                owned = {} if server.owner is None else {"owned_by": server.owner}
                self.send_json(200, {"object": "list", "data": [{"id": name, **owned} for name in server.models]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                asked = server._begin(body, {name.lower(): value for name, value in self.headers.items()})
                try:
                    self.reply(asked)
                except OSError:
                    self.close_connection = True
                finally:
                    server._end()

            def reply(self, asked: Asked) -> None:
                fault = asked.fault
                if asked.refused is not None:
                    return self.send_json(*asked.refused)
                if fault is None and server.honours_n == "refuses" and "n" in asked.body:
                    fault = asked.fault = "400"
                if fault is not None and fault.isdigit():
                    headers = {"retry-after": server.retry_after} if fault in {"429", "503"} else {}
                    return self.send_json(int(fault), {"error": {"message": f"fault {fault}"}}, headers)
                if fault is not None and fault.startswith("echo ") and fault[5:].isdigit():
                    told = f"{'.' * 170} bad header {asked.headers.get('authorization')}"
                    return self.send_json(int(fault[5:]), {"error": {"message": told}})
                if fault == "hang":
                    time.sleep(server.hang)
                if fault in {"hang", "drop"}:
                    self.close_connection = True
                    return None
                if fault == "other json":
                    return self.send_json(200, [1, {"choices": "none"}])
                time.sleep(server.delay)
                data = json.dumps(server._completion(asked)).encode()
                if fault in {"cut", "no json"}:
                    asked.served, asked.tokens = [], (0, 0)
                    short = data[: len(data) // 2]
                    self.send(200, short, len(data) if fault == "cut" else len(short))
                    self.close_connection = True
                    return None
                return self.send(200, data, len(data))

            def send_json(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
                data = json.dumps(value).encode()
                self.send(status, data, len(data), headers)

            def send(self, status: int, data: bytes, length: int, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"content-type": "application/json", **server.headers, **(headers or {})}.items():
                    if name != "server":
                        self.send_header(name, value)
                self.send_header("content-length", str(length))
                self.end_headers()
                self.wfile.write(data)

        return Handler


CHOICES: dict[str, dict[str, Any]] = {
    "null": {"finish_reason": "stop", "message": {"role": "assistant", "content": None}},
    "no message": {"finish_reason": "stop"},
    "cut by length": {"finish_reason": "length", "message": {"role": "assistant", "content": None}},
    "filtered": {"finish_reason": "content_filter", "message": {"role": "assistant", "content": None}},
    "only reasoning": {
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": None, "reasoning_content": "It may be D."},
    },
    "said nothing": {"finish_reason": "stop", "message": {"role": "assistant", "content": ""}},
    "parts": {
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": [{"type": "thinking"}, {"type": "text", "text": "B"}]},
    },
    "beside reasoning": {
        "finish_reason": "length",
        "message": {"role": "assistant", "content": "B", "reasoning": "It may be D."},
    },
}
"""Choices that say something else than a plain text."""


def seeded(share: float, kinds: tuple[str, ...], seed: int = 0) -> Callable[[Asked], str | None]:
    """Behaviour by which a share of the requests, drawn anew for each, has a fault of one of the kinds."""
    rng = random.Random(seed)
    return lambda asked: rng.choice(kinds) if rng.random() < share else None


@contextmanager
def serving(server: FaultyServer) -> Iterator[FaultyServer]:
    """Run a server in a thread."""
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
