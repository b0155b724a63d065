"""What may stand in the ranks, what may be submitted, and which places the data cannot tell apart.

`findings` is the one function that says what of a run speaks against its figures standing among the paper's. The
leaderboard of the command line, `submit` and the Space all ask it, so that they cannot judge a run differently.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, Final

from medq_deg.data.names import EMBEDDED
from medq_deg.evaluation.controls import SHOWN_IMAGES, controls_told
from medq_deg.results.published import PAPER_ROWS, PAPER_TRIALS
from medq_deg.results.sampling import sampling_note
from medq_deg.taxonomy import CATEGORY_OF, SEVERITIES, SEVERITY_NAMES

RELEASE: Final = "release"
"""The column `source` of the authors' own images, from which the published figures are."""

BENCHMARK_SOURCES: Final = ("gmai", "omnimedvqa", "medxpertqa", RELEASE)
"""Values of the column `source` that the benchmark's rows have; "demo" and a user's own "folder" are not among them."""

ENOUGH: Final = 0.99
"""Share of the paper's rows at each severity that a run must have to stand in the ranks."""

STRICT: Final = "strict"
"""The parser of what is submitted."""

LEVEL: Final = 0.95
"""Two models are told apart if a test at this level does so."""

QUESTIONS: Final = PAPER_ROWS[0]
"""Different questions behind the published figures."""

_MOST_ROWS, _LONGEST = 10**7, 200


@dataclass(frozen=True)
class Asked:
    """What was asked of a model and how, as far as it decides where its figures may stand.

    Attributes
    ----------
    rows : tuple of int
        Answered rows at L0, L1 and L2.
    unanswered : int
        Rows of the run that have no answer.
    sources : tuple of str
        Different values of the rows' column ``source``.
    trials : int, optional
        Votes per row; None for exact probabilities.
    parser : str
        What read the replies.
    note : str
        What the model says of itself where it is a demonstration; else empty.
    orders, image, subset
        See `medq_deg.evaluation.controls.Controls`; the subset as its rows and those it was taken of.
    sampling : mapping
        ``neutral``, ``identical`` and ``how`` of `medq_deg.evaluation.sampling.sampling_of`; empty if it is not known.
    """

    rows: tuple[int, int, int]
    unanswered: int
    sources: tuple[str, ...]
    trials: int | None
    parser: str
    note: str
    orders: int
    image: str
    subset: tuple[int, int] | None
    sampling: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as `leaderboard.json` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """Something that speaks against a run's figures standing among the paper's.

    Attributes
    ----------
    text : str
        What it is, in words.
    unranked : bool
        Whether it keeps the run out of the ranks; else it is said beside the figures.
    refused : bool
        Whether such a run is not submitted.
    """

    text: str
    unranked: bool = True
    refused: bool = False


def asked_of(
    settings: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], unanswered: int, sampling: Mapping[str, Any]
) -> Asked:
    """Collect what decides where a run's figures may stand.

    Parameters
    ----------
    settings : mapping
        Of its `run.json`.
    rows : iterable of mappings
        Its answered rows, with ``severity`` and ``source``.
    unanswered : int
        Rows without an answer.
    sampling : mapping
        See `medq_deg.evaluation.sampling.sampling_of`; empty if it is not known yet.
    """
    counts = [0] * len(SEVERITIES)
    sources: dict[str, None] = {}
    for row in rows:
        counts[row["severity"]] += 1
        sources[str(row.get("source") or "nowhere known")] = None
    if settings["data"].get("name") in EMBEDDED:
        sources = {"demo": None}
    subset = settings.get("subset")
    model = settings["model"]
    return Asked(
        rows=(counts[0], counts[1], counts[2]),
        unanswered=unanswered,
        sources=tuple(sources),
        trials=None if model.get("votes") == "exact" else settings["trials"],
        parser=str(settings.get("parser")),
        note=str(model.get("note") or ""),
        orders=settings.get("orders", 1),
        image=settings.get("image", "shown"),
        subset=(settings["data"]["rows"], subset["of"]) if subset else None,
        sampling={name: sampling[name] for name in ("neutral", "identical", "how") if name in sampling},
    )


def read_asked(held: Mapping[str, Any]) -> Asked:
    """Return what `Asked.as_json` wrote; the file may be anybody's.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something is missing or is not what its name says.
    """
    subset, sampling = held["subset"], held["sampling"]
    if sampling and (
        sampling["neutral"] not in (True, False, "unknown") or not isinstance(sampling["identical"], bool)
    ):
        raise ValueError(f"sampling must say whether it is neutral, got {sampling!r}")
    if held["image"] not in SHOWN_IMAGES:
        raise ValueError(f"image must be one of {', '.join(SHOWN_IMAGES)}, got {held['image']!r}")
    l0, l1, l2 = (_count(number) for number in held["rows"])
    return Asked(
        rows=(l0, l1, l2),
        unanswered=_count(held["unanswered"]),
        sources=tuple(_text(name) for name in _list(held["sources"])),
        trials=None if held["trials"] is None else _count(held["trials"]),
        parser=_text(held["parser"]),
        note=_text(held["note"]),
        orders=_count(held["orders"]),
        image=held["image"],
        subset=None if subset is None else (_count(subset[0]), _count(subset[1])),
        sampling={**sampling, "how": _text(sampling.get("how") or "")} if sampling else {},
    )


