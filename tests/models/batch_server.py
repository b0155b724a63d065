"""A double of OpenAI's Batch API on loopback, after its documentation: files, batches, results in any order."""

from __future__ import annotations

import json
import re
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.models.faulty_server import Asked, FaultyServer


class BatchServer(FaultyServer):
    """Also takes files and batches; a batch is done once it was looked at `looks` times.

    Attributes
    ----------
    files : dict of str to bytes
        What was uploaded, and the results.
    batches : dict of str to dict
        Batch objects by id.
    broken : set of int
        Numbers of requests (over all batches) that end in an error.
    fail : str
        Reason for which every batch fails as a whole.
    """

    def __init__(self, *arguments: Any, looks: int = 2, **options: Any) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.broken: set[int] = set()
        self.looks, self.fail, self.batched = looks, "", 0
        super().__init__(*arguments, **options)

    def work(self, batch: dict[str, Any]) -> None:
        """Answer the requests of a batch, the last first."""
        done, failed = [], []
        for line in reversed(self.files[batch["input_file_id"]].splitlines()):
            request = json.loads(line)
            assert request["method"] == "POST"
            assert request["url"] == batch["endpoint"] == "/v1/chat/completions"
            number, self.batched = self.batched, self.batched + 1
            result = {"id": f"r{number}", "custom_id": request["custom_id"], "error": None}
            if number in self.broken:
                body = {"error": {"message": "The server had an error"}}
                failed.append({**result, "response": {"status_code": 500, "request_id": "x", "body": body}})
                continue
            asked: Asked = self._begin(request["body"], {})
            response = {"status_code": 200, "request_id": "x", "body": self._completion(asked)}
            self._end()
            done.append({**result, "response": response})
        assert len({line["custom_id"] for line in [*done, *failed]}) == len(done) + len(failed)
        for name, lines in (("output_file_id", done), ("error_file_id", failed)):
            if lines:
                batch[name] = f"file-{name}-{batch['id']}"
                self.files[batch[name]] = "".join(json.dumps(line) + "\n" for line in lines).encode()
        batch["status"] = "completed"

    def look(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        batch["looks"] += 1
        if batch["looks"] >= self.looks and batch["status"] == "in_progress":
            if self.fail:
                batch |= {"status": "failed", "errors": {"data": [{"code": "bad", "message": self.fail}]}}
            else:
                self.work(batch)
        return batch

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        base = super()._handler()

        class Handler(base):
            def do_GET(self) -> None:
                if found := re.fullmatch(r"/v1/batches/(\S+)", self.path):
                    self.send_json(200, server.look(found[1]))
                elif found := re.fullmatch(r"/v1/files/(\S+)/content", self.path):
                    data = server.files[found[1]]
                    self.send(200, data, len(data), {"content-type": "application/octet-stream"})
                else:
                    super().do_GET()

            def do_POST(self) -> None:
                if self.path not in {"/v1/files", "/v1/batches"}:
                    return super().do_POST()
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/files":
                    head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
                    parts = {
                        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                        for part in BytesParser(policy=HTTP).parsebytes(head + data).iter_parts()
                    }
                    assert parts["purpose"] == b"batch"
                    name = f"file-{len(server.files)}"
                    server.files[name] = parts["file"]
                    return self.send_json(200, {"id": name, "object": "file", "purpose": "batch"})
                asked = json.loads(data)
                assert asked["completion_window"] == "24h"
                name = f"batch_{len(server.batches)}"
                server.batches[name] = {**asked, "id": name, "object": "batch", "status": "in_progress", "looks": 0}
                return self.send_json(200, server.batches[name])

        return Handler
