"""What importing the package costs, and what it exposes."""

from __future__ import annotations

import subprocess
import sys

import pytest

import medq_deg


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = python("import sys, medq_deg; print(*sys.modules)").split()
    heavy = {"torch", "transformers", "datasets", "evaluate", "albumentations", "scipy", "cv2", "numpy", "PIL"}
    assert not heavy & set(loaded)


def test_degrading_a_image_loads_neither_torch_nor_datasets() -> None:
    use = "medq_deg.degrade(np.zeros((40, 40), 'u1'), 'low_dose', 1)"
    code = f"import sys, numpy as np, medq_deg; {use}; print(*sys.modules)"
    assert not {"torch", "transformers", "datasets", "evaluate", "albumentations"} & set(python(code).split())


@pytest.mark.parametrize("name", medq_deg.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(medq_deg, name) is not None
    assert name in dir(medq_deg)


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'medq_deg' has no attribute 'degradde'"):
        medq_deg.degradde  # noqa: B018
