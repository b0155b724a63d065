"""Opting in to the bare names without ``import medq_deg``: a `.pth` file that Python runs when it starts."""

from __future__ import annotations

import sysconfig
from pathlib import Path

LINE = "import medq_deg\n"


def pth_file() -> Path:
    """Return where the file is, or would be: the site-packages of this environment."""
    return Path(sysconfig.get_path("purelib")) / "medq-deg-names.pth"


def enable() -> Path:
    """Write the file; from the next start of Python, the bare names of `medq_deg.registration` work by themselves."""
    path = pth_file()
    path.write_text(LINE, encoding="utf-8")
    return path


def disable() -> bool:
    """Remove the file; return whether it was there."""
    path = pth_file()
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there
