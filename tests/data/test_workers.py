"""What the worker processes of a build know of the degradations that a program registers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import medq_deg
from medq_deg.data.shards import Job, make_images
from medq_deg.degradations.registry import unregister
from medq_deg.engines.local import LocalEngine
from medq_deg.errors import MedqDegError
from tests.degradations.test_register import fields, veil


@pytest.fixture
def job(tmp_path: Path) -> Job:
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((64, 48), 100, np.uint8)).save(path)
    return Job(path, "veil", 2, 5, "MRI", keep_marking=False)


@pytest.mark.slow
def test_workers_know_a_registered_degradation_and_make_the_same_bytes(job: Job) -> None:
    medq_deg.register(**fields())
    try:
        with LocalEngine(1) as here, LocalEngine(2) as there:
            assert list(make_images(there, [job] * 3)) == list(make_images(here, [job] * 3))
    finally:
        unregister("veil")


def test_a_function_that_workers_cannot_import_is_named_and_works_in_this_process(job: Job) -> None:
    medq_deg.register(**fields(function=lambda image, rng, *, level, kind="white": veil(image, rng, level=level)))
    try:
        with LocalEngine(2) as there, pytest.raises(MedqDegError, match="veil cannot go to worker processes"):
            list(make_images(there, [job]))
        with LocalEngine(1) as here:
            assert list(make_images(here, [job]))
    finally:
        unregister("veil")
