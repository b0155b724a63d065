"""A stand-in for the Hub on loopback: the endpoints that creating a repository and uploading a folder touch."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

OID = "a" * 40


class HubDouble:
    """Repositories in memory; `status` makes every commit fail with it."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.commits = 0
        self.status = 200
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _handler(hub: HubDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def reply(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def answer(self) -> None:
            path = unquote(urlparse(self.path).path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if path == "/api/repos/create":
                wanted = json.loads(body)
                name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
                if hub.status == 403:
                    return self.reply(403, {"error": "Forbidden: no right to write"})
                hub.repositories.setdefault(name, {})
                hub.private[name] = bool(wanted.get("private") or wanted.get("visibility") == "private")
                return self.reply(200, {"url": f"{hub.address}/datasets/{name}"})
            if path == "/api/validate-yaml":
                return self.reply(200, {"errors": [], "warnings": []})
            found = re.match(r"^/api/datasets/([^/]+/[^/]+)/(preupload|commit|revision)/", path)
            if found and found[1] in hub.repositories:
                files = hub.repositories[found[1]]
                if found[2] == "preupload":
                    asked = [each["path"] for each in json.loads(body)["files"]]
                    plain = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
                    return self.reply(200, {"files": [{"path": name, **plain} for name in asked]})
                if found[2] == "commit":
                    if hub.status != 200:
                        return self.reply(hub.status, {"error": "refused"})
                    lines = [json.loads(line) for line in body.splitlines() if line.strip()]
                    values = [line["value"] for line in lines if line["key"] == "file"]
                    files |= {value["path"]: base64.b64decode(value["content"]) for value in values}
                    hub.commits += 1
                    return self.reply(
                        200, {"commitUrl": f"{hub.address}/datasets/{found[1]}/commit/{OID}", "commitOid": OID}
                    )
            name = path.removeprefix("/api/datasets/").split("/revision")[0]
            if name in hub.repositories:
                siblings = [{"rfilename": each} for each in hub.repositories[name]]
                return self.reply(200, {"id": name, "sha": OID, "siblings": siblings, "tags": [], "private": False})
            return self.reply(404, {"error": "Repository not found"})

        do_GET = do_POST = do_HEAD = answer

    return Handler
