"""The command line: parses arguments, shows progress, prints results. All work is done elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from medq_deg import __version__
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import resolve_degradation, resolve_modality, resolve_severity

app = typer.Typer(
    name="medq-deg",
    help="Can a vision-language model still be trusted when the medical image is bad?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Check a built dataset, or put it on the Hub.", no_args_is_help=True)
app.add_typer(data, name="data")
console = Console()
errors = Console(stderr=True, soft_wrap=True)

# The base of all that typer says about arguments; typer has no name of its own for it.
UsageError: Any = typer.BadParameter.__base__

Seed = Annotated[int, typer.Option(help="Seed, 0 or more: the same seed gives the same bytes.")]


def main() -> None:
    """Run the command line; what the user did wrong is one line and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except MedqDegError as error:
        _fail(str(error))
    except UsageError as error:
        _fail(error.format_message())
    except (typer.Abort, KeyboardInterrupt):
        errors.print("stopped", highlight=False)
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(message: str) -> None:
    errors.print(f"medq-deg: {' '.join(message.split())}", markup=False, highlight=False, style="red")
    sys.exit(2)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that draws a bar with rate and time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(what, total=None, rate="")

        def update(done: int, total: int) -> None:
            speed = bar.tasks[0].speed if bar.tasks else None
            bar.update(task, completed=done, total=total, rate=f"{speed:.1f}/s" if speed else "")

        yield update


@contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (stage, done, total) that draws a bar, starting anew with each stage."""
    current = ""
    with _progress("starting") as bar:

        def update(stage: str, done: int, total: int) -> None:
            nonlocal current
            if stage != current:
                current = stage
                errors.print(stage, highlight=False)
            bar(done, total or done)

        yield update


def _version(show: bool) -> None:
    if show:
        console.print(f"medq-deg {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command(epilog="Example: medq-deg degrade scans/ degraded/ --type sparse_view --severity 2 --modality CT --seed 7")
def degrade(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of pictures.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file for a picture, a folder for a folder.")],
    kind: Annotated[str, typer.Option("--type", "-t", metavar="TYPE", help="Degradation; `medq-deg list` shows them.")],
    severity: Annotated[str, typer.Option("--severity", "-s", metavar="S", help="0 clean, 1 mild, 2 severe.")],
    seed: Seed = 0,
    modality: Annotated[str | None, typer.Option(help="Modality of the pictures, such as CT.")] = None,
    keep_marking: Annotated[bool, typer.Option("--keep-marking", help="Keep coloured markings sharp.")] = False,
    rounding: Annotated[str, typer.Option(help="nearest, or truncate as the paper's authors did.")] = "nearest",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Degrade a picture, or every picture of a folder.

    A folder's pictures are written as PNG under the same names; one that cannot be read is reported and left out, and
    the exit code is then 1.
    """
    from medq_deg.degradations.folder import degrade_file, degrade_folder

    name, level = resolve_degradation(kind), resolve_severity(severity)
    options: dict[str, Any] = {
        "modality": resolve_modality(modality) if modality is not None else None,
        "rounding": rounding,
        "keep_marking": keep_marking,
    }
    if not source.is_dir():
        output = target / f"{source.stem}.png" if target.is_dir() else target
        if os.path.lexists(output) and not overwrite:
            raise MedqDegError(f"{output} exists: use --overwrite to replace it")
        degrade_file(source, output, name, level, seed, **options)
        return
    if target.exists() and not target.is_dir():
        raise MedqDegError(f"{target} is a file, but {source} is a folder: a folder is needed for the output")
    with _progress("degrading") as progress:
        report = degrade_folder(source, target, name, level, seed, overwrite=overwrite, progress=progress, **options)
    for _, reason in report.skipped:
        errors.print(f"skipped {reason}", markup=False, highlight=False, style="yellow")
    console.print(
        f"{len(report.written)} pictures written to {target}, {len(report.skipped)} skipped",
        highlight=False,
        soft_wrap=True,
    )
    if report.skipped:
        raise typer.Exit(1)


@app.command("list", epilog="Example: medq-deg list")
def list_degradations() -> None:
    """List the degradations: what they are, whom they suit, how strong they are."""
    from medq_deg.degradations import DEGRADATIONS
    from medq_deg.degradations.registry import describe

    table = Table(title=f"{len(DEGRADATIONS)} degradations", show_lines=True)
    for heading in ("type", "category", "modalities", "L1", "L2", "what it is"):
        table.add_column(heading, no_wrap=heading in ("type", "category"))
    for entry in DEGRADATIONS.values():
        levels = [describe(entry.parameters[severity]) for severity in (1, 2)]
        table.add_row(entry.name, entry.category, ", ".join(entry.modalities), *levels, entry.summary)
        for modality, own in entry.by_modality.items():
            table.add_row("", "", f"{modality} only", describe(own.mild), describe(own.severe), "")
    # A table of six columns needs room: a pipe or a narrow terminal gets long lines instead of broken words.
    Console(width=max(console.width, 150)).print(table)


