"""The model provider `medq_deg/NAME`: our one-prefill sampler for models in transformers, inside inspect-ai.

inspect-ai's own provider `hf` refuses images. Here all choices of a request (`num_choices`, so the task's
``-T choices=true``) share one pass through vision tower and prompt; epochs are requests of their own.
"""

from __future__ import annotations

import base64
import hashlib
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from medq_deg.errors import MedqDegError
from medq_deg.images import open_image
from medq_deg.models.base import Model, Query, Reply
from medq_deg.models.load import load_model
from medq_deg.models.options import MAX_NEW_TOKENS
from medq_deg.seeds import derive_seed

if TYPE_CHECKING:
    from PIL import Image

BATCH: Final = 8
"""Requests that are answered together, unless ``-M batch_size`` says otherwise."""

_OPTIONS: Final = ("dtype", "device_map", "attn_implementation", "revision", "trust_remote_code", "max_pixels")
_UNUSED: Final = ("A", "B")  # the letters whose probabilities are told, which nobody reads here


@dataclass
class _Request:
    query: Query
    trials: int
    reply: Future[Reply] = field(default_factory=Future)


class _Batch:
    """Some queries, as a model claims them."""

    stopped = False

    def __init__(self, queries: Sequence[Query]) -> None:
        self._queries = queries

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries)

    def claim(self) -> Iterator[int]:
        return iter(range(len(self._queries)))

    def __getitem__(self, index: int) -> Query:
        return self._queries[index]


class MedqDegAPI(ModelAPI):
    """A model of `medq_deg.models.load.load_model`, sampled from its own distribution.

    Parameters
    ----------
    model_name : str
        "demo", a folder such as ``./my-vlm``, a published model, or a Hub id.
    config : GenerateConfig
        Of the model.
    model_args
        ``batch_size``, ``dtype``, ``device_map``, ``attn_implementation``, ``revision``, ``trust_remote_code``,
        ``max_pixels``, as in ``medq-deg evaluate``; given as ``-M dtype=bfloat16``.

    Raises
    ------
    MedqDegError
        If an argument is unknown or the model cannot be loaded.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  (inspect-ai's own signature)
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._batch_size = int(model_args.pop("batch_size", BATCH))
        if unknown := sorted(set(model_args).difference(_OPTIONS)):
            raise MedqDegError(
                f"unknown model argument {unknown[0]!r} of medq_deg/{model_name}; allowed: "
                f"batch_size, {', '.join(_OPTIONS)}"
            )
        self._arguments = model_args
        self._waiting: queue.Queue[_Request] = queue.Queue()
        self._asked: Counter[str] = Counter()
        self._start = threading.Lock()
        self._worker: threading.Thread | None = None
        self._longest: int | None = None

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Sample ``num_choices`` answers to one question about at most one image."""
        if tools:
            raise MedqDegError("the provider medq_deg has no tools")
        _check_sampling(config)
        prompt, data = _question(input)
        # The same request asked again, as in the next epoch, is another sample.
        key = hashlib.sha256(f"{prompt} {data}".encode()).hexdigest()
        self._asked[key] += 1
        request = _Request(
            Query(
                id=key,
                image=None if data is None else _image(data),
                prompt=prompt,
                options=_UNUSED,
                seed=derive_seed(config.seed or 0, key, self._asked[key]),
            ),
            config.num_choices or 1,
        )
        await anyio.to_thread.run_sync(self._begin, config.max_tokens or MAX_NEW_TOKENS)
        self._waiting.put(request)
        reply = await anyio.to_thread.run_sync(request.reply.result, abandon_on_cancel=True)
        if reply.error is not None:
            raise RuntimeError(reply.error)
        return self._output(reply)

    def _output(self, reply: Reply) -> ModelOutput:
        ends = reply.finish or ("stop",) * len(reply.texts)
        usage = reply.usage or {}
        counts = [usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)]
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(content=text, model=self.model_name, source="generate"),
                    stop_reason="max_tokens" if end == "length" else "stop",
                )
                for text, end in zip(reply.texts, ends, strict=True)
            ],
            usage=ModelUsage(input_tokens=counts[0], output_tokens=counts[1], total_tokens=sum(counts)),
        )

    def max_connections(self) -> int:
        """Return how many requests wait at a time: enough for the next batch."""
        return 2 * self._batch_size

    def connection_key(self) -> str:
        """Return what shares the limit of `max_connections`: this model."""
        return str(self.model_name)

    def _begin(self, longest: int) -> None:
        """Load the model at the first request, with the length that it asks for."""
        with self._start:
            if self._worker is None:
                model = load_model(
                    self.model_name,
                    transformers={**self._arguments, "batch_size": self._batch_size, "workers": 0},
                    max_new_tokens=longest,
                )
                self._longest = longest
                self._worker = threading.Thread(target=self._work, args=(model,), daemon=True)
                self._worker.start()
            elif longest != self._longest:
                raise MedqDegError(f"max_tokens was {self._longest}, is {longest}: it must be the same for all samples")

    def _work(self, model: Model) -> None:
        held: list[_Request] = []
        while True:
            requests = held or [self._waiting.get()]
            held = []
            while len(requests) < self._batch_size:
                try:
                    request = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if request.trials != requests[0].trials:
                    held = [request]
                    break
                requests.append(request)
            _answer(model, requests)


def _answer(model: Model, requests: Sequence[_Request]) -> None:
    """Answer requests that want equally many answers; whatever happens, each of them is told."""
    # Epochs of one row may meet in a batch: their queries need names of their own.
    named = {str(number): request for number, request in enumerate(requests)}
    queries = [
        Query(id=name, image=each.query.image, prompt=each.query.prompt, options=_UNUSED, seed=each.query.seed)
        for name, each in named.items()
    ]
    try:
        for reply in model.answer(_Batch(queries), requests[0].trials):
            named[reply.id].reply.set_result(reply)
    except Exception as error:  # noqa: BLE001  (raised where it is waited for)
        for request in requests:
            if not request.reply.done():
                request.reply.set_exception(error)


def _question(messages: Sequence[ChatMessage]) -> tuple[str, str | None]:
    """Return prompt and image (a data URI) of a conversation of one user message."""
    if len(messages) != 1 or not isinstance(messages[0], ChatMessageUser):
        raise MedqDegError(f"the provider medq_deg answers one user message, got {[each.role for each in messages]}")
    content = messages[0].content
    if isinstance(content, str):
        return content, None
    images = [part.image for part in content if isinstance(part, ContentImage)]
    others = sorted({part.type for part in content if not isinstance(part, (ContentImage, ContentText))})
    if others or len(images) > 1:
        told = ", ".join([*others, f"{len(images)} images"])
        raise MedqDegError(f"the provider medq_deg answers text with at most one image, got {told}")
    return "".join(part.text for part in content if isinstance(part, ContentText)), next(iter(images), None)


def _image(uri: str) -> Image.Image:
    head, _, data = uri.partition(";base64,")
    if not head.startswith("data:image/"):
        raise MedqDegError("the provider medq_deg wants an image as a data URI")
    return open_image(base64.b64decode(data))


def _check_sampling(config: GenerateConfig) -> None:
    """Raise `MedqDegError` for a setting that would change the model's own distribution, or that nobody heeds."""
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
    for name, value in neutral.items():
        if (given := getattr(config, name)) not in (None, value):
            raise MedqDegError(
                f"{name} must be {value} with the provider medq_deg, got {given}: votes are samples of "
                "the model's own distribution"
            )


@modelapi(name="medq_deg")
def medq_deg() -> type[ModelAPI]:
    """Return the provider."""
    return MedqDegAPI
