"""Which prompts are run together: several orders of a row's options share the image, the question, and one prefill.

The orders of a row are made of the same texts, so nearly always they have equally many tokens, and differ only from a
column on. A batch of rows is run up to the first column in which any two orders of a row differ, if that lies behind
every image; nothing is padded inside a prompt, since a sliding window counts the slots of the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from medq_deg.models.batching import Prepared, Prompt
from medq_deg.models.sampling import SharedPrompts


@dataclass(frozen=True)
class PromptBatch:
    """Prompts to run in one go.

    Attributes
    ----------
    prompts : list of (int, int, Prompt)
        Place of the row, number of the order, and the prompt.
    inputs : list of mappings
        Inputs to put together: of every prompt, or with `shared` of the first of each row.
    shared : SharedPrompts, optional
        What the prompts share.
    """

    prompts: list[tuple[int, int, Prompt]]
    inputs: list[Mapping[str, Any]]
    shared: SharedPrompts | None = None


def prompt_batches(rows: Sequence[Prepared], image_token: int | None, pad: int) -> list[PromptBatch]:
    """Return batches with every prompt of the rows.

    Parameters
    ----------
    rows : sequence of Prepared
        Rows with one order or several.
    image_token : int or None
        Token that stands for a part of an image; where it is not known, no prefill is shared.
    pad : int
        Token that prompts are padded with.
    """
    alone: list[int] = []
    sharing: dict[int, list[tuple[int, int, int]]] = {}
    for place, row in enumerate(rows):
        tail = _tail(row, image_token)
        if tail is None:
            alone.append(place)
        else:
            sharing.setdefault(len(row.orders), []).append((*tail, place))
    batches = []
    for tails in sharing.values():
        for group in _groups(tails):
            together = [rows[place] for place in group]
            prompts = [(place, n, prompt) for place in group for n, prompt in enumerate(rows[place].prompts)]
            first = [row.inputs for row in together]
            batches.append(PromptBatch(prompts, first, _shared(together, pad)))
    if alone:
        prompts = [(place, n, prompt) for place in alone for n, prompt in enumerate(rows[place].prompts)]
        batches.append(PromptBatch(prompts, [prompt.inputs for _, _, prompt in prompts]))
    return batches


def _tail(row: Prepared, image_token: int | None) -> tuple[int, int] | None:
    """Return the tokens from the first in which orders differ, and those behind the image; None if not to be shared.

    Orders that share a prefill are given by the same objects but for their tokens.
    """
    if not row.orders or image_token is None:
        return None
    first = row.inputs
    ids = [torch.as_tensor(each["input_ids"])[0] for each in row.orders]
    alike = all(each[name] is first[name] for each in row.orders for name in first if name != "input_ids")
    if not alike or any(len(each) != len(ids[0]) for each in ids):
        return None
    stacked = torch.stack(ids)
    differ = (stacked != stacked[0]).any(0).nonzero()
    pictured = (stacked[0] == image_token).nonzero()
    length = stacked.shape[1]
    tail = length - int(differ[0]) if len(differ) else 1
    room = length - 1 - (int(pictured[-1]) if len(pictured) else -1)
    return (tail, room) if tail < room else None


def _groups(tails: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    """Put rows together as long as the longest tail of a group lies behind the image of each."""
    groups: list[list[int]] = []
    least = 0
    for tail, room, place in sorted(tails):
        if groups and tail < least:
            groups[-1].append(place)
            least = min(least, room)
        else:
            groups.append([place])
            least = room
    return groups


def _shared(rows: Sequence[Prepared], pad: int) -> SharedPrompts:
    longest = max(row.length for row in rows)
    ids = torch.stack([
        torch.stack([
            torch.nn.functional.pad(
                torch.as_tensor(each["input_ids"])[0], (longest - int(each["input_ids"].shape[1]), 0), value=pad
            )
            for each in row.orders
        ])
        for row in rows
    ])  # fmt: skip
    differ = (ids != ids[:, :1]).flatten(0, 1).any(0).nonzero()
    return SharedPrompts(ids, int(differ[0]) if len(differ) else longest - 1)