def findings(asked: Asked) -> list[Finding]:
    """Say what speaks against a run's figures standing among the paper's; nothing if they may stand there.

    Parameters
    ----------
    asked : Asked
        What was asked and how.

    Returns
    -------
    list of Finding
        What keeps the run out of the ranks first.
    """
    found = [*_of_the_data(asked), *_of_the_asking(asked)]
    return sorted(found, key=lambda finding: not finding.unranked)


def _of_the_data(asked: Asked) -> Iterable[Finding]:
    foreign = [name for name in asked.sources if name not in BENCHMARK_SOURCES]
    built = [name for name in asked.sources if name in BENCHMARK_SOURCES and name != RELEASE]
    if foreign:
        what = ["the demo set" if name == "demo" else f"data from {name}" for name in foreign]
        yield Finding(f"other data than the paper's: {', '.join(what)}, which is not the benchmark", refused=True)
    elif built:
        yield Finding(
            f"other data than the paper's: the benchmark's questions from {', '.join(built)}, whose images were not "
            "degraded by its authors"
        )
    missing = [name for name, count in zip(SEVERITY_NAMES, asked.rows, strict=True) if not count]
    if missing:
        yield Finding(f"no rows at {', '.join(missing)}", refused=True)
    elif any(count > wanted for count, wanted in zip(asked.rows, PAPER_ROWS, strict=True)):
        yield Finding(f"{sum(asked.rows):,} rows, more than the paper's {sum(PAPER_ROWS):,}")
    elif not asked.subset and any(
        count < ENOUGH * wanted for count, wanted in zip(asked.rows, PAPER_ROWS, strict=True)
    ):
        yield Finding(f"{sum(asked.rows):,} of the paper's {sum(PAPER_ROWS):,} rows")
    if asked.unanswered:
        yield Finding(
            f"{asked.unanswered:,} of {sum(asked.rows) + asked.unanswered:,} rows have no answer",
            unranked=False,
            refused=True,
        )


def _of_the_asking(asked: Asked) -> Iterable[Finding]:
    settings: dict[str, Any] = {"orders": asked.orders, "image": asked.image}
    if asked.subset:
        settings |= {"subset": {"of": asked.subset[1]}, "data": {"rows": asked.subset[0]}}
    if asked.note:
        yield Finding(f"a demonstration model: {asked.note}", refused=True)
    for told in controls_told(settings):
        yield Finding(f"a control run: {told}", refused=True)
    if asked.parser != STRICT:
        yield Finding(f"replies read by the parser {asked.parser!r}, not strictly", unranked=False, refused=True)
    if asked.sampling and (note := sampling_note(asked.sampling)):
        yield Finding(note.rstrip("."), unranked=False)
    if asked.trials != PAPER_TRIALS:
        votes = "exact votes" if asked.trials is None else f"{asked.trials} votes"
        yield Finding(f"shift from {votes}, the paper's from {PAPER_TRIALS}", unranked=False)


def places(shares: Sequence[float], questions: int) -> list[tuple[int, int]]:
    """Return for each model the best and the worst place that so many questions allow it.

    Two models are told apart where the test for two proportions rejects that they are equal. It takes their answers as
    independent; they are on the same questions, which makes real differences clearer, so the ranges are cautious.

    Parameters
    ----------
    shares : sequence of float
        Accuracy of each model, in [0, 1].
    questions : int
        Behind each.

    Examples
    --------
    >>> places([0.7, 0.69, 0.5], questions=1000)
    [(1, 2), (1, 2), (3, 3)]
    """
    return [
        (
            1 + sum(_above(other, share, questions) for other in shares),
            len(shares) - sum(_above(share, other, questions) for other in shares),
        )
        for share in shares
    ]


@cache
def questions_of(category: str) -> int:
    """Return the least number of different questions behind the published figures of a category of degradations.

    The paper counts the rows of each degradation, half of them at each severity, and a question has a degradation at
    most once: no category has fewer questions than its most frequent degradation.
    """
    from medq_deg.data.plan import PUBLISHED_ROWS

    return max(rows for name, rows in PUBLISHED_ROWS.items() if CATEGORY_OF[name] == category) // 2


def _above(one: float, other: float, questions: int) -> bool:
    """Return whether a share is certainly the higher one: pooled test for two proportions."""
    pooled = (one + other) / 2
    error = math.sqrt(2 * pooled * (1 - pooled) / questions)
    return one - other > NormalDist().inv_cdf((1 + LEVEL) / 2) * error


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_ROWS:
        raise ValueError(f"a number of 0 to {_MOST_ROWS} is wanted, got {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is wanted, got {value!r}")
    return " ".join(value.split())[:_LONGEST]


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list is wanted, got {value!r}")
    return value
