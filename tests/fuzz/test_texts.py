"""Text and small files of others: what a model says, what a server sends, entries on the Hub, and the board's files."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import EvalResultEntry
from hypothesis import given
from hypothesis import strategies as st

from medq_deg.hub.entries import merge
from medq_deg.hub.submit import prepare_results
from medq_deg.models.batch_api import _State
from medq_deg.models.chat import answers_of, cost_of, usage_of
from medq_deg.models.parsing import PARSERS, parse_answer
from medq_deg.models.retry import failure_of_status, retry_after
from medq_deg.models.wire import parse
from medq_deg.reporting.board import render
from medq_deg.reporting.exports import to_csv, to_json, to_markdown
from medq_deg.results.leaderboard import published_entries, ranked
from medq_deg.results.submitted import read_submitted
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity
from tests.fuzz.inputs import ODD, answer_of, damaged, damaged_bytes, fuzz, inputs

pytestmark = [fuzz, pytest.mark.filterwarnings("ignore")]

LETTERS = string.ascii_uppercase
_WORDS = (
    "A B C D (A) **B** answer Answer: is the not no yes none of above neither nor option letter I think both , . ; : - "
    '\\boxed{C} {"answer": } <think> </think> 2 3.5 mm left right benign \n'
)
WORDS = st.sampled_from(_WORDS.split(" "))
SAID = st.lists(WORDS | st.text(max_size=8), max_size=25).map(" ".join)
OPTIONS = st.lists(st.text(min_size=1, max_size=12) | WORDS.filter(bool), min_size=2, max_size=26)


@inputs(0.06)
@given(SAID, OPTIONS, st.sampled_from(list(PARSERS)))
def test_any_answer_is_one_of_the_letters_or_none(text: str, options: list[str], parser: str) -> None:
    assert parse_answer(text, options, parser) in {None, *LETTERS[: len(options)]}


REPLY: dict[str, Any] = {
    "id": "x",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": [{"type": "text", "text": "B"}]}},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}

ENTRIES = [
    {"dataset": {"id": "a/b", "task_id": "accuracy_l2"}, "value": 3.0, "date": "2026-01-01"},
    {"dataset": {"id": "c/d", "task_id": "mmlu", "revision": "x"}, "value": 71, "source": {"url": "https://e.org"}},
]
OURS = [EvalResultEntry(dataset_id="a/b", task_id="accuracy_l2", value=1.0)]
TAGS = st.sampled_from(
    ["!!int x", "!!float x", "!!timestamp x", "2026-13-45", "!!binary zz", "*no", "&a [*a]", "? [a]", "9" * 5000,
     "!!python/object:os.system {}", "<<: 3", "[" * 500]
)  # fmt: skip


@inputs(0.03)
@given(st.data())
def test_entries_of_others_stay_or_are_named(data: st.DataObject) -> None:
    text = yaml.safe_dump(ENTRIES)
    kind = data.draw(st.sampled_from(["values", "bytes", "tags"]))
    if kind == "values":
        text = json.dumps(data.draw(damaged(ENTRIES)))
    elif kind == "bytes":
        text = data.draw(damaged_bytes(text.encode())).decode("utf-8", "replace")
    else:
        text += f"- dataset: {{id: a}}\n  value: {data.draw(TAGS)}\n"
    merged, told = answer_of(lambda: merge(text, OURS))
    assert told is not None or yaml.safe_load(merged)[-1]["value"] == 1.0


def _submitted(runs: dict[str, Path]) -> dict[str, Any]:
    """Return the leaderboard's file of a run."""
    files = prepare_results(runs["votes"], "a/b", dry_run=True).files
    held: dict[str, Any] = json.loads(next(iter(files.values())))
    return held


def test_submitted_files_of_anybody_are_shown_or_left_out(runs: dict[str, Path], tmp_path: Path) -> None:
    whole = _submitted(runs)
    path = tmp_path / "results" / "one" / "leaderboard.json"
    path.parent.mkdir(parents=True)

    @inputs(0.04)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            path.write_bytes(json.dumps(data.draw(damaged(whole))).encode())
        else:
            path.write_bytes(data.draw(damaged_bytes(json.dumps(whole).encode())))
        found, unusable = read_submitted(tmp_path)
        assert len(found) + unusable == 1
        entries = ranked([*published_entries(), *found])
        for export in (to_csv, to_markdown, to_json, render):
            export(entries).encode()

    check()


@inputs(0.04)
@given(st.data())
def test_any_reply_of_a_server_is_answers_or_a_failure(data: st.DataObject) -> None:
    sent = data.draw(
        damaged(REPLY).map(lambda reply: json.dumps(reply).encode())
        | damaged_bytes(json.dumps(REPLY).encode())
        | st.binary(max_size=200)
    )
    try:
        reply = parse(sent)
    except ValueError:
        return
    failure = failure_of_status(500, {"retry-after": "soon"}, reply, "", str)
    assert "\n" not in failure.reason
    assert all(answer is None or isinstance(answer.text, str) for answer in answers_of(reply))
    if isinstance(reply, dict):
        assert all(count >= 0 for count in usage_of(reply).values())
        assert (cost_of(reply) or 0) >= 0


@inputs(0.01)
@given(st.text(max_size=40) | st.floats().map(str) | st.datetimes().map(str))
def test_any_wait_that_a_server_asks_for_is_seconds_or_none(header: str) -> None:
    assert (retry_after(header, 0.0) or 0.0) >= 0.0


@inputs(0.02)
@given(st.text(max_size=30) | st.sampled_from(ODD))
def test_any_name_of_data_model_or_degradation_is_known_or_refused(name: Any) -> None:
    answer_of(lambda: resolve_degradation(name))
    answer_of(lambda: resolve_severity(name))
    answer_of(lambda: resolve_modality(name))


BATCHES = {"batch_1": {"requests": 3, "collected": False}, "batch_2": {"requests": 1, "collected": True}}


def test_a_damaged_list_of_batches_is_read_or_refused_and_nothing_is_sent_twice_in_silence(tmp_path: Path) -> None:
    path = _State(tmp_path).path

    @inputs(0.01)
    @given(damaged(BATCHES).map(lambda held: json.dumps(held).encode()) | damaged_bytes(json.dumps(BATCHES).encode()))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        answer_of(lambda: list(_State(tmp_path).open()))

    check()
