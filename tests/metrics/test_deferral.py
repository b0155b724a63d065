"""Safe deferral: the promise holds in simulations, and every outcome is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medq_deg.errors import MedqDegError
from medq_deg.metrics import deferral

LEVELS = np.arange(10, 4, -1)
"""Votes for the favourite."""


def rows_of(top: np.ndarray, wrong: np.ndarray, severity: int = 0, trials: int = 10) -> list[dict]:
    """Rows whose favourite gets `top` votes and is wrong where `wrong`."""
    rest = ["C", "D"] * trials
    return [
        {
            "question_id": at,
            "severity": severity,
            "answer": "A",
            "num_choices": 4,
            "votes": ["B" if bad else "A"] * int(votes) + rest[: trials - int(votes)],
        }
        for at, (votes, bad) in enumerate(zip(top, wrong, strict=True))
    ]


def drawn(rng: np.random.Generator, rows: int, mass: list[float], risk: list[float]) -> tuple[np.ndarray, np.ndarray]:
    level = rng.choice(len(mass), size=rows, p=mass)
    return LEVELS[level], rng.random(rows) < np.array(risk)[level]


@pytest.mark.slow
def test_the_promise_is_kept_in_all_but_delta_of_the_samples():
    # Of the rows with 8 votes or more 5.05 % are wrong, so the threshold of 8 votes just breaks the promise.
    mass = [0.6, 0.1, 0.08, 0.07, 0.05, 0.10]
    risk = [0.030, 0.10, 0.1422, 0.25, 0.3, 0.4]
    true = np.cumsum(np.multiply(mass, risk)) / np.cumsum(mass)
    assert true[1] < 0.05 < true[2]
    rng = np.random.default_rng(0)
    broken = naive = 0
    for _ in range(400):
        top, wrong = drawn(rng, 300, mass, risk)
        told = deferral(rows_of(top, wrong), n_resamples=2)
        if told["threshold"] is not None:
            broken += true[10 - told["votes_needed"]] > 0.05
        looks = [votes for votes in LEVELS if wrong[top >= votes].mean() <= 0.05]
        naive += bool(looks) and true[10 - min(looks)] > 0.05
    # Delta is 5 %; two standard errors are 2.2 %.
    assert broken / 400 <= 0.072
    assert naive / 400 > 0.3


def test_the_threshold_is_the_last_one_that_passes_the_exact_tests():
    top, wrong = drawn(
        np.random.default_rng(1), 2000, [0.5, 0.2, 0.1, 0.1, 0.05, 0.05], [0.01, 0.03, 0.1, 0.3, 0.4, 0.5]
    )
    told = deferral(rows_of(top, wrong), n_resamples=20)
    passed = True
    for line in told["table"]:
        answered = top >= line["votes_needed"]
        p = stats.binom.cdf(int(wrong[answered].sum()), int(answered.sum()), 0.05)
        assert line["p_value"] == pytest.approx(p, rel=1e-8, abs=1e-290)
        assert line["tested"] == passed
        passed = passed and p <= 0.05
        assert line["passed"] == passed
        bound = stats.beta.ppf(0.95, wrong[answered].sum() + 1, answered.sum() - wrong[answered].sum())
        assert line["by_severity"]["L0"]["right_at_least"] == pytest.approx(1 - bound, abs=1e-9)
    assert [line["votes_needed"] for line in told["table"]] == [10, 9, 8, 7, 6]
    last = [line for line in told["table"] if line["passed"]][-1]
    assert (told["threshold"], told["votes_needed"]) == (last["threshold"], last["votes_needed"])
    assert told["by_severity"] == last["by_severity"]
    assert told["reason"] is None


def test_the_threshold_of_clean_rows_is_applied_to_degraded_ones_where_nothing_is_promised():
    rng = np.random.default_rng(2)
    clean = rows_of(np.full(200, 10), np.zeros(200, bool))
    top = np.where(rng.random(200) < 0.5, 10, 5)
    degraded = rows_of(top, rng.random(200) < 0.4, severity=2)
    told = deferral(clean + degraded, n_resamples=200)
    severe = told["by_severity"]["L2"]
    answered = [row for row, votes in zip(degraded, top, strict=True) if votes == 10]
    assert severe["rows_answered"] == severe["questions_answered"] == len(answered)
    assert severe["answered"] == pytest.approx(len(answered) / 200)
    right = np.mean([row["votes"][0] == "A" for row in answered])
    assert severe["right"] == pytest.approx(right)
    low, high = severe["right_ci"]
    assert low < right < high
    assert "right_at_least" not in severe
    # A bootstrap of rows without an error would say that all are right.
    assert told["by_severity"]["L0"]["right_ci"] == [pytest.approx(0.05 ** (1 / 200)), 1.0]


def test_59_answers_without_an_error_are_the_fewest_that_keep_the_promise():
    for count, found in ((58, None), (59, 6)):
        told = deferral(rows_of(np.full(count, 10), np.zeros(count, bool)), n_resamples=2)
        assert told["votes_needed"] == found
    assert deferral(rows_of(np.full(58, 10), np.zeros(58, bool)), n_resamples=2)["reason"].startswith(
        "too few questions: at least 59 clean ones must be answered"
    )


def test_the_sequence_begins_where_enough_rows_are_answered():
    top = np.array([10] * 40 + [9] * 40)
    told = deferral(rows_of(top, np.zeros(80, bool)), n_resamples=2)
    assert [line["tested"] for line in told["table"]] == [False, True, True, True, True]
    assert told["votes_needed"] == 6


def test_a_model_that_is_sure_and_wrong_gets_no_threshold_and_the_sentence_says_why():
    told = deferral(rows_of(np.full(200, 10), np.arange(200) < 40), n_resamples=2)
    assert told["threshold"] is None
    assert told["by_severity"] is None
    assert told["reason"] == "no threshold reaches 95 %: even of 200 rows with all votes alike 20.0 % are wrong."
    assert len(told["table"]) == 5


def test_where_nothing_is_answered_nothing_is_right_or_wrong():
    rows = rows_of(np.full(80, 10), np.zeros(80, bool)) + rows_of(np.full(80, 5), np.zeros(80, bool), severity=2)
    severe = deferral(rows, n_resamples=20)["by_severity"]["L2"]
    assert (severe["answered"], severe["right"], severe["right_ci"]) == (0.0, None, None)


def test_refusals_are_never_answers():
    rows = [{**row, "votes": [None] * 10} for row in rows_of(np.full(100, 10), np.zeros(100, bool))]
    with pytest.warns(UserWarning, match="not one vote"):
        told = deferral(rows, n_resamples=2)
    assert told["threshold"] is None
    assert told["table"][-1]["by_severity"]["L0"]["rows_answered"] == 0


def test_exact_probabilities_have_thresholds_of_their_own():
    rng = np.random.default_rng(3)
    top = rng.uniform(0.5, 1, size=400)
    rows = [
        {
            "question_id": at,
            "severity": 0,
            "answer": "A" if rng.random() < 0.999 else "B",
            "num_choices": 2,
            "probabilities": {"A": share, "B": 1 - share},
        }
        for at, share in enumerate(top)
    ]
    told = deferral(rows, source="probabilities", n_resamples=2)
    assert told["trials"] is None
    assert [line["threshold"] for line in told["table"]] == [pytest.approx(0.99 - 0.01 * k) for k in range(49)]
    assert told["threshold"] == pytest.approx(0.51)
    assert told["table"][9]["by_severity"]["L0"]["rows_answered"] == int((top >= 0.9).sum())


def test_one_clean_row_of_a_question_is_tested():
    rows = rows_of(np.full(80, 10), np.zeros(80, bool))
    told = deferral(rows + rows, n_resamples=2)
    assert told["questions"] == told["by_severity"]["L0"]["rows"] == 80


@pytest.mark.parametrize("what", ["target", "delta"])
@pytest.mark.parametrize("value", [0, 1, 95, "0.9", True, float("nan")])
def test_target_and_delta_are_shares(what, value):
    with pytest.raises(MedqDegError, match=f"{what} must lie between 0 and 1, got"):
        deferral(rows_of(np.full(5, 10), np.zeros(5, bool)), **{what: value})


def test_clean_rows_are_needed():
    with pytest.raises(MedqDegError, match="needs clean rows"):
        deferral(rows_of(np.full(5, 10), np.zeros(5, bool), severity=2))


def test_the_change_among_the_answered_draws_each_question_once_for_both_severities():
    rng = np.random.default_rng(3)
    top, wrong = drawn(rng, 300, [0.7, 0.1, 0.1, 0.05, 0.05], [0.01, 0.05, 0.2, 0.3, 0.4])
    same = deferral([*rows_of(top, wrong), *rows_of(top, wrong, severity=2)])["by_severity"]["L2"]
    assert same["right_change"] == 0
    assert same["right_change_ci"] == [0, 0]

    worse = wrong | (rng.random(300) < 0.1)
    result = deferral([*rows_of(top, wrong), *rows_of(top, worse, severity=2)], n_resamples=2000)
    severe, clean = result["by_severity"]["L2"], result["by_severity"]["L0"]
    assert severe["right_change"] == pytest.approx(severe["right"] - clean["right"])
    answered = top >= result["votes_needed"]

    def change(drawn: np.ndarray) -> float:
        kept = drawn[answered[drawn]]
        return wrong[kept].mean() - worse[kept].mean()

    reference = stats.bootstrap(
        (np.arange(300),), change, n_resamples=2000, vectorized=False, method="percentile", random_state=4
    )
    assert severe["right_change_ci"] == pytest.approx(list(reference.confidence_interval), abs=0.012)
