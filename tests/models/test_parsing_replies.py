"""Real replies of published models, and texts that no model should send, against the strict parser."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medq_deg import parse_answer
from medq_deg.models.parsing import PARSERS
from medq_deg.models.parsing.normalise import HEAD, TAIL

UNREADABLE = {
    59: "takes the answer as an approximation that does not match",
    103: "ends in the text of A and the letter J",
    117: "says that the correct choice is C, then answers A",
    159: "says that the option that matches is B, then answers D",
    525: "is confused; the letter stands nowhere as an answer",
    636: "answers EI",
    706: "ends in the text of E and the letter A",
    882: "names A, C and D and no more",
}
"""Replies for which the file names a letter that a careful reader would not: they contradict themselves or hedge."""


def test_real_replies_are_read_as_what_they_state_and_never_as_another_letter(shared: Path) -> None:
    path = shared / "reality" / "answers.jsonl"
    if not path.exists():
        pytest.skip(f"no real replies at {path}")
    replies = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    read = [parse_answer(reply["text"], reply["options"]) for reply in replies]
    stated = [(place, reply["stated"]) for place, reply in enumerate(replies) if reply["stated"]]
    other = [place for place, letter in stated if read[place] not in (None, letter)]
    assert not other
    assert sum(read[place] == letter for place, letter in stated) >= 0.97 * len(stated)
    assert not [place for place in UNREADABLE if read[place]]
    # Where the file names no letter, some replies do state one after all; each that is read was looked at.
    assert {place for place, reply in enumerate(replies) if read[place] and not reply["stated"]} <= STATED_AFTER_ALL


STATED_AFTER_ALL = {
    224, 236, 239, 242, 273, 277, 283, 311, 313, 320, 341, 349, 360, 394, 414, 459, 472, 519, 548, 855, 861, 873,
    874, 875, 876, 883, 892, 893, 899, 923, 928, 929, 936, 937, 938, 998, 999, 1000, 1007, 1008, 1011, 1014, 1021, 1023,
    1034,
}  # fmt: skip
"""Such as "The closest option is G. $1,003.68." and "False. In F major, the mediant is G."."""


PIECES = [
    "\\boxed{B} ",
    "<answer>B</answer>",
    "The answer is A.\n",
    '{"answer": "B"}\n',
    '"',
    "{",
    "}",
    "A ",
    "A.\n",
    "<think>",
]
PIECES += [
    "\\boxed{",
    "<answer>",
    "</think>",
    "'",
    "*",
    "not ",
    "the answer is ",
    "(A) ",
    "\u0301\u0327",
    "\ud800",
    "\0",
    "so, ",
]


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_of_anything_has_an_outcome(piece: str, parser: str) -> None:
    options = [f"finding number {i}" for i in range(26)]
    assert parse_answer(piece * (1_000_000 // len(piece)), options, parser) in {None, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


MARKUP = ["$", "*", "\\", "<b>", "`", "|", "- ", "1. ", "[", "]", "<", "(", "( ", "-", "\n", " ", "\\text{"]
TALK = [
    "wait, ",
    "B\n",
    "B. CT ",
    "1,",
    "finding ",
    "such, so ",
    "if ",
    "but ",
    "n't ",
    "yes ",
    "No ",
    "is ",
    "答案",
    "é",
]
OF_EACH_KIND = [["Yes", "No"], ["5", "1,000.5"], ["CT", "MRI of head"], ["A", "C", "B"], ["Tumour", "No tumour"]]


def takes_linear_time(piece: str, options: list[str]) -> bool:
    """Whether a reply as long as is read as a whole takes a tenth of a second, or four times a quarter of it."""

    def took(length: int, times: int) -> float:
        text = piece * (length // len(piece))
        ends = []
        for _ in range(times):
            start = time.thread_time()
            parse_answer(text, options)
            ends.append(time.thread_time() - start)
        return min(ends)

    whole = HEAD + TAIL
    return took(whole, 1) < 0.1 or took(whole, 3) < 9 * took(whole // 4, 3)


@pytest.mark.parametrize("options", OF_EACH_KIND[:3])
@pytest.mark.parametrize("piece", [*PIECES, *MARKUP, *TALK, "$\n", "\\\n", "*\n", "<b>\n", "$\u0301\u0327"])
def test_a_reply_of_one_piece_repeated_takes_linear_time(piece: str, options: list[str]) -> None:
    assert takes_linear_time(piece, options)


@given(st.lists(st.sampled_from([*PIECES, *MARKUP, *TALK]), min_size=2, max_size=4), st.sampled_from(OF_EACH_KIND))
@settings(max_examples=60, deadline=None)
def test_a_reply_of_some_pieces_repeated_takes_linear_time(pieces: list[str], options: list[str]) -> None:
    assert takes_linear_time("".join(pieces), options)


def test_a_reply_of_ten_megabytes_is_read() -> None:
    talk = "The angle is blunted. " * 450_000
    assert parse_answer(f"{talk}\nAnswer: B", ["CT", "MRI"]) == "B"


def test_a_long_reply_is_read_from_its_head_and_its_tail() -> None:
    talk = "The angle is blunted. " * 2_000
    assert len(talk) > HEAD + TAIL
    for text in (
        f"{talk}\nAnswer: B",
        f"B\n\n{talk}",
        f"Answer: B\n{talk}",
        f"<think>{talk} Answer: A</think>{talk} Answer: B.",
    ):
        assert parse_answer(text, ["CT", "MRI"]) == "B"
    assert parse_answer(f"{talk}\nAnswer: A\n{talk}", ["CT", "MRI"]) is None
    # What the cut leaves of a sentence is no answer.
    for shift in range(30):
        assert parse_answer("x" * (HEAD + shift) + ", not B" + "y" * TAIL, ["CT", "MRI"]) is None
        assert parse_answer(f"{talk}{'x' * shift} is not B " + "word " * (TAIL // 5 - 2), ["CT", "MRI"]) is None


@pytest.mark.parametrize("text", [None, "", " \n\t", 5, 1.5, b"B", ["B"], {"answer": "B"}, True])
@pytest.mark.parametrize("parser", PARSERS)
def test_what_is_no_text_answers_nothing(text: object, parser: str) -> None:
    assert parse_answer(text, ["CT", "MRI"], parser) is None


@pytest.mark.parametrize(
    ("text", "letter"), [("Answer: \ud800B", "B"), ("\0B\0", "B"), ("B\ud800", "B"), ("\ud800", None)]
)
def test_lone_surrogates_and_control_characters_are_spaces(text: str, letter: str | None) -> None:
    assert parse_answer(text, ["CT", "MRI"]) == letter


def test_equal_options_are_told_apart_by_their_letters_alone() -> None:
    options = ["CT", "MRI", "CT"]
    assert [parse_answer(text, options) for text in ("A", "Answer: C", "C. CT", "(A) CT")] == ["A", "C", "C", "A"]
    assert [parse_answer(text, options) for text in ("CT", "The answer is CT.", "This is a CT.")] == [None] * 3
    assert parse_answer("MRI", options) == "B"


@settings(max_examples=30)
@given(
    st.integers(0, 25),
    st.sampled_from(["{}", "Answer: {}", "({}) finding number {n}", "The answer is {}. finding number {n}"]),
)
def test_twenty_six_options_are_read(index: int, form: str) -> None:
    options = [f"finding number {i}" for i in range(26)]
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index]
    assert parse_answer(form.format(letter, n=index), options) == letter
