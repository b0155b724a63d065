"""A server on loopback that writes whatever bytes it is told to, for what no HTTP library would send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Write = Callable[[socket.socket], None]


@dataclass
class Raw:
    """What is served, and what came."""

    url: str
    requests: list[bytes] = field(default_factory=list)


def response(body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """Bytes of a whole reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def raw(write: Write) -> Iterator[Raw]:
    """Answer each POST by what `write` puts into the connection, and each GET by a 404."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = Raw(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while (request := _read(connection)) is not None:
                served.requests.append(request)
                if request.startswith(b"GET"):
                    connection.sendall(response(b"{}", status="404 Not Found"))
                    continue
                write(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield served
    finally:
        for each in [listener, *connections]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _read(connection: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(1 << 16)):
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        if not (piece := connection.recv(1 << 20)):
            return None
        body += piece
    return head + b"\r\n\r\n" + body
