"""Seeds derived from what is being made, never from the order or the process in which it is made."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**63) from names and numbers, such as a question id and a degradation.

    The same parts give the same seed on every machine; parts are kept apart, so ("a", "bc") differs from ("ab", "c").
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
