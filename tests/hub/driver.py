"""`medq-deg submit` as the command line has it, for a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medq_deg.errors import MedqDegError

app = typer.Typer()


@app.command(epilog="Example: medq-deg submit runs/my-model --repo my-org/my-model --dataset my-org/medq-deg")
def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a whole run on the benchmark.")],
    repo: Annotated[str | None, typer.Option(help="The model's repository, ORG/MODEL.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The benchmark's dataset on the Hub, with --repo.")] = None,
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
        submission = prepare(run, repo, dataset, dry_run=dry_run)
    else:
        submission = prepare_results(run, results_repo or "", dry_run=dry_run)
    if not submission.diff:
        print(f"{submission.repo} holds these results already; nothing to send")
        return
    print(submission.diff)
    if dry_run:
        return
    if not yes and not typer.confirm(f"Open a pull request in {submission.repo}?"):
        raise typer.Exit(1)
    print(send(submission))


if __name__ == "__main__":
    try:
        app(standalone_mode=True)
    except MedqDegError as error:
        typer.echo(f"medq-deg: {error}", err=True)
        raise SystemExit(2) from None
