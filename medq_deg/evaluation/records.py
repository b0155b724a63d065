"""The lines of `answers.jsonl`: from a model's reply to what is stored of it, and from stored texts to votes again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from medq_deg.data.schema import LETTERS
from medq_deg.evaluation.controls import order_text
from medq_deg.models.base import Finish, Reply, spread_votes
from medq_deg.models.parsing import parse_answer

FINISHES: Final[tuple[str, ...]] = get_args(Finish)


def record_of(
    reply: Reply, options: Sequence[str], trials: int, parser: str, orders: Sequence[Sequence[int]] = ()
) -> dict[str, Any]:
    """Return the line of a reply; a reply without exactly `trials` texts, or with odd parts, has failed.

    Parameters
    ----------
    reply : Reply
        What a model said.
    options : sequence of str
        Texts of the row's options.
    trials : int
        Answers that were asked for.
    parser : str
        Name of the parser.
    orders : sequence of orders
        In which the options were shown, as in `medq_deg.models.base.Query`; empty for the given one alone. Votes and
        probabilities are then letters of the row's own options all the same, and the line also holds `orders` (texts
        such as "CADB"), the `order` of each vote and the letter that was `shown` for it.
    """
    said: object = reply.texts  # of a third party's making
    error, texts = reply.error, list(reply.texts)
    if isinstance(said, str) or not all(isinstance(text, str) for text in texts):
        error, texts = error or f"answers that are not texts: {reply.texts!r}", []
    if error is None and len(texts) != trials:
        error = f"{len(texts)} answers instead of {trials}"
    finish = list(reply.finish)
    if error is None and finish and (len(finish) != trials or not set(finish) <= set(FINISHES)):
        error = f"ends of answers must be {trials} of {', '.join(FINISHES)}, got {reply.finish!r}"
    probabilities, by_order = _shares(reply.probabilities), [_shares(each) for each in reply.probabilities_by_order]
    shares = [share for each in (probabilities, *by_order) if each for share in each.values()]
    if not all(map(math.isfinite, shares)):
        error = error or f"probabilities that are not numbers: {probabilities or by_order}"
        probabilities, by_order = None, []
    if error is None and by_order and len(by_order) != len(orders):
        error, by_order = f"probabilities of {len(by_order)} orders instead of {len(orders)}", []
    own = [_own_letters(each, order) for each, order in zip(by_order, orders, strict=False) if each is not None]
    if own:
        letters = LETTERS[: len(options)]
        probabilities = {letter: sum(each.get(letter, 0.0) for each in own) / len(own) for letter in letters}
    record: dict[str, Any] = {
        "id": reply.id,
        "votes": [],
        "texts": texts,
        "probabilities": probabilities,
        "status": "ok" if error is None else "failed",
        "error": error,
        **({"finish": finish} if finish and error is None else {}),
        **({"usage": {k: int(v) for k, v in reply.usage.items()}} if reply.usage is not None else {}),
        **({"probabilities_by_order": own} if own else {}),
    }
    if error is not None:
        return record
    if orders:
        spread = [number for number, votes in enumerate(spread_votes(trials, len(orders))) for _ in range(votes)]
        record |= {"order": spread, "orders": [order_text(order) for order in orders]}
    return reread(record, options, parser)


def reread(record: Mapping[str, Any], options: Sequence[str], parser: str) -> dict[str, Any]:
    """Return an answered record with the votes that a parser reads in its texts now.

    Each text is parsed with the options as they were shown for it, and the letter mapped back to the row's own.
    """
    texts = record["texts"]
    if not record.get("orders"):
        parsed = {text: parse_answer(text, options, parser) for text in dict.fromkeys(texts)}
        return {**record, "votes": [parsed[text] for text in texts]}
    places = [[LETTERS.index(letter) for letter in order] for order in record["orders"]]
    read = {
        (order, text): parse_answer(text, [options[place] for place in places[order]], parser)
        for order, text in dict.fromkeys(zip(record["order"], texts, strict=True))
    }
    shown = [read[key] for key in zip(record["order"], texts, strict=True)]
    votes = [
        None if letter is None else LETTERS[places[order][LETTERS.index(letter)]]
        for order, letter in zip(record["order"], shown, strict=True)
    ]
    return {**record, "votes": votes, "shown": shown}


def _shares(probabilities: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if probabilities is None else {letter: float(share) for letter, share in probabilities.items()}


def _own_letters(shown: Mapping[str, float], order: Sequence[int]) -> dict[str, float]:
    """Turn probabilities of the letters as an order shows them into those of the row's own."""
    own = {LETTERS[place]: shown.get(letter, 0.0) for letter, place in zip(LETTERS, order, strict=False)}
    return dict(sorted(own.items()))
