"""The commands that ask models, and put the parts of a run together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medq_deg.cli.console import bar, console, run_progress, say, say_next, stages, tell_failure, tell_result
from medq_deg.cli.long import long_command
from medq_deg.cli.options import PANELS, Seed, read_arguments, with_model_options
from medq_deg.cli.results import report, score
from medq_deg.data.names import DEMO, default_data
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import Controls, ShownImage
from medq_deg.models.options import Parser, ServerOptions, TransformersOptions

evaluating = typer.Typer()

ORDERS = 5
"""Orders of the options that `--controls` asks in."""

BATCHES = "batch"
"""Folder of a run in which `--batch` keeps its request files."""

_SERVER = PANELS[ServerOptions]
_PARTS = "Parts of a run"
_CONTROLS = "Controls, see docs/controls.md"


@evaluating.command(epilog="Example: medq-deg evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --data DIR --out runs/qwen")
@long_command
@with_model_options
def evaluate(
    transformers: TransformersOptions,
    server: ServerOptions,
    model: Annotated[
        str, typer.Option(help="Hub id, folder, published model, `demo`, plugin, or with --endpoint a served name.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; the same folder continues it. Needed unless --try.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="`demo`, `demo-held-out`, `release`, `release:DIR`, a folder that `medq-deg build` wrote, or "
            "ORG/NAME. By default `demo`; for the model `demo` the parts of its images that it was not trained on, "
            "`demo-held-out`."
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="Votes per row, sampled at temperature 1.")] = 10,
    seed: Seed = 0,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Longest answer in tokens; by default 32, or a published model's own preset.")
    ] = None,
    model_arg: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Argument of a plugin's model; may be repeated.")
    ] = None,
    parser: Annotated[Parser, typer.Option(help="Answer parser, see docs/answers.md.")] = "strict",
    try_rows: Annotated[
        int, typer.Option("--try", metavar="N", help="Show prompt and parsed answers of N rows, write nothing.")
    ] = 0,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on even if the first 20 rows show that hardly a vote can be read.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of an OpenAI-compatible server.", rich_help_panel=_SERVER)
    ] = None,
    batch: Annotated[
        bool,
        typer.Option("--batch", help="OpenAI's Batch API: half price, within a day.", rich_help_panel=_SERVER),
    ] = False,
    shard: Annotated[str | None, typer.Option(help="Part i/n of the rows.", rich_help_panel=_PARTS)] = None,
    subset: Annotated[
        int | None, typer.Option(help="At most this many rows, in whole questions.", rich_help_panel=_PARTS)
    ] = None,
    orders: Annotated[
        int, typer.Option(help="Orders of the options to spread the votes over.", rich_help_panel=_CONTROLS)
    ] = 1,
    image: Annotated[
        ShownImage,
        typer.Option(
            "--image", "--picture", help="none or grey: the clean questions, blind.", rich_help_panel=_CONTROLS
        ),
    ] = "shown",
    controls: Annotated[
        bool,
        typer.Option("--controls", help="Main run, blind run and five orders, in one go.", rich_help_panel=_CONTROLS),
    ] = False,
) -> None:
    """Let a model answer every question several times, and store what it said.

    Ctrl-C finishes the rows that are being asked; the same command continues.

    Several processes: accelerate launch scripts/evaluate.py, with the same options.

    An endpoint's key is read from MEDQ_DEG_API_KEY, or the provider's own variable, such as OPENAI_API_KEY.
    """
    from medq_deg.cli.costs import share_budget, telling_costs
    from medq_deg.cli.tables import print_dry_run, print_summary
    from medq_deg.data.load import open_data
    from medq_deg.evaluation.asking import Manner
    from medq_deg.evaluation.planning import plan_sentences
    from medq_deg.evaluation.processes import processes
    from medq_deg.evaluation.rows import text_columns
    from medq_deg.evaluation.run import Shard
    from medq_deg.evaluation.run import evaluate as run
    from medq_deg.evaluation.run import try_rows as try_some
    from medq_deg.models.load import load_model

    if batch and (endpoint is None or try_rows or controls):
        raise MedqDegError("--batch needs --endpoint, and is neither for --try nor for --controls")
    if out is None and not try_rows:
        raise MedqDegError("--out is needed: the folder of the run")
    runs = _runs(out, orders, image, subset, every=controls)
    for _, each in runs:
        Manner(trials, seed, parser, each).check()
    part = Shard.parse(shard) if shard is not None else None
    with stages() as opening:
        rows = open_data(_data_of(data, ours=model == "demo" and endpoint is None), opening)
    columns = text_columns(rows)
    plans = [plan_sentences(columns, trials, each) for _, each in runs]
    launched = processes()
    quiet = launched.rank > 0
    with console.status("loading the model"):
        loaded = load_model(
            model,
            transformers=transformers,
            endpoint=endpoint,
            server=server,
            batch=out / BATCHES if batch and out is not None else None,
            tell=say,
            max_new_tokens=max_new_tokens,
            arguments=read_arguments(model_arg or []),
        )
    if try_rows or out is None:
        print_dry_run(try_some(loaded, rows, try_rows, trials=trials, seed=seed, parser=parser, controls=runs[0][1]))
        return
    failed = 0
    for (folder, asked), plan in zip(runs, plans, strict=True):
        share_budget(loaded, server.max_cost, launched.size)
        _say_all([] if quiet else [*([f"{folder}:"] if len(runs) > 1 else []), *plan])
        try:
            with run_progress() as progress:
                summary = run(
                    loaded,
                    rows,
                    folder,
                    data_name=rows.name,
                    data_version=rows.fingerprint,
                    trials=trials,
                    seed=seed,
                    parser=parser,
                    controls=asked,
                    shard=part,
                    keep_going=keep_going,
                    processes=launched.for_run(folder.name),
                    progress=tell_failure if quiet else telling_costs(loaded, trials, progress),
                )
        except KeyboardInterrupt:
            say(f"stopped at once; the same command continues the run in {folder}")
            raise typer.Exit(130) from None
        if not quiet:
            print_summary(summary, folder, loaded)
            tell_result(run=str(folder), rows=summary.rows, answered=summary.answered, failed=summary.failed)
        if summary.stopped:
            raise typer.Exit(130)
        failed += summary.failed
    if failed and not quiet:
        raise MedqDegError(f"{failed} rows failed; the same command asks them again")
    if controls and not quiet:
        say_next("medq-deg", "report", runs[0][0], runs[2][0], "--blind", runs[1][0])
    elif not quiet:
        say_next("medq-deg", "score", runs[0][0])


def _runs(
    out: Path | None, orders: int, image: ShownImage, subset: int | None, *, every: bool
) -> list[tuple[Path, Controls]]:
    """Return folder and controls of each run that a command makes: one, or main, blind and orders beside each other."""
    folder = out or Path()
    if not every:
        return [(folder, Controls(orders, image, subset))]
    beside = folder if folder.name else folder.resolve()
    return [
        (folder, Controls(subset=subset)),
        (
            beside.with_name(f"{beside.name}-blind"),
            Controls(image="none" if image == "shown" else image, subset=subset),
        ),
        (
            beside.with_name(f"{beside.name}-orders"),
            Controls(orders=ORDERS if orders == 1 else orders, subset=subset),
        ),
    ]


def _data_of(data: str | None, *, ours: bool) -> str:
    """Return the data to ask about; `ours` says that the demo model is asked, which has seen parts of the demo's."""
    data = data or default_data(ours=ours)
    if ours and data == DEMO:
        say("the demo model was trained on parts of these images, so this is no test of it; demo-held-out is")
    return data


