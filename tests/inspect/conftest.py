"""The run that inspect-ai repeats is the one of the other harnesses."""

from __future__ import annotations

from tests.harness.conftest import direct

__all__ = ["direct"]
