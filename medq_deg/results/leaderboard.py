"""The leaderboard: the paper's 40 models with any runs among them, sorted.

What stands in the ranks is for `medq_deg.results.ranking` to say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from medq_deg.errors import UnknownNameError
from medq_deg.metrics import PairingWarning, summarize
from medq_deg.models.published import published_models
from medq_deg.results.answer import answer
from medq_deg.results.columns import COLUMNS, FIGURES
from medq_deg.results.parts import Cell, parts_of
from medq_deg.results.published import DegradedAccuracy, PublishedResult, published_results
from medq_deg.results.ranking import QUESTIONS, asked_of, findings, places
from medq_deg.results.score import AnsweredRun, read_answered
from medq_deg.taxonomy import CATEGORIES, SEVERITIES, SEVERITY_NAMES, TASKS

PAPER: Final = "arXiv 2603.07769"
YOURS: Final = "yours"
"""The group of a run."""

Source: TypeAlias = Literal["paper", "run", "submitted"]
"""Where an entry is from: published, a folder here, or a dataset of results."""

WITH_INTERVAL: Final = tuple(name for name in FIGURES if name != "change")

_BEST_IS_HIGH: Final = ("accuracy_l0", "accuracy_l1", "accuracy_l2", "change", "coverage", "comparable", "votes")


@dataclass(frozen=True)
class Entry:
    """A model on the leaderboard; a figure that is not known is None.

    Attributes
    ----------
    model, group : str
        Its name and the paper's group, or "yours".
    accuracy_l0, accuracy_l1, accuracy_l2 : float, optional
        At each severity.
    change : float, optional
        Accuracy at L2 minus that at L0; below 0 is worse.
    shift_l0, shift_l1, shift_l2 : float, optional
        Calibration Shift at each severity.
    data : str
        What the figures are from.
    votes : int or str, optional
        Votes per row, or "exact"; None for the paper's models.
    coverage : float
        Share of the rows that are answered.
    run : str
        Folder of a run; else empty.
    source : {"paper", "run", "submitted"}
    size : float, optional
        Billions of parameters; None where it is not known.
    unranked : tuple of str
        What keeps the entry out of the ranks, in words, see `medq_deg.results.ranking.findings`.
    beside : tuple of str
        What is to be said beside its figures.
    categories, tasks : mapping from str to (float, float)
        Accuracy on clean images and on degraded ones, at both severities, by category of degradations and by task of
        the question; empty if it is not known.
    cells : tuple of Cell
        The rows by severity, degradation and modality; empty for the paper's models.
    intervals : mapping from figure to (low, high)
        95 % intervals of a run's accuracies and shifts.
    answer : mapping, optional
        A run's answer in words, see `medq_deg.results.answer`.
    rank : int, optional
        Place by accuracy at L2 among the comparable models.
    rank_low, rank_high : int, optional
        Best and worst place that the number of questions allows, see `medq_deg.results.ranking.places`.
    """

    model: str
    group: str
    accuracy_l0: float | None
    accuracy_l1: float | None
    accuracy_l2: float | None
    change: float | None
    shift_l0: float | None
    shift_l1: float | None
    shift_l2: float | None
    data: str = PAPER
    votes: int | str | None = None
    coverage: float = 1.0
    run: str = ""
    source: Source = "paper"
    size: float | None = None
    unranked: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    categories: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tasks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    answer: Mapping[str, Any] | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None

    @property
    def comparable(self) -> bool:
        """Whether the figures may be read against the paper's."""
        return not self.unranked

    @property
    def notes(self) -> str:
        """What a reader should know of the figures, in one line."""
        return "; ".join((*self.unranked, *self.beside))


def leaderboard(
    runs: Sequence[Path] = (),
    *,
    sort_by: str = "accuracy_l2",
    coverage: float = 1.0,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Entry]:
    """Return the published models and the given runs, best first.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    sort_by : str
        One of `COLUMNS`. Accuracies and changes are sorted from high to low, shifts from low to high, texts by the
        alphabet; a model without the figure comes last.
    coverage : float
        Least share of its rows that each run must have answered, in [0, 1].
    n_resamples, seed : int
        Of the bootstrap.
    progress : callable
        Called with the runs that are done and their number.

    Raises
    ------
    UnknownNameError
        For a column that is not known; nothing is read then.
    MedqDegError
        If a folder is no run, or too few of its rows are answered.
    """
    if sort_by not in COLUMNS:
        raise UnknownNameError("column", sort_by, COLUMNS)
    entries = published_entries()
    for done, path in enumerate(runs):
        progress(done, len(runs))
        entries.append(_of_run(path, read_answered(path, coverage), n_resamples, seed))
    progress(len(runs), len(runs))
    return _sorted(ranked(entries), sort_by)