@app.command(epilog="Example: medq-deg gallery gallery/ --image scan.png --modality CT")
def gallery(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for gallery.html and gallery.png.")],
    image: Annotated[
        Path | None, typer.Option(help="Your picture; without it, one of the demo's per modality.")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="Modality of your picture, such as CT.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Show each type once, not for every modality.")] = False,
    seed: Seed = 0,
) -> None:
    """Show original, L1 and L2 of every degradation that suits a picture, on one page."""
    from medq_deg import demo as demo_set
    from medq_deg.degradations.gallery import Picture, make_panels, write_gallery
    from medq_deg.files import open_image

    if (image is None) != (modality is None):
        raise MedqDegError("--image and --modality go together")
    if image is not None and modality is not None:
        pictures = [Picture(image.stem, resolve_modality(modality), open_image(image))]
    else:
        pictures = [Picture(name, of, picture) for name, of, picture in demo_set.showcase()]
    with _progress("degrading") as progress:
        panels = make_panels(pictures, seed, once=once, progress=progress)
    for path in write_gallery(panels, out):
        console.print(f"written: {path}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: medq-deg build --gmai GMAI_VAL.tsv --omnimedvqa OmniMedVQA/ --out medq-deg-data/")
def build(
    out: Annotated[Path, typer.Option(help="Folder of the result; the same folder goes on with a stopped build.")],
    gmai: Annotated[Path | None, typer.Option(help="TSV file of GMAI-MMBench.")] = None,
    omnimedvqa: Annotated[Path | None, typer.Option(help="Folder of OmniMedVQA.")] = None,
    medxpertqa: Annotated[Path | None, typer.Option(help="Folder of MedXpertQA (MM).")] = None,
    folder: Annotated[Path | None, typer.Option(help="Your own pictures with a CSV or JSONL of questions.")] = None,
    quotas: Annotated[str | None, typer.Option(help="`published`: the paper's counts of each type.")] = None,
    questions: Annotated[int | None, typer.Option(help="Keep this many clean questions.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that make pictures.")] = 1,
    seed: Seed = 0,
) -> None:
    """Build the benchmark from its sources: parquet shards, manifest, load report and dataset card."""
    from medq_deg.data.build import build as make

    given = {"gmai": gmai, "omnimedvqa": omnimedvqa, "medxpertqa": medxpertqa, "folder": folder}
    sources = {name: path for name, path in given.items() if path is not None}
    with _stages() as progress:
        manifest = make(
            sources,
            out,
            seed=seed,
            quotas=quotas,  # type: ignore[arg-type]  # checked where it is used
            questions=questions,
            workers=workers,
            progress=progress,
        )
    rows = ", ".join(f"{name} {count}" for name, count in manifest["counts"]["severity"].items())
    console.print(f"{out}: {rows}; fingerprint {manifest['fingerprint'][:16]}", highlight=False, soft_wrap=True)


@data.command("verify", epilog="Example: medq-deg data verify medq-deg-data/")
def data_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `medq-deg build` wrote.")],
    sample: Annotated[int, typer.Option(help="Degraded pictures to make again and compare.")] = 50,
    seed: Seed = 0,
) -> None:
    """Check counts, hashes, columns and pictures of a build, and make a sample of pictures again."""
    from medq_deg.data.verify import verify

    with _progress("checking") as progress:
        result = verify(folder, sample=sample, seed=seed, progress=progress)
    for problem in result.problems:
        errors.print(problem, markup=False, highlight=False, style="red")
    console.print(
        f"{result.rows} rows checked, {result.remade} pictures made again, {len(result.problems)} problems",
        highlight=False,
    )
    if result.problems:
        raise typer.Exit(1)


