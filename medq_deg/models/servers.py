"""What each kind of server needs so that a vote is a sample of the model's own distribution.

Many servers fill what a request leaves open from the checkpoint's generation settings or from defaults of their own;
with top_k 1 among those every vote is the same, and confidence is 1. So a server is recognised by its host, its list of
models, its headers or its replies, and gets the fields that switch all of that off. `SERVERS` is the one place where
that is written down; the page on servers shows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from medq_deg.files import read_json

Neutral: TypeAlias = Literal[True, False, "unknown"]
"""Whether votes are samples of the model's own distribution."""

OFF: Final[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
    {
        "temperature": (1,),
        "top_p": (1,),
        "top_k": (0, -1),
        "min_p": (0,),
        "top_a": (0,),
        "typical_p": (1,),
        "repetition_penalty": (1,),
        "repeat_penalty": (1,),
        "presence_penalty": (0,),
        "frequency_penalty": (0,),
        "samplers": (["temperature"],),
    }
)
"""Values with which a field leaves the distribution as it is."""


@dataclass(frozen=True)
class ServerKind:
    """A kind of server.

    Attributes
    ----------
    name : str
        What it is called.
    neutral : bool or "unknown"
        Whether its votes are samples of the model's own distribution once it gets `fields`.
    fields : mapping
        What it is sent beside temperature 1 and top_p 1.
    source : str
        Where its documentation says so.
    note : str
        What a user has to know.
    hosts : tuple of str
        Ends of the names of its hosts.
    owners : tuple of str
        What ``owned_by`` says in its list of models.
    headers : tuple of str
        Beginnings of "name: value" of its headers, in lower case.
    fingerprint : str
        Regular expression of the ``system_fingerprint`` of its replies.
    refusal : str
        Beginning of what it says when it refuses a field.
    relays : bool
        Whether it passes requests on to another server, which the reply may give away.
    fixed : bool
        Whether sampling fields that it refuses are documented to be fixed at their neutral values.
    one_usage : bool
        Whether its usage counts one choice only, however many it returns.
    newer : mapping
        Names under which it knows fields of the protocol.
    key_variable : str
        Environment variable that usually holds its key.
    key_header : str
        Header that carries the key; "authorization" as a bearer token, any other as it is.
    """

    name: str
    neutral: Neutral
    source: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    hosts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    fingerprint: str = ""
    refusal: str = ""
    relays: bool = False
    fixed: bool = False
    one_usage: bool = False
    newer: Mapping[str, str] = field(default_factory=dict)
    key_variable: str = ""
    key_header: str = "authorization"


