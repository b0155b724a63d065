"""`medq-deg doctor`: what a report of a fault needs to say about the machine."""

from __future__ import annotations

import importlib
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import typer

from medq_deg.cli.console import console, say, tell_result
from medq_deg.cli.long import long_command

checking = typer.Typer()

PACKAGES: Final = (
    "numpy", "scipy", "opencv-python-headless", "pillow", "albumentations", "datasets", "evaluate", "huggingface_hub",
    "pyarrow", "typer", "rich", "matplotlib", "torch", "torchvision", "transformers", "accelerate", "pydicom",
    "nibabel", "python-gdcm", "fastapi", "dask", "inspect-ai",
)  # fmt: skip


@checking.command(epilog="Example: medq-deg doctor --json")
@long_command
def doctor() -> None:
    """Print what a report of a fault needs: versions, accelerator, caches, disk, and whether the Hub knows you."""
    found = findings()
    tell_result(**found)
    for name, value in found.items():
        if isinstance(value, dict) and value:
            console.print(f"{name}:", highlight=False)
            for key, each in value.items():
                console.print(f"  {key}: {each}", highlight=False, soft_wrap=True)
        else:
            console.print(f"{name}: {value or 'none'}", highlight=False, soft_wrap=True)
    for problem in found["problems"].values():
        say(f"warning: {problem}")


def findings() -> dict[str, Any]:
    """Return what `doctor` prints. No token, no name of a user and no address is among it."""
    from medq_deg import __version__
    from medq_deg.data.known import cache_folder

    packages = {name: found for name in PACKAGES if (found := _version(name)) is not None}
    accelerator, problems = _torch() if "torch" in packages else ("torch is not installed", {})
    cache = cache_folder()
    return {
        "medq-deg": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "encoding": f"{sys.stdout.encoding}, files {sys.getfilesystemencoding()}",
        "accelerator": accelerator,
        "packages": packages,
        "caches": {"medq-deg": _size(cache), **_hub_cache()},
        "hub login": _login(),
        "problems": problems,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _torch() -> tuple[str, dict[str, str]]:
    try:
        import torch
    except (ImportError, OSError) as error:
        return "none", {"torch": f"torch does not import: {error}"}
    problems = {}
    if _version("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            problems["torchvision"] = (
                f"torchvision does not import beside this torch ({' '.join(str(error).split())}), and then neither do "
                "transformers' processors nor evaluate: pip uninstall torchvision"
            )
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        return f"none (torch {torch.__version__})", problems
    name = torch.cuda.get_device_name() if found.type == "cuda" else found.type
    return f"{torch.accelerator.device_count()} x {name} (torch {torch.__version__})", problems


def _hub_cache() -> dict[str, str]:
    from huggingface_hub.constants import HF_HUB_CACHE

    return {"huggingface_hub": _size(Path(HF_HUB_CACHE))}


def _size(folder: Path) -> str:
    """Say whether a cache is there, and how much room its disk has."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free / 2**30
    return f"{'there' if folder.exists() else 'not made yet'}, {free:.1f} GiB free on its disk"


def _login() -> str:
    """Say whether a token is there; the token itself is never shown, and nobody is asked."""
    from huggingface_hub import get_token

    return "a token is there" if get_token() else "none"
