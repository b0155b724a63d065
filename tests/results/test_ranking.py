"""What keeps a run out of the ranks, what is not submitted, and which places the data cannot tell apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import chi2_contingency

from medq_deg.results.published import PAPER_ROWS, published_results
from medq_deg.results.ranking import QUESTIONS, Asked, asked_of, findings, places, questions_of, read_asked
from medq_deg.taxonomy import CATEGORIES
from tests.paper import paper_table

SAMPLED = {"neutral": True, "identical": False, "how": "told"}
WHOLE = Asked(PAPER_ROWS, 0, ("release",), 10, "strict", "", 1, "shown", None, SAMPLED)


def kinds(asked: Asked) -> dict[str, tuple[bool, bool]]:
    return {finding.text: (finding.unranked, finding.refused) for finding in findings(asked)}


def test_a_whole_strict_run_on_the_release_has_nothing_against_it() -> None:
    assert findings(WHOLE) == []
    assert findings(replace(WHOLE, rows=(4290, 10294, 10294))) == []  # a hundredth may be missing


@pytest.mark.parametrize(
    ("changes", "words", "unranked", "refused"),
    [
        ({"sources": ("demo",)}, "the demo set", True, True),
        ({"sources": ("release", "folder")}, "data from folder", True, True),
        ({"sources": ("gmai", "medxpertqa")}, "questions from gmai, medxpertqa", True, False),
        ({"rows": (4306, 10294, 0)}, "no rows at L2", True, True),
        ({"rows": (40, 90, 90)}, "220 of the paper's 24,894 rows", True, False),
        ({"rows": (4306, 10294, 10295)}, "24,895 rows, more than the paper's", True, False),
        ({"rows": (200, 400, 400), "subset": (1000, 24894)}, "a subset of 1000 of 24894 rows", True, True),
        ({"unanswered": 3}, "3 of 24,897 rows have no answer", False, True),
        ({"orders": 5}, "options shown in 5 orders", True, True),
        ({"image": "none"}, "clean questions without their image", True, True),
        ({"image": "grey"}, "a grey image for all", True, True),
        ({"note": "an untrained model"}, "a demonstration model: an untrained model", True, True),
        ({"parser": "medqdeg-vlmevalkit"}, "the parser 'medqdeg-vlmevalkit', not strictly", False, True),
        ({"trials": 5}, "shift from 5 votes, the paper's from 10", False, False),
        ({"trials": None}, "shift from exact votes", False, False),
        ({"sampling": {**SAMPLED, "neutral": False}}, "not the model's own distribution (told)", False, False),
        ({"sampling": {**SAMPLED, "neutral": "unknown"}}, "is not known to be the model's own", False, False),
        ({"sampling": {**SAMPLED, "identical": True}}, "confidence says nothing", False, False),
    ],
)
def test_what_speaks_against_a_run_is_said_and_judged(
    changes: dict[str, Any], words: str, unranked: bool, refused: bool
) -> None:
    ((text, judged),) = kinds(replace(WHOLE, **changes)).items()
    assert words in text
    assert judged == (unranked, refused)


def test_what_keeps_a_run_out_comes_first() -> None:
    found = findings(replace(WHOLE, trials=5, unanswered=1, orders=3, sources=("folder",)))
    assert [finding.unranked for finding in found] == [True, True, False, False]


def test_facts_survive_being_written_and_read() -> None:
    for asked in (WHOLE, replace(WHOLE, subset=(1000, 24894), trials=None, sampling={}, image="grey")):
        held = asked.as_json()
        held = {**held, "rows": list(held["rows"]), "sources": list(held["sources"])}
        assert read_asked(held) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": [1, 2]},
        {"rows": [1, 2, -3]},
        {"rows": [True, 2, 3]},
        {"rows": [1, 2, 10**9]},
        {"sources": "release"},
        {"sources": [1]},
        {"image": "<b>"},
        {"orders": "1"},
        {"subset": [1]},
        {"trials": 1.5},
        {"sampling": {"neutral": "maybe", "identical": False, "how": ""}},
        {"sampling": {"neutral": True}},
        {"note": None},
    ],
)
def test_facts_of_anybody_are_checked(changes: dict[str, Any]) -> None:
    held = {**WHOLE.as_json(), "rows": list(PAPER_ROWS), "sources": ["release"], **changes}
    with pytest.raises((KeyError, TypeError, ValueError, IndexError)):
        read_asked(held)


def test_rows_of_an_embedded_set_are_the_demo_whatever_they_say_of_themselves() -> None:
    settings = {"model": {"name": "m"}, "data": {"name": "demo-held-out", "rows": 1}, "trials": 10, "parser": "strict"}
    assert asked_of(settings, [{"severity": 0, "source": "release"}], 0, {}).sources == ("demo",)
    assert asked_of({**settings, "data": {"name": "mine"}}, [{"severity": 0}], 0, {}).sources == ("nowhere known",)


@pytest.mark.parametrize("questions", [QUESTIONS, 458])
def test_two_models_are_apart_where_the_chi_squared_test_of_another_library_says_so(questions: int) -> None:
    shares = sorted((round(result.accuracy[2] * questions) / questions for result in published_results()), reverse=True)
    found = places(shares, questions)
    for one, (low, high) in zip(shares, found, strict=True):
        apart = []
        for other in shares:
            table = [[one * questions, (1 - one) * questions], [other * questions, (1 - other) * questions]]
            apart.append(one != other and chi2_contingency(table, correction=False).pvalue < 0.05)
        better = sum(far and other > one for far, other in zip(apart, shares, strict=True))
        worse = sum(far and other < one for far, other in zip(apart, shares, strict=True))
        assert (low, high) == (1 + better, len(shares) - worse)
    assert all(low <= rank <= high for rank, (low, high) in enumerate(found, 1))


def test_more_questions_tell_more_models_apart() -> None:
    shares = sorted({result.accuracy[2] for result in published_results()})
    widths = [sum(high - low for low, high in places(shares, questions)) for questions in (100, 1000, 10_000, 10**9)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0
    assert places([1.0, 1.0, 0.0], 10) == [(1, 2), (1, 2), (3, 3)]


def test_no_category_has_fewer_questions_than_its_most_frequent_degradation() -> None:
    rows = paper_table("degradation_counts")
    for category in CATEGORIES:
        assert questions_of(category) == max(int(row["rows"]) for row in rows if row["category"] == category) // 2
