"""Options that are letters in another order get the labels that they read as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg.data.lettered import relabel
from medq_deg.data.schema import LETTERS

FORMS = ["{}", "({})", "{}.", " {} "]


@given(st.integers(2, 26).flatmap(lambda n: st.permutations(LETTERS[:n])), st.sampled_from(FORMS), st.data())
def test_text_and_letter_agree_and_the_right_option_stays_right(
    texts: list[str], form: str, data: st.DataObject
) -> None:
    answer = data.draw(st.sampled_from(LETTERS[: len(texts)]))
    options = [form.format(data.draw(st.sampled_from([text, text.lower()]))) for text in texts]
    relabelled, letter = relabel(options, answer)
    assert sorted(relabelled) == sorted(options)
    assert [text.strip(" ().").upper() for text in relabelled] == list(LETTERS[: len(texts)])
    assert relabelled[LETTERS.index(letter)] == options[LETTERS.index(answer)]
    assert relabel(relabelled, letter) == (relabelled, letter)


@pytest.mark.parametrize(
    "options",
    [
        ["A", "B", "AB", "O"],
        ["B", "A", "none"],
        ["A", "C", "D"],
        ["A", "A", "B"],
        ["B+", "A+"],
        ["B-", "A-"],
        ["CT", "MRI"],
        ["", "A"],
        [],
    ],
)
def test_options_that_are_not_all_the_labels_stay_as_they_are(options: list[str]) -> None:
    assert relabel(options, "A") == (options, "A")


def test_an_answer_that_is_no_letter_of_an_option_is_left_for_the_check_of_the_question() -> None:
    assert relabel(["B", "A"], "C") == (["B", "A"], "C")
    assert relabel(["B", "A"], "") == (["B", "A"], "")
