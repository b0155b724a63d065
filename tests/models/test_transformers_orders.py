"""Several orders of the options from one prefill: the same tokens as each order's full prompt, in every family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("transformers")

import torch

from medq_deg import demo
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.run import evaluate
from medq_deg.evaluation.work import WorkList
from medq_deg.models import transformers_model
from medq_deg.models.base import Query, Reply
from medq_deg.models.batching import RowsAhead
from medq_deg.models.orders import prompt_batches
from medq_deg.models.transformers_model import TransformersModel
from medq_deg.results.score import read_answered
from tests.models import tiny_vlms

TRIALS = 10
LONGEST = 4


def rows() -> list[dict[str, Any]]:
    """Questions of several lengths with five, three and two options, one of which is a word longer than its letter."""
    some = [dict(demo.rows()[i]) for i in (0, 60, 150, 300)]
    some[1] |= {"options": ["yes", "no, it is not"], "answer": "A"}
    some[2] |= {"options": ["a cyst.", "metastasis", "the left kidney, the spleen and the liver"], "answer": "A"}
    some[3] |= {"question": "Which?", "image": Image.new("RGB", (120, 70), (90, 30, 200))}
    return some


def work(orders: int = 5, image: str = "shown", some: list[dict[str, Any]] | None = None) -> WorkList:
    some = rows() if some is None else some
    controls = Controls(orders=orders, image=image)
    return WorkList(some, [row["id"] for row in some], iter(range(len(some))), 0, controls)


def answer(path: str, queries: Any = None, **options: Any) -> dict[str, Reply]:
    model = TransformersModel(path, **{"max_new_tokens": LONGEST, **options})
    return {reply.id: reply for reply in model.answer(queries or work(), TRIALS)}


class Alone:
    """One plain query."""

    stopped = False

    def __init__(self, query: Query) -> None:
        self.query = query

    def claim(self) -> Any:
        return iter([0])

    def __iter__(self) -> Any:
        return iter([self.query])

    def __getitem__(self, index: int) -> Query:
        return self.query


def one_by_one(path: str, query: Query) -> tuple[list[str], list[Any], list[Any]]:
    """Ask each order as a plain query of its own, alone in its batch."""
    model = TransformersModel(path, max_new_tokens=LONGEST)
    texts, shares, finish = [], [], []
    for each in query.conversations(TRIALS):
        plain = replace(query, prompt=each.prompt, options=each.options, seed=each.seed, orders=(), prompts=())
        (reply,) = model.answer(Alone(plain), each.trials)
        texts += reply.texts
        finish += reply.finish
        shares.append(reply.probabilities)
    return texts, shares, finish


@pytest.mark.slow
@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_orders_from_one_prefill_have_the_tokens_of_their_full_prompts(
    family: str, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(checkpoint(family))
    shared: list[int] = []

    def spying(*arguments: Any) -> Any:
        batches = prompt_batches(*arguments)
        shared.extend(len(batch.prompts) for batch in batches if batch.shared)
        return batches

    monkeypatch.setattr(transformers_model, "prompt_batches", spying)
    together = answer(path, batch_size=4)
    assert sum(shared) == 5 + 2 + 5 + 5  # every prompt of every row
    repeated = answer(path, votes="repeat")
    for query in work():
        reply = together[query.id]
        texts, shares, finish = one_by_one(path, query)
        assert reply.error is None
        assert list(reply.texts) == texts == list(repeated[query.id].texts)
        assert list(reply.finish) == finish == list(repeated[query.id].finish)
        assert reply.probabilities is None
        for got, wanted in zip(reply.probabilities_by_order, shares, strict=True):
            assert got == pytest.approx(wanted, abs=1e-5)
    assert len({text for reply in together.values() for text in reply.texts}) > 20


@pytest.fixture(scope="session")
def qwen(checkpoint: Callable[[str], Path]) -> str:
    return str(checkpoint("qwen2_5_vl"))


def test_the_prefix_is_run_once_for_a_row_and_only_the_rest_for_each_order(qwen: str) -> None:
    model = TransformersModel(qwen, max_new_tokens=LONGEST)
    sizes: list[tuple[int, ...]] = []

    def count(module: Any, arguments: Any, inputs: dict[str, Any]) -> None:
        sizes.append(tuple(inputs["input_ids"].shape))

    model.model.register_forward_pre_hook(count, with_kwargs=True)
    list(model.answer(work(some=rows()[:1]), TRIALS))
    (rows_of_prefix, prefix), (rows_of_rest, rest) = sizes[:2]
    assert (rows_of_prefix, rows_of_rest) == (1, 5)
    whole = next(iter(RowsAhead(work(1, some=rows()[:1]), model.inputs, 0).batches(lambda: 1)))[0].length
    assert prefix + rest == whole


def test_orders_of_unequal_length_are_asked_as_full_prompts(qwen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(qwen, max_new_tokens=LONGEST)
    plain = model.inputs._tokens

    def longer(query: Query, prompt: str) -> list[int]:
        return [*plain(query, prompt), *([5] if prompt != query.prompt else [])]

    monkeypatch.setattr(model.inputs, "_tokens", longer)
    prepared = next(iter(RowsAhead(work(), model.inputs, 0).batches(lambda: 4)))
    batches = prompt_batches(prepared, model._image_token, model._pad)
    assert [batch.shared for batch in batches] == [None]
    replies = {reply.id: reply for reply in model.answer(work(), TRIALS)}
    assert {name: reply.texts for name, reply in replies.items()} == {n: r.texts for n, r in answer(qwen).items()}


def test_no_prefill_is_shared_where_the_image_would_be_cut_or_is_not_known(qwen: str) -> None:
    model = TransformersModel(qwen, max_new_tokens=LONGEST)
    prepared = next(iter(RowsAhead(work(), model.inputs, 0).batches(lambda: 4)))
    for token in (None, int(torch.as_tensor(prepared[0].inputs["input_ids"])[0, -1])):
        batches = prompt_batches(prepared, token, model._pad)
        assert [batch.shared for batch in batches] == [None]
        assert len(batches[0].prompts) == 17


def test_orders_without_a_image_share_their_prefill_too(qwen: str) -> None:
    together = answer(qwen, queries=work(image="none"), batch_size=4)
    for query in work(image="none"):
        assert list(together[query.id].texts) == one_by_one(qwen, query)[0]


@pytest.mark.slow
def test_workers_change_nothing_about_orders(qwen: str) -> None:
    assert answer(qwen, workers=1) == answer(qwen, workers=0)


def test_a_batch_of_orders_that_does_not_fit_is_halved(qwen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(qwen, max_new_tokens=LONGEST, batch_size=4)
    generate = model.model.generate

    def limited(**inputs: Any) -> Any:
        if len(inputs["input_ids"]) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return generate(**inputs)

    monkeypatch.setattr(model.model, "generate", limited)
    replies = {reply.id: reply for reply in model.answer(work(), TRIALS)}
    assert {n: r.texts for n, r in replies.items()} == {n: r.texts for n, r in answer(qwen).items()}


def test_exact_votes_in_orders_are_stored_by_order_and_scored(qwen: str, tmp_path: Path) -> None:
    model = TransformersModel(qwen, votes="exact")
    evaluate(model, rows(), tmp_path / "run", data_name="mine", controls=Controls(orders=5))
    run = read_answered(tmp_path / "run", 1.0)
    assert run.source == "probabilities"
    for row in run.rows:
        assert len(row["probabilities_by_order"]) == len(row["orders"]) == (2 if len(row["options"]) == 2 else 5)
        for letter, share in row["probabilities"].items():
            mean = sum(each[letter] for each in row["probabilities_by_order"]) / len(row["orders"])
            assert share == pytest.approx(mean)
