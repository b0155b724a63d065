"""What asking in several orders of the options says: agreement across orders, and the pull of positions.

A model that cannot see falls back on a letter and agrees with itself; asked in another order it no longer agrees. Rows
carry, beside their votes (letters of the row's own options), the ``order`` of each vote, an index into ``orders``, and
``orders`` themselves: ``orders[k][p]`` is the letter of the option that order k shows at position p.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from medq_deg.errors import MedqDegError
from medq_deg.metrics.bootstrap import FEW_CLUSTERS, check_settings, partition, ratio_intervals
from medq_deg.metrics.cells import check_severities
from medq_deg.metrics.rows import RunRows, Source
from medq_deg.metrics.votes import LETTERS, FloatArray, IntArray, Invalid, VoteTable, encode
from medq_deg.taxonomy import SEVERITIES, SEVERITY_NAMES

FIGURES_OF_ORDERS: Final = (
    "accuracy",
    "agreement_within",
    "agreement_between",
    "agreement_orders",
    "order_gap",
    "agreement_shift",
    "agreement_shift_orders",
)
"""What `order_figures` reports, each with an interval."""


@dataclass(frozen=True)
class OrderScores:
    """What N rows say across their orders.

    Attributes
    ----------
    within, between : (N,) float
        Share of the pairs of votes that name the same option, of one order and of two orders.
    orders : (N,) float
        ``within / K! + (1 - 1 / K!) between``: unbiased for the agreement of two votes whose orders are drawn at random
        from all K!, when the orders asked were drawn at random.
    accuracy : (N,) float
        Share of the votes that are right.
    """

    within: FloatArray
    between: FloatArray
    orders: FloatArray
    accuracy: FloatArray


@dataclass(frozen=True)
class AskedOrders:
    """N rows by order.

    Attributes
    ----------
    counts : (N, O, M) float
        Votes for each option of the row, by order; probabilities where they are exact.
    trials : (N, O) float
        Votes of each order.
    places : (N, O, M) int
        The position at which each order shows each option.
    number : (N,) int
        Orders of each row.
    table : VoteTable
        The rows as a whole.
    """

    counts: FloatArray
    trials: FloatArray
    places: IntArray
    number: IntArray
    table: VoteTable


def has_orders(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether any row was asked in more than one order of its options."""
    return any(len(row.get("orders") or ()) > 1 for row in rows)