@data.command("push", epilog="Example: medq-deg data push medq-deg-data/ --repo my-org/medq-deg --private")
def data_push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `medq-deg build` wrote.")],
    repo: Annotated[str, typer.Option(help="Dataset repository, ORG/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Put a build on the Hugging Face Hub, in one commit."""
    from medq_deg.hub.push import push

    console.print(push(folder, repo, private=private), highlight=False, soft_wrap=True)


@app.command(epilog="Example: medq-deg enable")
def enable() -> None:
    """Make load_dataset("medq-deg") work without `import medq_deg`, in this environment."""
    from medq_deg.enable import enable as write

    console.print(f"written: {write()}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: medq-deg disable")
def disable() -> None:
    """Undo `medq-deg enable`."""
    from medq_deg.enable import disable as remove

    console.print("removed" if remove() else "was not enabled", highlight=False)


@app.command(epilog="Example: medq-deg evaluate --model ./my-model --data demo --out runs/my-model")
def evaluate(
    model: Annotated[str, typer.Option(help="A local folder with a transformers model, a Hub id, or `demo`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same folder continues it.")],
    data: Annotated[str, typer.Option(help="`demo`, or a folder that `medq-deg build` wrote.")] = "demo",
    trials: Annotated[int, typer.Option(help="Votes per row, sampled at temperature 1.")] = 10,
    seed: Seed = 0,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 32,
    parser: Annotated[str, typer.Option(help="Answer parser: strict or vlmevalkit.")] = "strict",
) -> None:
    """Let a model answer every question several times, and store what it said."""
    from medq_deg.data.load import load_rows
    from medq_deg.evaluation.run import evaluate as run

    rows = load_rows(data)
    with console.status("loading the model"):
        loaded = _load_model(model, max_new_tokens)
    try:
        with _progress("asking") as progress:
            summary = run(
                loaded, rows, out, data_name=Path(data).name, trials=trials, seed=seed, parser=parser, progress=progress
            )
    except KeyboardInterrupt:
        errors.print(f"stopped; the same command continues the run in {out}", markup=False, highlight=False)
        sys.exit(130)
    console.print(
        f"{summary.rows} rows: {summary.before} answered before, {summary.answered} now, {summary.failed} failed; "
        f"run in {out}",
        highlight=False,
        soft_wrap=True,
    )
    if summary.failed:
        raise MedqDegError(f"{summary.failed} rows failed; the same command asks them again")


def _load_model(name: str, max_new_tokens: int) -> Any:
    try:
        from medq_deg.models.transformers_model import TransformersModel
    except ModuleNotFoundError as error:
        raise MedqDegError(f"{error.name} is not installed; install it with: pip install 'medq-deg[models]'") from None
    from transformers.utils import logging

    logging.disable_progress_bar()
    if name == "demo":
        from medq_deg.demo.model import demo_model

        name = str(demo_model())
    return TransformersModel(name, max_new_tokens=max_new_tokens)


@app.command(epilog="Example: medq-deg score runs/my-model")
def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    coverage: Annotated[float, typer.Option(help="Least share of rows that must be answered, 0 to 1.")] = 1.0,
) -> None:
    """Print accuracy, confidence and Calibration Shift of a run, and write metrics.json."""
    from medq_deg.evaluation.score import score_run

    result = score_run(run, coverage=coverage)
    _print_scores(result)
    console.print(f"written to {run / 'metrics.json'}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: medq-deg demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run; the same folder continues it.")] = Path("runs/demo"),
) -> None:
    """Run the whole path on the embedded demonstration set with a tiny model: a minute on two cores, no download."""
    from medq_deg import demo as demo_set

    console.print(f"The demo set is {demo_set.NOTE}.", soft_wrap=True)
    evaluate(model="demo", out=out, data="demo-held-out")
    score(out, coverage=1.0)


def _print_scores(result: dict[str, Any]) -> None:
    from medq_deg.evaluation.score import HEADLINE

    table = Table(title=f"{result['model']['name']} on {result['data']['name']}, {result['trials']} votes per row")
    table.caption = "mean, and 95 % interval by bootstrap over questions"
    table.add_column("severity")
    table.add_column("rows", justify="right")
    for key in HEADLINE:
        table.add_column(key.replace("_", " "), justify="right")
    for name, figures in result["by_severity"].items():
        table.add_row(name, str(figures["n"]), *(_with_interval(figures, key) for key in HEADLINE))
    Console(width=max(console.width, 110)).print(table)
    if effect := result.get("dunning_kruger"):
        console.print(
            f"Dunning-Kruger effect from L0 to L2: the paper's rule says {'yes' if effect['rule'] else 'no'}; "
            f"judged by the agreement shift, with its noise, it is {effect['agreement_shift']['verdict']}.",
            soft_wrap=True,
            highlight=False,
        )
    if note := result["model"].get("note"):
        console.print(f"The model is {note}.", soft_wrap=True, highlight=False)


def _with_interval(figures: dict[str, Any], key: str) -> str:
    value, interval = figures[key], figures.get(f"{key}_ci")
    if value is None:
        return "-"
    return f"{value:.3f}" + (f"\n{interval[0]:.3f} to {interval[1]:.3f}" if interval else "")
