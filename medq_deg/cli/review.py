"""The commands of an expert review: serve it, invite, watch, finish."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperGroup

from medq_deg.cli.console import console, say, stages
from medq_deg.errors import MedqDegError


class _WithDefault(TyperGroup):
    """A group whose first command is meant where none is named: ``review DIR`` is ``review serve DIR``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


review = typer.Typer(
    cls=_WithDefault,
    no_args_is_help=True,
    help="Let experts keep or delete degradations in a browser. `medq-deg review DIR` is short for `review serve DIR`; "
    "a folder that has the name of a command is written ./invite.",
    epilog="Example: medq-deg review demo",
)

Db: TypeAlias = Annotated[Path, typer.Option(help="The review database.")]
DbArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="DB", help="The review database.")]
_DEFAULT = Path("reviews.sqlite")


def need_extra() -> None:
    """Raise `MedqDegError` unless what a review needs is installed."""
    names = {
        "fastapi": "fastapi",
        "uvicorn": "uvicorn",
        "python_multipart": "python-multipart",
        "statsmodels": "statsmodels",
        "krippendorff": "krippendorff",
    }
    lacking = [package for module, package in names.items() if importlib.util.find_spec(module) is None]
    if lacking:
        raise MedqDegError(f"a review needs {', '.join(lacking)}: pip install 'medq-deg[review]'")


@review.command(epilog="Example: medq-deg review serve medq-deg-data/ --db reviews.sqlite --reviewers-per-question 2")
def serve(
    data: Annotated[str, typer.Argument(metavar="DIR", help="What `medq-deg build` wrote, or `demo`.")],
    db: Db = _DEFAULT,
    port: Annotated[int, typer.Option(help="Port; 0 takes any that is free.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this computer's own need invited reviewers.")
    ] = "127.0.0.1",
    reviewers: Annotated[
        int | None,
        typer.Option(
            "--reviewers-per-question", help="Independent reviewers of each question, 1 to 3; 1 for a new review."
        ),
    ] = None,
    public_url: Annotated[
        str, typer.Option(metavar="URL", help="Address that browsers use, behind a reverse proxy: https://host/review.")
    ] = "",
    trusted_proxy: Annotated[
        str, typer.Option(metavar="IP", help="Address of that proxy, if it is not on this computer.")
    ] = "",
    plan_seed: Annotated[
        int | None,
        typer.Option(help="DIR holds clean rows alone (data/L0-*.parquet): degrade them as they are shown."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Serve the review page until Ctrl-C."""
    need_extra()
    from medq_deg.review.catalogue import open_catalogue
    from medq_deg.review.serve import serve as run

    with stages() as progress:
        catalogue = open_catalogue(data, plan_seed, progress)
    run(
        catalogue,
        db,
        slots=reviewers,
        host=host,
        port=port,
        public_url=public_url,
        trusted_proxy=trusted_proxy,
        browser=browser,
        say=say,
    )


@review.command(epilog="Example: medq-deg review invite 'Dr. Rossi' --db reviews.sqlite")
def invite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="How the reviewer is called in report and export.")],
    db: Db = _DEFAULT,
) -> None:
    """Make an access token for a reviewer. It is shown once; inviting again makes another, and ends the one before."""
    need_extra()
    from medq_deg.review.auth import Auth
    from medq_deg.review.database import Database

    token = Auth(Database(db, create=True)).invite(name)
    say(f"access token of {name.strip()}, shown this once:")
    console.print(token, soft_wrap=True)


@review.command(epilog="Example: medq-deg review revoke 'Dr. Rossi' --db reviews.sqlite")
def revoke(name: Annotated[str, typer.Argument(metavar="NAME")], db: Db = _DEFAULT) -> None:
    """Take a reviewer's access away, at once; the verdicts stay."""
    need_extra()
    from medq_deg.review.auth import Auth
    from medq_deg.review.database import Database

    Auth(Database(db)).revoke(name)
    say(f"{name} has no access any more")


@review.command(epilog="Example: medq-deg review report reviews.sqlite --rule majority")
def report(
    db: DbArgument,
    rule: Annotated[str, typer.Option(help="majority, any or all: which pairs count as removed.")] = "majority",
    confidence_level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Show progress, removal rates, reasons, agreement and time, also while the review goes on."""
    need_extra()
    from medq_deg.cli.review_tables import print_report
    from medq_deg.review.database import Database
    from medq_deg.review.report import make_report
    from medq_deg.review.results import read_review

    made = make_report(read_review(Database(db, writable=False)), rule, confidence_level)
    if as_json:
        typer.echo(json.dumps(made.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_report(made)


@review.command(epilog="Example: medq-deg review export reviews.sqlite --csv --out verdicts.csv")
def export(
    db: DbArgument,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values, for a spreadsheet.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    out: Annotated[Path | None, typer.Option(help="File; without it the verdicts are printed.")] = None,
) -> None:
    """Write every verdict of finished questions, one a line."""
    from medq_deg.files import replace_file
    from medq_deg.review import export as write
    from medq_deg.review.database import Database
    from medq_deg.review.results import read_review

    if as_csv == as_jsonl:
        raise MedqDegError("choose one of --csv and --jsonl")
    found = read_review(Database(db, writable=False))
    text = write.as_csv(found) if as_csv else write.as_jsonl(found)
    if out is None:
        typer.echo(text, nl=False)
        return
    with replace_file(out) as file:
        file.write(text.encode())
    say(f"written: {out}")


@review.command(epilog="Example: medq-deg review backup reviews.sqlite copy.sqlite")
def backup(
    db: DbArgument, copy: Annotated[Path, typer.Argument(metavar="COPY", help="A file that does not exist yet.")]
) -> None:
    """Write a consistent copy of a review database, also while it is served."""
    from medq_deg.review.database import Database

    Database(db, writable=False).copy_to(copy)
    say(f"written: {copy}")
