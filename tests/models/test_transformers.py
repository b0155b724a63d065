"""Votes of every native family: the same tokens as transformers' own generate, whatever the batch or the worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

pytest.importorskip("transformers")

import torch

from medq_deg import demo
from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.run import evaluate
from medq_deg.evaluation.store import RunFolder
from medq_deg.evaluation.work import WorkList
from medq_deg.models.base import Reply
from medq_deg.models.processors import load_processor
from medq_deg.models.sampling import letter_tokens, sample_votes
from medq_deg.models.transformers_model import TransformersModel
from medq_deg.results.score import score_run
from tests.models import tiny_vlms

ROWS = 6
LONGEST = 5


def work(count: int = ROWS, rows: Any = None, seed: int = 0) -> WorkList:
    # Images of several sizes, questions of several lengths.
    rows = rows if rows is not None else [demo.rows()[i * 34] for i in range(count)]
    ids = rows.ids if isinstance(rows, Broken) else [row["id"] for row in rows]
    return WorkList(rows, ids, iter(range(len(rows))), seed)


def answer(path: str, trials: int = 10, queries: Any = None, **options: Any) -> dict[str, Reply]:
    model = TransformersModel(path, **{"max_new_tokens": LONGEST, **options})
    return {reply.id: reply for reply in model.answer(queries or work(), trials)}


@pytest.mark.slow
@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_sampled_votes_are_the_tokens_of_num_return_sequences(
    family: str, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    path = str(checkpoint(family))
    repeated = answer(path, votes="repeat")
    one = answer(path, batch_size=1)
    many = answer(path, batch_size=ROWS)
    exact = answer(path, votes="exact", batch_size=4)
    assert len(repeated) == ROWS
    assert len({text for reply in repeated.values() for text in reply.texts}) > 2 * ROWS
    for name, reply in repeated.items():
        assert reply.error is None
        assert one[name].texts == reply.texts == many[name].texts
        assert one[name].usage == reply.usage == many[name].usage
        assert exact[name].probabilities == pytest.approx(one[name].probabilities, abs=1e-6)
        assert many[name].probabilities == pytest.approx(one[name].probabilities, abs=1e-6)
        # Exact votes are the first tokens of the sampled ones (a byte alone may be no character).
        pairs = zip(reply.texts, exact[name].texts, strict=True)
        assert all(said.startswith(first) for said, first in pairs if first.isascii())
    summary = evaluate(TransformersModel(path, max_new_tokens=2), demo.rows()[:3], tmp_path / "run", data_name="demo")
    assert summary.answered == 3


@pytest.fixture(scope="session")
def llava(checkpoint: Callable[[str], Path]) -> str:
    return str(checkpoint("llava"))


def test_sampled_frequencies_match_exact_probabilities(llava: str) -> None:
    """Over sequences of two tokens, against a full forward pass without cache for every beginning."""
    trials = 20_000
    model = TransformersModel(llava, max_new_tokens=2)
    query = work()[0]
    inputs = {name: torch.as_tensor(part) for name, part in model.inputs(query).items()}
    votes = sample_votes(model.model, inputs, model.settings, [query.seed], trials).tokens[0]
    counted: dict[tuple[int, ...], int] = {}
    for tokens in votes:
        counted[tuple(tokens)] = counted.get(tuple(tokens), 0) + 1
    expected: dict[tuple[int, ...], float] = {}
    ends = set(model.settings.eos_token_id)
    with torch.inference_mode():
        first = model.model(**inputs).logits[0, -1].double().softmax(-1)
        for token in range(len(first)):
            if token in ends:
                expected[token,] = float(first[token])
            elif first[token] > 0.01:
                ids = torch.cat([inputs["input_ids"], torch.tensor([[token]])], dim=1)
                mask = torch.ones_like(ids)
                second = model.model(**{**inputs, "input_ids": ids, "attention_mask": mask}).logits[0, -1]
                for following, share in enumerate(second.double().softmax(-1).tolist()):
                    expected[token, following] = float(first[token]) * share
    likely = [name for name, share in expected.items() if share * trials >= 5]
    seen = [counted.get(name, 0) for name in likely]
    assert sum(seen) > trials / 4
    rest = trials - sum(seen)
    shares = [expected[name] for name in likely]
    result = stats.chisquare([*seen, rest], [trials * share for share in [*shares, 1 - sum(shares)]])
    assert len(likely) > 20
    assert result.pvalue > 0.001


@pytest.mark.parametrize("votes", ["sampled", "repeat"])
def test_an_answer_that_ends_by_no_end_token_within_the_limit_was_cut_off(votes: str, llava: str) -> None:
    model = TransformersModel(llava, max_new_tokens=3, votes=votes)
    replies = list(model.answer(work(), 10))
    ends = set(model.settings.eos_token_id)
    finish = {reply.id: list(reply.finish) for reply in replies}
    for query in work():
        inputs = {name: torch.as_tensor(part) for name, part in model.inputs(query).items()}
        tokens = sample_votes(model.model, inputs, model.settings, [query.seed], 10).tokens[0]
        assert finish[query.id] == ["stop" if ends & {*vote} else "length" for vote in tokens]
    assert {end for ends_of_row in finish.values() for end in ends_of_row} == {"stop", "length"}
    # The one token of an exact vote would be cut off always.
    assert next(iter(TransformersModel(llava, votes="exact").answer(work(1), 10))).finish == ()


def test_exact_probabilities_are_those_of_a_forward_pass(llava: str) -> None:
    model = TransformersModel(llava, votes="exact")
    query = work()[0]
    with torch.inference_mode():
        logits = model.model(**model.inputs(query)).logits[0, -1].double().softmax(-1)
    reply = next(iter(model.answer(work(1), 2)))
    assert reply.probabilities is not None
    for letter in LETTERS[: len(query.options)]:
        token = model.inputs._processor.tokenizer.convert_tokens_to_ids(letter)
        assert reply.probabilities[letter] == pytest.approx(float(logits[token]), rel=1e-4)
    assert sum(reply.probabilities.values()) < 1


def test_a_run_of_exact_votes_is_scored_by_its_probabilities(llava: str, tmp_path: Path) -> None:
    rows = demo.rows()[:30]
    evaluate(TransformersModel(llava, votes="exact"), rows, tmp_path / "run", data_name="demo")
    result = score_run(tmp_path / "run", n_resamples=10)
    records = RunFolder(tmp_path / "run").read_answers()
    shares = [records[row["id"]]["probabilities"][row["answer"]] for row in rows.columns()]
    assert result["source"] == "probabilities"
    assert result["accuracy"] == pytest.approx(np.mean(shares))


def test_a_letter_counts_with_and_without_the_space_before_it(llava: str) -> None:
    class Words:
        def get_vocab(self) -> dict[str, int]:
            return {"A": 0, "ĠA": 1, "▁A": 2, "AB": 3, "a": 4, "B": 5, "(B": 6}

    assert letter_tokens(Words(), "AB") == {"A": [0, 1, 2], "B": [5]}


@pytest.mark.slow
def test_workers_change_nothing(llava: str) -> None:
    assert answer(llava, workers=2) == answer(llava, workers=0)


def test_a_batch_that_does_not_fit_is_halved_and_no_row_is_lost(llava: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(llava, max_new_tokens=LONGEST, batch_size=8)
    generate, sizes = model.model.generate, []

    def limited(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("out of memory")
        return generate(**inputs)

    monkeypatch.setattr(model.model, "generate", limited)
    replies = {reply.id: reply for reply in model.answer(work(), 10)}
    assert {n: r.texts for n, r in replies.items()} == {n: r.texts for n, r in answer(llava).items()}
    assert sizes[:3] == [6, 3, 2]
    assert max(sizes[2:]) <= 3
    assert model.batch_size == 2


def test_a_row_that_does_not_fit_alone_fails_alone(llava: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(llava, max_new_tokens=LONGEST, batch_size=2)
    generate = model.model.generate

    def limited(**inputs: Any) -> Any:
        if inputs["input_ids"].shape[1] > 500:
            raise torch.OutOfMemoryError("out of memory")
        return generate(**inputs)

    rows = [dict(demo.rows()[i]) for i in range(3)]
    rows[1]["question"] = "long? " * 100
    monkeypatch.setattr(model.model, "generate", limited)
    replies = {reply.id: reply for reply in model.answer(work(rows=rows), 10)}
    failed = replies.pop(rows[1]["id"])
    assert failed.error is not None
    assert "one row alone does not fit into memory" in failed.error
    assert all(reply.error is None for reply in replies.values())
    assert len(replies) == 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_image_that_cannot_be_used_fails_alone(workers: int, checkpoint: Callable[[str], Path]) -> None:
    some = [dict(demo.rows()[i]) for i in range(4)]
    some[2]["image"] = Image.new("RGB", (9000, 32))
    rows = Broken(some)
    replies = answer(str(checkpoint("qwen2_vl")), queries=work(rows=rows), workers=workers)
    assert len(replies) == 4
    refused, unread = replies[rows.ids[2]].error, replies[rows.ids[1]].error
    assert refused is not None
    assert "the processor refused it: absolute aspect ratio must be smaller than 200" in refused
    assert unread == f"row {rows.ids[1]!r} cannot be read: broken image"
    assert sum(reply.error is None for reply in replies.values()) == 2


class Broken:
    """Rows of which the second cannot be read."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.ids = rows, [row["id"] for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == 1:
            raise OSError("broken image")
        return self.rows[index]


