"""Answer forms that models really give, and what each must parse to."""

from __future__ import annotations

import pytest

from medq_deg import parse_answer
from medq_deg.errors import MedqDegError

OPTIONS = ["pneumonia", "MRI", "a chest film", "CT"]

ACCEPTED = [
    ("B", "B"), ("b", "B"), ("(B)", "B"), ("[B]", "B"), ("B.", "B"), ("B)", "B"), (" B \n", "B"), ("**B**", "B"),
    ("`B`", "B"), ("$B$", "B"), ("Ｂ", "B"), ("（B）", "B"), ("'B'", "B"), ("Option B", "B"), ("option (b)", "B"),
    ("B. MRI", "B"), ("B: MRI", "B"), ("(B) MRI", "B"), ("B - MRI", "B"), ("B MRI", "B"), ("**B. MRI**", "B"),
    ("B\nMRI", "B"), ("MRI", "B"), ("mri.", "B"), ("The MRI", "B"), ("It is an MRI.", "B"), ("This is a CT.", "D"),
    ("The image shows pneumonia.", "A"), ("a chest film", "C"), ("A chest film", "C"), ("chest film", "C"),
    ("Answer: D", "D"), ("answer: d", "D"), ("Answer: (D)", "D"), ("**Answer:** D", "D"), ("Answer is D.", "D"),
    ("The answer is D", "D"), ("The correct answer is **D**.", "D"), ("The correct option is D.", "D"),
    ("The answer is D. CT", "D"), ("The answer is (D) CT.", "D"), ("The answer is CT.", "D"), ("Final answer: D", "D"),
    ("It is a CT image. Answer: D", "D"), ("Answer: A\nOn reflection.\nFinal answer: D", "D"),
    ("The answer is D because the beam is hardened.", "D"), ("A. The film shows an infiltrate.", "A"),
    ("D, because of the table.", "D"), ("I would choose D.", "D"), ("I pick (D).", "D"), ("My choice is D", "D"),
    ("\\boxed{D}", "D"), ("The answer is $\\boxed{\\text{D}}$.", "D"), ("<answer>D</answer>", "D"),
    ("<answer> D. CT </answer>", "D"), ("<|begin_of_box|>D<|end_of_box|>", "D"), ('{"answer": "D"}', "D"),
    ('```json\n{"reason": "A table is seen", "answer": "D"}\n```', "D"), ('{"Choice": "CT"}', "D"),
    ("<think>It could be A or B.</think>D", "D"), ("<think>Answer: A</think>\n\nThe answer is D.", "D"),
    ("It could be A.</think>D", "D"), ("◁think▷A?◁/think▷ D", "D"), ("<thinking>x</thinking><answer>D</answer>", "D"),
    ("Bone and table are visible.\n\nD", "D"), ("D\n\nThe table is visible.", "D"), ("D.\nExplanation: a table.", "D"),
    ("答案是D", "D"), ("答案：D", "D"), ("正解はDです", None), ("La réponse est D.", "D"), ("Antwort: D", "D"),
    ("La respuesta es D.", "D"), ("Ответ: D", "D"), ("정답: D", "D"), ("Answer: D\nAnswer: D", "D"),
]  # fmt: skip

REFUSED = [
    "", "   ", "E", "Z.", "Answer: E", "I cannot see a lesion.", "I'm sorry, I can't help with that.",
    "A chest X-ray shows an infiltrate.", "The answer is a chest CT of high quality.", "A or B", "A and B",
    "Either A or D.", "The answer is A or B.", "Answer: A/B", "A, B", "Answer: A\nAnswer: D", "B. CT", "(A) CT",
    "The answer is not D.", "<think>Answer: D", "It depends on the options A to D.", "CT or MRI", "None of the above",
    "The picture might be a CT.", "Not pneumonia.", "\\boxed{A}\\boxed{B}", "<answer>A or B</answer>",
    '{"answer": "E"}', "As an AI model, I cannot interpret images.", "a b c d", "ABCD",
    "Options: A. pneumonia B. MRI C. a chest film D. CT",
]  # fmt: skip


@pytest.mark.parametrize(("text", "letter"), ACCEPTED)
def test_an_answer_is_recognised(text: str, letter: str | None) -> None:
    assert parse_answer(text, OPTIONS) == letter


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_clearly_an_answer_is_none(text: str) -> None:
    assert parse_answer(text, OPTIONS) is None


def test_none_stays_none() -> None:
    assert parse_answer(None, OPTIONS) is None


def test_a_letter_counts_only_up_to_the_number_of_options() -> None:
    assert parse_answer("C", ["yes", "no"]) is None
    assert parse_answer("Z", [f"option {i}" for i in range(26)]) == "Z"


def test_an_option_that_is_a_letter_s_name_does_not_confuse() -> None:
    assert parse_answer("B", ["B cell", "T cell"]) == "B"
    assert parse_answer("B cell", ["B cell", "T cell"]) == "A"


def test_options_that_differ_in_case_only_are_not_guessed() -> None:
    assert parse_answer("ct", ["CT", "Ct"]) is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("The answer is (B).", "B"),
        ("A chest CT", "A"),
        ("it is an mri", "B"),
        ("A B", None),
        ("Sorry", None),
    ],
)
def test_the_peers_rules_are_followed_for_comparison(text: str, letter: str | None) -> None:
    assert parse_answer(text, OPTIONS, parser="vlmevalkit") == letter


def test_an_unknown_parser_is_refused_by_name() -> None:
    with pytest.raises(MedqDegError, match="unknown parser 'lax'; allowed: strict, vlmevalkit"):
        parse_answer("A", OPTIONS, parser="lax")


@pytest.mark.parametrize("options", [["only"], [str(i) for i in range(27)]])
def test_a_number_of_options_outside_2_to_26_is_refused(options: list[str]) -> None:
    with pytest.raises(MedqDegError, match=r"must have 2 to 26 options"):
        parse_answer("A", options)