def order_figures(
    rows: Iterable[Mapping[str, Any]],
    *,
    source: Source = "votes",
    invalid: Invalid = "wrong",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Report on a run that asked in several orders of the options.

    Parameters
    ----------
    rows : iterable of N mappings
        As `medq_deg.metrics.summarize` takes them, with ``order`` (an index for each vote) and ``orders`` (texts such
        as ``"CADB"``, all different). With ``source="probabilities"``, ``probabilities_by_order`` (for each order the
        probability of each of the row's own options) in place of ``order``.
    source, invalid
        As in `medq_deg.metrics.summarize`. A vote that names no option agrees with none.
    confidence_level, n_resamples, seed
        Of the bootstrap over questions.

    Returns
    -------
    dict
        ``n`` rows, ``clusters`` (questions), ``few_clusters``, ``orders_min`` and ``orders_max`` per row. Then each
        with ``<name>_ci``: ``accuracy``; ``agreement_within`` (of two votes of one order), ``agreement_between`` (of
        two orders), ``agreement_orders`` (as if orders were drawn from all K!); ``order_gap``, within - between, 0
        without a pull of positions at any noise; ``agreement_shift``, within - accuracy; ``agreement_shift_orders``,
        the figure to quote: 0 for a model that is calibrated over orders. ``positions``: for each number of options K
        (as text) with 30 questions or more, ``n`` rows, ``clusters``, ``chance`` (1 / K), ``share`` of the readable
        votes that chose each position, and ``recall``: the share of the votes that are right where the right option
        stands at each position (None where it never does). ``by_severity``: the same for L0, L1 and L2, if rows have
        severities.

    Raises
    ------
    MedqDegError
        If a row has one order only or orders that do not fit its votes; the message names the row.

    References
    ----------
    On the pull of positions: C. Zheng et al., Large language models are not robust multiple choice selectors, ICLR
    2024.
    """
    check_settings(confidence_level, n_resamples, seed)
    run = RunRows(rows)
    asked = read_orders(run, source, invalid)
    scores = order_scores(asked)
    cluster = partition(run.column("question_id"), len(run))
    columns = {
        "accuracy": scores.accuracy,
        "agreement_within": scores.within,
        "agreement_between": scores.between,
        "agreement_orders": scores.orders,
        "order_gap": scores.within - scores.between,
        "agreement_shift": scores.within - scores.accuracy,
        "agreement_shift_orders": scores.orders - scores.accuracy,
    }
    counted = asked.table.counted & np.all(np.isfinite(list(columns.values())), axis=0)

    def part(chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
        at = np.flatnonzero(chosen & counted)
        labels, local = np.unique(cluster[at], return_inverse=True)
        told: dict[str, Any] = {
            "n": int(at.size),
            "clusters": int(labels.size),
            "few_clusters": bool(labels.size < FEW_CLUSTERS),
            "orders_min": int(asked.number[at].min()) if at.size else None,
            "orders_max": int(asked.number[at].max()) if at.size else None,
        }
        tops = np.stack(
            [np.bincount(local, columns[name][at], labels.size).astype(float) for name in FIGURES_OF_ORDERS], axis=1
        )
        rows_of = np.repeat(np.bincount(local, minlength=labels.size)[:, None], len(FIGURES_OF_ORDERS), axis=1)
        intervals = ratio_intervals(tops, rows_of.astype(np.float64), confidence_level, n_resamples, seed, (-1.0, 1.0))
        for name, bounds in zip(FIGURES_OF_ORDERS, intervals, strict=True):
            told[name] = float(columns[name][at].mean()) if at.size else None
            told[f"{name}_ci"] = bounds
        told["positions"] = {}
        for options in np.unique(asked.table.choices[at]).tolist():
            same = at[asked.table.choices[at] == options]
            questions = np.unique(cluster[same]).size
            if questions >= FEW_CLUSTERS:
                told["positions"][str(options)] = {
                    "n": int(same.size),
                    "clusters": int(questions),
                    "chance": 1 / options,
                    **_by_position(asked, same, options),
                }
        return told

    everything = np.ones(len(run), np.bool_)
    result = part(everything)
    severities = run.severities()
    if severities is not None:
        severity = check_severities(severities, len(run))
        result["by_severity"] = {
            SEVERITY_NAMES[each]: part(severity == each) for each in SEVERITIES if np.any(severity == each)
        }
    return result


def order_scores(asked: AskedOrders) -> OrderScores:
    """Count pairs of votes that name the same option, within orders and between them."""
    counts, trials, table = asked.counts, asked.trials, asked.table
    total, votes = counts.sum(axis=1), trials.sum(axis=1)
    squares = (counts**2).sum(axis=(1, 2))
    own = 0.0 if table.exact else 1.0  # a vote makes no pair with itself, a probability does
    with np.errstate(invalid="ignore", divide="ignore"):
        within = (squares - own * total.sum(axis=1)) / (trials * (trials - own)).sum(axis=1)
        between = ((total**2).sum(axis=1) - squares) / (votes**2 - (trials**2).sum(axis=1))
        accuracy = np.take_along_axis(total, table.answer[:, None], axis=1)[:, 0] / votes
    share = 1 / np.array([math.factorial(options) for options in table.choices.tolist()], np.float64)
    return OrderScores(within, between, share * within + (1 - share) * between, accuracy)


def read_orders(run: RunRows, source: Source = "votes", invalid: Invalid = "wrong") -> AskedOrders:
    """Sort the votes of each row by order; parameters and errors are those of `order_figures`."""
    table = encode(**run.encoded(source), invalid=invalid)
    orders = _orders(run, table.choices)
    shape = len(run), max(map(len, orders)), int(table.choices.max())
    counts, places, trials = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape[:2])
    for position, asked in enumerate(orders):
        for number, order in enumerate(asked):
            places[position, number, [LETTERS.index(letter) for letter in order]] = range(len(order))
        if source == "votes":
            for vote, number in _numbered(run, position):
                trials[position, number] += 1
                if vote:
                    counts[position, number, LETTERS.index(vote)] += 1
        else:
            shares = _shares(run, position, len(asked), int(table.choices[position]))
            counts[position, : len(asked), : shares.shape[1]] = shares
            trials[position, : len(asked)] = 1.0
    if invalid == "drop":
        trials = counts.sum(axis=2)
    return AskedOrders(counts, trials, places, np.array([len(asked) for asked in orders], np.int64), table)


def _numbered(run: RunRows, position: int) -> Iterable[tuple[str | None, int]]:
    """Return each vote of a row with the number of its order."""
    row = run[position]
    return zip(row["votes"], row["order"], strict=True)


def _shares(run: RunRows, position: int, orders: int, options: int) -> FloatArray:
    """Return the exact probabilities of the row's own options in each order, (O, K)."""
    shares = run[position].get("probabilities_by_order")
    if not isinstance(shares, (list, tuple)) or len(shares) != orders:
        raise MedqDegError(
            f"probabilities_by_order of {run.name(position)} must hold one entry for each of its {orders} orders,"
            f" got {shares!r}."
        )
    table = encode(None, shares, ["A"] * orders, options, name=lambda order: f"order {order} of {run.name(position)}")
    return table.shares[:, :-1]


def _orders(run: RunRows, choices: IntArray) -> list[list[str]]:
    """Return the orders of each row, or raise for a row that has fewer than two or one that is no permutation."""
    orders = run.column("orders")
    for position, asked in enumerate(orders):
        letters = LETTERS[: choices[position]]
        fit = isinstance(asked, (list, tuple)) and all("".join(sorted(map(str, each))) == letters for each in asked)
        if not fit or len(asked) < 2 or len(set(map(str, asked))) < len(asked):
            raise MedqDegError(
                f"the orders of {run.name(position)} must be two or more different orders of {letters}, got {asked!r}."
            )
    return orders


def _by_position(asked: AskedOrders, at: IntArray, options: int) -> dict[str, list[float | None]]:
    """Return how often each position is chosen, and how often the right option is when it stands there."""
    counts, places = asked.counts[at, :, :options], asked.places[at, :, :options]
    chosen = np.bincount(places.ravel(), counts.ravel(), options)
    answer = asked.table.answer[at][:, None, None]
    stands = np.take_along_axis(places, answer, axis=2).ravel()
    right = np.bincount(stands, np.take_along_axis(counts, answer, axis=2).ravel(), options)
    votes = np.bincount(stands, asked.trials[at].ravel(), options)
    return {
        "share": [float(count / chosen.sum()) if chosen.sum() else None for count in chosen],
        "recall": [float(hits / all_of) if all_of else None for hits, all_of in zip(right, votes, strict=True)],
    }
