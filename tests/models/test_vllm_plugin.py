"""The plugin for vLLM, against a double of the few calls that it makes; how the real one did is in its README."""

from __future__ import annotations

import math
import random
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.models import load
from medq_deg.models.base import Query
from medq_deg.models.load import load_model
from tests.conftest import load_module
from tests.models.endpoint_rows import IMAGE, OPTIONS, Rows

PLUGIN = Path(__file__).parents[2] / "plugins" / "vllm"


class SamplingParams:
    """Keeps what it is given; a name that vLLM does not know is an error, as there."""

    def __init__(
        self, *, n: int, temperature: float, top_p: float, top_k: int, min_p: float, repetition_penalty: float,
        max_tokens: int, seed: int, logprobs: int,
    ) -> None:  # fmt: skip
        self.n, self.seed, self.max_tokens, self.logprobs = n, seed, max_tokens, logprobs
        self.neutral = (temperature, top_p, top_k, min_p, repetition_penalty)


class LLM:
    """Answers by the seed; refuses prompts that hold "too long"."""

    made: ClassVar[list[LLM]] = []

    def __init__(self, model: str, **options: Any) -> None:
        if model == "broken":
            raise ValueError("no such architecture\nat line 3")
        self.model, self.options = model, options
        self.calls: list[tuple[list[Any], list[SamplingParams]]] = []
        LLM.made.append(self)

    def chat(self, conversations: list[Any], params: list[SamplingParams], use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        self.calls.append((conversations, params))
        if any("too long" in conversation[0]["content"][-1]["text"] for conversation in conversations):
            raise ValueError("The prompt is longer than the maximum model length")
        return [self._output(each) for each in params]

    def _output(self, params: SamplingParams) -> Any:
        rng = random.Random(params.seed)
        first = {
            1: SimpleNamespace(logprob=math.log(0.5), decoded_token="B"),
            2: SimpleNamespace(logprob=math.log(0.2), decoded_token=" B"),
            3: SimpleNamespace(logprob=math.log(0.1), decoded_token="The"),
        }
        outputs = [
            SimpleNamespace(
                text=f"{rng.choice('ABCD')} {number}",
                finish_reason=("stop", "length", "abort")[number % 3],
                token_ids=[1, 2],
                logprobs=[first],
            )
            for number in range(params.n)
        ]
        return SimpleNamespace(outputs=outputs, prompt_token_ids=[0] * 7)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams, module.__version__ = LLM, SamplingParams, "0.0"
    monkeypatch.setitem(sys.modules, "vllm", module)
    plugin = load_module(PLUGIN / "medq_deg_vllm.py")
    monkeypatch.setitem(sys.modules, "medq_deg_vllm", plugin)
    point = EntryPoint("vllm", "medq_deg_vllm:VLLM", load.GROUP)
    monkeypatch.setattr(load, "plugins", lambda: {"vllm": point})
    LLM.made.clear()


def made(**options: Any) -> Any:
    return load_model("vllm:org/name", transformers={}, **options)


def test_the_engine_gets_its_arguments_and_never_the_checkpoints_sampling() -> None:
    model = made(arguments={"dtype": "float32", "max_model_len": 512}, max_new_tokens=9)
    engine = LLM.made[0]
    assert engine.model == "org/name"
    assert engine.options.items() >= {"dtype": "float32", "max_model_len": 512, "generation_config": "vllm"}.items()
    replies = list(model.answer(Rows(3), 4))
    assert all(each.neutral == (1.0, 1.0, -1, 0.0, 1.0) for each in engine.calls[0][1])
    assert {each.max_tokens for each in engine.calls[0][1]} == {9}
    assert len({each.seed for each in engine.calls[0][1]}) == 3
    assert model.record()["sampling"]["neutral"] is True
    assert model.describe()["name"] == "org/name"
    assert [len(reply.texts) for reply in replies] == [4, 4, 4]
    assert replies[0].finish == ("stop", "length", "other", "stop")
    assert replies[0].usage == {"prompt_tokens": 7, "completion_tokens": 8}
    assert replies[0].probabilities == pytest.approx({"A": 0, "B": 0.7, "C": 0, "D": 0})


def test_rows_are_asked_in_batches_and_their_votes_do_not_depend_on_them() -> None:
    one, all_ = made(arguments={"batch_size": 1}), made()
    assert list(one.answer(Rows(5), 4)) == list(all_.answer(Rows(5), 4))
    assert [len(call[0]) for call in LLM.made[0].calls] == [1] * 5
    assert [len(call[0]) for call in LLM.made[1].calls] == [5]


def test_each_order_of_the_options_is_a_prompt_of_its_own_and_no_image_is_none() -> None:
    class Ordered(Rows):
        def __getitem__(self, index: int) -> Query:
            orders = ((0, 1, 2, 3), (3, 2, 1, 0))
            image = IMAGE if index else None
            return Query(f"row{index}", image, "first", OPTIONS, index, orders, ("first", "second"))

    model = made()
    replies = list(model.answer(Ordered(2), 5))
    conversations, params = LLM.made[0].calls[0]
    assert [each[0]["content"][-1]["text"] for each in conversations] == ["first", "second"] * 2
    assert [[part["type"] for part in each[0]["content"]] for each in conversations[1:3]] == [
        ["text"],
        ["image_pil", "text"],
    ]
    assert [each.n for each in params] == [3, 2, 3, 2]
    assert [len(reply.texts) for reply in replies] == [5, 5]
    assert replies[0].probabilities is None


def test_a_row_that_does_not_fit_fails_alone() -> None:
    class Long(Rows):
        def __getitem__(self, index: int) -> Query:
            return Query(f"row{index}", IMAGE, "too long" if index == 1 else "fits", OPTIONS, seed=index)

    replies = list(made().answer(Long(3), 2))
    assert [reply.error for reply in replies] == [None, "The prompt is longer than the maximum model length", None]


def test_what_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MedqDegError, match="vLLM cannot load 'broken': no such architecture"):
        load_model("vllm:broken", transformers={})
    with pytest.raises(MedqDegError, match="needs a model: --model vllm:ORG/NAME"):
        load_model("vllm", transformers={})
    with pytest.raises(MedqDegError, match="must be 1 or more, got 0 and 64"):
        made(max_new_tokens=0)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MedqDegError, match="vLLM cannot be imported"):
        made()
