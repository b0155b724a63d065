"""Rows, plans and the demo set."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from medq_deg import degrade, demo
from medq_deg.data.plan import PUBLISHED_ROWS, QuotaWarning, choose_degradations, make_plan
from medq_deg.data.schema import COLUMNS, check_question, row_id, row_seed, task_and_level
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import CATEGORY_OF, MODALITIES, applicable
from tests.paper import paper_table


def questions(count: int) -> list[dict[str, str]]:
    return [{"question_id": f"q{i}", "modality": MODALITIES[i % 7]} for i in range(count)]


def test_each_question_gets_one_to_three_suitable_degradations_at_both_severities() -> None:
    plan = make_plan(questions(300), seed=1)
    by_question: dict[str, list[tuple[str, int]]] = {}
    for row in plan:
        by_question.setdefault(row.question_id, []).append((row.degradation, row.severity))
    sizes = Counter()
    for question in questions(300):
        first, *rest = by_question[question["question_id"]]
        assert first == ("none", 0)
        names = [name for name, severity in rest if severity == 1]
        assert sorted(rest) == sorted((name, severity) for name in names for severity in (1, 2))
        assert len(set(names)) == len(names)
        assert set(names) <= set(applicable(question["modality"]))
        sizes[len(names)] += 1
    assert set(sizes) == {1, 2, 3}
    assert min(sizes.values()) > 60


def test_adding_questions_changes_no_other_question() -> None:
    few, many = make_plan(questions(20), seed=5), make_plan(questions(200)[::-1], seed=5)
    assert set(few) <= set(many)


def test_another_seed_gives_another_plan_and_other_seeds() -> None:
    assert make_plan(questions(20), seed=1).rows != make_plan(questions(20), seed=2).rows
    assert choose_degradations("q", "CT", 1) == choose_degradations("q", "CT", 1)


def test_l1_and_l2_share_their_seed_and_no_other_row_has_it() -> None:
    seeds: dict[int, set[tuple[str, str]]] = {}
    for row in make_plan(questions(200)):
        if row.severity:
            seeds.setdefault(row.seed, set()).add((row.question_id, row.degradation))
    assert all(len(owners) == 1 for owners in seeds.values())
    assert row_seed(0, "a", "bc") != row_seed(0, "ab", "c")


def test_ids_name_question_degradation_and_severity() -> None:
    assert row_id("q1", "none", 0) == "q1/none/L0"
    assert row_id("q1", "bubble", 2) == "q1/bubble/L2"


@pytest.mark.parametrize(
    ("options", "answer", "message"),
    [
        (["a", "b"], "C", "has answer 'C', which is no option; allowed: A, B"),
        (["a", "b"], "", "has answer ''"),
        (["a", "b"], "AB", "has answer 'AB'"),
        (["a"], "A", "must have 2 to 26 options, got 1"),
        ([str(i) for i in range(27)], "A", "got 27"),
        (["a", " "], "A", "has an empty option"),
        (["a", "a"], "A", "has an option twice"),
    ],
)
def test_an_invalid_question_is_refused_by_name(options: list[str], answer: str, message: str) -> None:
    with pytest.raises(MedqDegError, match=message) as error:
        check_question("q7", "What?", options, answer)
    assert "'q7'" in str(error.value)


def test_a_question_without_text_is_refused() -> None:
    with pytest.raises(MedqDegError, match="question 'q7' has no text"):
        check_question("q7", "  ", ["a", "b"], "A")


def test_the_first_known_skill_gives_task_and_level() -> None:
    assert task_and_level(["Unknown", "Counting"]) == ("imaging_perception", "medical_perception")
    assert task_and_level(["Unknown"]) == ("", "")


def test_the_demo_has_real_images_with_three_or_more_questions_each() -> None:
    clean = demo.DemoQuestions()
    per_image = Counter(record["image"] for record in clean._records)
    assert len(per_image) >= 18
    assert min(per_image.values()) >= 3
    assert len({row["question_id"] for row in clean}) == len(clean)
    for row in clean:
        assert 3 <= len(row["options"]) <= 5
        assert row["task"]
        assert min(row["image"].size) >= 128
    notice = (demo.FOLDER / "NOTICE.md").read_text()
    assert all(name.removesuffix(".png") in notice for name in per_image)


def test_every_letter_is_right_about_equally_often_in_the_demo() -> None:
    letters = Counter(row["answer"] for row in demo.DemoQuestions())
    assert set(letters) == set("ABCDE")
    assert max(letters.values()) - min(letters.values()) <= 6


def test_demo_images_are_small_enough_for_the_wheel() -> None:
    assert sum(path.stat().st_size for path in (demo.FOLDER / "images").iterdir()) < 4e6


def test_demo_rows_hold_every_column_and_the_image_of_their_seed() -> None:
    rows = demo.rows()
    severe = next(i for i, row in enumerate(rows.columns()) if row["severity"] == 2)
    row = rows[severe]
    assert set(COLUMNS) <= set(row)
    assert row["category"] == CATEGORY_OF[row["degradation"]]
    clean = next(r for r in demo.DemoQuestions() if r["question_id"] == row["question_id"])
    expected = degrade(clean["image"], row["degradation"], 2, row["seed"], modality=row["modality"])
    assert np.array_equal(np.asarray(row["image"]), np.asarray(expected))
    plain = list(rows.columns())[severe]
    assert "image" not in plain
    assert all(plain[name] == row[name] for name in plain)
    assert len(rows[3:9]) == 6
    assert rows[3:9][0]["id"] == rows[3]["id"]
    assert rows[-1]["id"] == rows[len(rows) - 1]["id"]


def published_mix(total: int = 4306) -> list[dict[str, str]]:
    """Questions with a modality mix that the published counts allow."""
    shares = {
        "CT": 1490,
        "MRI": 900,
        "X-ray": 700,
        "ultrasound": 420,
        "histopathology": 330,
        "dermoscopy": 250,
        "endoscopy": 216,
    }
    assert sum(shares.values()) == total
    return [{"question_id": f"{m}-{i}", "modality": m} for m, count in shares.items() for i in range(count)]


@pytest.mark.parametrize("seed", [0, 7])
def test_the_published_counts_are_met_exactly_where_the_modalities_allow_it(seed: int) -> None:
    clean = published_mix()
    plan = make_plan(clean, seed=seed, quotas="published")
    counts = plan.counts()
    assert counts.pop("none") == 4306
    assert counts == dict(PUBLISHED_ROWS)
    assert Counter(row.severity for row in plan) == {0: 4306, 1: 10_294, 2: 10_294}
    assert not plan.unmet
    modality = {row["question_id"]: row["modality"] for row in clean}
    given: dict[str, list[str]] = {}
    for row in plan:
        if row.severity == 1:
            given.setdefault(row.question_id, []).append(row.degradation)
    assert len(given) == 4306
    for question, names in given.items():
        assert 1 <= len(names) <= 3
        assert len(set(names)) == len(names)
        assert set(names) <= set(applicable(modality[question]))


def test_the_published_counts_are_those_of_the_paper() -> None:
    published = {row["degradation"]: int(row["rows"]) for row in paper_table("degradation_counts")}
    assert published == dict(PUBLISHED_ROWS)


def test_what_cannot_be_met_is_said_and_everyone_still_gets_something() -> None:
    clean = [row for row in published_mix() if row["modality"] != "CT"]
    with pytest.warns(QuotaWarning, match=r"limited_angle -1440"):
        plan = make_plan(clean, quotas="published")
    assert plan.unmet["limited_angle"] == plan.unmet["sparse_view"] == -1440
    assert plan.unmet["low_dose"] == -1116
    assert {row.question_id for row in plan if row.severity == 2} == {row["question_id"] for row in clean}


def test_a_quota_of_another_name_or_a_question_twice_is_refused() -> None:
    with pytest.raises(MedqDegError, match="quotas must be 'published' or None, got 'mine'"):
        make_plan(questions(3), quotas="mine")
    with pytest.raises(MedqDegError, match="two clean rows have the question id 'q0'"):
        make_plan([*questions(3), *questions(1)])
