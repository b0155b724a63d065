"""Paired comparison: its p-values and intervals against definitions, closed forms and simulated models."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import simulated_rows
from medq_deg.errors import MedqDegError
from medq_deg.metrics import COMPARED, compare, holm


def rows_of(votes: np.ndarray, per_question: int) -> list[dict]:
    """Rows whose votes are right where `votes` (N, T) is true, with four options."""
    return [
        {
            "id": f"{at // per_question}/{at}",
            "question_id": at // per_question,
            "answer": "A",
            "num_choices": 4,
            "votes": np.where(right, "A", "B").tolist(),
        }
        for at, right in enumerate(votes)
    ]


def simulated(rng: np.random.Generator, questions: int, per_question: int, gain: float, trials: int = 5) -> tuple:
    """Two models whose accuracy differs by exactly `gain` on every question, whatever its difficulty."""
    difficulty = np.repeat(rng.uniform(0.2, 0.8, size=questions), per_question)[:, None]
    shape = (questions * per_question, trials)
    return tuple(rows_of(rng.random(shape) < difficulty + each, per_question) for each in (0, gain))


def test_two_draws_of_the_same_model_seldom_differ():
    rng = np.random.default_rng(0)
    p_values = {figure: [] for figure in COMPARED}
    for _ in range(300):
        cell = compare(*simulated(rng, 40, 3, 0.0), by=(), n_resamples=10)["overall"]
        for figure, found in p_values.items():
            found.append(cell[figure]["p"])
    for found in p_values.values():
        # 300 tests at 5 %: 15 expected, standard deviation 3.8.
        assert 4 <= sum(p <= 0.05 for p in found) <= 27
        assert 0.4 < np.mean(found) < 0.6


def test_few_questions_get_an_interval_and_no_verdict():
    rng = np.random.default_rng(1)
    for gain, questions in ((0.0, 29), (0.3, 29), (0.3, 8)):
        cell = compare(*simulated(rng, questions, 3, gain), by=(), n_resamples=50)["overall"]
        assert cell["few_clusters"]
        for figure in COMPARED:
            told = [cell[figure][key] for key in ("verdict", "verdict_holm", "reason")]
            assert told == [None, None, "too few questions"]
            assert cell[figure]["difference_ci"] is not None


def test_a_difference_that_few_questions_carry_gets_no_verdict():
    rng = np.random.default_rng(7)
    first = rows_of(rng.random((200, 10)) < 0.5, 1)
    second = [{**row, "votes": ["A"] * 10} if at < 4 else row for at, row in enumerate(first)]
    told = compare(first, second, by=(), n_resamples=20)["overall"]["accuracy"]
    assert (told["verdict"], told["verdict_holm"], told["reason"]) == (None, None, "too few questions")


@pytest.mark.parametrize(("gain", "verdict"), [(0.3, "higher"), (-0.2, "lower"), (0.0, "undecided")])
def test_the_verdict_says_which_way_the_second_differs(gain, verdict):
    told = compare(*simulated(np.random.default_rng(8), 80, 3, gain), by=(), n_resamples=20)["overall"]["accuracy"]
    assert (told["verdict"], told["verdict_holm"], told["reason"]) == (verdict, verdict, None)


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
def test_where_the_treatments_of_missing_answers_disagree_the_difference_is_undecided_and_says_why():
    rng = np.random.default_rng(9)
    first, _ = simulated(rng, 100, 1, 0.0, trials=10)
    # The second model is as often right when it answers, and refuses three in ten votes.
    second = [{**row, "votes": [None if rng.random() < 0.3 else vote for vote in row["votes"]]} for row in first]
    for invalid in ("wrong", "drop"):
        result = compare(first, second, by=(), invalid=invalid, n_resamples=20)
        told = result["overall"]["accuracy"]
        assert told["verdict"] == told["verdict_holm"] == "undecided"
        assert told["p"] > 0.05
        missing = 100 * result["missing"]["second"]
        assert 27 < missing < 33
        assert told["reason"] == (
            f"answers are missing in the second run in {missing:.1f} % of votes against 0.0 % in the first"
        )
    # One that is also less often right is lower either way.
    worse = [
        {**row, "votes": [vote and (vote if rng.random() < 0.6 else "B") for vote in row["votes"]]} for row in second
    ]
    told = compare(first, worse, by=(), n_resamples=20)["overall"]["accuracy"]
    assert (told["verdict"], told["reason"]) == ("lower", None)


def test_intervals_cover_the_true_difference():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        part = compare(*simulated(rng, 60, 3, 0.1), by=(), n_resamples=300)["overall"]["accuracy"]
        covered += part["difference_ci"][0] <= 0.1 <= part["difference_ci"][1]
    assert 180 <= covered <= 199


def test_the_interval_agrees_with_the_closed_form_for_clusters():
    rng = np.random.default_rng(4)
    first, second = simulated(rng, 400, 3, 0.1)
    part = compare(first, second, by=(), n_resamples=2000)["overall"]["accuracy"]
    means = [[np.mean([vote == "A" for vote in row["votes"]]) for row in rows] for rows in (first, second)]
    sums = (np.array(means[1]) - np.array(means[0])).reshape(400, 3).sum(axis=1)
    error = np.sqrt(((sums - sums.mean()) ** 2).sum()) / 1200
    low, high = part["difference_ci"]
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.08)
    assert part["difference"] == pytest.approx(sums.sum() / 1200)


def test_copies_of_a_question_do_not_make_a_difference_surer():
    first, second = simulated(np.random.default_rng(6), 60, 1, 0.1)
    copies = [[{**row, "id": f"{row['id']} {copy}"} for row in rows for copy in range(4)] for rows in (first, second)]
    once, often = (compare(*rows, by=(), n_resamples=300)["overall"]["accuracy"] for rows in ((first, second), copies))
    for key in ("difference", "difference_ci", "p"):
        assert often[key] == pytest.approx(once[key])


@pytest.fixture(scope="module")
def pair():
    first = simulated_rows(questions=60, pairs=130, votes=5, seed=1)
    rng = np.random.default_rng(0)
    votes = [[vote if rng.random() < 0.8 else row["answer"] for vote in row["votes"]] for row in first]
    return first, [{**row, "votes": told} for row, told in zip(first, votes, strict=True)]


def test_p_values_are_adjusted_within_a_breakdown_for_each_figure(pair):
    result = compare(*pair, by=["modality", "skills"], n_resamples=50)
    for cells in (*result["by"].values(), result["change_from_l0"]):
        for figure in COMPARED:
            parts = [cell[figure] for cell in cells.values()]
            assert [part["p_holm"] for part in parts] == pytest.approx(holm([part["p"] for part in parts]))
    page = [cell["accuracy"] for cells in result["by"].values() for cell in cells.values()]
    assert [part["p_page"] for part in page] == pytest.approx(holm([part["p"] for part in page]))
    assert all(part["p_page"] >= part["p_holm"] >= part["p"] for part in page)
    assert all((part["verdict_page"] is None) == (part["verdict"] is None) for part in page)
    assert result["overall"]["accuracy"]["p_holm"] == result["overall"]["accuracy"]["p"]


def test_a_cell_equals_the_comparison_of_its_rows_alone(pair):
    result = compare(*pair, by=["degradation"], n_resamples=50)
    mine = [[row for row in rows if row["degradation"] == "low_resolution"] for rows in pair]
    alone = compare(*mine, by=(), n_resamples=50)["overall"]
    cell = result["by"]["degradation"]["low_resolution"]
    for figure in COMPARED:
        for key in ("first", "second", "difference", "difference_ci", "p", "verdict", "reason"):
            assert cell[figure][key] == alone[figure][key]


def test_the_change_from_l0_takes_each_degraded_row_with_its_own_clean_row(pair):
    result = compare(*pair, by=(), n_resamples=50)["change_from_l0"]["L2"]["accuracy"]
    for side, rows in zip(("first", "second"), pair, strict=True):
        right = {row["id"]: np.mean([vote == row["answer"] for vote in row["votes"]]) for row in rows}
        clean = {row["question_id"]: right[row["id"]] for row in rows if row["severity"] == 0}
        lost = [right[row["id"]] - clean[row["question_id"]] for row in rows if row["severity"] == 2]
        assert result[side] == pytest.approx(np.mean(lost))


def test_rows_that_are_not_the_same_are_refused(pair):
    first, second = pair
    with pytest.raises(MedqDegError, match=f"got {len(first)} and {len(first) - 1}"):
        compare(first, second[1:])
    with pytest.raises(MedqDegError, match="the id of row 0 is 'q00000/none/L0' in the first"):
        compare(first, second[::-1])
    with pytest.raises(MedqDegError, match="the answer of row 0"):
        compare(first, [{**row, "answer": "B" if row["answer"] == "A" else "A"} for row in second])
    with pytest.raises(MedqDegError, match="figures must be some of accuracy"):
        compare(first, second, figures=["ece"])
    with pytest.raises(MedqDegError, match="got 0 and 0"):
        compare([], [])


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
def test_a_cell_says_what_is_missing_among_its_own_rows():
    rng = np.random.default_rng(9)
    first, _ = simulated(rng, 200, 1, 0.0, trials=10)
    first = [{**row, "half": "with" if place < 100 else "without"} for place, row in enumerate(first)]
    second = [
        {**row, "votes": [None if row["half"] == "with" and rng.random() < 0.3 else vote for vote in row["votes"]]}
        for row in first
    ]
    cells = compare(first, second, by=["half"], n_resamples=20)["by"]["half"]
    lost = 10 * np.mean([vote is None for row in second[:100] for vote in row["votes"]]) * 10
    assert cells["with"]["accuracy"]["reason"] == (
        f"answers are missing in the second run in {lost:.1f} % of votes against 0.0 % in the first"
    )
    assert cells["without"]["accuracy"]["reason"] is None
