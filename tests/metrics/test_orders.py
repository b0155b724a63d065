"""Agreement within and across orders: against sums over all orders, and models whose pull of positions is known."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from medq_deg.errors import MedqDegError
from medq_deg.metrics import calibration_shift, has_orders, order_figures, summarize
from medq_deg.metrics.orders import order_scores, read_orders
from medq_deg.metrics.rows import RunRows
from tests.metrics.models import LETTERS, outcomes, spelled


def asked(letters: list[str], orders: list[str], chances: np.ndarray, each: int, rng: np.random.Generator) -> dict:
    """One row: `each` votes in each order by a model that chooses option i in order k with ``chances[k, i]``."""
    votes, order = [], []
    for number, share in enumerate(chances):
        votes += [letters[code] for code in rng.choice(len(letters), size=each, p=share)]
        order += [number] * each
    return {"votes": votes, "order": order, "orders": orders}


def blind_by_letter(orders: list[str], prior: list[float]) -> np.ndarray:
    """Chance of each option in each order, for a model that looks at nothing but the letter."""
    return np.array([[prior[order.index(letter)] for letter in sorted(order)] for order in orders])


def rows_of(prior: list[float], rows: int, number: int, rng: np.random.Generator, each: int = 2) -> list[dict]:
    letters = list(LETTERS[: len(prior)])
    every = ["".join(order) for order in permutations(letters)]
    told = []
    for row in range(rows):
        orders = [every[0], *rng.choice(every[1:], size=number - 1, replace=False).tolist()]
        told.append(
            {
                "id": f"q{row}/none/L0",
                "question_id": f"q{row}",
                "severity": 0,
                "answer": letters[rng.integers(len(letters))],
                "num_choices": len(letters),
                **asked(letters, orders, blind_by_letter(orders, prior), each, rng),
            }
        )
    return told


def test_a_blind_model_with_a_favourite_letter_is_not_overconfident_over_orders():
    prior = [0.7, 0.1, 0.1, 0.1]
    rows = rows_of(prior, 2000, 5, np.random.default_rng(0))
    told = order_figures(rows, n_resamples=200)
    # Within one order it agrees with itself as a coin of these chances does; over all orders it guesses.
    assert told["agreement_shift"] == pytest.approx(sum(share**2 for share in prior) - 0.25, abs=0.02)
    low, high = told["agreement_shift_orders_ci"]
    assert low <= 0 <= high
    assert told["order_gap"] > 0.25
    four = told["positions"]["4"]
    assert four["chance"] == 0.25
    assert four["share"] == pytest.approx(prior, abs=0.02)
    assert four["recall"] == pytest.approx(prior, abs=0.04)


def test_without_a_pull_of_positions_the_gap_is_0_at_any_noise():
    rng = np.random.default_rng(1)
    rows = []
    for row in rows_of([0.25] * 4, 1500, 5, rng):
        belief = rng.dirichlet([0.6] * 4)
        told = asked(list("ABCD"), row["orders"], np.repeat(belief[None], 5, axis=0), 2, rng)
        rows.append({**row, **told, "answer": "ABCD"[rng.choice(4, p=belief)]})
    told = order_figures(rows, n_resamples=400)
    for figure in ("order_gap", "agreement_shift", "agreement_shift_orders"):
        low, high = told[f"{figure}_ci"]
        assert low <= 0 <= high, figure


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
@pytest.mark.parametrize(("options", "number", "each"), [(2, 2, 3), (3, 2, 2), (3, 3, 2), (4, 2, 2)])
def test_the_agreement_over_orders_is_unbiased_when_orders_are_drawn_at_random(options, number, each):
    """Exact: the expectation over all draws of orders and all votes is the squared length of the mean distribution."""
    rng = np.random.default_rng(2)
    letters = LETTERS[:options]
    every = ["".join(order) for order in permutations(letters)]
    chances = dict(zip(every, rng.dirichlet(np.ones(options), size=len(every)), strict=True))
    truth = float((np.mean(list(chances.values()), axis=0) ** 2).sum())
    drawn = list(permutations(every, number))
    # Votes enter by pairs only: the expectation of a pair is the product of its chances.
    within = np.mean([np.mean([(chances[order] ** 2).sum() for order in orders]) for orders in drawn])
    between = np.mean(
        [np.mean([chances[a] @ chances[b] for a in orders for b in orders if a != b]) for orders in drawn]
    )
    assert within / len(every) + (1 - 1 / len(every)) * between == pytest.approx(truth, abs=1e-12)
    # And a row's scores are the unbiased estimates of these, for one draw of orders: enumerate its votes.
    orders = every[:number]
    rows, weights = [], []
    counts = list(outcomes(each, options))

    def combine(place: int, votes: list[str], weight: float) -> None:
        if place == number:
            rows.append(votes)
            weights.append(weight)
            return
        for count in counts:
            ways = math.factorial(each) / math.prod(map(math.factorial, count))
            chance = ways * math.prod(p**n for p, n in zip(chances[orders[place]], count, strict=True))
            combine(place + 1, votes + spelled(count), weight * chance)

    combine(0, [], 1.0)
    order = [place for place in range(number) for _ in range(each)]
    run = RunRows(
        {
            "question_id": at,
            "answer": "A",
            "num_choices": options,
            "votes": votes,
            "order": order,
            "orders": orders,
        }
        for at, votes in enumerate(rows)
    )
    scores = order_scores(read_orders(run))
    assert np.dot(weights, scores.within) == pytest.approx(np.mean([(chances[o] ** 2).sum() for o in orders]))
    assert np.dot(weights, scores.between) == pytest.approx(
        np.mean([chances[a] @ chances[b] for a in orders for b in orders if a != b])
    )


def test_scores_follow_their_definition_for_uneven_orders_and_missing_votes():
    row = {
        "question_id": "q",
        "answer": "A",
        "num_choices": 3,
        "votes": ["A", "A", None, "B", "A", "B", "B"],
        "order": [0, 0, 0, 1, 1, 2, 2],
        "orders": ["ABC", "BCA", "CAB"],
    }
    scores = order_scores(read_orders(RunRows([row])))
    # Pairs of one order: 3 + 1 + 1, of which AA and BB agree; pairs of two orders: 21 - 5.
    assert scores.within[0] == pytest.approx(2 / 5)
    pairs = [
        (row["votes"][i], row["votes"][j]) for i in range(7) for j in range(i) if row["order"][i] != row["order"][j]
    ]
    assert len(pairs) == 16
    same = sum(one == other is not None for one, other in pairs)
    assert scores.between[0] == pytest.approx(same / 16)
    assert scores.orders[0] == pytest.approx(scores.within[0] / 6 + 5 / 6 * scores.between[0])
    assert scores.accuracy[0] == pytest.approx(3 / 7)
    dropped = order_scores(read_orders(RunRows([row]), invalid="drop"))
    assert dropped.accuracy[0] == pytest.approx(3 / 6)
    assert dropped.within[0] == pytest.approx(2 / 3)


def test_exact_probabilities_by_order_are_the_limit_of_many_votes():
    orders = ["ABC", "CAB"]
    shares = [{"A": 0.5, "B": 0.3, "C": 0.2}, {"A": 0.2, "B": 0.7, "C": 0.1}]
    mean = {letter: (shares[0][letter] + shares[1][letter]) / 2 for letter in "ABC"}
    row = {"question_id": "q", "answer": "B", "num_choices": 3, "orders": orders, "probabilities": mean}
    exact = order_scores(read_orders(RunRows([{**row, "probabilities_by_order": shares}]), "probabilities"))
    votes = [letter for share in shares for letter, chance in share.items() for _ in range(round(1000 * chance))]
    sampled = order_scores(read_orders(RunRows([{**row, "votes": votes, "order": [0] * 1000 + [1] * 1000}])))
    for name in ("within", "between", "orders", "accuracy"):
        assert getattr(exact, name)[0] == pytest.approx(getattr(sampled, name)[0], abs=2e-3)
    assert exact.between[0] == pytest.approx(0.5 * 0.2 + 0.3 * 0.7 + 0.2 * 0.1)


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
def test_severities_are_reported_by_themselves_and_positions_need_30_questions():
    rng = np.random.default_rng(3)
    rows = rows_of([0.4, 0.3, 0.3], 29, 3, rng) + rows_of([0.4, 0.6], 30, 2, rng)
    for place, row in enumerate(rows):
        row["question_id"] = place
    rows += [{**row, "severity": 2} for row in rows]
    told = order_figures(rows, n_resamples=20)
    assert list(told["by_severity"]) == ["L0", "L2"]
    assert told["n"] == 2 * told["by_severity"]["L2"]["n"] == 118
    assert list(told["positions"]) == ["2"]
    assert (told["orders_min"], told["orders_max"]) == (2, 3)
    assert sum(told["positions"]["2"]["share"]) == pytest.approx(1)


def test_rows_with_one_order_have_no_orders():
    assert not has_orders([{"votes": ["A"]}, {"orders": ["AB"]}, {"orders": None}])
    assert has_orders([{"votes": ["A"]}, {"orders": ["AB", "BA"]}])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"orders": ["AB"]}, "orders of row 'r' must be two or more different orders of AB"),
        ({"orders": ["AB", "AB"]}, "two or more different orders"),
        ({"orders": ["AB", "AC"]}, "two or more different orders"),
        ({"orders": None}, "two or more different orders"),
        ({"order": [0, 0, 1]}, "the order of row 'r' must hold a number from 0 to 1 for each of its 4 votes"),
        ({"order": [0, 0, 1, 2]}, "a number from 0 to 1"),
        ({"order": None}, "a number from 0 to 1"),
    ],
)
@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
def test_orders_that_do_not_fit_are_refused(change, words):
    row = {"id": "r", "question_id": "q", "answer": "A", "num_choices": 2, "votes": list("ABAB"), "order": [0, 0, 1, 1]}
    with pytest.raises(MedqDegError, match=words):
        order_figures([row | {"orders": ["AB", "BA"]} | change])


def test_accuracy_is_that_of_the_metric():
    rows = rows_of([0.5, 0.3, 0.2], 60, 3, np.random.default_rng(5))
    plain = calibration_shift([row["votes"] for row in rows], [row["answer"] for row in rows], 3)
    assert order_figures(rows, n_resamples=20)["accuracy"] == pytest.approx(plain["accuracy"])


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
@pytest.mark.parametrize("invalid", ["wrong", "drop"])
@pytest.mark.parametrize("source", ["votes", "probabilities"])
def test_the_agreement_of_a_run_is_counted_within_orders(source, invalid):
    rng = np.random.default_rng(6)
    rows = rows_of([0.7, 0.2, 0.1], 80, 2, rng, each=5)
    for row in rows:
        row["votes"] = [None if rng.random() < 0.2 else vote for vote in row["votes"]]
        shares = [dict(zip("ABC", 0.9 * rng.dirichlet([1, 1, 1]), strict=True)) for _ in row["orders"]]
        row["probabilities_by_order"] = shares if source == "probabilities" else None
        row["probabilities"] = {letter: (shares[0][letter] + shares[1][letter]) / 2 for letter in "ABC"}
        row["order"] = row["order"] if source == "votes" else None
    whole = summarize(rows, by=[], source=source, invalid=invalid, n_resamples=10)
    told = order_figures(rows, source=source, invalid=invalid, n_resamples=10)
    assert whole["orders"] == 2
    if (source, invalid) != ("probabilities", "drop"):
        assert whole["agreement"] == pytest.approx(told["agreement_within"], abs=1e-12)
        assert whole["agreement_shift"] == pytest.approx(told["agreement_shift"], abs=1e-12)
    plain = [{key: value for key, value in row.items() if not key.startswith("order")} for row in rows]
    pooled = summarize(plain, by=[], source=source, invalid=invalid, n_resamples=10)
    assert pooled["orders"] == 1
    assert pooled["agreement"] < whole["agreement"] - 0.02
    assert pooled["accuracy"] == pytest.approx(whole["accuracy"])
