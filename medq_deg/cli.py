"""The command line: parses arguments, shows progress, prints results. All work is done elsewhere."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from medq_deg import __version__
from medq_deg.cli_results import report, results, score
from medq_deg.console import bar, console, errors, run_progress, say, stages, tell_failure
from medq_deg.errors import MedqDegError, UnknownNameError
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
app.add_typer(results)

# The base of all that typer says about arguments; typer has no name of its own for it.
UsageError: Any = typer.BadParameter.__base__

Seed = Annotated[int, typer.Option(help="Seed, 0 or more: the same seed gives the same bytes.")]


def main() -> None:
    """Run the command line; what the user did wrong is one line and exit code 2."""
    warnings.showwarning = lambda message, *where: say(f"warning: {' '.join(str(message).split())}")
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
    with bar("degrading") as progress:
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


@app.command("list", epilog="Example: medq-deg list models")
def list_names(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="degradations, or models: the published ones.")] = (
        "degradations"
    ),
) -> None:
    """List the degradations, whom they suit and how strong they are; or the published models and how to run them."""
    from medq_deg import tables

    if what not in ("degradations", "models"):
        raise UnknownNameError("list", what, ("degradations", "models"))
    tables.print_models() if what == "models" else tables.print_degradations()


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
    with bar("degrading") as progress:
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
    with stages() as progress:
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

    with bar("checking") as progress:
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


_MODEL = "Model in transformers"
_SERVER = "Model behind an endpoint"
_PARTS = "Parts of a run"


@app.command(epilog="Example: medq-deg evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --data DIR --out runs/qwen")
def evaluate(
    model: Annotated[
        str, typer.Option(help="Hub id, folder, published model, `demo`, plugin, or with --endpoint a served name.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; the same folder continues it. Needed unless --dry-run.")
    ] = None,
    data: Annotated[
        str, typer.Option(help="`demo`, `demo-held-out`, or a folder that `medq-deg build` wrote.")
    ] = "demo",
    trials: Annotated[int, typer.Option(help="Votes per row, sampled at temperature 1.")] = 10,
    seed: Seed = 0,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 32,
    parser: Annotated[str, typer.Option(help="Answer parser: strict or vlmevalkit.")] = "strict",
    dry_run: Annotated[int, typer.Option(help="Show prompt and parsed answers of N rows, write nothing.")] = 0,
    votes: Annotated[str, typer.Option(help="sampled, exact or repeat.", rich_help_panel=_MODEL)] = "sampled",
    batch_size: Annotated[int, typer.Option(help="Most rows in a batch.", rich_help_panel=_MODEL)] = 8,
    workers: Annotated[
        int | None, typer.Option(help="Processes that prepare pictures ahead.", rich_help_panel=_MODEL)
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(help="Scale larger pictures down to this many pixels.", rich_help_panel=_MODEL)
    ] = None,
    dtype: Annotated[str, typer.Option(help="torch dtype, or auto.", rich_help_panel=_MODEL)] = "auto",
    device_map: Annotated[
        str | None, typer.Option(help="Spread one model over devices: auto.", rich_help_panel=_MODEL)
    ] = None,
    attn_implementation: Annotated[
        str | None, typer.Option(help="Such as sdpa or flash_attention_2.", rich_help_panel=_MODEL)
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch.", rich_help_panel=_MODEL)] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.", rich_help_panel=_MODEL)
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of an OpenAI-compatible server.", rich_help_panel=_SERVER)
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", rich_help_panel=_SERVER)] = 8,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.", rich_help_panel=_SERVER)] = 120.0,
    retries: Annotated[int, typer.Option(help="Tries after a failed one.", rich_help_panel=_SERVER)] = 6,
    price: Annotated[
        str | None, typer.Option(help="USD per million tokens: INPUT,OUTPUT.", rich_help_panel=_SERVER)
    ] = None,
    extra_body: Annotated[
        str | None, typer.Option(help="JSON object of fields for this server.", rich_help_panel=_SERVER)
    ] = None,
    key_variable: Annotated[
        str | None, typer.Option(help="Environment variable that holds the key.", rich_help_panel=_SERVER)
    ] = None,
    shard: Annotated[str | None, typer.Option(help="Part i/n of the rows.", rich_help_panel=_PARTS)] = None,
) -> None:
    """Let a model answer every question several times, and store what it said.

    Ctrl-C finishes the rows that are being asked; the same command continues.

    Several processes: accelerate launch scripts/evaluate.py, with the same options.

    An endpoint's key is read from MEDQ_DEG_API_KEY, OPENAI_API_KEY or HF_TOKEN.
    """
    from medq_deg.data.load import data_version, load_rows
    from medq_deg.evaluation.processes import processes
    from medq_deg.evaluation.run import Shard, check_options, try_rows
    from medq_deg.evaluation.run import evaluate as run
    from medq_deg.models.load import load_model
    from medq_deg.tables import print_dry_run, print_summary

    if out is None and not dry_run:
        raise MedqDegError("--out is needed: the folder of the run")
    check_options(trials, seed, parser)
    part = Shard.parse(shard) if shard is not None else None
    rows = load_rows(data)
    launched = processes()
    quiet = launched.rank > 0
    with console.status("loading the model"):
        loaded = load_model(
            model,
            transformers={
                "votes": votes,
                "batch_size": batch_size,
                "workers": workers,
                "max_pixels": max_pixels,
                "dtype": dtype,
                "device_map": device_map,
                "attn_implementation": attn_implementation,
                "revision": revision,
                "trust_remote_code": trust_remote_code,
            },
            endpoint=endpoint,
            server={
                "concurrency": concurrency,
                "timeout": timeout,
                "retries": retries,
                "prices": _prices(price),
                "extra_body": _fields(extra_body),
                "key_variable": key_variable,
            },
            max_new_tokens=max_new_tokens,
        )
    if dry_run or out is None:
        print_dry_run(try_rows(loaded, rows, dry_run, trials=trials, seed=seed, parser=parser))
        return
    try:
        with run_progress() as progress:
            summary = run(
                loaded,
                rows,
                out,
                data_name=Path(data).resolve().name,
                data_version=data_version(data),
                trials=trials,
                seed=seed,
                parser=parser,
                shard=part,
                processes=launched,
                progress=tell_failure if quiet else progress,
            )
    except KeyboardInterrupt:
        say(f"stopped at once; the same command continues the run in {out}")
        raise typer.Exit(130) from None
    if not quiet:
        print_summary(summary, out, loaded)
    if summary.stopped:
        raise typer.Exit(130)
    if summary.failed and not quiet:
        raise MedqDegError(f"{summary.failed} rows failed; the same command asks them again")


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        paid, got = map(float, text.split(","))
    except ValueError:
        raise MedqDegError(
            f"--price must be INPUT,OUTPUT in USD per million tokens, such as 0.15,0.6, got {text!r}"
        ) from None
    return paid, got


def _fields(text: str | None) -> dict[str, Any]:
    try:
        fields = json.loads(text or "{}")
    except ValueError as error:
        raise MedqDegError(f"--extra-body must be a JSON object: {error}") from None
    if not isinstance(fields, dict):
        raise MedqDegError(f"--extra-body must be a JSON object, got {text}")
    return fields


@app.command(epilog="Example: medq-deg merge runs/part1 runs/part2 --out runs/whole")
def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or one that shards shared.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the merged run; by default the one RUN.")] = None,
) -> None:
    """Put the shards of a run together, each row once."""
    from medq_deg.evaluation.merge import merge as put_together

    if out is None and len(runs) > 1:
        raise MedqDegError("--out is needed where several runs are merged")
    target = out or runs[0]
    answered, rows = put_together(runs, target)
    console.print(f"{answered} of {rows} rows answered; run in {target}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: medq-deg demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run; the same folder continues it.")] = Path("runs/demo"),
) -> None:
    """Run the whole path on the embedded demonstration set with a tiny model: a minute on two cores, no download."""
    from medq_deg import demo as demo_set

    console.print(f"The demo set is {demo_set.NOTE}.", soft_wrap=True)
    evaluate(model="demo", out=out, data="demo-held-out")
    score(out, coverage=1.0)
    report([out], out=out / "report.html")
