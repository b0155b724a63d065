"""From what a model answered to one table of numbers: shares of each outcome, votes, unparsable ones.

This module alone decides what a vote, a row's number of trials T, its number of options K and an unparsable
answer are. It checks every input; whoever reads a `VoteTable` can trust it.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from string import ascii_uppercase
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from medq_deg.errors import MedqDegError
from medq_deg.metrics.caveats import FewTrialsWarning, UnparsableWarning

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Invalid = Literal["wrong", "drop"]
Votes = Sequence[Sequence[str | None]]
Probabilities = Sequence[Sequence[float] | Mapping[str, float]]
Name = Callable[[int], str]

LETTERS = ascii_uppercase
MAX_OPTIONS = len(LETTERS)
MIN_TRIALS = 2
"""Fewer votes say nothing about how a model spreads its answers."""
INTERPRETABLE_TRIALS = 5
"""With fewer votes the plug-in confidence is mostly bias (at T = 3 a guessing model gets 0.445, not 0)."""
PROBABILITY_TOLERANCE = 1e-6
"""How far a sum may pass 1, and how much mass may lie off the options, before it counts: single precision."""
UNPARSABLE = (None, "")

_LISTS = {list, tuple, np.ndarray}
_UNPARSABLE_CODE = -1
_CODES: dict[str | None, int] = {
    **{letter: code for code, letter in enumerate(LETTERS)},
    **dict.fromkeys(UNPARSABLE, _UNPARSABLE_CODE),
}


@dataclass(frozen=True)
class VoteTable:
    """How the answers to N rows are spread; M is the largest number of options.

    Attributes
    ----------
    shares : (N, M + 1) float
        Share of each outcome, each counted row summing to 1: the options A, B, ... and, last, the votes that name
        none.
    trials : (N,) float
        Votes per row, T; infinite where the shares are exact probabilities.
    choices : (N,) int
        Options per row, K.
    named : (N,) float
        Share of the votes that name an option, v; 1 where unparsable votes are dropped.
    answer : (N,) int
        Column of the right option.
    parsed, asked : (N,) float
        Votes that were parsed and votes in all, before unparsable ones are dropped; probability mass and 1
        where the shares are exact.
    counted : (N,) bool
        Rows that count in every figure. The others, which only ``invalid="drop"`` makes, count in the parse
        rate alone; their shares are 0.
    exact : bool
        Whether the shares are exact probabilities.
    agreement : (N,) float, or None
        Share of the pairs of votes on one order of the options that name the same option; None where all rows were
        asked in one order, and it follows from the shares.
    other : VoteTable, or None
        The same rows with unparsable votes treated the other way; None where every vote names an option.
    """

    shares: FloatArray
    trials: FloatArray
    choices: IntArray
    named: FloatArray
    answer: IntArray
    parsed: FloatArray
    asked: FloatArray
    counted: npt.NDArray[np.bool_]
    exact: bool
    agreement: FloatArray | None = None
    other: VoteTable | None = None


def encode(
    votes: Votes | None,
    probabilities: Probabilities | None,
    answers: Sequence[str],
    num_choices: int | Sequence[int],
    *,
    by_order: Sequence[Any] | None = None,
    invalid: Invalid = "wrong",
    name: Name = "row {}".format,
) -> VoteTable:
    """Encode votes or exact probabilities, whichever is given.

    Parameters
    ----------
    votes : N sequences of T letters, or None
        ``None`` or ``""`` is an unparsable vote. T may differ from row to row.
    probabilities : N mappings from letter to probability or sequences of K probabilities, or None
        Mass that is missing to 1 counts as unparsable.
    answers : N letters
        The right options.
    num_choices : int or N ints
        Options per row, 2 to 26.
    by_order : N entries, optional
        For rows that were asked in several orders of their options: with votes the number of the order of each, with
        probabilities those of each order; None for a row that was asked in one order. Agreement is then counted within
        orders.
    invalid : {"wrong", "drop"}
        Whether an unparsable vote stays among the T votes, as one that names no option and is never right, or is left
        out.
    name : callable, default ``"row {i}"``
        How an error calls the row at a position.

    Returns
    -------
    VoteTable

    Raises
    ------
    MedqDegError
        If an input is not as described, if both or none of `votes` and `probabilities` are given, if a row
        has fewer than 2 votes, or if ``invalid="drop"`` leaves no row.

    Warns
    -----
    FewTrialsWarning
        If a row has fewer than 5 votes.
    UnparsableWarning
        If no vote at all could be parsed, or ``invalid="drop"`` leaves rows out.
    """
    if invalid not in get_args(Invalid):
        raise MedqDegError(f"invalid must be 'wrong' or 'drop', got {invalid!r}.")
    if (votes is None) == (probabilities is None):
        raise MedqDegError(
            f"exactly one of votes and probabilities must be given, got {'neither' if votes is None else 'both'}."
        )
    for what, given in (("votes", votes), ("probabilities", probabilities)):
        if given is not None and (isinstance(given, Mapping) or not hasattr(given, "__len__")):
            raise MedqDegError(f"{what} must hold one list for each row, got {given!r}.")
    if votes is not None:
        table = _settle(*_from_votes(votes, answers, num_choices, name), invalid=invalid, exact=False)
    else:
        assert probabilities is not None
        table = _settle(*_from_probabilities(probabilities, answers, num_choices, name), invalid=invalid, exact=True)
    if by_order is None:
        return table
    other: Invalid = "drop" if invalid == "wrong" else "wrong"
    within = _within_orders(table, votes, by_order, invalid, name)
    if table.other is not None:
        against = _within_orders(table.other, votes, by_order, other, name)
        table = replace(table, other=replace(table.other, agreement=against))
    return replace(table, agreement=within)


def plain_agreement(table: VoteTable) -> FloatArray:
    """Return the share of the pairs of votes that name the same option, whatever their order, (N,).

    ``sum n (n - 1) / (T (T - 1))`` over options, written so that an infinite T gives its limit, the sum of squared
    shares.
    """
    repeat_rate = (np.sort(table.shares[:, :-1], axis=1)[:, ::-1] ** 2).sum(axis=1)
    agreement: FloatArray = np.clip(repeat_rate - (table.named - repeat_rate) / (table.trials - 1), 0.0, 1.0)
    return agreement


def _within_orders(
    table: VoteTable, votes: Votes | None, by_order: Sequence[Any], invalid: Invalid, name: Name
) -> FloatArray:
    """Return the share of the pairs of votes on one order that name the same option, of all pairs in other rows."""
    agreement = plain_agreement(table)
    for position, told in enumerate(by_order):
        if told is None:
            continue
        if votes is None:
            options = int(table.choices[position])
            each = encode(None, told, ["A"] * len(told), options, name=f"order {{}} of {name(position)}".format)
            orders = each if invalid == "wrong" or each.other is None else each.other
            agreement[position] = plain_agreement(orders)[orders.counted].mean() if orders.counted.any() else 0.0
            continue
        pairs = Counter(zip(told, votes[position], strict=True))
        same = sum(count * (count - 1) for (_, vote), count in pairs.items() if vote)
        kept = Counter(order for order, vote in zip(told, votes[position], strict=True) if vote or invalid == "wrong")
        every = sum(count * (count - 1) for count in kept.values())
        agreement[position] = same / every if every else 0.0
    return agreement


def _from_votes(
    votes: Votes, answers: Sequence[str], num_choices: int | Sequence[int], name: Name
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Count the votes of each row: (N, M + 1) counts, T, K and the right column."""
    choices, answer = _choices_and_answers(len(votes), "votes", answers, num_choices, name)
    if not set(map(type, votes)) <= _LISTS:
        position = next(i for i, row in enumerate(votes) if type(row) not in _LISTS)
        raise MedqDegError(f"the votes of {name(position)} must be a list of letters, got {votes[position]!r}.")
    trials = np.fromiter(map(len, votes), np.int64, len(votes))
    _refuse(
        trials < MIN_TRIALS,
        name,
        lambda i: f"{trials[i]} vote{'' if trials[i] == 1 else 's'}",
        f"at least {MIN_TRIALS} are needed to see how answers are spread",
    )
    row_of_vote = np.repeat(np.arange(len(votes)), trials)
    codes = _codes(list(chain.from_iterable(votes)))
    beyond = np.flatnonzero(codes >= choices[row_of_vote])
    if beyond.size:
        position = int(row_of_vote[beyond[0]])
        place = int(beyond[0] - np.searchsorted(row_of_vote, position))
        raise MedqDegError(
            f"vote {place + 1} of {name(position)} is {votes[position][place]!r}, but the row has"
            f" {choices[position]} options: allowed are A to {LETTERS[choices[position] - 1]},"
            " and None or '' for an unparsable answer."
        )
    width = int(choices.max()) + 1
    column = np.where(codes == _UNPARSABLE_CODE, width - 1, codes)
    counts = np.bincount(row_of_vote * width + column, minlength=len(votes) * width).reshape(-1, width)
    return counts.astype(np.float64), trials.astype(np.float64), choices, answer


