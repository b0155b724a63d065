"""From the name that a user gives to a model: the demo, a plugin, a published model, an endpoint or transformers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

from medq_deg.errors import MedqDegError
from medq_deg.models.base import Model
from medq_deg.models.published import find_published, resolve_published

GROUP: Final = "medq_deg.models"
"""Entry point group of third parties' models, see `docs/models.md`."""


def load_model(
    name: str,
    *,
    transformers: Mapping[str, Any],
    endpoint: str | None = None,
    server: Mapping[str, Any] | None = None,
    max_new_tokens: int = 32,
) -> Model:
    """Return the model of a name.

    Parameters
    ----------
    name : str
        With `endpoint`, the name by which the server knows the model. Else, in this order: "demo"; the name of an entry
        point of the group ``medq_deg.models``, with what follows a colon given to it; a folder; a published model; a
        Hub id.
    transformers, server : mapping
        Options of `TransformersModel` and `EndpointModel`; ``retries`` as a number.
    endpoint : str, optional
        Address of an OpenAI-compatible server.
    max_new_tokens : int
        Longest answer in tokens; plugins have settings of their own.

    Raises
    ------
    MedqDegError
        If there is no such model, or what it needs is not installed.
    """
    if endpoint is not None:
        _only_sampled(transformers, "an endpoint")
        from medq_deg.models.endpoint import EndpointModel
        from medq_deg.models.retry import Retries

        published = find_published(name)
        served = published.api_name if published and published.api_name else name
        options = {**(server or {})}
        if "retries" in options:
            options["retries"] = Retries(count=options["retries"])
        return EndpointModel(endpoint, served, max_new_tokens=max_new_tokens, **options)
    plugin, _, argument = name.partition(":")
    if name != "demo" and plugin in (found := plugins()):
        _only_sampled(transformers, "a plugin")
        try:
            make = found[plugin].load()
        except (ImportError, AttributeError) as error:
            raise MedqDegError(f"the model {plugin!r} that is installed cannot be loaded: {error}") from error
        return cast("Model", make(argument))
    name = name if name == "demo" else resolve_published(name)
    try:
        import torch

        from medq_deg.models.transformers_model import TransformersModel
    except ModuleNotFoundError as error:
        raise MedqDegError(f"{error.name} is not installed; install it with: pip install 'medq-deg[models]'") from None
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if name == "demo":
        from medq_deg.demo.model import demo_model

        name = str(demo_model())
    options = {**transformers, "max_new_tokens": max_new_tokens}
    if options.get("workers") is None:
        options["workers"] = 4 if torch.cuda.is_available() else 0
    return TransformersModel(name, **options)


def _only_sampled(options: Mapping[str, Any], kind: str) -> None:
    if (votes := options.get("votes", "sampled")) != "sampled":
        raise MedqDegError(f"votes must be sampled with {kind}, got {votes!r}")


def plugins() -> dict[str, EntryPoint]:
    """Return the installed third-party models by name."""
    return {point.name: point for point in entry_points(group=GROUP)}
