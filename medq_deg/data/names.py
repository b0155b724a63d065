"""Names that stand for data, and nothing that is heavy to import. What they open is in `medq_deg.data.load`."""

from __future__ import annotations

from typing import Final

DEMO: Final = "demo"
EMBEDDED: Final = (DEMO, "demo-held-out")
"""Names of the data that the package holds."""


def default_data(*, ours: bool) -> str:
    """Return what a model is asked about if nothing is said; `ours` is the demo model, which was trained on `DEMO`."""
    return EMBEDDED[1] if ours else DEMO


RELEASE: Final = "release"
HUB_RELEASE: Final = "jiyaoliufd/MedQ-DEG-Bench"
"""The dataset of the Hub that holds the authors' release."""
