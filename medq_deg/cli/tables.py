"""Results as the command line prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from medq_deg.cli.console import PlainConsole, console, say
from medq_deg.cli.controls import print_controls
from medq_deg.evaluation.missing import ADVICE, missing_sentences
from medq_deg.metrics import FIGURES, HEADLINE

if TYPE_CHECKING:
    from medq_deg.evaluation.run import RunSummary
    from medq_deg.models.base import Model


def print_summary(summary: RunSummary, out: Path, model: Model) -> None:
    """Print what a start of a run did, and what an endpoint charged for it."""
    console.print(
        f"{summary.rows} rows: {summary.before} answered before, {summary.answered} now, {summary.failed} failed; "
        f"run in {out}",
        highlight=False,
        soft_wrap=True,
    )
    if unnamed := summary.missing.shares():
        say(f"of {summary.missing.votes} votes: {', '.join(unnamed)}")
    if summary.missing.cut_off:
        say(f"cut-off answers count as missing: {ADVICE}")
    if usage := getattr(model, "usage", None):
        cost = getattr(model, "cost", None)
        least = "at least " if getattr(model, "at_least", False) else ""
        # What was lost on the way may have been charged.
        dearer = "at least " if least or getattr(model, "lost", False) or summary.failed else ""
        told = "" if cost is None else f", {dearer}{cost:.2f} USD"
        cached = f" ({usage['cached_tokens']} cached)" if usage["cached_tokens"] else ""
        counts = (
            f"{usage['requests']} requests, {usage['prompt_tokens']} prompt{cached} and "
            f"{least}{usage['completion_tokens']} new tokens"
        )
        console.print(counts + told, highlight=False, soft_wrap=True)
    if summary.stopped:
        say(f"stopped; the same command continues the run in {out}")


def print_dry_run(asked: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Print prompt, answers and how they were parsed, row by row."""
    for prompt, record in asked:
        console.rule(Text(record["id"]), align="left")
        console.print(prompt, markup=False, highlight=False)
        if record["error"]:
            console.print(f"failed: {record['error']}", markup=False, highlight=False)
        for text, vote in zip(record["texts"], record["votes"], strict=False):
            console.print(f"  {vote or 'unparsable':>10}  {text!r}", markup=False, highlight=False, soft_wrap=True)
        for letter, share in (record["probabilities"] or {}).items():
            console.print(f"  first token is {letter}: {share:.3f}", markup=False, highlight=False)


def print_scores(result: Mapping[str, Any]) -> None:
    """Print the answer of a run in words, and its figures at each severity with intervals."""
    print_answer(result["answer"])
    votes = f"{result['trials']} votes per row" if result["source"] == "votes" else "exact probabilities"
    table = Table(title=f"{result['model']['name']} on {result['data']['name']}, {votes}")
    table.caption = "mean, and 95 % interval by bootstrap over questions"
    table.add_column("severity")
    table.add_column("rows", justify="right")
    for key in HEADLINE:
        table.add_column(FIGURES[key].title, justify="right")
    for name, figures in result["by_severity"].items():
        table.add_row(name, str(figures["n"]), *(_with_interval(figures, key) for key in HEADLINE))
    PlainConsole(width=max(console.width, 110)).print(table)
    for sentence in [*missing_sentences(result["missing"]), *result["checks"]]:
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    print_controls(result)
    if (effect := result.get("dunning_kruger")) and effect["rule"] is not None:
        console.print(
            f"The paper's own test calls this a Dunning-Kruger effect: {'yes' if effect['rule'] else 'no'}. It "
            "compares averages, without their noise.",
            soft_wrap=True,
            highlight=False,
        )
    if note := result["model"].get("note"):
        console.print(f"The model is {note}.", soft_wrap=True, highlight=False)


def print_answer(answer: Mapping[str, Any], name: str = "") -> None:
    """Print an answer in words, see `medq_deg.results.answer`; `name` says whose it is among several."""
    told = Text(f"{name}: " if name else "")
    told.append(f"{answer['word']}. {answer['headline']}", style="bold")
    console.print(told, soft_wrap=True, highlight=False)
    for line in filter(None, (answer["evidence"], *answer["notes"], f"So: {answer['advice']}")):
        console.print(line, markup=False, soft_wrap=True, highlight=False)


def _with_interval(figures: Mapping[str, Any], key: str) -> str:
    value, interval = figures[key], figures.get(f"{key}_ci")
    if value is None:
        return "-"
    return f"{value:.3f}" + (f"\n{interval[0]:.3f} to {interval[1]:.3f}" if interval else "")
