"""From the folder of a run to everything that the report shows of it; all statistics come from `medq_deg.metrics`.

A run's metrics.json is not read: it may be of another version, so the figures are computed from the answers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.missing import missing_by_severity
from medq_deg.evaluation.sampling import withhold
from medq_deg.evaluation.store import RunFolder
from medq_deg.metrics import MetricWarning, add_page, inter_model, reliability, risk_coverage, summarize
from medq_deg.reporting.text import shorten
from medq_deg.results.answer import Answer, answer
from medq_deg.results.controlled import ControlFigures, control_figures, match_blind
from medq_deg.results.sampling import IDENTICAL
from medq_deg.results.score import BREAKDOWNS, AnsweredRun, read_answered, read_blind
from medq_deg.storable import visible
from medq_deg.taxonomy import SEVERITY_NAMES

LONGEST_NAME = 60


@dataclass(frozen=True)
class Run:
    """What the report shows of one run.

    Attributes
    ----------
    label : str
        The model's name, made visible and unique among the runs.
    folder : str
        Name of the run's folder.
    answered : AnsweredRun
        Settings, versions, and the rows with what the model said.
    failures : list of (str, int)
        Why asked rows have no answer, and how many, most frequent first.
    summary : dict
        From `medq_deg.metrics.summarize`, with the breakdowns of `medq_deg.results.score`.
    reliability, risk_coverage : dict
        From severity, L0 to L2 as far as there are rows, to the curve.
    caveats : list of str
        What the metrics warn of.
    answer : Answer
        The answer in words, see `medq_deg.results.answer`.
    controls : ControlFigures, optional
        What its controls say.
    """

    label: str
    folder: str
    answered: AnsweredRun
    failures: list[tuple[str, int]]
    summary: dict[str, Any]
    reliability: dict[str, dict[str, list[float]]]
    risk_coverage: dict[str, dict[str, list[float]]]
    caveats: list[str]
    answer: Answer
    controls: ControlFigures | None = None

    @property
    def deferral(self) -> Mapping[str, Any] | None:
        """From `medq_deg.metrics.deferral`; None for a run that saw no clean images."""
        return self.controls.deferral if self.controls else None

    @property
    def missing(self) -> int:
        """Rows without an answer."""
        return self.answered.wanted - len(self.answered.rows)

    @property
    def missing_votes(self) -> dict[str, dict[str, int]]:
        """Votes that name no option, by severity and reason."""
        return {name: count.as_dict() for name, count in missing_by_severity(self.answered.rows).items()}

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the data, empty if the run has none."""
        return str(self.answered.settings["data"].get("fingerprint") or "")

    @property
    def data_name(self) -> str:
        """What the data is called."""
        return str(self.answered.settings["data"].get("name") or "")

    def at(self, severity: str) -> Mapping[str, Any]:
        """Return the figures at L0, L1 or L2, empty if the run has no such row."""
        found: Mapping[str, Any] = self.summary["by_severity"].get(severity, {})
        return found


def collect(
    paths: Sequence[Path],
    *,
    blind: Sequence[Path] = (),
    coverage: float = 1.0,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Run]:
    """Read and score runs.

    Parameters
    ----------
    paths : sequence of Path
        Folders of runs.
    blind : sequence of Path
        Folders of their blind baselines.
    coverage : float
        Least share of each run's rows that must be answered.
    n_resamples, seed : int
        Of the bootstrap.
    progress : callable
        Called with stage, done and total.

    Raises
    ------
    MedqDegError
        For no run, the same run twice, or as `medq_deg.results.score.read_answered`; the message names the run.
    """
    if not paths:
        raise MedqDegError("a report needs at least one run")
    places = Counter(path.resolve() for path in paths)
    if twice := next((path for path in paths if places[path.resolve()] > 1), None):
        raise MedqDegError(f"{twice}: is given twice")
    runs = []
    for done, path in enumerate(paths):
        progress("scoring", done, len(paths))
        runs.append(_collect(path, coverage, n_resamples, seed))
    progress("scoring", len(paths), len(paths))
    add_page([run.summary for run in runs], runs[0].summary["confidence_level"])
    for run in runs:
        if run.answered.sampling["identical"]:
            withhold(run.summary, IDENTICAL)
    baselines = match_blind([run.answered for run in runs], [read_blind(path, coverage) for path in blind])
    complete = []
    for run, label, baseline in zip(runs, _labels(runs), baselines, strict=True):
        figures = control_figures(run.answered, baseline, n_resamples=n_resamples, seed=seed)
        said = answer({**run.answered.facts, **figures.as_dict(), **run.summary})
        complete.append(replace(run, label=label, controls=figures, answer=said))
    return complete


