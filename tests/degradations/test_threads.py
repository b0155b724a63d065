"""How many threads a machine gives to linear algebra decides no byte of an image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController, threadpool_limits

from medq_deg import DEGRADATIONS, degrade
from medq_deg.degradations.threads import _calls, one_blas_thread
from medq_deg.errors import ImageError

DIGEST = """
import hashlib
import numpy as np
from medq_deg import DEGRADATIONS, degrade
from medq_deg.demo import read_image
images = [np.asarray(read_image(name)) for name in ("ct_abdomen.png", "mri_liver.png", "histo_hgsc_nest.png")]
for name in DEGRADATIONS:
    made = [degrade(image, name, level, 7).tobytes() for image in images for level in (1, 2)]
    print(name, hashlib.sha256(b"".join(made)).hexdigest())
"""


def blas_threads() -> list[int]:
    """Threads that each BLAS of this process may use."""
    return [library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"]


def test_every_type_makes_the_same_bytes_whatever_the_number_of_threads() -> None:
    found = []
    for threads in ("1", "3"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        ran = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        found.append(ran.stdout.splitlines())
    assert len(found[0]) == len(DEGRADATIONS)
    assert found[0] == found[1]


@pytest.mark.skipif(not blas_threads(), reason="threadpoolctl knows no BLAS of this machine")
def test_what_the_program_had_set_comes_back_after_the_last_of_several_calls(mri: NDArray[np.uint8]) -> None:
    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()
        with one_blas_thread():
            with one_blas_thread():
                assert set(blas_threads()) == {1}
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: degrade(mri, "object_movement", 2).tobytes(), range(12)))
        assert len(set(made)) == 1
        assert blas_threads() == before


@pytest.mark.skipif(not blas_threads(), reason="threadpoolctl knows no BLAS of this machine")
def test_a_call_that_fails_gives_the_threads_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        before, pear = blas_threads(), cast(Any, "pear")
        with pytest.raises(ImageError, match="got str"):
            degrade(pear, "exposure", 1)
        assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_process_that_is_forked_while_an_image_is_made_does_not_wait_for_it(mri: NDArray[np.uint8]) -> None:
    with _calls.lock:
        child = os.fork()
        if child == 0:
            degrade(mri, "exposure", 1)
            os._exit(0)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    if ended[0] == 0:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
