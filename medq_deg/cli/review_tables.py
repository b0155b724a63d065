"""The figures of a review as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Column, Table

from medq_deg.cli.console import console
from medq_deg.reporting.text import between, decimal, percent, words
from medq_deg.review.report import Rate, Report, Times
from medq_deg.review.results import RULES
from medq_deg.review.terms import REASONS


def print_report(report: Report) -> None:
    """Print a report."""
    level = f"{100 * report.confidence_level:g} %"
    _line(f"{report.name or 'not served yet'}, fingerprint {report.fingerprint[:16]}")
    _line(
        f"{report.finished} of {report.questions} questions finished ({report.reviewers_per_question} reviewers each), "
        f"{report.begun} begun; {report.reviewed} of {report.pairs} pairs have a verdict"
    )
    if report.removal is not None:
        _line(f"a pair counts as removed if {RULES[report.rule]}; {report.tied} pairs are tied")
        _rates("all pairs", [report.removal], level)
        _rates("degradation", report.by_degradation, level)
        _rates("modality", report.by_modality, level)
    if report.reasons:
        table = Table("reason", _right("deletions"))
        for reason, count in report.reasons.items():
            table.add_row(REASONS[reason][0], str(count))
        console.print(table)
    if any(report.corrected.values()):
        _line(f"severity corrected: L1 {report.corrected['L1']} times, L2 {report.corrected['L2']} times")
    table = Table("agreement", _right("value"), _right(f"{level} interval"), _right("pairs"), "")
    for each in report.agreement:
        table.add_row(each.name, decimal(each.value), between(each.interval, decimal), str(each.pairs), each.note)
    console.print(table)
    table = Table("reviewer", _right("questions"), _right("median"), _right("quartiles"))
    for times in (report.time, *report.by_reviewer):
        table.add_row(times.reviewer, str(times.questions), _seconds(times.median), _quartiles(times))
    console.print(table)


def _rates(heading: str, rates: Sequence[Rate], level: str) -> None:
    table = Table(heading, _right("reviewed"), _right("removed"), _right("rate"), _right(f"{level} interval"))
    for rate in rates:
        table.add_row(
            words(rate.name), str(rate.pairs), str(rate.removed), percent(rate.rate), between(rate.interval, percent)
        )
    console.print(table)


def _quartiles(times: Times) -> str:
    return "" if times.quartiles is None else f"{_seconds(times.quartiles[0])} to {_seconds(times.quartiles[1])}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _right(name: str) -> Column:
    return Column(name, justify="right")


def _line(text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)
