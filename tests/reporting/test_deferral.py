"""Safe deferral in words: what became of the rule, or why there is none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from medq_deg.metrics import deferral
from medq_deg.reporting.deferral import deferral_of, hundred

WIDTHS = (1040, 358)


def rows(wrong_clean: int, wrong_severe: int, sure_severe: int = 100, questions: int = 100) -> list[dict[str, Any]]:
    """Return unanimous rows; of the severe ones only `sure_severe` are."""
    made = []
    for number in range(questions):
        for severity, wrong in ((0, wrong_clean), (2, wrong_severe)):
            said = "B" if number < wrong else "A"
            votes = [said] * 10 if severity == 0 or number < sure_severe else ["A", "B"] * 5
            row = {"question_id": str(number), "severity": severity, "answer": "A", "num_choices": 4, "votes": votes}
            made.append(row)
    return made


@pytest.mark.parametrize(
    ("data", "title", "reading"),
    [
        (rows(0, 20), "Its surest answers are less safe on bad images", "20 of 100 that it keeps are wrong"),
        (rows(0, 0, 60), "Its surest answers stay safe: it hands over 40 more of 100", "it keeps 60 of 100 answers"),
        (rows(0, 0, 0), "On bad images it is never sure enough to answer", "it answers none by this rule"),
        (rows(30, 30), "Even its surest answers are not right 95 % of the time", "30.0 % are wrong"),
        (rows(0, 0, questions=20), "Too few questions to say when its answers are safe", "at least 59"),
    ],
)
def test_each_outcome_is_said(data: list[dict[str, Any]], title: str, reading: str) -> None:
    told = deferral_of(deferral(data, n_resamples=200), WIDTHS)
    assert told.title == title
    assert reading in told.reading
    assert bool(told.charts) == (not title.startswith(("Even", "Too few")))
    assert told.thresholds


def test_the_rule_marks_its_threshold_in_the_table() -> None:
    told = deferral_of(deferral(rows(0, 20), n_resamples=50), WIDTHS)
    assert "10 of 10" in told.thresholds[0][0]
    assert sum("(the rule)" in line[0] for line in told.thresholds) == 1
    assert told.severities == ("L0", "L2")


def test_shares_become_whole_numbers_that_sum_to_a_hundred() -> None:
    for parts in ([1 / 3] * 3, [0.995, 0.003, 0.002], [1.0, 0.0, 0.0]):
        assert sum(hundred(parts)) == 100


def test_the_chart_says_in_words_what_it_shows() -> None:
    wide, slim = deferral_of(deferral(rows(0, 20), n_resamples=50), WIDTHS).charts
    for drawing in (wide, slim):
        assert "Severe: answers 100 of 100 images, 80 of 100 of these right" in drawing
    assert all(0 <= float(x) <= 358 for x in re.findall(r' x="([-\d.]+)"', slim))
