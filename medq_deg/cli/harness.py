"""The commands that give MedQ-Deg to other harnesses, and take their results back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from medq_deg.cli.console import console, say, say_next, stages, tell_result
from medq_deg.cli.data import data
from medq_deg.cli.long import long_command
from medq_deg.errors import MedqDegError
from medq_deg.models.options import Parser

harnesses = typer.Typer()


@data.command("export", epilog="Example: medq-deg data export medq-deg-data/ --format vlmevalkit --out vlmevalkit/")
@long_command
def data_export(
    name: Annotated[str, typer.Argument(metavar="DATA", help="A folder or a name, as in `medq-deg evaluate --data`.")],
    form: Annotated[Literal["vlmevalkit", "lmms-eval", "lm-eval"], typer.Option("--format", help="The harness.")],
    out: Annotated[Path, typer.Option(help="Folder of the result.")],
    votes: Annotated[int, typer.Option(help="Answers sampled per row.")] = 10,
    severity: Annotated[str | None, typer.Option(help="Only these, such as 0,2.")] = None,
    subset: Annotated[int | None, typer.Option(help="At most this many rows, in whole questions.")] = None,
    hub_cache: Annotated[
        bool, typer.Option("--hub-cache", help="vlmevalkit: lay OUT out as HF_HOME, where it finds the files offline.")
    ] = False,
) -> None:
    """Write the data in the form that another evaluation harness reads, see docs/harnesses.md."""
    from medq_deg.harness.asked import choose, read_severities
    from medq_deg.harness.tasks import export_lm_eval, export_lmms_eval
    from medq_deg.harness.vlmevalkit import export_vlmevalkit

    if hub_cache and form != "vlmevalkit":
        raise MedqDegError(f"--hub-cache is for vlmevalkit, not for {form}")
    severities = read_severities(severity)
    with stages() as progress:
        asked = choose(name, severities=severities, subset=subset, progress=progress)
        if form == "vlmevalkit":
            written = export_vlmevalkit(asked, out, votes, hub_cache=hub_cache, progress=progress)
        elif form == "lmms-eval":
            written = export_lmms_eval(asked, out, votes, progress=progress)
        else:
            written = export_lm_eval(asked, out, votes, progress=progress)
    for path in written:
        _show(str(path))
    _show(f"{len(asked)} rows, {votes} votes each")
    tell_result(written=[str(path) for path in written], rows=len(asked), votes=votes)
    say_next("medq-deg", "import-results", "FILE", "--from", form, "--data", name, "--out", "runs/my-model")


@harnesses.command(
    "import-results",
    epilog="Example: medq-deg import-results logs/*.eval --from inspect --data DIR --out runs/my-model",
)
@long_command
def import_results(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Result files of one model.")],
    harness: Annotated[
        Literal["inspect", "vlmevalkit", "lmms-eval", "lm-eval"], typer.Option("--from", help="The harness.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    name: Annotated[str, typer.Option("--data", help="The data that was asked, as in `medq-deg evaluate`.")] = "demo",
    model: Annotated[str | None, typer.Option(help="Name of the model; inspect-ai's logs tell it.")] = None,
    parser: Annotated[
        Parser | None, typer.Option(help="Answer parser; by default that of an inspect-ai log, else strict.")
    ] = None,
    subset: Annotated[int | None, typer.Option(help="The --subset that the data was exported with.")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accept missing rows and votes; such rows stay without an answer.")
    ] = False,
) -> None:
    """Make a run of what another evaluation harness got, for score, report, compare, leaderboard and submit."""
    from medq_deg.harness.imported import import_results as make

    with stages() as progress:
        made = make(
            files,
            harness,
            out,
            data=name,
            model=model,
            parser=parser,
            subset=subset,
            partial=partial,
            progress=progress,
        )
    if made.answered < made.rows:
        say(f"{made.rows - made.answered} rows have no answer: score them with --coverage below 1")
    _show(f"{out}: {made.answered} of {made.rows} rows answered, {made.trials} votes each")
    tell_result(run=str(out), answered=made.answered, rows=made.rows, trials=made.trials)
    say_next("medq-deg", "score", out)


def _show(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