def _say_all(sentences: list[str]) -> None:
    for sentence in sentences:
        say(sentence)


@evaluating.command(epilog="Example: medq-deg merge runs/part1 runs/part2 --out runs/whole")
@long_command
def merge(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Folders of runs, or one that shards shared; also in a store: s3://, gs://."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the merged run; by default the one RUN.")] = None,
) -> None:
    """Put the shards of a run together, each row once."""
    from medq_deg.evaluation.merge import merge as put_together
    from medq_deg.scale.places import is_address
    from medq_deg.scale.runs import fetched

    if out is None and len(runs) > 1:
        raise MedqDegError("--out is needed where several runs are merged")
    if is_address(str(out or runs[0])):
        raise MedqDegError(f"{out or runs[0]}: a merged run is a folder of this machine; name one with --out")
    target = out or Path(runs[0])
    with fetched(runs) as folders:
        answered, rows = put_together(folders, target)
    console.print(f"{answered} of {rows} rows answered; run in {target}", highlight=False, soft_wrap=True)
    tell_result(run=str(target), answered=answered, rows=rows)
    say_next("medq-deg", "score", target)


@evaluating.command(epilog="Example: medq-deg reparse runs/my-model --parser vlmevalkit --out runs/my-model-vlmevalkit")
@long_command
def reparse(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; it stays as it is.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the new run; by default RUN-PARSER beside it.")] = None,
    parser: Annotated[Parser | None, typer.Option(help="Answer parser; by default the run's.")] = None,
) -> None:
    """Read the votes of a run again from what the model said, without asking it, into a new run."""
    from medq_deg.evaluation.reparse import reparse as read_again
    from medq_deg.evaluation.store import RunFolder

    if out is None:
        named = parser or RunFolder(run).read_run()["settings"].get("parser")
        out = run.resolve().with_name(f"{run.resolve().name}-{named}")
    with bar("reading") as progress:
        changed, answered = read_again(run, out, parser, progress=progress)
    console.print(f"{changed} of {answered} rows have other votes now; run in {out}", highlight=False, soft_wrap=True)
    tell_result(run=str(out), changed=changed, answered=answered)
    say_next("medq-deg", "compare", run, out)


@evaluating.command(epilog="Example: medq-deg demo --out runs/demo")
@long_command
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run; the same folder continues it.")] = Path("runs/demo"),
) -> None:
    """Run the whole path on the embedded demonstration set with a tiny model: a minute on two cores, no download."""
    from medq_deg import demo as demo_set

    console.print(f"The demo set is {demo_set.NOTE}.", soft_wrap=True)
    evaluate(TransformersOptions(), ServerOptions(), model="demo", out=out, data="demo-held-out")
    score(out, coverage=1.0)
    report([out], out=out / "report.html")
    say_next("medq-deg", "evaluate", "--model", "MODEL", "--data", "demo", "--out", "runs/my-model")