def _collect(path: Path, coverage: float, n_resamples: int, seed: int) -> Run:
    answered = read_answered(path, coverage)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MetricWarning)
        try:
            summary = summarize(
                answered.rows, by=BREAKDOWNS, source=answered.source, n_resamples=n_resamples, seed=seed
            )
            reliabilities, risks = _curves(answered)
        except MedqDegError as error:
            raise MedqDegError(f"{path}: {error}") from None
    failures = Counter(RunFolder(path).read_failures().values())
    return Run(
        label=shorten(visible(str(answered.settings["model"].get("name") or path.resolve().name)), LONGEST_NAME),
        folder=path.resolve().name,
        answered=answered,
        failures=failures.most_common(),
        summary=summary,
        reliability=reliabilities,
        risk_coverage=risks,
        answer=answer({**answered.facts, **summary}),
        caveats=list(dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, MetricWarning))),
    )


Curves = dict[str, dict[str, list[float]]]


def _curves(answered: AnsweredRun) -> tuple[Curves, Curves]:
    """Return reliability and risk by coverage at each severity."""
    reliabilities: Curves = {}
    risks: Curves = {}
    exact = answered.source == "probabilities"
    for severity, name in enumerate(SEVERITY_NAMES):
        rows = [row for row in answered.rows if row["severity"] == severity]
        if rows:
            votes = None if exact else [row["votes"] for row in rows]
            probabilities = [row["probabilities"] for row in rows] if exact else None
            data = votes, [row["answer"] for row in rows], [len(row["options"]) for row in rows]
            reliabilities[name] = reliability(*data, probabilities=probabilities)
            risks[name] = risk_coverage(*data, probabilities=probabilities)
    return reliabilities, risks


def _labels(runs: Sequence[Run]) -> list[str]:
    """Name runs by their model; where that is not enough add the folder, and where that is not enough a number."""
    labels = [run.label for run in runs]
    shared = Counter(labels)
    labels = [
        f"{run.label} ({shorten(visible(run.folder), LONGEST_NAME)})" if shared[run.label] > 1 else run.label
        for run in runs
    ]
    shared, seen = Counter(labels), Counter[str]()
    for place, label in enumerate(labels):
        seen[label] += 1
        if shared[label] > 1:
            labels[place] = f"{label} #{seen[label]}"
    return labels


def compare(runs: Sequence[Run], *, n_resamples: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """Ask of the runs on the same data whether the less accurate model is the surer one, on the most severe images.

    Returns
    -------
    list of dict
        For each data with two runs or more: ``runs`` (labels), ``severity``, and what
        `medq_deg.metrics.inter_model` says of their votes on the rows that all have answered.
    """
    results = []
    for fingerprint in dict.fromkeys(run.fingerprint for run in runs):
        alike = [run for run in runs if run.fingerprint == fingerprint]
        answers = [{row["id"]: row for row in run.answered.rows} for run in alike]
        common = [row for row in alike[0].answered.rows if all(row["id"] in each for each in answers)]
        worst = max((row["severity"] for row in common), default=0)
        rows = [row for row in common if row["severity"] == worst]
        if len(alike) < 2 or not rows:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetricWarning)  # each run's own figures have warned already
            result = inter_model(
                {
                    run.label: [each[row["id"]]["votes"] for row in rows]
                    for run, each in zip(alike, answers, strict=True)
                },
                [row["answer"] for row in rows],
                [len(row["options"]) for row in rows],
                [row["question_id"] for row in rows],
                n_resamples=n_resamples,
                seed=seed,
            )
        results.append({"runs": [run.label for run in alike], "severity": SEVERITY_NAMES[worst], **result})
    return results
