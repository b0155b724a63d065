"""A fingerprint of the code that makes pictures, so that caches and manifests notice when it changes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from medq_deg import images

_MODULES = (
    "apply",
    "arrays",
    "blur",
    "ct",
    "ct_kernels",
    "ct_low_dose",
    "histopathology",
    "intensity",
    "motion",
    "mri",
    "noise",
    "registry",
    "values",
)


@cache
def code_fingerprint() -> str:
    """Return 16 hexadecimal digits that change with any change of the degradations' source or severities."""
    digest = hashlib.sha256(Path(images.__file__).read_bytes())
    for name in _MODULES:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]