def published_entries() -> list[Entry]:
    """Return the paper's models."""
    sizes = {model.name: model.parameters_billion for model in published_models()}
    return [_published(result, sizes[result.name]) for result in published_results()]


def ranked(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries, the best at L2 first, with their places among those that are comparable."""
    entries = _sorted(entries, "accuracy_l2")
    shares = [entry.accuracy_l2 for entry in entries if entry.comparable and entry.accuracy_l2 is not None]
    given = iter(enumerate(places(shares, QUESTIONS), 1))
    result = []
    for entry in entries:
        if entry.comparable and entry.accuracy_l2 is not None:
            rank, (low, high) = next(given)
            result.append(replace(entry, rank=rank, rank_low=low, rank_high=high))
        else:
            result.append(entry)
    return result


def shown(entry: Entry, column: str) -> str:
    """Return a cell as text for a reader; a run's figure with its interval."""
    value = getattr(entry, column)
    if value is None:
        return "" if column == "rank" else "-"
    if column == "rank":
        return f"{value} ({entry.rank_low}-{entry.rank_high})" if entry.rank_low != entry.rank_high else str(value)
    if column not in FIGURES:
        return str(value)
    sign = "+" if column.startswith(("shift", "change")) else ""
    interval = entry.intervals.get(column)
    return f"{value:{sign}.3f}" + (f" [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]" if interval else "")


def _sorted(entries: Iterable[Entry], column: str) -> list[Entry]:
    def key(entry: Entry) -> tuple[Any, ...]:
        value = getattr(entry, column)
        if value is None or value == "":
            return (1, "")
        if isinstance(value, str):
            return (0, 1, value.casefold())
        return (0, 0, -value if column in _BEST_IS_HIGH else value)

    return sorted(entries, key=key)


def one_line(text: object) -> str:
    """Return a name as one line that any file can hold: a model may say half a surrogate pair of itself."""
    return " ".join(str(text).encode("utf-8", "replace").decode().split())


def _published(result: PublishedResult, size: float | None) -> Entry:
    l0, l1, l2 = result.accuracy
    shifts = [at.shift for at in result.calibration] if result.calibration else [None] * len(SEVERITIES)
    return Entry(
        result.name,
        result.group,
        l0,
        l1,
        l2,
        _rounded(l2 - l0),
        shifts[0],
        shifts[1],
        shifts[2],
        size=size,
        categories=_pairs(result.by_category, CATEGORIES),
        tasks=_pairs(result.by_task, TASKS),
    )


def _pairs(parts: Mapping[str, DegradedAccuracy], names: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return clean and degraded accuracy by name."""
    return {name: (round(parts[name].accuracy + parts[name].drop, 6), parts[name].accuracy) for name in names}


def _of_run(path: Path, run: AnsweredRun, n_resamples: int, seed: int) -> Entry:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PairingWarning)  # the answer says so
        summary = summarize(run.rows, by=(), source=run.source, n_resamples=n_resamples, seed=seed)
    figures = summary["by_severity"]
    values: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for level in SEVERITY_NAMES:
        for name, figure in (("accuracy", "accuracy"), ("shift", "calibration_shift")):
            column = f"{name}_{level.lower()}"
            if name == "shift" and run.settings.get("orders", 1) > 1:
                values[column] = None  # pooled over orders, it is another figure than the paper's
                continue
            values[column] = _rounded(figures.get(level, {}).get(figure))
            if limits := figures.get(level, {}).get(f"{figure}_ci"):
                intervals[column] = round(limits[0], 6), round(limits[1], 6)
    clean, severe = values["accuracy_l0"], values["accuracy_l2"]
    settings = run.settings
    exact = run.source == "probabilities"
    parts = parts_of(run.rows, run.source)
    found = findings(asked_of(settings, run.rows, run.wanted - len(run.rows), run.sampling))
    parameters = settings["model"].get("parameters")
    return Entry(
        model=one_line(settings["model"].get("name") or path.name),
        group=YOURS,
        accuracy_l0=clean,
        accuracy_l1=values["accuracy_l1"],
        accuracy_l2=severe,
        change=None if clean is None or severe is None else _rounded(severe - clean),
        shift_l0=values["shift_l0"],
        shift_l1=values["shift_l1"],
        shift_l2=values["shift_l2"],
        data=one_line(settings["data"].get("name")),
        votes="exact" if exact else settings["trials"],
        coverage=len(run.rows) / run.wanted,
        run=one_line(path),
        source="run",
        size=parameters / 1e9 if isinstance(parameters, int) else None,
        unranked=tuple(one_line(finding.text) for finding in found if finding.unranked),
        beside=tuple(one_line(finding.text) for finding in found if not finding.unranked),
        categories=parts.categories,
        tasks=parts.tasks,
        cells=parts.cells,
        intervals=intervals,
        answer=answer({**run.facts, **summary}).as_json(),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
