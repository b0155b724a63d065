"""Vision-language models through transformers: any checkpoint that AutoModelForImageTextToText loads."""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText

from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.models.base import Queries, Query, Reply, spread_votes
from medq_deg.models.batching import Prepared, RowsAhead, collate
from medq_deg.models.options import MAX_NEW_TOKENS, TransformersOptions, make_options
from medq_deg.models.orders import prompt_batches
from medq_deg.models.pixels import limit_pixels
from medq_deg.models.processors import load_processor
from medq_deg.models.sampling import SAMPLING, finish_of, letter_tokens, repeat_votes, sample_votes, sampling_config

"""Ways to get votes, see `TransformersModel`."""

_NOT_NUMBERS = "the model's probabilities are not numbers; --dtype bfloat16 or float32 may help"

_END = 1 << 20


@dataclass(frozen=True)
class _Said:
    """The tokens of the votes for one prompt, the probabilities of the first, and whether those are no numbers."""

    tokens: list[list[int]]
    first: torch.Tensor | None
    broken: bool


class TransformersModel:
    """A transformers vision-language model as a `medq_deg.models.base.Model`.

    Parameters
    ----------
    name : str
        A local folder or a Hub id.
    options : TransformersOptions, optional
        How it is loaded and asked; single values may be given by name instead, as in ``votes="exact"``.
    max_new_tokens : int
        Longest answer in tokens; 1 with exact votes.
    device : str
        torch device; "auto" takes this process's accelerator if there is one.
    loaded : (model, processor), optional
        A model in memory, such as one in training, and its processor. Nothing is loaded then, and `name` only names it.

    Raises
    ------
    MedqDegError
        If a setting is invalid or the model cannot be loaded.

    Attributes
    ----------
    waited : float
        Seconds that the model waited for rows to be prepared.
    """

    takes_orders = True

    def __init__(
        self,
        name: str,
        options: TransformersOptions | None = None,
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
        device: str = "auto",
        loaded: tuple[Any, Any] | None = None,
        **more: Any,
    ) -> None:
        chosen = make_options(TransformersOptions, options, **more)
        _check(chosen.dtype, max_new_tokens)
        if chosen.trust_remote_code:
            warnings.warn(f"code that comes with {name!r} will be run on this machine", stacklevel=2)
        self.name, self.votes, self.batch_size = name, chosen.votes, chosen.batch_size
        self.workers = (
            (4 if torch.cuda.is_available() and loaded is None else 0) if chosen.workers is None else chosen.workers
        )
        self.max_pixels = chosen.max_pixels
        self.waited = 0.0
        if loaded is None:
            source: dict[str, Any] = {
                "revision": chosen.revision or "main",
                "trust_remote_code": chosen.trust_remote_code,
            }
            kept = {name: getattr(chosen, name) for name in ("dtype", "device_map", "attn_implementation")}
            processor = load_processor(name, **source)
            self.model = _load(name, None if chosen.device_map else _device(device), {**source, **kept})
            self.inputs = Preparation(processor, chosen.max_pixels, partial(load_processor, name, **source))
        else:
            self.model, processor = loaded
            _check_picklable(processor, self.workers)
            self.inputs = Preparation(processor, chosen.max_pixels)
        tokenizer = processor.tokenizer
        self._decode = processor.batch_decode
        longest = 1 if chosen.votes == "exact" else max_new_tokens
        self.settings = sampling_config(self.model.generation_config, longest, tokenizer.pad_token_id)
        self._pad = 0 if self.settings.pad_token_id is None else self.settings.pad_token_id
        self._image_token = _image_token(self.model.config)
        self._letters = letter_tokens(tokenizer, LETTERS)

    def describe(self) -> dict[str, Any]:
        """Return name, architecture, revision, dtype and the settings that change answers."""
        config = self.model.config
        return {
            "name": Path(self.name).resolve().name if Path(self.name).exists() else self.name,
            "architecture": type(self.model).__name__,
            "revision": getattr(config, "_commit_hash", None) or _content_hash(Path(self.name)),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "attention": config._attn_implementation,
            "votes": self.votes,
            "generation": {**SAMPLING, "max_new_tokens": self.settings.max_new_tokens},
            **({"max_pixels": self.max_pixels} if self.max_pixels else {}),
            # What the checkpoint's own config says of itself, such as that it is a demo model.
            **({"note": config.medq_deg_note} if getattr(config, "medq_deg_note", None) else {}),
        }

    def record(self) -> dict[str, Any]:
        """Return what `run.json` says about sampling: it is neutral, whatever the checkpoint's own settings say."""
        return {"sampling": {"neutral": True, "sent": dict(SAMPLING), "how": "every setting is given to transformers"}}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield `trials` answers to each query, sampled from the seed of its own row."""
        ahead = RowsAhead(queries, self.inputs, self.workers)
        training = self.model.training
        self.model.eval()
        try:
            for rows in ahead.batches(lambda: self.batch_size):
                self.waited = ahead.waited
                yield from (Reply(row.id, error=row.error) for row in rows if row.error is not None)
                yield from self._answer([row for row in rows if row.error is None], trials)
        finally:
            self.model.train(training)

    def _answer(self, rows: Sequence[Prepared], trials: int) -> Iterator[Reply]:
        """Answer a batch; where memory runs out, answer its halves, and keep to the smaller size from then on."""
        if not rows:
            return
        try:
            replies = self.ask(rows, trials)
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                replies = [Reply(rows[0].id, error=f"one row alone does not fit into memory: {error}")]
            else:
                replies = []
        if not replies:
            # Outside the except clause, whose traceback would keep the batch alive.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            half = (len(rows) + 1) // 2
            self.batch_size = min(self.batch_size, half)
            yield from self._answer(rows[:half], trials)
            yield from self._answer(rows[half:], trials)
        yield from replies

    def ask(self, rows: Sequence[Prepared], trials: int) -> list[Reply]:
        """Return the replies of one batch."""
        spread = [spread_votes(trials, len(row.prompts)) for row in rows]
        said: dict[tuple[int, int], _Said] = {}
        if self.votes == "repeat":
            for place, row in enumerate(rows):
                for order, (prompt, count) in enumerate(zip(row.prompts, spread[place], strict=True)):
                    inputs = self.batch([prompt.inputs])
                    said[place, order] = _Said(
                        repeat_votes(self.model, inputs, self.settings, prompt.seed, count), None, broken=False
                    )
        else:
            for batch in prompt_batches(rows, self._image_token, self._pad):
                votes = sample_votes(
                    self.model,
                    self.batch(batch.inputs),
                    self.settings,
                    [prompt.seed for _, _, prompt in batch.prompts],
                    [spread[place][order] for place, order, _ in batch.prompts],
                    batch.shared and replace(batch.shared, ids=batch.shared.ids.to(self.model.device)),
                )
                for number, (place, order, _) in enumerate(batch.prompts):
                    first = votes.first[number].cpu()
                    said[place, order] = _Said(votes.tokens[number], first, broken=number in votes.broken)
        return [
            self._reply(row, [said[place, order] for order in range(len(row.prompts))])
            for place, row in enumerate(rows)
        ]

    def batch(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Return the inputs of a batch, on the model's device and in its dtype."""
        batch = collate(rows, self._pad)
        kind = self.model.dtype
        return {
            name: part.to(self.model.device, kind if part.is_floating_point() else None) for name, part in batch.items()
        }

    def _reply(self, row: Prepared, said: Sequence[_Said]) -> Reply:
        """Put together what was said to each order of a row."""
        if any(each.broken for each in said):
            return Reply(row.id, error=_NOT_NUMBERS)
        letters = {letter: self._letters[letter] for letter in LETTERS[: row.letters]}
        shares = [
            {letter: float(each.first[ids].sum()) for letter, ids in letters.items()}
            for each in said
            if each.first is not None
        ]
        tokens = [vote for each in said for vote in each.tokens]
        return Reply(
            row.id,
            tuple(self._decode(tokens, skip_special_tokens=True)),
            shares[0] if shares and not row.orders else None,
            usage={
                "prompt_tokens": sum(int(prompt.inputs["input_ids"].shape[1]) for prompt in row.prompts),
                "completion_tokens": sum(map(len, tokens)),
            },
            # The one token of an exact vote says nothing about how the answer would have ended.
            finish=() if self.votes == "exact" else tuple(finish_of(vote, self.settings) for vote in tokens),
            probabilities_by_order=tuple(shares) if row.orders else (),
        )