def _codes(letters: list[Any]) -> IntArray:
    """Return the code of each letter, and one that no row allows for what is no letter."""
    try:
        return np.fromiter(map(_CODES.__getitem__, letters), np.int64, len(letters))
    except (KeyError, TypeError):
        texts = (letter if letter is None or isinstance(letter, str) else "?" for letter in letters)
        return np.fromiter((_CODES.get(text, MAX_OPTIONS) for text in texts), np.int64, len(letters))


def _from_probabilities(
    probabilities: Probabilities, answers: Sequence[str], num_choices: int | Sequence[int], name: Name
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Lay out the probabilities as if they were counts of one vote: (N, M + 1) shares, 1, K, right column."""
    choices, answer = _choices_and_answers(len(probabilities), "probabilities", answers, num_choices, name)
    shares = np.zeros((len(probabilities), int(choices.max()) + 1))
    for position, row in enumerate(probabilities):
        count = int(choices[position])
        letters = LETTERS[:count]
        if isinstance(row, Mapping):
            unknown = [key for key in row if not isinstance(key, str) or len(key) != 1 or key not in letters]
            if unknown:
                raise MedqDegError(
                    f"the probabilities of {name(position)} name {unknown[0]!r}, but the row has {count}"
                    f" options: allowed are A to {letters[-1]}."
                )
            values = [row.get(letter, 0.0) for letter in letters]
        else:
            values = list(row) if hasattr(row, "__len__") and not isinstance(row, (str, bytes)) else []
            if len(values) != count:
                raise MedqDegError(
                    f"the probabilities of {name(position)} must be {count} numbers, one for each option, got {row!r}."
                )
        try:
            shares[position, :count] = values
        except (TypeError, ValueError) as error:
            raise MedqDegError(f"the probabilities of {name(position)} must be numbers, got {row!r}.") from error
        total = float(shares[position].sum())
        if not (np.all(shares[position] >= 0) and total <= 1 + PROBABILITY_TOLERANCE):
            raise MedqDegError(
                f"the probabilities of {name(position)} must be 0 or more and sum to at most 1, got {row!r}."
            )
    total = shares.sum(axis=1)
    shares /= np.where(np.abs(total - 1) <= PROBABILITY_TOLERANCE, total, 1.0)[:, None]
    shares[:, -1] = np.where(np.abs(total - 1) <= PROBABILITY_TOLERANCE, 0.0, 1 - total)
    return shares, np.ones(len(probabilities)), choices, answer


def _settle(
    counts: FloatArray,
    asked: FloatArray,
    choices: IntArray,
    answer: IntArray,
    *,
    invalid: Invalid,
    exact: bool,
) -> VoteTable:
    """Give the unparsable votes their place, turn counts into shares, and warn of what a reader should know."""
    both: dict[Invalid, VoteTable] = {
        treatment: _treated(counts, asked, choices, answer, treatment, exact) for treatment in get_args(Invalid)
    }
    table = both[invalid]
    left_out = int((~table.counted).sum())
    if left_out == len(counts):
        raise MedqDegError(
            "no row has enough parsable votes for invalid='drop' (at least 2 votes, or some probability"
            " on the options, are needed); invalid='wrong' keeps unparsable votes as wrong ones."
        )
    if left_out:
        warnings.warn(
            f"invalid='drop' leaves out {left_out} of {len(counts)} rows, in which too few votes could be"
            " parsed; they count in parse_rate only.",
            UnparsableWarning,
            stacklevel=4,
        )
    if not np.any(table.parsed > PROBABILITY_TOLERANCE):
        warnings.warn(
            "not one vote could be parsed: accuracy, confidence and agreement are 0, and describe the failure, not"
            " answers.",
            UnparsableWarning,
            stacklevel=4,
        )
    few = table.counted & (table.trials < INTERPRETABLE_TRIALS)
    if few.any():
        warnings.warn(
            f"{int(few.sum())} of {int(table.counted.sum())} rows have fewer than {INTERPRETABLE_TRIALS} votes (as"
            f" few as {int(table.trials[few].min())}): their confidence is mostly bias and not interpretable;"
            " agreement is unbiased.",
            FewTrialsWarning,
            stacklevel=4,
        )
    if not np.any(asked - table.parsed > (PROBABILITY_TOLERANCE if exact else 0)):
        return table
    return replace(table, other=both["drop" if invalid == "wrong" else "wrong"])


def _treated(
    counts: FloatArray, asked: FloatArray, choices: IntArray, answer: IntArray, invalid: Invalid, exact: bool
) -> VoteTable:
    """Lay out the rows with their unparsable votes kept as wrong, or dropped."""
    parsed = counts[:, :-1].sum(axis=1)
    counted = np.ones(len(counts), np.bool_)
    if invalid == "drop":
        counted = parsed > PROBABILITY_TOLERANCE if exact else parsed >= MIN_TRIALS
        counts = np.where(counted[:, None], counts, 0.0)
        counts[:, -1] = 0.0
    used = np.where(counted, parsed if invalid == "drop" else asked, MIN_TRIALS)
    return VoteTable(
        shares=counts / used[:, None],
        trials=np.full(len(counts), math.inf) if exact else used,
        choices=choices,
        named=np.ones(len(counts)) if invalid == "drop" else np.minimum(parsed / asked, 1.0),
        answer=answer,
        parsed=parsed,
        asked=asked,
        counted=counted,
        exact=exact,
    )


def _choices_and_answers(
    rows: int, what: str, answers: Sequence[str], num_choices: int | Sequence[int], name: Name
) -> tuple[IntArray, IntArray]:
    """Check and encode the number of options and the right option of each row."""
    if rows == 0:
        raise MedqDegError(f"{what} is empty: at least one row is needed.")
    if isinstance(num_choices, (int, np.integer)):
        num_choices = [int(num_choices)] * rows
    for other, values in (("answers", answers), ("num_choices", num_choices)):
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise MedqDegError(f"{other} must hold one value for each row, got {values!r}.")
        if len(values) != rows:
            raise MedqDegError(f"{what} has {rows} rows but {other} has {len(values)}: one is needed for each row.")
    for position, count in enumerate(num_choices):
        if type(count) is bool or not isinstance(count, (int, np.integer)) or not 2 <= count <= MAX_OPTIONS:
            raise MedqDegError(f"num_choices of {name(position)} must be 2 to {MAX_OPTIONS}, got {count!r}.")
    choices = np.asarray(num_choices, np.int64)
    answer = _codes(list(answers))
    wrong = np.flatnonzero((answer < 0) | (answer >= choices))
    if wrong.size:
        position = int(wrong[0])
        raise MedqDegError(
            f"the answer of {name(position)} is {answers[position]!r}, but the row has {choices[position]} options:"
            f" allowed are A to {LETTERS[choices[position] - 1]}."
        )
    return choices, answer


def _refuse(bad: npt.NDArray[np.bool_], name: Name, value: Callable[[int], str], why: str) -> None:
    """Raise one sentence that names the first rows that are bad and counts the rest."""
    positions = np.flatnonzero(bad)
    if positions.size:
        named = ", ".join(f"{name(int(i))} has {value(int(i))}" for i in positions[:3])
        more = f" and {positions.size - 3} more rows likewise" if positions.size > 3 else ""
        raise MedqDegError(f"{named}{more}: {why}.")
