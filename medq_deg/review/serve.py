"""Serving a review: where the server listens, who may reach it, and the browser that shows it."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from medq_deg.errors import MedqDegError
from medq_deg.review.auth import Auth
from medq_deg.review.catalogue import Catalogue
from medq_deg.review.database import Database
from medq_deg.review.store import Store

PORT: Final = 8765
HOST: Final = "127.0.0.1"


def serve(
    catalogue: Catalogue,
    path: Path,
    *,
    slots: int | None = None,
    host: str = HOST,
    port: int = PORT,
    public_url: str = "",
    trusted_proxy: str = "",
    browser: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve a review until it is stopped.

    Parameters
    ----------
    catalogue : Catalogue
        What is reviewed.
    path : Path
        The review database; made if there is none.
    slots : int, optional
        Reviewers that each question needs.
    host, port
        Where to listen; port 0 takes any that is free.
    public_url : str
        Address that browsers use where a proxy stands before the server.
    trusted_proxy : str
        Address of that proxy, whose forwarded headers are believed; this computer without it.
    browser : bool
        Open the page.
    say : callable
        Told where the page is.

    Raises
    ------
    MedqDegError
        For an address that is not this computer's alone while nobody is invited, a port in use or out of range, a
        database that cannot be used or belongs to another dataset, or a public address that is none.
    """
    import uvicorn

    from medq_deg.review.app import make_app
    from medq_deg.review.pages import Settings

    check_public_url(public_url)
    if not 0 <= port <= 65_535:
        raise MedqDegError(f"a port is 0 to 65535, got {port}")
    alone = is_loopback(host)
    with ExitStack() as held:
        # The port first, so that nothing is made, and nobody let in, before all is right.
        listening = held.enter_context(_bound(host, port))
        database = _opened(path, public_url or ("" if alone else host))
        held.callback(database.close)
        invited = Auth(database).invited()
        store = Store(database, catalogue, slots)
        settings = Settings(public_url, local=alone and not public_url, hosts=_hosts(alone, public_url))
        config = uvicorn.Config(
            make_app(store, settings),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(public_url),
            forwarded_allow_ips=trusted_proxy or HOST,
            timeout_graceful_shutdown=3,
            backlog=512,
            lifespan="off",
        )
        address = public_url or f"http://{_shown(host)}:{listening.getsockname()[1]}/"
        say(f"reviewing {catalogue.name}: {len(catalogue)} questions, {path}")
        say(f"open {address}" + (f" with the token of {', '.join(invited)}" if invited else ""))
        if browser and not public_url:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        uvicorn.Server(config).run(sockets=[listening])


def _opened(path: Path, reached: str) -> Database:
    """Open the database, unless others can reach an address and nobody is invited."""
    told = (
        f"others can reach {reached}, and nobody is invited: give each reviewer a token with "
        f"`medq-deg review invite NAME --db {path}` first"
    )
    if reached and not path.exists():
        raise MedqDegError(told)
    database = Database(path, create=True)
    if reached and not Auth(database).invited():
        database.close()
        raise MedqDegError(told)
    return database


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address.

    Raises
    ------
    MedqDegError
        If it is no address and no name that is known here.
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        pass
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        raise MedqDegError(f"{host!r} is no address of this computer; 127.0.0.1 is it alone, 0.0.0.0 all") from None
    return all(ipaddress.ip_address(each.split("%")[0]).is_loopback for each in found)


def check_public_url(url: str) -> None:
    """Raise `MedqDegError` unless an address is one that a browser can open, or empty."""
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or ".." in url:
        raise MedqDegError(f"the public address must be like https://host/path, got {url!r}")


def _hosts(alone: bool, public_url: str) -> tuple[str, ...] | None:
    if public_url:
        return (str(urlsplit(public_url).hostname), "127.0.0.1", "localhost")
    # The names of a computer in a network are many; its sessions need a token.
    return ("localhost", "127.0.0.1", "[::1]") if alone else None


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that has its port, and does not listen yet."""
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise MedqDegError(
                f"port {port} is in use; choose another with --port, or 0 for any that is free"
            ) from None
        raise MedqDegError(f"{host}:{port} cannot be listened on ({error.strerror})") from None
    return listening


def _shown(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else ("127.0.0.1" if host == "0.0.0.0" else host)