class Preparation:
    """From a query to what a processor makes of it, as a batch of one.

    Parameters
    ----------
    processor : transformers.ProcessorMixin
        With a chat template.
    max_pixels : int, optional
        See `TransformersModel`.
    reload : callable, optional
        Loads the processor in a worker process; without it, the processor itself is pickled.
    """

    def __init__(self, processor: Any, max_pixels: int | None, reload: Callable[[], Any] | None = None) -> None:
        self._processor, self._max_pixels, self._reload = processor, max_pixels, reload

    def __call__(self, query: Query) -> Mapping[str, Any]:
        """Return the inputs of a query."""
        content: list[dict[str, Any]] = [{"type": "text", "text": query.prompt}]
        if query.image is not None:
            image = query.image.convert("RGB")
            if self._max_pixels is not None:
                image = limit_pixels(image, self._max_pixels)
            content.insert(0, {"type": "image", "image": image})
        inputs: Mapping[str, Any] = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return inputs

    def orders(self, query: Query, inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the inputs of a query in each order of its options, given those of the first.

        The image is processed once: behind it a prompt is plain text, so the tokens of another order are those of the
        first up to where the texts differ, and then its own. What else belongs to the tokens is the same where there
        are equally many of them. Where this does not hold an order is processed like a query of its own.
        """
        texts = [self._tokens(query, prompt) for prompt in query.prompts]
        given = torch.as_tensor(inputs["input_ids"])[0].tolist()
        end = next((n for n, (a, b) in enumerate(zip(given[::-1], texts[0][::-1], strict=False)) if a != b), None)
        kept = min(len(given), len(texts[0])) if end is None else end
        head = len(texts[0]) - kept
        found: list[Mapping[str, Any]] = [inputs]
        for prompt, text in zip(query.prompts[1:], texts[1:], strict=True):
            if text[:head] == texts[0][:head] and len(text) == len(texts[0]):
                ids = [given[: len(given) - kept] + text[head:]]
                found.append(
                    {**inputs, "input_ids": torch.tensor(ids, dtype=torch.as_tensor(inputs["input_ids"]).dtype)}
                )
            else:
                found.append(dict(self(replace(query, prompt=prompt, orders=(), prompts=()))))
        return found

    def _tokens(self, query: Query, prompt: str) -> list[int]:
        """Return the tokens of a conversation, an image being one mark in its text."""
        content = [{"type": "text", "text": prompt}]
        if query.image is not None:
            content.insert(0, {"type": "image"})
        text = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        tokens: list[int] = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_processor": None if self._reload else self._processor}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._reload is not None:
            self._processor = self._reload()


def _image_token(config: Any) -> int | None:
    """Return the token that stands for a part of an image, if the model's configuration tells."""
    for name in ("image_token_id", "image_token_index"):
        if isinstance(token := getattr(config, name, None), int):
            return token
    return None


def _check_picklable(processor: Any, workers: int) -> None:
    try:
        pickle.dumps(processor if workers else None)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise MedqDegError(f"workers must be 0 with this processor, which cannot be sent to them: {error}") from None


def _load(name: str, device: torch.device | None, options: Mapping[str, Any]) -> Any:
    try:
        model = AutoModelForImageTextToText.from_pretrained(name, **options)
        return model if device is None else model.to(device)
    except torch.OutOfMemoryError as error:
        raise MedqDegError(
            f"model {name!r} does not fit on {device}: {str(error).splitlines()[0]} --device-map auto spreads it"
        ) from error
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise MedqDegError(f"model {name!r} cannot be loaded as an image-text-to-text model: {reason}") from error


def _check(dtype: str, max_new_tokens: int) -> None:
    if dtype != "auto" and not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise MedqDegError(f"unknown dtype {dtype!r}; allowed: auto, or a torch dtype such as bfloat16")
    if max_new_tokens < 1:
        raise MedqDegError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")


def _device(name: str) -> torch.device:
    """Return a torch device; "auto" is the accelerator that is this process's under a launcher."""
    if name != "auto":
        return torch.device(name)
    found = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if found is None else torch.device(found.type, int(os.environ.get("LOCAL_RANK", "0")))


def _content_hash(folder: Path) -> str | None:
    """Return a hash that tells local checkpoints apart: names, sizes, and both ends of each file."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_END))
            file.seek(max(path.stat().st_size - _END, 0))
            digest.update(file.read(_END))
    return digest.hexdigest()[:16]
