"""One thread for BLAS while an image is made: how a product is cut among threads decides its last bits.

It is quicker as well, since the products are small: in processes side by side, threads that wait for one another took
half of the processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
_inside: list[AbstractContextManager[object]] = []
"""The limit of the calls that are being made; each of them adds it, so that the last one takes it away."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS of this process to one thread, also while several threads of the program are inside."""
    with _lock:
        if not _inside:
            limit = _libraries().limit(limits=1, user_api="blas")
            limit.__enter__()
        else:
            limit = _inside[-1]
        _inside.append(limit)
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                limit.__exit__(None, None, None)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
