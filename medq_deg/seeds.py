"""Seeds derived from what is being made, never from the order or the process in which it is made."""

from __future__ import annotations

import hashlib
import numbers

from medq_deg.errors import MedqDegError


def check_seed(seed: object) -> int:
    """Return a seed as an int, or raise `MedqDegError` unless it is an integer of 0 or more."""
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise MedqDegError(f"seed must be an integer of 0 or more, got {seed!r}")
    return int(seed)


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**63) from names and numbers, such as a question id and a degradation.

    The same parts give the same seed on every machine; parts are kept apart, so ("a", "bc") differs from ("ab", "c").
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "big") >> 1
