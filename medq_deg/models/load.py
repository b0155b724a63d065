"""From the name that a user gives to a model: the demo, a plugin, a published model, an endpoint or transformers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, cast

from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.models.base import Model
from medq_deg.models.options import MAX_NEW_TOKENS, ServerOptions, TransformersOptions, make_options
from medq_deg.models.published import find_published, resolve_published

GROUP: Final = "medq_deg.models"
"""Entry point group of third parties' models, see `docs/models.md`."""


def load_model(
    name: str,
    *,
    transformers: TransformersOptions | Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    server: ServerOptions | Mapping[str, Any] | None = None,
    batch: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
    max_new_tokens: int | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Model:
    """Return the model of a name.

    Parameters
    ----------
    name : str
        With `endpoint`, the name by which the server knows the model. Else, in this order: "demo"; the name of an entry
        point of the group ``medq_deg.models``, with what follows a colon given to it; a folder; a published model; a
        Hub id.
    transformers : TransformersOptions or mapping, optional
        Options of a model in transformers.
    endpoint : str, optional
        Address of an OpenAI-compatible server.
    server : ServerOptions or mapping, optional
        Options of a model behind it.
    batch : Path, optional
        Folder of `medq_deg.models.batch_api.BatchModel`, to ask through OpenAI's Batch API.
    tell : callable, optional
        Takes lines about what happens while a server is asked.
    max_new_tokens : int, optional
        Longest answer in tokens; by default 32, the preset of a published model behind an endpoint, or the plugin's.
    arguments : mapping, optional
        Arguments of a plugin's model, by name.

    Raises
    ------
    MedqDegError
        If there is no such model, or what it needs is not installed.
    """
    here = make_options(TransformersOptions, transformers)
    if endpoint is not None:
        _only_sampled(here, "an endpoint")
        _no_arguments(arguments, "an endpoint")
        return _endpoint(name, endpoint, make_options(ServerOptions, server), max_new_tokens, batch=batch, tell=tell)
    plugin, _, argument = name.partition(":")
    if name != "demo" and plugin in (found := plugins()):
        _only_sampled(here, "a plugin")
        try:
            make = found[plugin].load()
        except (ImportError, AttributeError) as error:
            raise MedqDegError(f"the model {plugin!r} that is installed cannot be loaded: {error}") from error
        return _make(plugin, make, argument, max_new_tokens, dict(arguments or {}))
    _no_arguments(arguments, "a model in transformers")
    _check_folder(name)
    name = name if name == "demo" else resolve_published(name)
    try:
        from medq_deg.models.transformers_model import TransformersModel
    except ModuleNotFoundError as error:
        raise MedqDegError(f"{error.name} is not installed; install it with: pip install 'medq-deg[models]'") from None
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if name == "demo":
        from medq_deg.demo.model import demo_model

        name = str(demo_model())
    longest = MAX_NEW_TOKENS if max_new_tokens is None else max_new_tokens
    return TransformersModel(name, here, max_new_tokens=longest)


def _check_folder(name: str) -> None:
    """Raise `MedqDegError` for what can only be a folder, and is none: a Hub id is ORG/NAME or NAME."""
    path = Path(name).expanduser()
    if (path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1) and not path.is_dir():
        raise MedqDegError(f"{name}: no such folder; a model is a folder, a Hub id or a name of `medq-deg list models`")


def _endpoint(
    name: str,
    url: str,
    options: ServerOptions,
    max_new_tokens: int | None,
    *,
    batch: Path | None,
    tell: Callable[[str], None],
) -> Model:
    """Return the model of that name behind an endpoint; what the user says goes before a published model's preset."""
    from medq_deg.models.endpoint import EndpointModel

    published = find_published(name)
    preset = published.preset if published is not None else {}
    served = published.api_name if published and published.api_name else name
    options = replace(options, extra_body={**preset.get("extra_body", {}), **(options.extra_body or {})})
    longest = preset.get("max_new_tokens", MAX_NEW_TOKENS) if max_new_tokens is None else max_new_tokens
    if batch is None:
        return EndpointModel(url, served, options, max_new_tokens=longest, tell=tell)
    from medq_deg.models.batch_api import BatchModel

    return BatchModel(url, served, options, max_new_tokens=longest, tell=tell, folder=batch)


def _make(
    plugin: str, make: Callable[..., Any], argument: str, max_new_tokens: int | None, arguments: dict[str, Any]
) -> Model:
    """Call a plugin with what it takes of ``max_new_tokens`` and the user's arguments."""
    parameters = inspect.signature(make).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    given = dict(arguments)
    if max_new_tokens is not None:
        if not takes_all and "max_new_tokens" not in parameters:
            raise MedqDegError(f"the plugin {plugin!r} takes no --max-new-tokens")
        given["max_new_tokens"] = max_new_tokens
    named = [each.name for each in parameters.values() if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)]
    allowed = [each for each in named if each != next(iter(parameters), None)]
    for name in arguments:
        if not takes_all and name not in allowed:
            raise UnknownNameError(f"argument of the plugin {plugin!r}", name, allowed or ["none"])
    return cast("Model", make(argument, **given))


def _no_arguments(arguments: Mapping[str, Any] | None, kind: str) -> None:
    if arguments:
        raise MedqDegError(f"--model-arg is for plugins, not for {kind}: {', '.join(arguments)}")


def _only_sampled(options: TransformersOptions, kind: str) -> None:
    if options.votes != "sampled":
        raise MedqDegError(f"votes must be sampled with {kind}, got {options.votes!r}")


def plugins() -> dict[str, EntryPoint]:
    """Return the installed third-party models by name."""
    return {point.name: point for point in entry_points(group=GROUP)}
