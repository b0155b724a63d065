"""The commands that show and publish what finished runs say; `medq_deg.cli` adds them to its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medq_deg.cli.console import bar, console, say, say_next, stages, tell_result
from medq_deg.cli.long import long_command
from medq_deg.errors import MedqDegError
from medq_deg.results.columns import Column

results = typer.Typer()

Blind = Annotated[
    list[Path] | None,
    typer.Option(metavar="RUN", help="Blind baseline of one of the runs, see docs/controls.md; may be repeated."),
]

Coverage = Annotated[float, typer.Option(help="Least share of rows that must be answered, 0 to 1.")]


@results.command(epilog="Example: medq-deg score runs/my-model")
@long_command
def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    coverage: Coverage = 1.0,
    blind: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Blind baseline: the same model asked with --image none.")
    ] = None,
) -> None:
    """Print accuracy, confidence and Calibration Shift of a run, and write metrics.json."""
    from medq_deg.cli.tables import print_scores
    from medq_deg.results.score import score_run

    result = score_run(run, coverage=coverage, blind=blind)
    print_scores(result)
    _written(run / "metrics.json")
    tell_result(**result)
    say_next("medq-deg", "report", run)


@results.command(epilog="Example: medq-deg compare runs/model-a runs/model-b")
@long_command
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="Folder of a run over the same data.")],
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    coverage: Coverage = 1.0,
    blind: Blind = None,
) -> None:
    """Compare two runs row by row: B minus A, with intervals and adjusted p-values."""
    from medq_deg.cli.comparisons import print_comparison
    from medq_deg.results.compare import compare_runs, write_comparison

    result = compare_runs(first, second, coverage=coverage, blind=blind or [])
    print_comparison(result)
    if out is not None:
        write_comparison(result, out)
        _written(out)
    tell_result(**result)
    say_next("medq-deg", "report", first, second)


@results.command(epilog="Example: medq-deg leaderboard runs/my-model --sort change --out board.html")
@long_command
def leaderboard(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="Folders of runs.")] = None,
    sort: Annotated[Column, typer.Option(help="What to sort by.")] = "accuracy_l2",
    out: Annotated[Path | None, typer.Option(help="File to write: .csv, .md, .json or .html.")] = None,
    coverage: Coverage = 1.0,
) -> None:
    """Print the published results with your runs among them."""
    from medq_deg.cli.comparisons import print_leaderboard
    from medq_deg.reporting.exports import check_export, records, write_leaderboard
    from medq_deg.results.leaderboard import leaderboard as rank

    if out is not None:
        check_export(out)
    with bar("scoring") as progress:
        entries = rank(runs or [], sort_by=sort, coverage=coverage, progress=progress)
    print_leaderboard(entries)
    if out is not None:
        write_leaderboard(entries, out)
        _written(out)
    tell_result(models=records(entries))
    if runs:
        say_next("medq-deg", "submit", runs[0], "--results-repo", "ORG/RESULTS", "--dry-run")
    else:
        say_next("medq-deg", "leaderboard", "RUN")


@results.command(epilog="Example: medq-deg report runs/model-a runs/model-b --out report.html")
@long_command
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    out: Annotated[Path, typer.Option(help="The HTML file; figures go beside it.")] = Path("report.html"),
    coverage: Coverage = 1.0,
    data: Annotated[
        str | None, typer.Option(help="Data of the runs, for their images, as in `medq-deg evaluate --data`.")
    ] = None,
    blind: Blind = None,
) -> None:
    """Write a page on one or more runs: one HTML file, and its figures as SVG, PNG and CSV."""
    from medq_deg.data.load import open_data
    from medq_deg.reporting.write import write_report

    with stages() as progress:
        rows = open_data(data, progress) if data is not None else None
        written = write_report(runs, out, coverage=coverage, data=rows, blind=blind or [], progress=progress)
    _written(written[0])
    tell_result(written=[str(path) for path in written])
    say_next("medq-deg", "leaderboard", *runs)


@results.command(epilog="Example: medq-deg submit runs/my-model --repo my-org/my-model --dataset my-org/medq-deg")
def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a whole run on the benchmark.")],
    repo: Annotated[str | None, typer.Option(help="The model's repository, ORG/MODEL.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The benchmark's dataset on the Hub, with --repo.")] = None,
    source: Annotated[str | None, typer.Option(help="Address of the answers, with --repo.")] = None,
    results_repo: Annotated[
        str | None, typer.Option(help="Add figures and answers to this dataset of results instead.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Open the pull request without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; asks the Hub nothing.")] = False,
) -> None:
    """Offer the results of a run to the Hub, as a pull request."""
    from medq_deg.hub.submit import prepare, prepare_results, send

    if (repo is None) == (results_repo is None):
        raise MedqDegError("one of --repo and --results-repo is needed")
    if repo is not None:
        if dataset is None:
            raise MedqDegError("--dataset is needed with --repo: the benchmark's dataset on the Hub, ORG/NAME")
        submission = prepare(run, repo, dataset, source=source, dry_run=dry_run)
    elif source is not None:
        raise MedqDegError("--source goes with --repo: a results dataset holds the answers themselves")
    else:
        submission = prepare_results(run, results_repo or "", dry_run=dry_run)
    if not submission.diff:
        console.print(f"{submission.repo} holds these results already; nothing to send", markup=False)
        return
    console.print(submission.diff, markup=False, highlight=False, soft_wrap=True)
    if dry_run:
        say("nothing was sent; without --dry-run the pull request is opened")
        return
    if not yes and not typer.confirm(f"Open a pull request in {submission.repo}?"):
        raise typer.Exit(1)
    console.print(send(submission), markup=False, highlight=False, soft_wrap=True)
    say_next("medq-deg", "leaderboard", run)


def _written(path: Path) -> None:
    console.print(f"written to {path}", markup=False, highlight=False, soft_wrap=True)
