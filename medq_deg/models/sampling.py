"""T sampled answers per prompt with one vision pass and one prefill, decoded as a tree.

Votes of a row share its prompt, and most share their first tokens too. The prompt is run once; then each step runs only
the distinct prefixes of the votes that are not finished, and each vote draws from the distribution of its prefix. That
is sampling T times independently: each row draws from a generator of its own, in the order in which
``generate(num_return_sequences=T)`` draws, so with one seed both give the same tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers import GenerationConfig

from medq_deg.models.base import Finish

SAMPLING: Final = {
    "do_sample": True,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
}
"""The model's own distribution. All explicit: transformers cuts to 50 tokens by default, checkpoints set their own."""

_PER_TOKEN: Final = ("attention_mask", "position_ids", "token_type_ids", "mm_token_type_ids")
_BATCH: Final = -2
"""Axis of the rows in all of them: (B, L), or (4, B, L) for positions with the axes of an image."""


@dataclass(frozen=True)
class Votes:
    """The sampled answers to a batch of B prompts.

    Attributes
    ----------
    tokens : list of B lists of T lists of int
        New tokens of each vote, an end token included.
    first : torch.Tensor
        (B, V) float32: probabilities of the first new token.
    broken : frozenset of int
        Prompts whose probabilities were not numbers; their tokens mean nothing.
    """

    tokens: list[list[list[int]]]
    first: torch.Tensor
    broken: frozenset[int] = frozenset()


@dataclass(frozen=True)
class SharedPrompts:
    """N prompts for each of R rows, alike up to a column: the same question and image, other orders of the options.

    Attributes
    ----------
    ids : torch.Tensor
        (R, N, L) tokens, left-padded; prompt n of row r is number r N + n.
    cut : int
        First column in which any two prompts of a row differ, behind the last token of an image.
    """

    ids: torch.Tensor
    cut: int


def sampling_config(own: GenerationConfig, max_new_tokens: int, pad_token_id: int | None) -> GenerationConfig:
    """Return the settings of the votes; of the checkpoint's own only the special tokens are kept."""
    return GenerationConfig(
        **SAMPLING,
        max_new_tokens=max_new_tokens,
        eos_token_id=own.eos_token_id,
        bos_token_id=own.bos_token_id,
        pad_token_id=own.pad_token_id if own.pad_token_id is not None else pad_token_id,
    )


@torch.inference_mode()
def sample_votes(
    model: Any,
    inputs: Mapping[str, Any],
    settings: GenerationConfig,
    seeds: Sequence[int],
    trials: int | Sequence[int],
    shared: SharedPrompts | None = None,
) -> Votes:
    """Sample answers to each prompt of a left-padded batch.

    Parameters
    ----------
    model : transformers generation model
        In evaluation mode.
    inputs : mapping
        What its processor made, on its device; a row for each prompt, or with `shared` for the first of each N.
    settings : GenerationConfig
        See `sampling_config`.
    seeds : sequence of B int
        Seed of each prompt's draws.
    trials : int or sequence of B int
        Answers to each prompt.
    shared : SharedPrompts, optional
        Prompts that begin alike: what they share is run once, and the cache goes on with the rest of each.
    """
    counts = [trials] * len(seeds) if isinstance(trials, int) else list(trials)
    owner = [prompt for prompt, count in enumerate(counts) for _ in range(count)]
    ends = _ends(settings)
    tokens: list[list[int]] = [[] for _ in owner]
    first: list[torch.Tensor] = []
    broken: set[int] = set()

    def decode(model: Any, input_ids: torch.Tensor, logits_processor: Any, **kwargs: Any) -> torch.Tensor:
        for name in ("stopping_criteria", "generation_config", "synced_gpus", "streamer"):
            kwargs.pop(name, None)
        generators = [torch.Generator(input_ids.device).manual_seed(seed) for seed in seeds]
        prefix = list(owner)
        live = list(range(len(tokens)))
        if shared is None:
            step = model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **kwargs)
        else:
            input_ids, step, kwargs = _extend(model, input_ids, shared, kwargs)
        while True:
            output = model(**step, return_dict=True)
            logits = output.logits[:, -1].to(dtype=torch.float32, device=input_ids.device)
            shares = logits_processor(input_ids, logits).softmax(-1)
            if not first:
                first.append(shares)
            # A float16 overflow in one row must not end the others, nor, on a GPU, the process.
            overflown = set((~shares.isfinite().all(-1)).nonzero().flatten().tolist())
            broken.update(owner[vote] for vote in live if prefix[vote] in overflown)
            live = [vote for vote in live if owner[vote] not in broken]
            if not live:
                return input_ids
            drawn = _draw(shares, prefix, live, generators, owner)
            for vote, token in drawn.items():
                tokens[vote].append(token)
            live = [v for v in live if tokens[v][-1] not in ends and len(tokens[v]) < settings.max_new_tokens]
            if not live:
                return input_ids
            # One branch for each prefix and token that a vote goes on with.
            branches = list(dict.fromkeys((prefix[vote], tokens[vote][-1]) for vote in live))
            place = {branch: index for index, branch in enumerate(branches)}
            for vote in live:
                prefix[vote] = place[prefix[vote], tokens[vote][-1]]
            parents, last = torch.tensor(branches, device=input_ids.device).T
            kwargs = model._update_model_kwargs_for_generation(output, kwargs)
            del output, logits, shares
            kwargs = _select(kwargs, parents, len(input_ids))
            input_ids = torch.cat([input_ids[parents], last[:, None]], dim=-1)
            step = model.prepare_inputs_for_generation(input_ids, next_sequence_length=1, **kwargs)

    model.generate(**inputs, generation_config=settings, custom_generate=decode)
    of_prompt = _places(owner, len(counts))
    return Votes([[tokens[vote] for vote in votes] for votes in of_prompt], first[0], frozenset(broken))


