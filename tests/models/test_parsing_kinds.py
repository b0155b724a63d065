"""The kinds of replies that are read, and the kinds that are not, as properties over generated texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg import parse_answer
from medq_deg.data.schema import LETTERS
from medq_deg.models.parsing.match import OPTION, letter_in, options_of

OPTIONS = ["Pneumonia", "Pleural effusion", "Atelectasis", "Pneumothorax"]
LETTER = st.sampled_from("ABCD")

FINAL = [
    "Answer: {L}",
    "**Answer:** {L}",
    "**Answer: ({L})**",
    "Answer: {L}. {T}",
    "Answer: {T}",
    "Final answer: {L}",
    "### Final Answer\n{L}. {T}",
    "The answer is {L}.",
    "The correct answer is {L}.",
    "The correct answer is **{L}. {T}**.",
    "The correct answer is {T}.",
    "Therefore, the correct option is: {L}. {T}",
    "Thus, the most likely answer is ({L}) {T}.",
    "So, option {L} is the correct answer.",
    "Based on the image, {L} is the correct answer.",
    "I'd go with {L}.",
    "I would choose option {L}.",
    "The answer is option ({L}).",
    "\\boxed{{{L}}}",
    "The final answer is $\\boxed{{\\text{{{L}}}}}$.",
    "<answer>{L}</answer>",
    "<answer>{L}. {T}</answer>",
    '{{"answer": "{L}"}}',
    "答案：{L}",
    "因此，正确答案是{L}。",
    "La réponse correcte est {L}.",
    "The answer is not {O} but {L}.",
]
CUT_OFF = ["<answer>{L}", "\\boxed{{{L}", "<answer>{L}. {T}", "<|begin_of_box|>{L}"]
UNTAGGED = ["Answer: {L}", "The correct answer is {L}.", "\\boxed{{{L}}}", "<answer>{L}</answer>", "Final answer: {L}"]

BEFORE = [
    "To determine the answer, consider each option:",
    "Let's look at the picture step by step.",
    "{O}. {P}: this would look different.",
    "- **{O}**: {P} is a common finding in such patients.",
    "Option {O} is incorrect because the signs are missing.",
    "We can rule out {O}, as there is no such sign.",
    "{P} seems plausible at first.",
    "{P} might be considered here, and {P2} too.",
    "The first option is ({O}) {P}.",
    "It could be {O} or {O2}.",
    "If the vessels were thin, the answer would be {O}.",
    "I am not sure about {P}.",
    "I first thought of {P}, then of {P2}.",
    "### Analysis\nThe angle, the lung and the heart are seen.",
    "The options are {P}, {P2} and more.",
    "The user may think that the answer is {O}.",
    "\\[ x = \\frac{{1}}{{2}} \\]",
    "I can't see the whole picture, but the lower part is clear.",
]
AFTER = [
    "Here's why the other options are incorrect:",
    "* {O}. {P}: would show other signs.",
    "- {O}: {P} is a disease of its own.",
    "Option {O} is incorrect because the signs are missing.",
    "{P} is ruled out by the sharp margin.",
    "{P} usually presents with other signs.",
    "The angle is blunted and the lung is clear.",
    "This is not {P}, as the vessels are normal in size.",
    "{O} is wrong.",
    "Explanation: the margin is sharp.",
    "Neither {P} nor {P2} would explain the sign.",
    "{O}. {P} is incorrect because the signs are missing.",
    "The sign cannot be explained by {P}.",
]
UNREAD = [
    "It could be {L} or {O}.",
    "Either {L} or {O}.",
    "{L} or {O}",
    "{L}, {O}",
    "{L}/{O}",
    "Both {L} and {O} are correct.",
    "The answers are {L} and {O}.",
    "The answer is {L} or {O}.",
    "The answer is either {T} or {P}.",
    "The answer might be {L}.",
    "The answer may be {T}.",
    "Possibly {L}.",
    "Perhaps {T}.",
    "{L}?",
    "{T}?",
    "Maybe {L}",
    "If the sign is real, the answer is {L}.",
    "The answer is {L} if the sign is real.",
    "The answer is not {L}.",
    "Not {L}.",
    "It is not {T}.",
    "{L} is incorrect.",
    "{T} is unlikely.",
    "{L}. {P}",
    "The answer is {L}. {P}.",
    "{T} ({O})",
    "Answer: {L}\nAnswer: {O}",
    "The answer is {L}. The answer is {O}.",
    "\\boxed{{{L}}} or \\boxed{{{O}}}",
    "<answer>{L}</answer><answer>{O}</answer>",
    '{{"answer": ["{L}", "{O}"]}}',
    "The answer is {L}, but {O} is also possible.",
    "The answer is {L}. However, {P} fits better.",
    "{L}\nWait, that is wrong. {O}.",
    "The answer is {L}. I am not sure about it.",
    "I'm sorry, but I cannot determine whether it is {T}.",
    "I cannot answer this without more views.",
    "As an AI model, I cannot interpret medical images.",
    "None of the options fits.",
    "Many would say that the answer is {L}.",
    "60 % {L}, 40 % {O}",
    "I am between {L} and {O}.",
    "Option {L} is the correct answer if the sign is real.",
    "{L} is correct unless it is an artefact.",
    "{L}. If the sign is real.",
    "The answer is {L}. {O} is another possibility.",
    "The answer is {L} as well as {O}.",
    "An example is ({L}) {T}.",
    "The least likely diagnosis is {T}.",
    "The differential diagnosis is {T}.",
    "Answer: {L}\nor {O}",
    "{L} > {O}",
    "Image {L}",
    "{L} is one of the options.",
]


def test_the_forms_that_follow_are_read_alone() -> None:
    for form in [*FINAL, *CUT_OFF]:
        assert parse_answer(_fill(form, "B", "D", "A"), OPTIONS) == "B", form


def _fill(form: str, letter: str, other: str, third: str) -> str:
    text, beside, last = (OPTIONS[LETTERS.index(each)] for each in (letter, other, third))
    return form.format(L=letter, T=text, O=other, P=beside, O2=third, P2=last)


@st.composite
def _letters(draw: st.DrawFn) -> tuple[str, str, str]:
    first, second, third = draw(st.permutations("ABCD"))[:3]
    return first, second, third


def _some(forms: list[str], most: int = 4) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(forms), max_size=most)


@given(_letters(), _some(BEFORE), st.sampled_from([*FINAL, *CUT_OFF]), st.sampled_from(["\n", "\n\n"]))
def test_a_final_stated_answer_wins_over_everything_before_it(
    letters: tuple[str, str, str], before: list[str], final: str, glue: str
) -> None:
    text = glue.join(_fill(form, *letters) for form in [*before, final])
    assert parse_answer(text, OPTIONS) == letters[0]


@given(_letters(), _some(BEFORE, 3), st.sampled_from(FINAL), _some(AFTER))
def test_what_is_said_about_other_options_after_it_takes_nothing_back(
    letters: tuple[str, str, str], before: list[str], final: str, after: list[str]
) -> None:
    text = "\n".join(_fill(form, *letters) for form in [*before, final, *after])
    assert parse_answer(text, OPTIONS) == letters[0]


@given(_letters(), st.sampled_from(["{L}", "({L})", "**{L}. {T}**", "{L}) {T}", "{T}", "{T}."]), _some(AFTER))
def test_an_answer_that_is_given_first_and_explained_after_is_that_answer(
    letters: tuple[str, str, str], first: str, after: list[str]
) -> None:
    text = "\n".join(_fill(form, *letters) for form in [first, *after])
    assert parse_answer(text, OPTIONS) == letters[0]


@given(_letters(), st.sampled_from(["{L}", "{L}. {T}", "{T}."]), _some(AFTER), st.sampled_from(FINAL))
def test_an_explanation_that_ends_in_another_statement_never_leaves_the_first_answer(
    letters: tuple[str, str, str], first: str, after: list[str], final: str
) -> None:
    letter, other, third = letters
    end = _fill(final, other, third, letter)
    text = "\n".join([*(_fill(form, *letters) for form in [first, *after]), end])
    assert parse_answer(text, OPTIONS) in {other, None}


@given(
    _letters(),
    _some(BEFORE, 3).filter(len),
    st.sampled_from([*UNTAGGED, *CUT_OFF]),
    st.sampled_from(["think", "thinking"]),
)
def test_a_stated_answer_at_the_end_of_unclosed_reasoning_is_read(
    letters: tuple[str, str, str], before: list[str], final: str, tag: str
) -> None:
    text = "\n".join(_fill(form, *letters) for form in [*before, "The lower part is clear.", final])
    assert parse_answer(f"<{tag}>{text}", OPTIONS) == letters[0]
    assert parse_answer(f"<{tag}>{text}\nBut let me look at the other side", OPTIONS) is None


SENTENCES = [*BEFORE[1:2], "The angle is blunted.", "The heart is large.", *AFTER[2:9]]


@given(
    _letters(),
    _some(SENTENCES, 3),
    st.sampled_from([form for form in FINAL if form.endswith(".")]),
    _some(AFTER[3:], 3),
)
def test_a_sentence_break_and_a_line_break_mean_the_same(
    letters: tuple[str, str, str], before: list[str], final: str, after: list[str]
) -> None:
    parts = [_fill(form, *letters) for form in [*before, final, *after]]
    read = {parse_answer(glue.join(parts), OPTIONS) for glue in (" ", "\n", "\n\n", "  \n")}
    assert read == {letters[0]}


@given(
    _letters(),
    st.sampled_from(["{L}.", "{L}. {T}.", "{T}."]),
    st.sampled_from(["Fluid is seen below.", "The beam is hard."]),
)
def test_a_short_answer_may_be_explained_on_the_same_line(letters: tuple[str, str, str], first: str, why: str) -> None:
    for glue in (" ", "\n"):
        assert parse_answer(f"{_fill(first, *letters)}{glue}{why}", OPTIONS) == letters[0]


@given(_letters(), st.sampled_from(UNREAD), _some(["The angle is blunted.", "Let's look at the picture."], 2))
def test_hedged_contradictory_multiple_and_refusing_replies_stay_unread(
    letters: tuple[str, str, str], form: str, before: list[str]
) -> None:
    assert parse_answer("\n".join([*before, _fill(form, *letters)]), OPTIONS) is None


@given(_letters(), st.lists(st.sampled_from([*BEFORE, *AFTER]), max_size=8))
def test_talk_about_options_without_an_answer_is_never_one(letters: tuple[str, str, str], parts: list[str]) -> None:
    assert parse_answer("\n".join(_fill(form, *letters) for form in parts), OPTIONS) is None


BINARY = [["Yes", "No"], ["No", "Yes"], ["No, it's not", "Yes"], ["Yes", "No", "Cannot tell"], ["Yes.", "No."]]
REASONS = [
    "there is a fracture",
    "there is no fracture",
    "it is",
    "the bone is intact",
    "a fracture is visible",
    "the image shows a CT of the chest",
    "I see a mass",
]


@given(
    st.sampled_from(BINARY),
    st.sampled_from(["Yes", "No"]),
    st.sampled_from(REASONS),
    st.sampled_from([", ", " - ", "; ", " — ", ". ", ".\n", "\n"]),
    st.sampled_from(["{}", "**{}**", "Answer: {}", "The answer is {}"]),
)
def test_yes_and_no_open_a_sentence(options: list[str], word: str, reason: str, glue: str, lead: str) -> None:
    index = next(place for place, option in enumerate(options) if option.startswith(word))
    text = f"{lead.format(word)}{glue}{reason if glue[-1] == ' ' and '.' not in glue else reason.capitalize()}."
    assert parse_answer(text, options) == LETTERS[index]


DENIED_ALL = [
    *(
        f"{who} {what}."
        for who in ("None of the options", "None of these", "No option", "No answer", "Nothing")
        for what in ("is right", "fits", "applies", "is correct")
    ),
    "Neither option is right.",
    "There is no correct answer.",
    "All of the options are wrong.",
    "The question cannot be answered.",
    "It is impossible to tell.",
    "No one knows.",
    "No way to be sure.",
]


@given(
    LETTER,
    st.sampled_from(["Answer: {}", "The answer is {}", "{}"]),
    st.sampled_from([". ", "\n", "\n\n"]),
    st.sampled_from(DENIED_ALL),
)
def test_an_answer_after_which_every_option_is_denied_is_unread(
    letter: str, form: str, between: str, said: str
) -> None:
    assert parse_answer(form.format(letter) + between + said, OPTIONS) is None


@given(LETTER, st.sampled_from(DENIED_ALL))
def test_an_option_that_says_that_none_holds_is_an_option_like_any_other(letter: str, said: str) -> None:
    options = [said.rstrip(".") if other == letter else text for other, text in zip("ABCD", OPTIONS, strict=True)]
    assert parse_answer(f"Answer: {letter}. {said}", options) == letter


@given(
    st.sampled_from(["Yes", "No"]),
    st.sampled_from(
        [
            "{} or {}",
            "{}/{}",
            "{} and {}",
            "{}. {}.",
            "{}, or rather {}",
            "{}, possibly",
            "Maybe {}",
            "{}?",
            "{}, I cannot help with that.",
            "{}, but I am not sure.",
        ]
    ),
)
def test_a_yes_that_is_taken_back_or_answers_something_else_is_unread(word: str, form: str) -> None:
    assert parse_answer(form.format(word, "No" if word == "Yes" else "Yes"), ["Yes", "No"]) is None


@given(
    LETTER,
    st.sampled_from(["The lesion", "The finding in the left lung", "This", "The structure at the arrow"]),
    st.data(),
)
def test_an_option_that_is_the_whole_of_a_claim_is_read(letter: str, subject: str, data: st.DataObject) -> None:
    text = OPTIONS[LETTERS.index(letter)]
    form = data.draw(
        st.sampled_from(["{s} is ({L}) {t}", "{s} is most likely ({L}) {t}.", "{s} is {L}. {t}", "{s} is {t}."])
    )
    assert parse_answer(form.format(s=subject, L=letter, t=text), OPTIONS) == letter


NUMBERS = st.integers(1, 9_999_999).map(lambda number: number / 10)


@given(st.lists(NUMBERS, min_size=2, max_size=5, unique=True), st.sampled_from(["", "-"]), st.data())
def test_how_a_number_is_typed_decides_nothing(numbers: list[float], sign: str, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(["", " mm", " mm²", " μm", " %", " °C"]))
    options = [f"{sign}{number:.1f}{unit}" for number in numbers]
    index = data.draw(st.integers(0, len(options) - 1))
    said = f"{data.draw(st.sampled_from(['-', '−', '–'])) if sign else ''}"
    said += data.draw(st.sampled_from(["{:.1f}", "{:,.1f}"])).format(numbers[index])
    said += data.draw(st.sampled_from([unit, unit.strip(), unit.replace("²", "^2"), unit.replace("μ", "µ")]))
    if numbers[index] < 1000 and data.draw(st.booleans()):
        said = said.replace(".", ",")
    letter = LETTERS[index]
    form = data.draw(
        st.sampled_from(["{L}. {s}", "({L}) {s}", "Answer: {L}. {s}", "The answer is {L}: {s}.", "Answer: {s}"])
    )
    text = form.format(L=letter, s=said)
    assert parse_answer(text, options) == letter
    assert parse_answer(_full_width(text), options) == letter


def _full_width(text: str) -> str:
    return re.sub(r"[A-Za-z0-9()]", lambda match: chr(ord(match[0]) + 0xFEE0), text)


@given(
    st.sampled_from(["it's benign", "it’s benign", "it‘s benign"]),
    st.sampled_from(['"{}"', "“{}”", "'{}'", "‘{}’", "«{}»", "{}"]),
)
def test_quotes_decide_nothing(said: str, quotes: str) -> None:
    assert parse_answer(quotes.format(said), ["it's malignant", "it's benign"]) == "B"
    assert parse_answer(f"B. {quotes.format(said)}", ["it’s malignant", "it’s benign"]) == "B"


@given(st.integers(2, 26).flatmap(lambda n: st.permutations(LETTERS[:n])), st.data())
def test_the_letter_that_labels_an_option_wins_over_options_that_are_letters(
    options: list[str], data: st.DataObject
) -> None:
    letter = data.draw(st.sampled_from(options))
    form = data.draw(
        st.sampled_from(["{}", "({})", "Answer: {}", "The answer is {}.", "\\boxed{{{}}}", "Answer: ({0}) {0}"])
    )
    assert parse_answer(form.format(letter), options) == letter


@pytest.mark.parametrize("options", [["B", "A", "None"], ["A", "B", "AB", "O"], ["(B)", "(A)"], ["b", "a"]])
def test_a_label_wins_over_the_same_letter_as_a_text(options: list[str]) -> None:
    assert [parse_answer(f"The answer is {letter}.", options) for letter in "AB"] == ["A", "B"]


UNITS = [
    ("{n} mm²", ["{n} mm2", "{n} mm^2", "{n}mm²"]),
    ("{n} μm", ["{n} µm", "{n} um", "{n}um"]),
    ("{n} cells/μL", ["{n} cells/uL", "{n} cells/µL"]),
    ("{n} °", ["{n}°", "{n} degrees"]),
    ("{n} %", ["{n}%", "{n} percent", "{n} per cent"]),
]


@given(
    st.lists(st.integers(11, 989).filter(lambda tenths: tenths % 10), min_size=2, max_size=5, unique=True),
    st.sampled_from(UNITS),
    st.data(),
)
def test_how_a_unit_is_typed_decides_nothing(
    tenths: list[int], unit: tuple[str, list[str]], data: st.DataObject
) -> None:
    options = [unit[0].format(n=each / 10) for each in tenths]
    place = data.draw(st.integers(0, len(tenths) - 1))
    number = data.draw(st.sampled_from([f"{tenths[place] / 10}", f"{tenths[place] / 10:.2f}"]))
    said = data.draw(st.sampled_from([unit[0], *unit[1]])).format(n=number)
    for form in (said, f"The answer is {said}.", f"Answer: {said}"):
        assert parse_answer(form, options) == LETTERS[place], (form, options)


@given(
    st.sampled_from([["Yes", "No"], ["Present", "Absent"], ["MRI", "CT"]]),
    st.integers(0, 1),
    st.sampled_from(["Is there a fracture?", "Which one is it?", "What does the picture show?"]),
    st.sampled_from([" ", "\n"]),
)
def test_a_question_that_is_repeated_is_no_answer(options: list[str], place: int, question: str, glue: str) -> None:
    assert parse_answer(f"{question}{glue}{options[place]}.", options) == "AB"[place]
    for asked in (options[place], "AB"[place]):
        assert parse_answer(f"{asked}?", options) is None


@given(_letters(), st.sampled_from(["no sign of {O}", "no oedema", "no other finding"]))
def test_that_something_else_is_absent_takes_no_answer_back(letters: tuple[str, str, str], absent: str) -> None:
    absent = _fill(absent, *letters)
    for form in ("{L}. {T}. ", "{L}\n", "Answer: {L}\n"):
        assert parse_answer(_fill(form, *letters) + absent.capitalize() + ".", OPTIONS) == letters[0]
    assert parse_answer("Absent, no sign of effusion.", ["Present", "Absent"]) == "B"


CORRECTIONS = [
    "Wait, no.",
    "wait.",
    "Actually,",
    "No, wait.",
    "No, that's not right.",
    "Hmm, let me reconsider.",
    "Scratch that.",
    "Sorry,",
    "Correction:",
    "On second thought,",
    "Hold on.",
    "That is wrong.",
]
SHORT = ["Answer: {L}", "The answer is {L}.", "The correct answer is {T}.", "<answer>{L}</answer>", "Final answer: {L}"]


@given(
    _letters(),
    st.sampled_from(SHORT),
    st.sampled_from([" ", "... ", "\n", " - ", ". "]),
    st.sampled_from(CORRECTIONS),
    st.sampled_from([" ", "\n"]),
    st.sampled_from(SHORT),
)
def test_a_correction_that_states_an_answer_is_followed(
    letters: tuple[str, str, str], first: str, before: str, correction: str, after: str, final: str
) -> None:
    letter, other, third = letters
    one = _fill(first, other, letter, third)
    one = one.removesuffix(".") if before[0] in ".-" else one
    text = one + before + correction + after + _fill(final, *letters)
    assert parse_answer(text, OPTIONS) == letter
    for open_end in ("", f" It could also be {third}.", f" The answer can't be {other}.", " Not really."):
        assert parse_answer(one + before + correction + open_end, OPTIONS) is None


HEDGES = [
    "Maybe",
    "Perhaps",
    "I guess",
    "I am guessing that",
    "My guess is that",
    "Presumably,",
    "Not sure, but",
    "I'm not sure, but",
    "I am not certain, but",
    "I can't tell, but",
    "Uncertain, but",
    "I'm unsure, but",
    "Hard to say, but",
    "It might be that",
    "It may be that",
    "Who knows, maybe",
    "Nobody would say that",
    "It is hard to accept that",
    "If I had to guess,",
]
HEDGED = [
    "the answer is {L}.",
    "the correct answer is {L}. {T}.",
    "the answer is {T}.",
    "answer: {L}",
    "I'd go with {L}.",
    "{L} is the correct answer.",
]
LATER = [
    ", maybe",
    ", I guess",
    " (perhaps)",
    ", but I'm not sure",
    ", though {P} is possible",
    " - or {O}",
    "\nMaybe.",
    "\nJust a guess.",
    "\nI take that back.",
    "\nNot really.",
    "\nThat is wrong.",
    "\nNo.",
    "\nOr {O}.",
    "\nPerhaps {P}.",
    "\nThe answer can't be {L}.",
    "\nThen again, {P} fits.",
    "\nBut {P} is more likely.",
]


@given(
    _letters(), st.sampled_from(HEDGES), st.sampled_from(HEDGED), _some(["The margin is sharp.", "{O} is wrong."], 2)
)
def test_a_hedge_before_a_statement_hedges_it(
    letters: tuple[str, str, str], hedge: str, form: str, before: list[str]
) -> None:
    text = " ".join(_fill(part, *letters) for part in [*before, f"{hedge} {form}"])
    assert parse_answer(text, OPTIONS) is None
    assert parse_answer(f"{text}\n\nFinal answer: {letters[1]}", OPTIONS) == letters[1]


@given(_letters(), st.sampled_from([*SHORT, "{L}", "{T}", "({L}) {T}"]), st.sampled_from(LATER))
def test_a_hedge_after_an_answer_hedges_it(letters: tuple[str, str, str], form: str, later: str) -> None:
    text = _fill(form, *letters).removesuffix(".") + _fill(later, *letters)
    assert parse_answer(text, OPTIONS) is None


@given(
    _letters(),
    st.sampled_from(["Most likely", "Likely", "Probably", "Most probable", "So, most likely", "The most likely"]),
    st.sampled_from(["{lead}: {T}", "{lead} {L}.", "{lead} {T}.", "{lead} ({L}) {T}"]),
)
def test_what_is_called_likely_is_an_answer(letters: tuple[str, str, str], lead: str, form: str) -> None:
    text = _fill(form.replace("{lead}", lead), *letters)
    assert parse_answer(text, OPTIONS) == letters[0]
    for other in (f"Least likely: {letters[0]}", f"It is not likely {letters[0]}.", f"{text} Or {letters[1]}."):
        assert parse_answer(other, OPTIONS) is None


@given(
    _letters(),
    st.sampled_from(["This is {T}, ", "It is a {T}, ", "The image shows {T}, "]),
    st.sampled_from(["a disease of the chest.", "which is common.", "one of the common findings."]),
)
def test_what_is_added_to_an_option_s_text_changes_no_answer(
    letters: tuple[str, str, str], form: str, added: str
) -> None:
    said = _fill(form, *letters)
    assert parse_answer(said + added, OPTIONS) == letters[0]
    for other in (
        "a mimic of {P}.",
        "not {P}.",
        "which may be wrong.",
        "or {P}.",
        "a kind of {P}.",
        "which is unlikely.",
    ):
        assert parse_answer(said + _fill(other, *letters), OPTIONS) is None


@pytest.mark.parametrize("text", ["This is a meningioma, an atypical one.", "It is a meningioma, a malignant one."])
def test_an_addition_that_makes_it_another_option_is_unread(text: str) -> None:
    options = ["Meningioma", "Atypical meningioma", "Malignant meningioma"]
    assert parse_answer(text, options) is None
    assert parse_answer("This is a meningioma, a tumour of the meninges.", options) == "A"


@given(
    LETTER, st.sampled_from(["<{}>", "Answer: <{}>", "The answer is <{}>.", "<b>{}</b>", "<p>Answer: {}", "<B>{}</B>"])
)
def test_angle_brackets_around_an_answer_decide_nothing(letter: str, form: str) -> None:
    assert parse_answer(form.format(letter), OPTIONS) == letter
    assert parse_answer(form.format(OPTIONS[LETTERS.index(letter)]), OPTIONS) == letter


@given(
    st.sampled_from(["tumour", "pleural effusion", "sign of a bleeding"]),
    st.sampled_from(
        ["{} is seen.", "There is {}.", "I see {}.", "{} is visible in the image.", "{} is clearly present"]
    ),
    st.booleans(),
)
def test_what_is_seen_is_read_where_the_options_are_that_and_its_absence(thing: str, form: str, order: bool) -> None:
    options = [f"No {thing}", thing.capitalize()][:: 1 if order else -1]
    for said, option in ((f"no {thing}", f"No {thing}"), (thing, thing.capitalize())):
        text = form.format(said)
        text = text[0].upper() + text[1:]
        assert parse_answer(text, options) == LETTERS[options.index(option)]
        for others in (["Yes", "No"], [*options, "Normal"], ["Fracture", f"No {thing} but a fracture"]):
            assert parse_answer(text, others) is None
    for doubtful in (f"{thing} is not seen.", f"No {thing} is excluded.", f"There is {thing} or no {thing}."):
        assert parse_answer(doubtful, options) is None


def test_a_statement_and_another_option_beside_it_contradict_each_other() -> None:
    options = ["Tumour", "No oedema", "Fracture", "Normal"]
    for text in ("Answer: A. No oedema.", "Answer: A. No oedema is seen.", "Answer: A\nNo oedema", "A. No oedema"):
        assert parse_answer(text, options) is None


@given(
    _letters(),
    st.sampled_from(
        ["{T}: typically shows a rounded border.", "{T}, in contrast, has no such margin.", "{T}: a common disease."]
    ),
    _some([*BEFORE, *AFTER], 2),
)
def test_a_remark_about_an_option_s_text_is_no_answer(
    letters: tuple[str, str, str], remark: str, more: list[str]
) -> None:
    text = "\n".join(_fill(form, *letters) for form in [remark, *more])
    assert parse_answer(text, OPTIONS) is None
    assert parse_answer(f"{text}\n\nAnswer: {letters[1]}", OPTIONS) == letters[1]


@given(
    _letters(),
    st.sampled_from(
        ["{L}. {T}", "{L} | {T}", "({L}) {T}", "{L}: {T}", "{L} - {T}", "{L} => {T}", "{T} ({L})", "[{L}] {T}"]
    ),
    st.sampled_from(
        ["{}", "Answer: {}", "The answer is {}.", "<answer>{}</answer>", "\\boxed{{{}}}", "**{}** The margin is sharp."]
    ),
)
def test_a_letter_and_a_text_are_one_answer_if_they_agree_and_none_if_not(
    letters: tuple[str, str, str], both: str, form: str
) -> None:
    assert parse_answer(form.format(_fill(both, *letters)), OPTIONS) == letters[0]
    contradicting = both.replace("{T}", "{P}")
    assert parse_answer(form.format(_fill(contradicting, *letters)), OPTIONS) is None


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("The answer is (B) an MRI.", "The answer is B."),
        ("B. MRI is used for the brain.", "B is used for the brain."),
        ("The answer is B. MRI is used.", "The answer is B. B is used."),
        ("CT angiography or CT", "D or C"),
        ("A mass is seen, and vitamin D is low.", "A mass is seen, and vitamin D is low."),
        ("B-mode, A/B, I'm", "B-mode, A/B, I'm"),
        ("The option a is 1,500.0 mL", "A is E"),
        ("A. CT", "?"),
    ],
)
def test_every_mention_of_an_option_becomes_one_sign(text: str, marked: str) -> None:
    options = options_of(("1500 L", "MRI", "CT", "CT angiography", "1500 ml"))
    assert re.sub(OPTION, lambda match: letter_in(match[0]) or "?", options.mark(text)).strip() == marked


@given(
    st.text(st.characters(min_codepoint=0xE000, max_codepoint=0xF8FF), min_size=1, max_size=6), st.sampled_from("AB")
)
def test_characters_of_private_use_are_no_option_and_break_nothing(signs: str, letter: str) -> None:
    options = ["cyst", "tumour"]
    assert parse_answer(signs, options) is None
    assert parse_answer(f"The answer is {signs}.", options) is None
    assert parse_answer(f"Answer: {letter}{signs}", options) in (letter, None)
    assert parse_answer(f"{signs} Answer: {letter}", options) == letter
    assert parse_answer(signs, [signs, "tumour"]) in ("A", None)
