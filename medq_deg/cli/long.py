"""What the long commands have in common: `--quiet`, `--json`, and `--config`, options from a file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import yaml

from medq_deg.cli.console import OUTPUT
from medq_deg.cli.options import with_parameters
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.evaluation.store import renamed

Command = TypeVar("Command", bound=Callable[..., Any])


def long_command(command: Command) -> Command:
    """Give a command `--quiet`, `--json` and `--config`.

    The result that `--json` prints is what the command told `medq_deg.cli.console.tell_result`.
    """

    @wraps(command)
    def wrapped(
        *ready: Any, quiet: bool = False, as_json: bool = False, config: Path | None = None, **given: Any
    ) -> Any:
        del config  # read by its callback, before the others
        outermost = OUTPUT.depth == 0
        if outermost:
            OUTPUT.start(quiet=quiet, json=as_json)
        OUTPUT.depth += 1
        try:
            command(*ready, **given)
        except typer.Exit:
            if outermost and as_json:
                _print_result()
            raise
        else:
            if outermost and as_json:
                _print_result()
        finally:
            OUTPUT.depth -= 1
            if outermost:
                OUTPUT.start()

    own = inspect.signature(command, eval_str=True).parameters.values()
    return with_parameters(wrapped, [*own, *_PARAMETERS])  # type: ignore[return-value]


def _print_result() -> None:
    print(json.dumps(OUTPUT.result, indent=2, default=str))


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the file's values as defaults, so that what is typed goes before them."""
    if path is not None:
        names = {
            flag.lstrip("-").replace("-", "_"): parameter.name
            for parameter in context.command.params
            for flag in (parameter.name, *parameter.opts)
            if flag and parameter.name not in (None, "config")
        }
        found: dict[str, Any] = {}
        for name, value in _values(path).items():
            if str(name).replace("-", "_") not in names:
                raise UnknownNameError(f"option in {path}", name, sorted({each for each in names if len(each) > 1}))
            found[str(names[str(name).replace("-", "_")])] = value
        context.default_map = {**(context.default_map or {}), **found}
    return path


def _values(path: Path) -> Mapping[str, Any]:
    """Return the options that a file holds: YAML, or the `run.json` of a run, for a run like it."""
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MedqDegError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise MedqDegError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if held is None:
        return {}
    if not isinstance(held, dict):
        raise MedqDegError(f"{path}: must hold options by name, such as `trials: 10`, got {type(held).__name__}")
    return _of_run(renamed(held)["settings"]) if isinstance(held.get("settings"), dict) else held


def _of_run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a run was made with, as far as they do not depend on the machine."""
    model, data = (settings[key] if isinstance(settings.get(key), dict) else {} for key in ("model", "data"))
    subset = settings.get("subset")
    found = {
        "model": model.get("name"),
        "endpoint": model.get("endpoint"),
        "votes": model.get("votes"),
        "data": data.get("name"),
        "trials": settings.get("trials"),
        "seed": settings.get("seed"),
        "parser": settings.get("parser"),
        "orders": settings.get("orders"),
        "image": settings.get("image"),
        "subset": subset.get("rows") if isinstance(subset, dict) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _option(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


_PANEL = "How it is run"
_PARAMETERS = (
    _option("quiet", bool, False, typer.Option("--quiet", help="No progress and no notes.", rich_help_panel=_PANEL)),
    _option(
        "as_json",
        bool,
        False,
        typer.Option("--json", help="The result as JSON on standard output, and nothing else.", rich_help_panel=_PANEL),
    ),
    _option(
        "config",
        Path | None,
        None,
        typer.Option(
            "--config",
            metavar="FILE",
            callback=_read_config,
            is_eager=True,
            help="YAML file with options of this command, or a run.json; what is typed goes before it.",
            rich_help_panel=_PANEL,
        ),
    ),
)
