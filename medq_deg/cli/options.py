"""Options that several commands share, and the options of models, made from the one place that says what they are."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_type_hints

import typer

from medq_deg.errors import MedqDegError
from medq_deg.models.options import ServerOptions, TransformersOptions, make_options

Seed: TypeAlias = Annotated[int, typer.Option(help="Seed, 0 or more: the same seed gives the same bytes.")]

PANELS: Final = {TransformersOptions: "Model in transformers", ServerOptions: "Model behind an endpoint"}
"""Under which heading of the help the options of a kind of model stand."""

Command = TypeVar("Command", bound=Callable[..., Any])


def with_model_options(command: Command) -> Command:
    """Let a command that takes a `TransformersOptions` and a `ServerOptions` have an option for each of their fields.

    A field that both have is one option, and goes to both.
    """
    signature = inspect.signature(command, eval_str=True)
    kinds = {name: each.annotation for name, each in signature.parameters.items() if each.annotation in PANELS}
    parameters = {name: each for name, each in signature.parameters.items() if name not in kinds}
    for kind in kinds.values():
        hints = get_type_hints(kind)
        for each in fields(kind):
            parameters.setdefault(each.name, _parameter(each, hints[each.name], PANELS[kind]))

    @wraps(command)
    def wrapped(*ready: Any, **given: Any) -> Any:
        if ready:  # another command that has them already
            return command(*ready, **given)
        for name, read in TEXTS.items():
            if name in given:
                given[name] = read(given[name])
        own = {name: value for name, value in given.items() if name in signature.parameters}
        made = {
            name: make_options(kind, {each.name: given[each.name] for each in fields(kind) if each.name in given})
            for name, kind in kinds.items()
        }
        return command(**own, **made)

    return with_parameters(wrapped, parameters.values())  # type: ignore[return-value]


def with_parameters(command: Callable[..., Any], parameters: Iterable[inspect.Parameter]) -> Callable[..., Any]:
    """Let typer see these parameters of a command, each as a keyword, instead of those that it is written with."""
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    command.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in keywords}
    return command


def _parameter(field: Field[Any], hint: Any, panel: str) -> inspect.Parameter:
    flag = field.metadata.get("flag", f"--{field.name.replace('_', '-')}")
    option = typer.Option(flag, help=field.metadata["help"], rich_help_panel=panel)
    held = str | None if field.name in TEXTS else hint
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[held, option]
    )


def read_prices(text: str | None) -> tuple[float, ...] | None:
    """Read INPUT,OUTPUT[,CACHED INPUT]; raise `MedqDegError` for anything else."""
    if text is None:
        return None
    try:
        prices = tuple(map(float, text.split(",")))
    except ValueError:
        prices = ()
    if len(prices) not in (2, 3):
        raise MedqDegError(
            "--price must be INPUT,OUTPUT or INPUT,OUTPUT,CACHED in USD per million tokens, such as 0.15,0.6, got "
            f"{text!r}"
        )
    return prices


def read_object(text: str | None) -> dict[str, Any]:
    """Read a JSON object; raise `MedqDegError` for anything else."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise MedqDegError(f"--extra-body must be a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise MedqDegError(f"--extra-body must be a JSON object, got {text}")
    return found


TEXTS: Final[Mapping[str, Callable[[str | None], Any]]] = {"prices": read_prices, "extra_body": read_object}
"""The options that are no simple values: how their texts are read."""


def read_arguments(texts: list[str]) -> dict[str, Any]:
    """Read KEY=VALUE, the value as JSON where it is JSON, else as text."""
    arguments: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise MedqDegError(f"--model-arg must be KEY=VALUE, such as dtype=bfloat16, got {text!r}")
        if key in arguments:
            raise MedqDegError(f"--model-arg gives {key!r} twice")
        try:
            arguments[key] = json.loads(value)
        except ValueError:
            arguments[key] = value
    return arguments


def read_sources(texts: list[str]) -> dict[str, Path]:
    """Read NAME=PATH; raise `MedqDegError` for anything else, or a name that is given twice."""
    sources: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise MedqDegError(f"--source must be NAME=PATH, got {text!r}")
        if name in sources:
            raise MedqDegError(f"--source gives {name!r} twice")
        sources[name] = Path(path)
    return sources
