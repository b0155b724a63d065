"""Answer forms that models really give, and what each must parse to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg import parse_answer
from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.models.parsing import PARSERS

OPTIONS = ["pneumonia", "MRI", "a chest film", "CT"]
ECHO = "A. pneumonia\nB. MRI\nC. a chest film\nD. CT"
TEN = [f"finding number {i}" for i in range(10)]

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
    ("答案是D", "D"), ("答案：D", "D"), ("正解はDです", "D"), ("La réponse est D.", "D"), ("Antwort: D", "D"),
    ("La respuesta es D.", "D"), ("Ответ: D", "D"), ("정답: D", "D"), ("Answer: D\nAnswer: D", "D"),
    ("The answer is most likely D.", "D"), ("It's D.", "D"), ("Therefore, D.", "D"), ("D is the answer.", "D"),
    ("D is correct.", "D"), ("I'd go with D", "D"), ("I'd choose D", "D"), ("I'll go with D", "D"), ("Answer - D", "D"),
    ("Ans: D", "D"), ("Answer:\nD", "D"), ("<answer>The answer is D</answer>", "D"), ('Here: {"answer": "D"}', "D"),
    ("D</s>", "D"), ("D<|im_end|>\n<|im_start|>user\nA?", "D"), ("Assistant: D", "D"), ("model\nD", "D"),
    ("CT (D)", "D"), ("D (CT)", "D"), ("This is a CT scan.", "D"), ("CT is the correct answer.", "D"), ("选D", "D"),
    ("D. CT is the correct answer.", "D"), ("Option D, CT, is correct.", "D"), ("正确答案：D. CT", "D"),
    ("所以答案是D。", "D"), ("答案是D，因为有床板。", "D"), ("정답은 D입니다.", "D"), ("الإجابة الصحيحة هي D", "D"),
    ("La respuesta correcta es la D", "D"), ("A resposta correta é D.", "D"), ("Die richtige Antwort ist D.", "D"),
    ("La bonne réponse est (D).", "D"), ("La risposta corretta è D.", "D"), ("Poprawna odpowiedź to D.", "D"),
    ("[THINK]A, surely.[/THINK]D", "D"), ("<|channel|>final<|message|>D", "D"),
    ("<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>D<|return|>", "D"),
    ("<unused94>thought\nA?<unused95>D", "D"), ("\\(D\\)", "D"), ("### Answer\nD", "D"), ("- D", "D"), ("> **D**", "D"),
    ("The correct answer is:\n\n**D. CT**", "D"), ("The answer is D. The beam is hardened.", "D"),
    ("There is no consolidation, so the answer is D.", "D"), ("I believe the answer is D", "D"), ("(D", "D"),
    ("The answer to the question is D.", "D"), ("It is not an MRI.\nThe answer is D.", "D"), ("I'm not sure.\nD", "D"),
    ("A. pneumonia: a disease.\nB. MRI: no.\nThe answer is D.", "D"), ("Instead of A, the answer is D", "D"),
    (f"{ECHO}\nD", "D"), (f"{ECHO}\nAnswer: D", "D"), (f"Which?\n{ECHO}\n\nAnswer: D", "D"),
    ("A. pneumonia B. MRI C. a chest film D. CT\nAnswer: D", "D"), ("D. CT. The table is visible.", "D"),
    ("D. CT scan", "D"), ("It's a CT.", "D"), ("故选D。", "D"), ("\ufeffD", "D"),
    ("<answer>D</answer><think>ok</think>", "D"),
]  # fmt: skip

REFUSED = [
    "", "   ", "E", "Z.", "Answer: E", "I cannot see a lesion.", "I'm sorry, I can't help with that.",
    "A chest X-ray shows an infiltrate.", "The answer is a chest CT of high quality.", "A or B", "A and B",
    "Either A or D.", "The answer is A or B.", "Answer: A/B", "A, B", "Answer: A\nAnswer: D", "B. CT", "(A) CT",
    "The answer is not D.", "<think>Answer: D", "It depends on the options A to D.", "CT or MRI", "None of the above",
    "The picture might be a CT.", "Not pneumonia.", "\\boxed{A}\\boxed{B}", "<answer>A or B</answer>",
    '{"answer": "E"}', "As an AI model, I cannot interpret images.", "a b c d", "ABCD",
    "Options: A. pneumonia B. MRI C. a chest film D. CT",
    # Echoes and verdicts on every option.
    ECHO, f"Which modality?\n{ECHO}", "A. No\nB. Yes\nC. No\nD. No", "A. pneumonia\nB. MRI", "A\nB\nC\nD", "A. Correct",
    "A. Incorrect.\nB. Incorrect.\nC. Incorrect.\nD. Correct.", "A (wrong)", "A: 0.9, D: 0.1", "A: yes", "(A) no",
    # Letters that are excluded, negated, hypothetical, or somebody else's.
    "We can rule out option A.\n\nThe table is typical, so D is right.", "I would exclude option A.", "D?", "Maybe D",
    "Unlike option A, the film is clear.", "Option A, however, does not fit.", "I don't think the answer is D",
    "The wrong answer is A.", "The least likely answer is A", "Not the answer: A", "The answer isn't A", "Not D",
    "If the answer is A, the film would show it.", "The answer is A if it is bright", "A possible answer is A",
    "Another option is A", "The answer might be D", "Many would say the answer is A", "It's not D", "A is wrong",
    "It is tempting to say the answer is A", "The user says the answer is A", "The following are wrong:\nD", "D, not A",
    "I would not choose D", "Incorrect:\nA", "Final answer: not D", "The answer is definitely not A",
    # Answers that are taken back.
    "The answer is A, no wait, it is B.", "A. Wait, that is wrong. D.", "A\nActually D", "A\nHmm, D fits better",
    "The answer is A\nNo, the answer is not A, it is D", "The correct answer is A. pneumonia. But D is better.",
    "\\boxed{A}, no: the answer is D", "<answer>A, but D is possible</answer>", "<answer>A</answer>\nNo, D is right",
    # Two letters.
    "(A) and (B)", "A - D", "A–D", "A—D", "A.\nD.", "A. D.", "A. or D.", "A), D)", "A > D", "A: D", "A → D", "A+B",
    "The answer is A-D", "Answer: A D", "The answer is between A and D", "I choose D over A", "The answer is A\n(D)",
    '{"answer": "A", "choice": "D"}', '{"answer": ["A", "D"]}', '{"answer": "A"} {"answer": "D"}', "答案：A或D",
    # A letter and a text that contradict each other.
    "Answer: A\nCT", "A\n\nIt is a CT.", "CT (A)", "A (CT)", "Answer: CT (A)", "A\n\nThis is a CT of the chest.",
    "D. CT\n\nExplanation: Option A. pneumonia is absent", "It is a CT. Answer: B", "A CT",
    # Prose.
    "B-mode ultrasound", "C-arm fluoroscopy", "A-scan", "D-dimer is raised", "C. difficile", "Vitamin D", "Hepatitis B",
    "type A dissection", "A chest film is shown", "It is a", "The answer is a", "This is not a CT.", "CT?", "CTs",
    "Answer with the option letter from the given choices directly.", "Which option is A?", "Answer: none",
    # A last line that goes on from the line before, and lists that stop short.
    "The options are:\nA. pneumonia\nB. MRI", "For example\nA", "What about\nA", "None of the options.\nA",
    "Let me think.\nA: lungs are clear\nB: no\nC: no\nD", "A\nbut chest film is possible", "A\nThe table suggests D.",
    "A or \\boxed{B}", "A, Answer: B", "A. It is a CT scan.", "Final answer: A or D", "I cannot determine.\nMaybe A",
    # Negations in other languages.
    "La respuesta no es A", "Die falsche Antwort ist A", "答案不是A", "错误答案：A", "不选A", "正解はAではない",
    # Cut off before the answer.
    "[THINK]D", "<|channel|>analysis<|message|>D", "<unused94>thought D", "</think>", "{" * 3000, '{"answer": "D',
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
        ("I'm sorry, but I can't help.", None),
        ("I’m unable to interpret this.", None),
        ("Answer: I'm not sure", None),
        ("I think so", None),
        ("I'd choose D", "D"),
        ("I'll go with D", "D"),
        ("I'm not sure.\nD", "D"),
        ("I", "I"),
        ("Answer: I", "I"),
    ],
)
def test_the_pronoun_i_is_not_the_ninth_option(text: str, letter: str | None) -> None:
    assert parse_answer(text, TEN) == letter


@pytest.mark.parametrize(
    ("text", "options", "letter"),
    [
        ("E. coli infection", ["MRI", "E. coli", "x", "y", "z"], None),
        ("E. coli", ["MRI", "E. coli", "x", "y", "z"], "B"),
        ("C. difficile", ["E. coli", "C. difficile", "C. albicans"], "B"),
        ("A. Adenocarcinoma of the colon", ["adenoma", "adenocarcinoma"], None),
        ("A. Adenocarcinoma", ["adenoma", "adenocarcinoma"], None),
        ("The answer is A", ["B", "A", "C"], "A"),
        ("A", ["B", "A", "C"], "A"),
        ("B. A", ["B", "A", "C"], "B"),
        ("The answer is type dissection", ["type A dissection", "type B dissection"], None),
        ("type B dissection", ["type A dissection", "type B dissection"], "B"),
        ("hepatitis virus", ["hepatitis A virus", "hepatitis B virus"], None),
        ("media otitis", ["mediotitis", "otitis"], None),
        ("positive", ["a positive", "b positive"], None),
        ("A positive", ["B positive", "positive"], None),
        ("HER2", ["HER2+", "HER2-"], None),
        ("HER2-", ["HER2+", "HER2-"], "B"),
        ("≤5 mm", ["≥5 mm", "10 mm"], None),
        ("≤ 5 mm", ["≥5 mm", "≤5 mm"], "B"),
        ("~5 mm", ["5 mm", "6 mm"], None),
        (".5 mg", ["5 mg", "50 mg"], None),
        ("−5", ["5", "-5"], "B"),
        ("1,5", ["15", "1.5"], None),
        ("1.5", ["15", "1.5"], "B"),
        ("10²", ["102", "10²"], "B"),
        ("102", ["10²", "10³"], None),
        ("2*3", ["23", "6"], None),
        ("10–20", ["10-20", "20-30"], "A"),
        ("1020", ["10-20", "20-30"], None),
        ("X ray", ["X-ray", "CT"], "A"),
        ("T2 weighted", ["T1-weighted", "T2-weighted"], "B"),
        ("Both A and B", ["CT", "MRI", "Both A and B"], "C"),
        ("The answer is no.", ["yes", "no"], "B"),
        ("Not pneumonia", ["pneumonia", "not pneumonia"], "B"),
        ("CT angiography", ["CT", "CT angiography"], "B"),
        ("A\n\nCT angiography fits.", ["CT", "CT angiography"], None),
        ("B\n\nCT angiography fits.", ["CT", "CT angiography"], "B"),
    ],
)
def test_only_the_option_s_own_text_stands_for_it(text: str, options: list[str], letter: str | None) -> None:
    assert parse_answer(text, options) == letter


FORMS = [
    "{}",
    "({})",
    "{}.",
    "**{}**",
    "Answer: {}",
    "The answer is {}.",
    "\\boxed{{{}}}",
    "<answer>{}</answer>",
    "{}</s>",
]
WORDS = st.text(st.characters(categories=["Ll"], max_codepoint=0xFF), min_size=4, max_size=12)
LISTS = st.lists(WORDS.map(lambda word: f"{word} tissue"), min_size=2, max_size=26, unique_by=str.casefold)


@given(LISTS, st.data())
def test_a_letter_parses_to_itself_in_every_form(options: list[str], data: st.DataObject) -> None:
    letter = LETTERS[data.draw(st.integers(0, len(options) - 1))]
    form = data.draw(st.sampled_from(FORMS))
    assert parse_answer(form.format(letter), options) == letter


@given(LISTS, st.data())
def test_the_text_of_an_option_parses_to_its_letter(options: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(options) - 1))
    text = data.draw(st.sampled_from(["{}", "{}.", "{upper}", "{letter}. {}", "The answer is {}."]))
    said = text.format(options[index], upper=options[index].capitalize(), letter=LETTERS[index])
    assert parse_answer(said, options) == LETTERS[index]


@given(st.data())
def test_two_letters_given_as_answers_are_none(data: st.DataObject) -> None:
    first, second = data.draw(st.lists(st.sampled_from("ABCD"), min_size=2, max_size=2, unique=True))
    one, two = data.draw(st.sampled_from(FORMS[:-1])).format(first), data.draw(st.sampled_from(FORMS)).format(second)
    assert (
        parse_answer(data.draw(st.sampled_from(["{}\n{}", "{} {}", "{}, {}", "{} or {}"])).format(one, two), OPTIONS)
        is None
    )


PIECES = [
    "A",
    "B",
    "I",
    " ",
    "\n",
    ".",
    ":",
    "answer",
    " is ",
    "not ",
    "CT",
    "{",
    "}",
    '"answer"',
    "<think>",
    "</think>",
]
PIECES += ["\\boxed{", "<answer>", "</answer>", "**", "'", "?", "K", "ſ", "Option ", "\ud800"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)), st.sampled_from([*PARSERS]))
def test_any_text_gives_none_or_a_letter_of_an_option(text: str, parser: str) -> None:
    assert parse_answer(text, OPTIONS, parser) in {None, "A", "B", "C", "D"}


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("The answer is (B).", "B"),
        ("A", "A"),
        ("A chest CT", "A"),
        ("A chest CT image", "D"),  # an A in more than three words is an article
        ("it is an mri", "B"),
        ("A B", None),
        ("CT or MRI", None),
        ("B is what I would say here", None),  # not near the end
        ("Looking at the table, CT would be my choice, given how very bright the bone is", None),  # too long for a text
        ("Sorry", None),
        ("Sorry, I can't help with images of people yet. B", None),
        ("Cannot determine the answer: MRI", None),
        ("Failed to obtain answer via API B", None),
        ("Z MRI", None),
        ("b", None),
    ],
)
def test_the_peers_rules_are_followed_for_comparison(text: str, letter: str | None) -> None:
    assert parse_answer(text, OPTIONS, parser="vlmevalkit") == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" b\n", "B"),
        ("C. a chest film", "C"),
        ("c) film", "C"),
        ("D the scan", "D"),
        ("A chest film", "A"),  # an article is a letter
        ("A mass is seen. The answer is D.", "A"),
        ("I see a mass. The answer is D.", "A"),  # "answer is" is looked for in capitals, and never found
        ("The answer is D.", "D"),
        ("Option C fits", "C"),
        ("B: MRI", "B"),
        ("B - MRI", "B"),
        ("(B) or (C)", "B"),
        ("**D**", "D"),
        ("\\boxed{C}", "C"),
        ("MRI", None),
        ("Cannot tell", None),
        ("E", None),  # no such option
        ("F", None),
        ("I'd say \u00e9B", "D"),
        ("dCT", None),
    ],
)
def test_the_peers_rules_for_this_benchmark_end_in_the_first_letter_that_stands_alone(
    text: str, letter: str | None
) -> None:
    assert parse_answer(text, OPTIONS, parser="medqdeg-vlmevalkit") == letter


def test_an_unknown_parser_is_refused_by_name() -> None:
    with pytest.raises(MedqDegError, match="unknown parser 'lax'; allowed: strict, vlmevalkit, medqdeg-vlmevalkit"):
        parse_answer("A", OPTIONS, parser="lax")


@pytest.mark.parametrize("options", [["only"], [str(i) for i in range(27)]])
def test_a_number_of_options_outside_2_to_26_is_refused(options: list[str]) -> None:
    with pytest.raises(MedqDegError, match=r"must have 2 to 26 options"):
        parse_answer("A", options)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("D. CT\n\nThe bones are bright. It is not an MRI, as fat would be bright.", "D"),
        ("D. CT\nOption A is incorrect because fat would be bright.\nOption B is wrong: no projection.", "D"),
        ("D. CT\nThis isn't MRI or PET; the ribs are bright.", "D"),
        ("Answer: D\nExplanation: the bright bone rules out MRI.", "D"),
        ("B. X-ray\nThis is not an X-ray but a CT.", None),
        ("D. CT\nHowever, MRI cannot be excluded.", None),
        ("D. CT\nMRI is not excluded.", None),
        ("D. CT\nMRI could also be right.", None),
        ("D. CT\nIt is not CT, MRI it is.", None),
        ("A. MRI\nNot MRI. CT.", None),
        ("A. MRI\nThe right answer is not A.", None),
        ("The answer is D. MRI is more likely.", None),
    ],
)
def test_an_explanation_may_reject_other_options_flatly(text: str, letter: str | None) -> None:
    assert parse_answer(text, ["MRI", "X-ray", "PET", "CT"]) == letter