UNKNOWN: Final = ServerKind(
    "not recognised",
    "unknown",
    fields={"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "repeat_penalty": 1.0, "typical_p": 1.0},
    note="gets the fields that mean off wherever they are known; those that it refuses are left out",
)
"""A server of which nothing is known."""

SERVERS: Final[tuple[ServerKind, ...]] = (
    ServerKind(
        "vLLM",
        True,
        "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        fields={"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
        note="fills in the checkpoint's generation_config.json unless it is started with --generation-config vllm",
        owners=("vllm",),
        fingerprint=r"vllm",
    ),
    ServerKind(
        "SGLang",
        True,
        "https://docs.sglang.ai/basic_usage/sampling_params.html",
        fields={"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
        note="fills in the checkpoint's generation_config.json unless it is started with --sampling-defaults openai",
        owners=("sglang",),
    ),
    ServerKind(
        "llama.cpp",
        True,
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        fields={
            "top_k": 0,
            "min_p": 0.0,
            "typical_p": 1.0,
            "repeat_penalty": 1.0,
            "samplers": ["temperature"],
        },
        note="its own defaults are top_k 40, top_p 0.95 and min_p 0.05; n is limited to its slots (--parallel)",
        owners=("llamacpp",),
        headers=("server: llama.cpp",),
        fingerprint=r"b\d+-\w+$",
        one_usage=True,
    ),
    ServerKind(
        "transformers serve",
        "unknown",
        "https://huggingface.co/docs/transformers/main/en/serving",
        note="samples as the checkpoint's generation_config.json says, if at all; where that file lies on this "
        "machine, a neutral one is sent in the field generation_config, and sampling is neutral",
        refusal="Unexpected fields in the request",
    ),
    ServerKind(
        "Ollama",
        False,
        "https://docs.ollama.com/openai",
        note="takes no top_k, min_p or repeat_penalty over /v1 and has defaults of its own (40, 0, 1.1): make a model "
        "whose Modelfile sets PARAMETER top_k 0, min_p 0 and repeat_penalty 1",
        owners=("library",),
        fingerprint=r"fp_ollama",
    ),
    ServerKind(
        "LM Studio",
        "unknown",
        "https://lmstudio.ai/docs/developer/openai-compat",
        fields={"top_k": 0, "repeat_penalty": 1.0},
        note="min_p comes from the model's settings in the app",
        owners=("organization_owner",),
    ),
    ServerKind(
        "LiteLLM",
        "unknown",
        "https://docs.litellm.ai/docs/completion/provider_specific_params",
        fields=UNKNOWN.fields,
        note="passes fields on; where the reply gives away the server behind it, that server's fields are sent",
        headers=("x-litellm-",),
        relays=True,
    ),
    ServerKind(
        "OpenAI",
        True,
        "https://platform.openai.com/docs/api-reference/chat/create",
        note="has no other sampling fields; reasoning models fix temperature and top_p at 1 and may refuse them",
        hosts=("api.openai.com",),
        fixed=True,
        key_variable="OPENAI_API_KEY",
    ),
    ServerKind(
        "Azure OpenAI",
        True,
        "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference",
        note="as OpenAI; the model is the name of the deployment",
        hosts=(".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
        fixed=True,
        key_variable="AZURE_OPENAI_API_KEY",
        key_header="api-key",
    ),
    ServerKind(
        "Anthropic",
        "unknown",
        "https://platform.claude.com/docs/en/api/openai-sdk",
        note="does not say what top_k is by default; n must be 1 and seed is ignored; some models take temperature or "
        "top_p, not both",
        hosts=("api.anthropic.com",),
        key_variable="ANTHROPIC_API_KEY",
    ),
    ServerKind(
        "Gemini",
        False,
        "https://ai.google.dev/gemini-api/docs/openai",
        note="the models sample with a top_k of their own (64), which the compatible endpoint cannot change",
        hosts=("generativelanguage.googleapis.com",),
        key_variable="GEMINI_API_KEY",
    ),
    ServerKind(
        "OpenRouter",
        "unknown",
        "https://openrouter.ai/docs/api-reference/parameters",
        fields={"top_k": 0, "min_p": 0.0, "top_a": 0.0, "repetition_penalty": 1.0},
        note='fields that the chosen provider does not know are dropped; --extra-body \'{"provider": '
        '{"require_parameters": true}}\' chooses among those that know all',
        hosts=("openrouter.ai",),
        key_variable="OPENROUTER_API_KEY",
    ),
    ServerKind(
        "Hugging Face Inference Providers",
        "unknown",
        "https://huggingface.co/docs/inference-providers/tasks/chat-completion",
        note="what a provider fills in is its own; ORG/NAME:PROVIDER chooses one",
        hosts=("router.huggingface.co",),
        key_variable="HF_TOKEN",
    ),
    ServerKind(
        "Mistral",
        "unknown",
        "https://docs.mistral.ai/api/endpoint/chat",
        note="seed is called random_seed",
        hosts=("api.mistral.ai",),
        newer={"seed": "random_seed"},
        key_variable="MISTRAL_API_KEY",
    ),
)
"""The servers, and what each needs."""

_GENERATION: Final = {
    "do_sample": True,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repetition_penalty": 1.0,
}
_IDS: Final = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


def kind_of_host(host: str) -> ServerKind | None:
    """Return the provider of a host, or None."""
    host = host.lower()
    return next((kind for kind in SERVERS if any(_ends(host, end) for end in kind.hosts)), None)


def _ends(host: str, end: str) -> bool:
    return host.endswith(end) if end.startswith(".") else host == end or host.endswith(f".{end}")


def kind_of_models(models: Any, headers: Mapping[str, str]) -> tuple[ServerKind, str] | None:
    """Return the kind of server whose list of models this is, and by what it is known; None if it is not.

    Parameters
    ----------
    models : object
        JSON of the list of models.
    headers : mapping
        Headers of that reply, names in lower case.
    """
    entries = models.get("data") if isinstance(models, Mapping) else None
    owners = {str(entry.get("owned_by")) for entry in entries or () if isinstance(entry, Mapping)}
    for kind in SERVERS:
        if found := owners.intersection(kind.owners):
            return kind, f"owned_by {min(found)!r} in its list of models"
    return kind_of_headers(headers)


def kind_of_headers(headers: Mapping[str, str]) -> tuple[ServerKind, str] | None:
    """Return the kind of server that sends such headers (names in lower case), and which; None if none does."""
    lines = [f"{name}: {value}".lower() for name, value in headers.items()]
    for kind in SERVERS:
        for start in kind.headers:
            if any(line.startswith(start) for line in lines):
                return kind, f"header {start.strip()!r}"
    return None


def kind_of_reply(reply: Mapping[str, Any]) -> tuple[ServerKind, str] | None:
    """Return the kind of server that made a chat completion, and by what it is known; None if that does not show."""
    said = reply.get("system_fingerprint")
    if not isinstance(said, str):
        return None
    for kind in SERVERS:
        if kind.fingerprint and re.match(kind.fingerprint, said):
            return kind, f"fingerprint {said[:40]!r} of its replies"
    return None


def kind_of_refusal(message: str) -> ServerKind | None:
    """Return the kind of server that refuses a field in such words, or None."""
    return next((kind for kind in SERVERS if kind.refusal and message.startswith(kind.refusal)), None)


def neutral_fields(kind: ServerKind, model: str) -> dict[str, Any]:
    """Return what a kind of server is sent so that sampling is neutral, beside temperature and top_p.

    Parameters
    ----------
    kind : ServerKind
        The server.
    model : str
        Name by which it knows the model; for `transformers serve` a folder or Hub id, whose settings are read if they
        are on this machine.
    """
    if kind.name == "transformers serve" and (settings := _settings_of(model)) is not None:
        ids = {name: settings[name] for name in _IDS if settings.get(name) is not None}
        return {"generation_config": json.dumps({**ids, **_GENERATION})}
    return dict(kind.fields)


def _settings_of(model: str) -> Mapping[str, Any] | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    path = Path(model) / "generation_config.json"
    if not path.is_file():
        try:
            cached = try_to_load_from_cache(model, path.name)
        except HFValidationError:
            return None
        if not isinstance(cached, str):
            return None
        path = Path(cached)
    settings = read_json(path)
    return settings if isinstance(settings, Mapping) else None


def is_neutral(kind: ServerKind, sent: Mapping[str, Any], wanted: Iterable[str], own: Iterable[str]) -> Neutral:
    """Return whether votes are samples of the model's own distribution.

    Parameters
    ----------
    kind : ServerKind
        The server.
    sent : mapping
        Fields of the requests as they were accepted, without messages.
    wanted : iterable of str
        Sampling fields that should be in each request.
    own : iterable of str
        Fields that the user has set.
    """
    if any(name in sent and sent[name] not in values for name, values in OFF.items()):
        return False
    if isinstance(config := sent.get("generation_config"), str):
        return _samples_neutrally(config)
    if not kind.fixed and any(name not in sent for name in wanted):
        return False if kind.neutral is False else "unknown"
    if kind.neutral == "unknown" and kind.refusal and "generation_config" in own:
        return "unknown"
    return kind.neutral


def _samples_neutrally(config: str) -> Neutral:
    try:
        settings = json.loads(config)
    except ValueError:
        return "unknown"
    if not isinstance(settings, Mapping) or not settings.get("do_sample"):
        return False
    # transformers' own default of top_k is 50.
    values = {"top_k": 50, **settings}
    return all(values[name] in (*allowed, None) for name, allowed in OFF.items() if name in values)
