"""Opting in to the bare names without ``import medq_deg``: a `.pth` file that Python runs when it starts.

What Python runs must do no harm when the package is gone: it looks for the very file that was there when the names were
enabled, says nothing if it is missing, and imports nothing else that happens to have the package's name.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

import medq_deg

_CODE = (
    "import importlib.util, os, sys; "
    "path = {path!r}; "
    "spec = importlib.util.spec_from_file_location('medq_deg', path) if os.path.isfile(path) else None; "
    "module = spec and 'medq_deg' not in sys.modules and importlib.util.module_from_spec(spec); "
    "module and (sys.modules.__setitem__('medq_deg', module), spec.loader.exec_module(module))"
)


def pth_file() -> Path:
    """Return where the file is, or would be: the site-packages of this environment."""
    return Path(sysconfig.get_path("purelib")) / "medq-deg-names.pth"


def line() -> str:
    """Return the one line of the file."""
    return _CODE.format(path=str(Path(medq_deg.__file__).resolve())) + "\n"


def enable() -> Path:
    """Write the file; from the next start of Python, the bare names of `medq_deg.registration` work by themselves."""
    path = pth_file()
    path.write_text(line(), encoding="utf-8")
    return path


def disable() -> bool:
    """Remove the file; return whether it was there."""
    path = pth_file()
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there
