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
        self.objects: dict[str, bytes] = {}  # large files that were uploaded, by their SHA-256
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
            found = re.match(
                r"^/api/(models|datasets)/([^/]+/[^/]+?)(?:/(preupload|commit|revision|tree|paths-info)/(.*))?$", path
            )
            if found:
                kind, name, action, rest = found.groups()
                if name not in hub.repositories or hub.kind(name) != kind:
                    return self.no_repository()
                if action == "preupload":
                    asked = [each["path"] for each in json.loads(body)["files"]]
                    return self.reply(200, {"files": [_upload(each) for each in asked]})
                if action == "commit":
                    return self.commit(name, body, parse_qs(url.query).get("create_pr") == ["1"])
                if action == "tree":
                    below = f"{rest.partition('/')[2]}/" if "/" in rest else ""
                    if below and not any(path.startswith(below) for path in hub.repositories[name]):
                        return self.reply(404, {"error": "no such folder"}, X_Error_Code="EntryNotFound")
                    return self.reply(200, _tree(hub.repositories[name], below, "recursive=true" in url.query.lower()))
                if action == "paths-info":
                    asked = parse_qs(body.decode()).get("paths") or json.loads(body)["paths"]
                    return self.reply(
                        200, [_entry(*each) for each in hub.repositories[name].items() if each[0] in asked]
                    )
                hub.reads += 1
                hub.on_read()
                siblings = [{"rfilename": each} for each in hub.repositories[name]]
                info = {"id": name, "sha": hub.head(name), "siblings": siblings, "tags": [], "private": False}
                return self.reply(200, info)
            if path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {**each, "actions": {"upload": {"href": f"{hub.address}/lfs/{each['oid']}"}}}
                    for each in json.loads(body)["objects"]
                ]
                return self.reply(200, {"transfer": "basic", "objects": objects})
            if path.startswith("/lfs/"):
                hub.objects[path.removeprefix("/lfs/")] = body
                return self.reply(200, {})
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
            large = [line["value"] for line in lines if line["key"] == "lfsFile"]
            files |= {value["path"]: hub.objects[value["oid"]] for value in large}
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
            head |= {"ETag": f'"{_oid(content)}"', "Accept_Ranges": "bytes"}
            wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if not wanted:
                return self.reply(200, content, **head)
            start, stop = int(wanted[1]), int(wanted[2] or len(content) - 1) + 1
            head["Content_Range"] = f"bytes {start}-{min(stop, len(content)) - 1}/{len(content)}"
            return self.reply(206, content[start:stop], **head)

        do_GET = do_POST = do_HEAD = do_PUT = answer

    return Handler


def _oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _upload(path: str) -> dict[str, Any]:
    return {
        "path": path,
        "uploadMode": "lfs" if path.endswith(".parquet") else "regular",
        "shouldIgnore": False,
        "oid": None,
    }


def _tree(files: dict[str, bytes], below: str, recursive: bool) -> list[dict[str, Any]]:
    entries = {}
    for path, content in files.items():
        if path.startswith(below):
            first, slash, _ = path.removeprefix(below).partition("/")
            if slash:
                entries[below + first] = {"type": "directory", "path": below + first, "oid": "0" * 40}
            if recursive or not slash:
                entries[path] = _entry(path, content)
    return list(entries.values())


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": _oid(content)}