def test_probabilities_that_are_no_numbers_fail_their_row_alone(llava: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(llava, max_new_tokens=LONGEST, batch_size=8)
    head = model.model.lm_head

    def overflow(module: Any, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        if len(logits) == ROWS:  # the prefill
            logits[2] = float("nan")
        return logits

    handle = head.register_forward_hook(overflow)
    replies = list(model.answer(work(), 10))
    handle.remove()
    assert [reply.error is None for reply in replies].count(False) == 1
    assert next(reply.error for reply in replies if reply.error).startswith("the model's probabilities are not numbers")
    whole = answer(llava)
    assert all(reply.texts == whole[reply.id].texts for reply in replies if reply.error is None)


def test_stopping_ends_after_the_batch_in_flight(llava: str) -> None:
    model = TransformersModel(llava, max_new_tokens=LONGEST, batch_size=2)
    queries = work(12)
    replies = model.answer(queries, 10)
    next(replies)
    queries.stopped = True
    assert len(list(replies)) == 1


def test_large_images_are_scaled_down(checkpoint: Callable[[str], Path]) -> None:
    path = str(checkpoint("qwen2_5_vl"))
    whole, small = answer(path), answer(path, max_pixels=56 * 56)
    assert all(small[name].usage["prompt_tokens"] < whole[name].usage["prompt_tokens"] for name in whole)


def test_a_model_in_memory_can_be_asked(llava: str) -> None:
    first = TransformersModel(llava, max_new_tokens=LONGEST)
    again = TransformersModel("step 1000", loaded=(first.model, load_processor(llava)), max_new_tokens=LONGEST)
    assert again.describe()["name"] == "step 1000"
    first.model.train()
    assert list(again.answer(work(), 3)) == list(first.answer(work(), 3))
    assert first.model.training


def test_sampling_leaves_the_callers_random_state_alone(llava: str) -> None:
    for votes in ("sampled", "repeat"):
        torch.manual_seed(4)
        expected = torch.rand(3)
        torch.manual_seed(4)
        answer(llava, votes=votes, queries=work(2))
        assert torch.equal(torch.rand(3), expected)


def test_another_seed_gives_other_votes(llava: str) -> None:
    assert answer(llava) != answer(llava, queries=work(seed=1))


def test_the_description_says_what_changes_answers(llava: str) -> None:
    described = TransformersModel(llava, max_new_tokens=7, dtype="bfloat16", attn_implementation="eager").describe()
    assert described["generation"] == {
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "max_new_tokens": 7,
    }
    assert (described["votes"], described["dtype"], described["attention"]) == ("sampled", "bfloat16", "eager")
    assert described["architecture"] == "LlavaForConditionalGeneration"
    assert len(described["revision"]) == 16


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"votes": "best"}, "unknown way to get votes 'best'. Allowed: sampled, exact, repeat"),
        ({"dtype": "float12"}, "unknown dtype 'float12'; allowed: auto, or a torch dtype such as bfloat16"),
        ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be 1 or more, got 0"),
        ({"max_pixels": 0}, "max_pixels must be 1 or more, got 0"),
    ],
)
def test_invalid_settings_are_named(options: dict[str, Any], told: str, llava: str) -> None:
    with pytest.raises(MedqDegError, match="^" + told.replace("(", r"\(")):
        TransformersModel(llava, **options)


def test_remote_code_is_run_only_with_a_warning(llava: str) -> None:
    with pytest.warns(UserWarning, match="will be run on this machine"):
        TransformersModel(llava, trust_remote_code=True)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, llava: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MedqDegError, match=r"^the processor of model"):
        TransformersModel(str(tmp_path))
    for file in Path(llava).glob("*token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for name in ("preprocessor_config.json", "processor_config.json", "chat_template.jinja"):
        if (Path(llava) / name).exists():
            (tmp_path / name).write_bytes((Path(llava) / name).read_bytes())
    with pytest.raises(MedqDegError, match="cannot be loaded as an image-text-to-text model"):
        TransformersModel(str(tmp_path))
