"""A review that is really served: the application under uvicorn in a thread, and a reviewer who uses it over HTTP."""

from __future__ import annotations

import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from medq_deg.review.app import make_app
from medq_deg.review.auth import Auth
from medq_deg.review.catalogue import Catalogue
from medq_deg.review.database import Database
from medq_deg.review.pages import Settings
from medq_deg.review.store import Store


class Served:
    """A running server: its address, and what is behind it."""

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self.store = store
        self.auth = Auth(store.database)


@contextmanager
def served(
    catalogue: Catalogue, path: Path, slots: int | None = None, settings: Settings | None = None, port: int = 0
) -> Iterator[Served]:
    database = Database(path, create=True)
    store = Store(database, catalogue, slots)
    listening = socket.create_server(("127.0.0.1", port), backlog=512)
    config = uvicorn.Config(
        make_app(store, settings),
        log_level="warning",
        lifespan="off",
        proxy_headers=bool(settings and settings.public_url),
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", store)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        database.close()


class Reviewer:
    """A reviewer who works without a browser."""

    def __init__(self, url: str, token: str = "", base: str = "", **options: Any) -> None:
        self.client = httpx2.Client(base_url=url, timeout=30, **options)
        self.base = base
        self.csrf = ""
        self.text = ""
        if token:
            entry = hidden(self.client.get(f"{base}/login").text, "entry")
            self.answer = self.client.post(f"{base}/login", data={"token": token, "entry": entry})

    def open(self) -> int | None:
        """Open the question that comes next, and return its number."""
        answer = self.client.get(f"{self.base}/", follow_redirects=True)
        assert answer.status_code == 200
        return self.read(answer)

    def read(self, answer: Any) -> int | None:
        self.text = answer.text
        self.csrf = hidden(self.text, "csrf")
        found = re.search(r'data-question="(\d+)"', self.text)
        return int(found[1]) if found else None

    @property
    def pairs(self) -> int:
        return self.text.count('class="verdict"')

    def post(self, path: str, **fields: Any) -> Any:
        data = {"csrf": self.csrf, "click": uuid.uuid4().hex, **fields}
        return self.client.post(f"{self.base}{path}", data=data, headers={"HX-Request": "true"})

    def decide(self, question: int, pair: int, verdict: str, **fields: Any) -> Any:
        known = hidden(self.text, "known", f'id="known-{pair}"')
        return self.post(f"/q/{question}/verdict", **{"pair": pair, "known": known, "verdict": verdict, **fields})

    def review(self, question: int, verdict: str = "keep", **fields: Any) -> int | None:
        """Give the same verdict on every degradation, go on, and return the next question."""
        for pair in range(self.pairs):
            assert self.decide(question, pair, verdict, **fields).status_code == 200
        answer = self.post(f"/q/{question}/done")
        assert answer.status_code == 200, answer.text
        return self.read(answer)


def hidden(page: str, name: str, also: str = "") -> str:
    """The value of a hidden field."""
    found = re.search(rf'<input type="hidden" name="{name}"[^>]*?{re.escape(also)}[^>]*?value="([^"]*)"', page)
    assert found, f"no field {name} in: {page[:300]}"
    return found[1]