def _extend(
    model: Any, input_ids: torch.Tensor, shared: SharedPrompts, kwargs: dict[str, Any]
) -> tuple[torch.Tensor, dict[str, Any], dict[str, Any]]:
    """Run what the prompts of each row share, and return the step that runs the rest of every prompt."""
    rows, orders, length = shared.ids.shape
    whole = {name: kwargs[name] for name in _PER_TOKEN if kwargs.get(name) is not None}
    part = {**kwargs, **{name: value[..., : shared.cut] for name, value in whole.items()}}
    step = model.prepare_inputs_for_generation(input_ids[:, : shared.cut], is_first_iteration=True, **part)
    output = model(**step, return_dict=True)
    kwargs = model._update_model_kwargs_for_generation(output, part)  # keeps the cache, and shifts of positions
    parents = torch.arange(rows, device=input_ids.device).repeat_interleave(orders)
    kwargs["past_key_values"].reorder_cache(parents)
    # Not what the update made of them: the prompts are alike in all but their tokens.
    kwargs |= {name: value.index_select(_BATCH, parents) for name, value in whole.items()}
    ids = shared.ids.reshape(rows * orders, length)
    step = model.prepare_inputs_for_generation(ids, next_sequence_length=length - shared.cut, **kwargs)
    return ids, step, kwargs


def _places(owner: Sequence[int], prompts: int) -> list[list[int]]:
    """Return the votes of each prompt."""
    votes: list[list[int]] = [[] for _ in range(prompts)]
    for vote, prompt in enumerate(owner):
        votes[prompt].append(vote)
    return votes


def _draw(
    shares: torch.Tensor,
    prefix: Sequence[int],
    live: Sequence[int],
    generators: Sequence[torch.Generator],
    owner: Sequence[int],
) -> dict[int, int]:
    """Return the next token of each live vote; finished votes of the same prompt draw too, and are thrown away."""
    living = set(live)
    of_prompt = _places(owner, len(generators))
    prompts = list(dict.fromkeys(owner[vote] for vote in live))
    picked = [
        torch.multinomial(_of(shares, prefix, of_prompt[prompt], living), 1, generator=generators[prompt])
        for prompt in prompts
    ]
    votes = (vote for prompt in prompts for vote in of_prompt[prompt])
    drawn = zip(votes, torch.cat(picked).flatten().tolist(), strict=True)
    return {vote: token for vote, token in drawn if vote in living}


def _of(shares: torch.Tensor, prefix: Sequence[int], votes: Sequence[int], living: set[int]) -> torch.Tensor:
    """Return the distributions that the votes of a prompt draw from; finished ones borrow a living one's."""
    borrowed = next(prefix[vote] for vote in votes if vote in living)
    return shares[[prefix[vote] if vote in living else borrowed for vote in votes]]


def _select(kwargs: dict[str, Any], parents: torch.Tensor, rows: int) -> dict[str, Any]:
    """Return what the model keeps between steps, for the branches of these parents in place of the parents."""
    if len(parents) == rows and torch.equal(parents, torch.arange(rows, device=parents.device)):
        return kwargs
    kwargs["past_key_values"].reorder_cache(parents)
    for name in _PER_TOKEN:
        part = kwargs.get(name)
        if part is not None and part.shape[_BATCH] == rows:
            kwargs[name] = part.index_select(_BATCH, parents)
    return kwargs


@torch.inference_mode()
def repeat_votes(
    model: Any, inputs: Mapping[str, Any], settings: GenerationConfig, seed: int, trials: int
) -> list[list[int]]:
    """Sample `trials` answers to one row by ``generate(num_return_sequences=trials)``, for any model that generates."""
    # generate() draws from torch's global generators: seed them for this row, then give the caller's state back.
    devices = [inputs["input_ids"].device] if inputs["input_ids"].is_cuda else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        output = model.generate(**inputs, generation_config=settings, num_return_sequences=trials)
    new: list[list[int]] = output[:, inputs["input_ids"].shape[1] :].tolist()
    ends = _ends(settings)
    return [next((v[: i + 1] for i, token in enumerate(v) if token in ends), v) for v in new]


def _ends(settings: GenerationConfig) -> set[int]:
    ends = settings.eos_token_id
    return {ends} if isinstance(ends, int) else set(ends or ())


def finish_of(tokens: Sequence[int], settings: GenerationConfig) -> Finish:
    """Return why a vote ended: an end token within the limit, or the limit."""
    return "stop" if tokens and tokens[-1] in _ends(settings) else "length"


def letter_tokens(tokenizer: Any, letters: Sequence[str]) -> dict[str, list[int]]:
    """Return for each letter the tokens that are nothing but it, with or without the space of a word's start."""
    found: dict[str, list[int]] = {letter: [] for letter in letters}
    for piece, index in tokenizer.get_vocab().items():
        letter = piece.lstrip("\u0120\u2581 ")  # byte-level and sentencepiece marks of a word's start
        if letter in found:
            found[letter].append(index)
    return found
