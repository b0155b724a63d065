"""What an endpoint's requests cost, in which order they go, and a cost that is not passed."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from medq_deg.cli.costs import share_budget, telling_costs
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.progress import Progress
from medq_deg.models.base import Query
from medq_deg.models.endpoint import EndpointModel
from medq_deg.models.price import Prices, estimate
from tests.models.endpoint_rows import Rows, ask, model
from tests.models.faulty_server import COMPLETION_TOKENS, PROMPT_TOKENS, Asked, FaultyServer, serving


def spent(server: FaultyServer, prices: Prices) -> float:
    """What the server would charge for all that it served."""
    tokens = [sum(asked.tokens[kind] for asked in server.asked) for kind in (0, 1)]
    return prices.cost({"prompt_tokens": tokens[0], "completion_tokens": tokens[1]})


@pytest.mark.parametrize("honours_n", [True, False])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_largest_cost_is_not_passed_and_the_next_start_goes_on(honours_n: bool, concurrency: int) -> None:
    told: list[str] = []
    prices, trials, most = Prices(1000.0, 2000.0), 4, 1.0
    with serving(FaultyServer(honours_n=honours_n)) as server:
        options: dict[str, Any] = {"prices": (1000.0, 2000.0), "max_new_tokens": COMPLETION_TOKENS}
        endpoint = model(server.url, max_cost=most, concurrency=concurrency, tell=told.append, **options)
        rows = Rows(500)
        replies = list(endpoint.answer(rows, trials))
        assert rows.stopped
        assert spent(server, prices) <= most
        # It stops for want of money, not of courage: one more row would not have fitted.
        row = prices.cost(
            {
                "prompt_tokens": PROMPT_TOKENS * (1 if honours_n else trials),
                "completion_tokens": COMPLETION_TOKENS * trials,
            }
        )
        assert spent(server, prices) > most - 2 * row
        assert all(reply.error is None for reply in replies)
        assert endpoint.cost == pytest.approx(spent(server, prices))
        first = len(replies)
        again = list(endpoint.answer(Rows(500), trials))
    assert len(told) == 2
    assert "another row might pass the largest cost of 1 USD" in told[0]
    assert abs(len(again) - first) <= 2


def test_a_largest_cost_needs_prices_unless_the_server_says_what_it_charges() -> None:
    with pytest.raises(MedqDegError, match="a largest cost needs prices: give --price"):
        EndpointModel("http://localhost:1", "m", max_cost=1.0)
    for most in (0, -1, float("nan"), float("inf")):
        with pytest.raises(MedqDegError, match="max_cost must be more than 0 USD"):
            EndpointModel("http://localhost:1", "m", prices=(1, 1), max_cost=most)
    assert EndpointModel("https://openrouter.ai", "m", max_cost=1.0).max_cost == 1.0


def test_what_the_server_says_it_charged_and_had_in_its_cache_is_counted() -> None:
    with serving(FaultyServer()) as server:
        server.usage = {"cost": 0.25, "prompt_tokens_details": {"cached_tokens": 5}}
        endpoint = model(server.url, prices=(1.0, 1.0))
        replies = ask(endpoint, 4)
    assert endpoint.cost == 1.0
    assert endpoint.usage["cached_tokens"] == 20
    assert replies[0].usage is not None
    assert replies[0].usage["cached_tokens"] == 5
    assert endpoint.record()["served"]["charged_usd"] == 1.0
    with serving(FaultyServer()) as server:
        server.usage = {"prompt_tokens_details": {"cached_tokens": 5}}
        endpoint = model(server.url, prices=(1e6, 0.0, 1e5))
        ask(endpoint)
    assert endpoint.cost == pytest.approx((PROMPT_TOKENS - 5) + 0.5)


@pytest.mark.parametrize("usage", [{"cost": -1}, {"cost": "x"}, {"cost": True}, {"prompt_tokens_details": [3]}])
def test_a_charge_that_is_none_is_not_counted(usage: dict[str, Any]) -> None:
    with serving(FaultyServer()) as server:
        server.usage = usage
        endpoint = model(server.url, prices=(0.0, 1e6))
        ask(endpoint)
    assert endpoint.cost == COMPLETION_TOKENS * 4
    assert endpoint.usage["cached_tokens"] == 0


def test_a_server_that_counts_one_choice_of_several_gives_a_lower_bound() -> None:
    with serving(FaultyServer()) as server:
        endpoint = model(server.url)
        ask(endpoint, 2)
        assert not endpoint.at_least
        server.usage = {"completion_tokens": 2}
        ask(endpoint, 1)
        assert endpoint.at_least
        assert endpoint.record()["served"]["usage"]["at_least"] is True
        server.usage, server.owner = {}, "llamacpp"
        known = model(server.url)
        ask(known, 1, trials=1)
        assert not known.at_least
        ask(known, 1, trials=4)
        assert known.at_least


def test_where_each_vote_is_a_request_the_first_of_a_row_goes_before_the_others() -> None:
    ended: dict[str, int] = {}
    early: list[str] = []
    lock = threading.Lock()

    def say(asked: Asked, number: int) -> str:
        with lock:
            ended[asked.row] = ended.get(asked.row, 0) + 1
        return f"Answer: B {number}"

    def behave(asked: Asked) -> None:
        before = sum(other.row == asked.row for other in server.asked)
        if before and not ended.get(asked.row):
            early.append(asked.row)

    with serving(FaultyServer(behave, honours_n=False, delay=0.02, say=say)) as server:
        replies = ask(model(server.url, concurrency=8), 8)
    assert all(len(reply.texts) == 4 for reply in replies)
    assert early == []


def test_an_estimate_scales_what_the_first_rows_took() -> None:
    usage = {"requests": 6, "prompt_tokens": 300, "completion_tokens": 90}
    whole = estimate(1000, 3, usage, 0.03)
    assert (whole.requests, whole.prompt_tokens, whole.completion_tokens) == (2000, 100_000, 30_000)
    assert whole.cost == pytest.approx(10.0)
    assert str(whole) == "1000 rows: about 2000 requests, 100000 prompt and 30000 new tokens, about 10.00 USD"
    bound = str(estimate(30, 3, usage, 0.03, at_least=True))
    assert bound == "30 rows: about 60 requests, 3000 prompt and at least 900 new tokens, at least 0.30 USD"
    assert "USD" not in str(estimate(30, 3, usage, None))


@pytest.mark.parametrize("prices", [(1.0,), (1.0, 2.0, 3.0, 4.0), (float("nan"), 1.0), (1.0, 2.0, -1.0)])
def test_prices_are_two_or_three_numbers(prices: tuple[float, ...]) -> None:
    with pytest.raises(MedqDegError, match="prices must be two numbers of 0 or more"):
        Prices.of(prices)


def test_the_first_rows_tell_what_the_others_take() -> None:
    told: list[str] = []
    with serving(FaultyServer()) as server:
        endpoint = model(server.url, prices=(1e4, 1e4), max_cost=1e6)
        update = telling_costs(endpoint, 4, lambda now: None, told.append)
        update(Progress(5, 2005, 0, None, {}))
        assert server.asked == []
        assert told == [
            "5 rows are answered, 2000 are left: at most 256000 new tokens (2560.00 USD); prompt tokens and the cost "
            "are estimated after the first 3 rows"
        ]
        told.clear()
        for number, _ in enumerate(endpoint.answer(Rows(6), 4), 1):
            update(Progress(5 + number, 2005, 0, None, {}))
    each = (PROMPT_TOKENS + 4 * COMPLETION_TOKENS) / 100
    assert told == [
        f"from the first rows it is estimated: 2000 rows: about 2000 requests, {2000 * PROMPT_TOKENS} prompt and "
        f"{8000 * COMPLETION_TOKENS} new tokens, about {2000 * each:.2f} USD",
        f"from the first rows it is estimated: 1000 rows: about 1000 requests, {1000 * PROMPT_TOKENS} prompt and "
        f"{4000 * COMPLETION_TOKENS} new tokens, about {1000 * each:.2f} USD",
        "the run stops before 1e+06 USD are passed; the same command continues it",
    ]


def test_before_it_asks_only_what_is_known_is_told() -> None:
    def told(rows: int, **options: Any) -> str:
        lines: list[str] = []
        endpoint = model("http://localhost:1", **options)
        telling_costs(endpoint, 10, lambda now: None, lines.append)(Progress(0, rows, 0, None, {}))
        return "\n".join(lines)

    assert told(7, max_new_tokens=20) == (
        "7 are left: at most 1400 new tokens; prompt tokens are estimated after the first 3 rows"
    )
    assert told(1, extra_body={"max_tokens": None}) == "1 are left: prompt tokens are estimated after the first row"
    assert "at most 7000 new" in told(7, extra_body={"max_tokens": None, "max_completion_tokens": 100})
    assert told(0) == ""


def test_an_estimate_counts_the_orders_of_the_options_and_forgets_an_earlier_run() -> None:
    class Orders(Rows):
        def __getitem__(self, index: int) -> Query:
            query = super().__getitem__(index)
            orders = ((0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1))
            return replace(query, orders=orders, prompts=tuple(f"{query.prompt} {order}" for order in orders))

    with serving(FaultyServer()) as server:
        endpoint = model(server.url, prices=(1.0, 1.0))
        list(endpoint.answer(Rows(4), 6))
        assert endpoint.estimate(100).requests == 100
        list(endpoint.answer(Orders(4), 6))
        assert endpoint.estimate(100).requests == 300


def test_the_runs_and_processes_of_one_command_share_the_largest_cost() -> None:
    prices = Prices(1000.0, 2000.0)
    with serving(FaultyServer()) as server:
        endpoint = model(server.url, prices=(1000.0, 2000.0), max_cost=2.0, max_new_tokens=COMPLETION_TOKENS)
        for _ in range(3):
            share_budget(endpoint, 2.0, processes=2)
            list(endpoint.answer(Rows(30), 4))
        assert 0.5 < spent(server, prices) <= 1.0


def test_a_purse_that_is_empty_pays_for_nothing_more() -> None:
    with serving(FaultyServer()) as server:
        endpoint = model(server.url, prices=(1000.0, 2000.0), max_cost=2.0, max_new_tokens=COMPLETION_TOKENS)
        list(endpoint.answer(Rows(3), 4))
        share_budget(endpoint, 1e-9, processes=1)
        rows = Rows(30)
        assert list(endpoint.answer(rows, 4)) == []
        assert rows.stopped
