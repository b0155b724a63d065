"""Where a run stands among the published models: a tick for each of them, and the run's mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from medq_deg.reporting import vector
from medq_deg.reporting.collect import Run
from medq_deg.results.numbers import of_100
from medq_deg.results.published import PAPER_TRIALS, published_results
from medq_deg.results.ranking import asked_of, findings


@dataclass(frozen=True)
class Strip:
    """The sentences, one for each run that may stand there, and the chart in two widths."""

    sentences: tuple[str, ...]
    charts: tuple[Markup, ...]


def strip_of(runs: Sequence[Run], widths: tuple[int, int]) -> Strip | None:
    """Return the strip of the runs on the benchmark, whole, with the paper's number of votes; None without one."""
    ours = [(run.label, run.at("L2")["accuracy"]) for run in runs if _comparable(run)]
    if not ours:
        return None
    published = [result.accuracy[2] for result in published_results()]
    sentences = tuple(
        f"{label} is right more often than {sum(accuracy > other for other in published)} of {len(published)} "
        "published models on severely degraded images."
        for label, accuracy in ours
    )
    charts = tuple(_draw(published, ours, width, kind) for width, kind in zip(widths, ("wide", "slim"), strict=True))
    return Strip(sentences, charts)


def _comparable(run: Run) -> bool:
    answered = run.answered
    asked = asked_of(answered.settings, answered.rows, run.missing, answered.sampling)
    whole = not run.missing and asked.trials == PAPER_TRIALS and asked.orders == 1
    return whole and not any(finding.unranked for finding in findings(asked))


def _draw(published: Sequence[float], ours: Sequence[tuple[str, float]], width: int, kind: str) -> Markup:
    left, right, height = 12, width - 12, 58 + 22 * len(ours)
    middle = 22 + 22 * len(ours)

    def x(share: float) -> float:
        return left + share * (right - left)

    parts = [vector.line(left, middle, right, middle, "grid")]
    for tick in range(0, 101, 20):
        parts.append(vector.text(x(tick / 100), middle + 32, tick, "muted", "middle"))
    parts += [vector.line(x(share), middle - 9, x(share), middle + 9, "tick") for share in published]
    for place, (label, share) in enumerate(ours):
        anchor = "end" if share > 0.6 else "start"
        parts.append(vector.circle(x(share), middle, 6, "dot right"))
        parts.append(vector.text(x(share), 16 + 22 * place, f"{label}: {of_100(share)}", "lab right", anchor))
    told = "; ".join(f"{label} {of_100(share)}" for label, share in ours)
    label = f"Right of 100 on severely degraded images: {told}; published models from {of_100(min(published))} to "
    return vector.svg(width, height, parts, label + of_100(max(published)), kind)
