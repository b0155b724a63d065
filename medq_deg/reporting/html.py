"""What every page shares: how templates are filled, and the policy that forbids all that is not inline."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medq_deg.reporting import text

TEMPLATES = Path(__file__).with_name("templates")


def environment() -> Environment:
    """Return Jinja's environment: everything is escaped and made visible, and a name that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=text.finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy(style: str, script: str) -> str:
    """Return the content policy of a page: style and script are named by hash, everything else is forbidden.

    What a model or a submitted file says could not run or fetch anything even if it were not escaped.
    """
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
