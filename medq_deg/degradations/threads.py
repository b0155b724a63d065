"""One thread for BLAS while an image is made: how a product is cut among threads decides its last bits.

It is quicker as well, since the products are small: in processes side by side, threads that wait for one another took
half of the processor.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController


class _Calls:
    """The calls that are being made: the first sets the limit, the last takes it away."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all calls: a process that was forked while another thread made one does not have them."""
        self.lock = Lock()
        self.number = 0
        self.limit: AbstractContextManager[object] = nullcontext()


_calls = _Calls()
if hasattr(os, "register_at_fork"):  # there is none on Windows
    os.register_at_fork(after_in_child=_calls.reset)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS of this process to one thread, also while several threads of the program are inside."""
    with _calls.lock:
        if _calls.number == 0:
            _calls.limit = _libraries().limit(limits=1, user_api="blas")
            _calls.limit.__enter__()
        _calls.number += 1
    try:
        yield
    finally:
        with _calls.lock:
            _calls.number = max(_calls.number - 1, 0)  # it forgot this one if it forked itself
            if _calls.number == 0:
                _calls.limit.__exit__(None, None, None)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
