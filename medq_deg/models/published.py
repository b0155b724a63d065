"""The 40 models of the paper: where each is found, how it runs here, what it needs, and its published accuracy.

The data is published.csv beside this module, and published_presets.json for what their servers need. Names, groups and
accuracies are the paper's (arXiv 2603.07769, the table of accuracy by severity); ids and sizes were looked up in the
documentation that the column `source` names.
Nothing here loads a model.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.files import read_json

GROUPS: Final = ("commercial", "open", "medical")
"""The paper's groups, in its order."""

RUNS: Final = ("native", "endpoint", "plugin")
"""How a model runs: in transformers, behind an OpenAI-compatible server, or by code that the user installs."""

COLUMNS: Final = ("model", "group", "id", "runs", "GiB", "L0", "L1", "L2")
"""Headings of `table_rows`."""


@dataclass(frozen=True)
class PublishedModel:
    """A model of the paper.

    Attributes
    ----------
    name : str
        Name in the paper's tables.
    group : str
        One of `GROUPS`.
    hub_id : str
        Checkpoint on the Hub, ORG/NAME; empty where the weights are not public.
    api_name : str
        What to tell an endpoint as the model's name; empty where none is known to serve it.
    run : str
        One of `RUNS`.
    parameters_billion : float, optional
        All parameters, not only those active for a token; None where they are not public.
    min_memory_gib : int, optional
        Least accelerator memory in bfloat16; None where the weights are not public.
    accuracy : tuple of float
        Published accuracy at L0, L1 and L2 in percent.
    sure : bool
        False where the paper's name fits more than one checkpoint, or one that cannot be loaded as it is.
    source : str
        Page where the id was seen.
    """

    name: str
    group: str
    hub_id: str
    api_name: str
    run: str
    parameters_billion: float | None
    min_memory_gib: int | None
    accuracy: tuple[float, float, float]
    sure: bool
    source: str

    @property
    def preset(self) -> Mapping[str, Any]:
        """What an endpoint that serves it needs: "extra_body" and "max_new_tokens", where it is not the default."""
        return _presets().get(self.name, {})


@cache
def _presets() -> dict[str, Mapping[str, Any]]:
    presets: dict[str, Mapping[str, Any]] = read_json(Path(__file__).with_name("published_presets.json"))
    return presets


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return the 40 models, in the order of the paper's table."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_model(row) for row in csv.DictReader(file))


def _model(row: dict[str, str]) -> PublishedModel:
    parameters, memory = row["parameters_billion"], row["min_memory_gib"]
    return PublishedModel(
        name=row["name"],
        group=row["group"],
        hub_id=row["hub_id"],
        api_name=row["api_name"],
        run=row["run"],
        parameters_billion=float(parameters) if parameters else None,
        min_memory_gib=int(memory) if memory else None,
        accuracy=(float(row["accuracy_l0"]), float(row["accuracy_l1"]), float(row["accuracy_l2"])),
        sure=row["sure"] == "yes",
        source=row["source"],
    )


def find_published(name: str) -> PublishedModel | None:
    """Return the model of that name, or None. Case and spaces do not matter.

    Examples
    --------
    >>> find_published("internvl3-instruct (78B)").name
    'InternVL3-Instruct(78B)'
    """
    return _by_folded_name().get(_fold(name))


def resolve_published(name: str) -> str:
    """Return what transformers should load for a model's name.

    Parameters
    ----------
    name : str
        Name of a published model, Hub id or folder. Hub ids and folders come back as they are, and so does a name
        that is like none of the published ones: it is not ours to refuse.

    Raises
    ------
    MedqDegError
        When transformers cannot run the published model of that name; the message says what can. Also for a name that
        is nearly one of them.
    """
    if "/" in name or Path(name).exists():
        return name
    model = find_published(name)
    if model is None:
        # Below 0.7, "gpt2" would suggest GPT-5.
        near = difflib.get_close_matches(_fold(name), _by_folded_name(), n=3, cutoff=0.7)
        if not near:
            return name
        names = ", ".join(_by_folded_name()[folded].name for folded in near)
        raise MedqDegError(
            f"unknown model {name!r}; the nearest published ones are {names} "
            "(`medq-deg list models` shows all; a Hub id has the form ORG/NAME)"
        )
    if model.run == "endpoint":
        serve = "serve it, for instance with vLLM, and " if model.hub_id else ""
        raise MedqDegError(f"{model.name} runs through an endpoint: {serve}use --endpoint URL --model {model.api_name}")
    if model.run == "plugin":
        raise MedqDegError(
            f"{model.name} ({model.hub_id}) needs its authors' code: install a plugin for it, a package with an entry "
            "point in the group medq_deg.models (see docs/models.md)"
        )
    return model.hub_id


def table_rows() -> list[tuple[str, ...]]:
    """Return a row of text for each model, under the headings `COLUMNS`; an id that is not sure ends in "?"."""
    return [
        (
            model.name,
            model.group,
            (model.hub_id or model.api_name) + ("" if model.sure else "?"),
            model.run,
            "-" if model.min_memory_gib is None else str(model.min_memory_gib),
            *(f"{accuracy:.2f}" for accuracy in model.accuracy),
        )
        for model in published_models()
    ]


@cache
def _by_folded_name() -> dict[str, PublishedModel]:
    return {_fold(model.name): model for model in published_models()}


def _fold(name: str) -> str:
    return "".join(name.split()).casefold()
