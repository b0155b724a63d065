"""A vision-language model in vLLM's engine, inside the process of `medq-deg evaluate`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.models.base import Conversation, Finish, Queries, Query, Reply

NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Sampling from the model's own distribution, whatever the checkpoint's generation_config.json says."""

FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TOP = 20
"""Most likely first tokens that are looked at; vLLM's own limit (max_logprobs) is the same."""

_SEEDS = 2**31


class VLLM:
    """A model in vLLM as a `medq_deg.models.base.Model`.

    All votes of a row come from one prompt: image and question are prefilled once.

    Parameters
    ----------
    argument : str
        Hub id or folder, what follows the colon in ``--model vllm:...``.
    max_new_tokens : int
        Longest answer in tokens.
    batch_size : int
        Rows that are given to the engine at once.
    **engine
        Arguments of `vllm.LLM`, such as ``dtype``, ``tensor_parallel_size``, ``max_model_len``.

    Raises
    ------
    MedqDegError
        If vLLM is not installed, or cannot load the model.
    """

    takes_orders = True

    def __init__(self, argument: str, *, max_new_tokens: int = 32, batch_size: int = 64, **engine: Any) -> None:
        if not argument:
            raise MedqDegError("the plugin vllm needs a model: --model vllm:ORG/NAME")
        if max_new_tokens < 1 or batch_size < 1:
            raise MedqDegError(
                f"max_new_tokens and batch_size must be 1 or more, got {max_new_tokens} and {batch_size}"
            )
        try:
            import vllm
        except ImportError as error:
            raise MedqDegError(f"vLLM cannot be imported ({error}); see the README of medq-deg-vllm") from None
        self.name, self.tokens, self.batch_size, self.engine = argument, max_new_tokens, batch_size, engine
        self.version = getattr(vllm, "__version__", "unknown")
        options = {"generation_config": "vllm", "limit_mm_per_prompt": {"image": 1}, **engine}
        try:
            self.llm = vllm.LLM(model=argument, **options)
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            raise MedqDegError(f"vLLM cannot load {argument!r}: {str(error).strip().splitlines()[0]}") from error

    def describe(self) -> dict[str, Any]:
        """Return name, engine and settings."""
        return {
            "name": self.name,
            "engine": f"vllm {self.version}",
            "engine_arguments": self.engine,
            "generation": {**NEUTRAL, "max_tokens": self.tokens},
        }

    def record(self) -> dict[str, Any]:
        """Return what `run.json` says about sampling."""
        how = "every setting is given to vLLM, and generation_config is 'vllm'"
        return {"sampling": {"neutral": True, "sent": dict(NEUTRAL), "how": how}}

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        """Yield a reply to each query, a batch of rows at a time."""
        stream = iter(queries)
        while batch := list(islice(stream, self.batch_size)):
            asked = [query.conversations(trials) for query in batch]
            try:
                outputs = self._chat(batch, asked)
            except ValueError:
                # One row that does not fit, such as a prompt that is too long, must not cost the others their answers.
                for query, conversations in zip(batch, asked, strict=True):
                    yield self._alone(query, conversations)
                continue
            for query, conversations, said in zip(batch, asked, outputs, strict=True):
                yield reply_of(query, conversations, said)

    def _alone(self, query: Query, conversations: Sequence[Conversation]) -> Reply:
        try:
            return reply_of(query, conversations, self._chat([query], [conversations])[0])
        except ValueError as error:
            return Reply(query.id, error=" ".join(str(error).split())[:300])

    def _chat(self, batch: Sequence[Query], asked: Sequence[Sequence[Conversation]]) -> list[list[Any]]:
        """Return vLLM's outputs of each conversation of each query."""
        from vllm import SamplingParams

        pairs = [(query, each) for query, several in zip(batch, asked, strict=True) for each in several]
        messages = [message(query, each) for query, each in pairs]
        settings = [
            SamplingParams(n=each.trials, seed=each.seed % _SEEDS, max_tokens=self.tokens, logprobs=TOP, **NEUTRAL)
            for _, each in pairs
        ]
        outputs = iter(self.llm.chat(messages, settings, use_tqdm=False))
        return [[next(outputs) for _ in several] for several in asked]


def message(query: Query, conversation: Conversation) -> list[dict[str, Any]]:
    """Return a conversation as vLLM takes it, the image as a Pillow image."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": conversation.prompt}]
    if query.image is not None:
        parts.insert(0, {"type": "image_pil", "image_pil": query.image.convert("RGB")})
    return [{"role": "user", "content": parts}]


def reply_of(query: Query, conversations: Sequence[Conversation], outputs: Sequence[Any]) -> Reply:
    """Return the reply in what vLLM returns for the conversations of a query."""
    answers = [answer for output in outputs for answer in output.outputs]
    return Reply(
        query.id,
        texts=tuple(answer.text for answer in answers),
        finish=tuple(FINISHES.get(answer.finish_reason, "other") for answer in answers),
        # Of several orders, a letter means another option in each.
        probabilities=probabilities(answers, len(query.options)) if len(conversations) == 1 else None,
        usage={
            "prompt_tokens": sum(len(output.prompt_token_ids or ()) for output in outputs),
            "completion_tokens": sum(len(answer.token_ids) for answer in answers),
        },
    )


def probabilities(answers: Sequence[Any], options: int) -> dict[str, float] | None:
    """Return, by letter, the probability that an answer's first token is an option's letter; None without logprobs.

    Only the `TOP` likeliest tokens are known, so each is a lower bound. The first token has the same distribution in
    all answers to one prompt; a sampled one beyond the likeliest is listed besides them.
    """
    firsts = [answer.logprobs[0] for answer in answers if answer.logprobs]
    if not firsts:
        return None
    letters = dict.fromkeys(LETTERS[:options], 0.0)
    known = {token: entry for first in firsts for token, entry in first.items()}
    for entry in known.values():
        letter = (entry.decoded_token or "").strip()
        if letter in letters:
            letters[letter] += math.exp(entry.logprob)
    return letters
