"""A stand-in for the Hub on loopback: what making, reading and changing a repository touches.

The Hub's address is fixed when huggingface_hub is imported, so whoever talks to the double is a process of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse


@dataclass(frozen=True)
class PullRequest:
    """A pull request that somebody opened."""

    title: str
    parent: str | None
    files: dict[str, bytes]


class HubDouble:
    """Repositories in memory, by name; those in `models` are models, the others datasets.

    `status` makes every commit fail with it. `on_read` is called when a repository is looked at.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.models: set[str] = set()
        self.private: dict[str, bool] = {}
        self.pull_requests: list[PullRequest] = []
        self.authorizations: set[str | None] = set()
        self.reads = 0
        self.commits = 0
        self.status = 200
        self.on_read: Callable[[], None] = lambda: None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def add_model(self, name: str, files: dict[str, bytes] | None = None) -> None:
        self.repositories[name] = files or {}
        self.models.add(name)

    def head(self, name: str) -> str:
        """The newest commit: it changes with the files."""
        files = sorted(self.repositories[name].items())
        return hashlib.sha1(repr(files).encode(), usedforsecurity=False).hexdigest()

    def kind(self, name: str) -> str:
        return "models" if name in self.models else "datasets"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _handler(hub: HubDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def reply(self, status: int, value: Any, **headers: str) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name.replace("_", "-"), text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def no_repository(self) -> None:
            self.reply(401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")

        def answer(self) -> None:
            url = urlparse(self.path)
            path = unquote(url.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.authorizations.add(self.headers.get("Authorization"))
            if path == "/api/repos/create":
                return self.create(json.loads(body))
            if path == "/api/validate-yaml":
                return self.reply(200, {"errors": [], "warnings": []})
            found = re.match(r"^/api/(models|datasets)/([^/]+/[^/]+?)(?:/(preupload|commit|revision|tree)/.*)?$", path)
            if found:
                kind, name, action = found.groups()
                if name not in hub.repositories or hub.kind(name) != kind:
                    return self.no_repository()
                if action == "preupload":
                    asked = [each["path"] for each in json.loads(body)["files"]]
                    plain = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
                    return self.reply(200, {"files": [{"path": each, **plain} for each in asked]})
                if action == "commit":
                    return self.commit(name, body, parse_qs(url.query).get("create_pr") == ["1"])
                if action == "tree":
                    return self.reply(200, [_entry(*item) for item in hub.repositories[name].items()])
                hub.reads += 1
                hub.on_read()
                siblings = [{"rfilename": each} for each in hub.repositories[name]]
                info = {"id": name, "sha": hub.head(name), "siblings": siblings, "tags": [], "private": False}
                return self.reply(200, info)
            found = re.match(r"^/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$", path)
            if found:
                return self.resolve(found[2], "datasets" if found[1] else "models", found[4])
            return self.reply(404, {"error": "not found"})

        def create(self, wanted: dict[str, Any]) -> None:
            if hub.status == 403:
                return self.reply(403, {"error": "Forbidden: no right to write"})
            name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
            hub.repositories.setdefault(name, {})
            hub.private[name] = bool(wanted.get("private") or wanted.get("visibility") == "private")
            return self.reply(200, {"url": f"{hub.address}/datasets/{name}"})

        def commit(self, name: str, body: bytes, pull_request: bool) -> None:
            if hub.status != 200:
                return self.reply(hub.status, {"error": f"refused, {self.headers.get('Authorization')}"})
            lines = [json.loads(line) for line in body.splitlines() if line.strip()]
            values = [line["value"] for line in lines if line["key"] == "file"]
            files = {value["path"]: base64.b64decode(value["content"]) for value in values}
            header = lines[0]["value"]
            if pull_request:
                hub.pull_requests.append(PullRequest(header["summary"], header.get("parentCommit"), files))
            else:
                hub.repositories[name] |= files
            hub.commits += 1
            page = f"{hub.address}/{'' if name in hub.models else 'datasets/'}{name}"
            opened = {"pullRequestUrl": f"{page}/discussions/{len(hub.pull_requests)}"} if pull_request else {}
            oid = hub.head(name)
            return self.reply(200, {"commitUrl": f"{page}/commit/{oid}", "commitOid": oid, **opened})

        def resolve(self, name: str, kind: str, path: str) -> None:
            if name not in hub.repositories or hub.kind(name) != kind:
                return self.no_repository()
            head = {"X_Repo_Commit": hub.head(name)}
            if path not in hub.repositories[name]:
                return self.reply(404, b"", X_Error_Code="EntryNotFound", **head)
            content = hub.repositories[name][path]
            return self.reply(200, content, ETag=f'"{_oid(content)}"', **head)

        do_GET = do_POST = do_HEAD = answer

    return Handler


def _oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": _oid(content)}
