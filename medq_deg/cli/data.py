"""The commands that build, check and publish data sets, and make their names known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from medq_deg.cli.console import bar, console, errors, say, say_next, stages, tell_result
from medq_deg.cli.datasets import Cluster, Engines, Format, PngLevel, opened_engine
from medq_deg.cli.long import long_command
from medq_deg.cli.options import Seed, read_sources

building = typer.Typer()
data = typer.Typer(help="Check a built dataset, or put it on the Hub.", no_args_is_help=True)


@building.command(epilog="Example: medq-deg build --folder mine/ --out medq-deg-data/")
@long_command
def build(
    out: Annotated[Path, typer.Option(help="Folder of the result; the same folder goes on with a stopped build.")],
    folder: Annotated[
        Path | None, typer.Option(help="Your own images, with a CSV, TSV or JSONL of questions: see docs/sources.md.")
    ] = None,
    gmai: Annotated[Path | None, typer.Option(help="TSV file of GMAI-MMBench.")] = None,
    omnimedvqa: Annotated[Path | None, typer.Option(help="Folder of OmniMedVQA.")] = None,
    medxpertqa: Annotated[Path | None, typer.Option(help="Folder of MedXpertQA (MM).")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A source that a plugin adds, see docs/sources.md; may be repeated."),
    ] = None,
    quotas: Annotated[Literal["published"] | None, typer.Option(help="The paper's counts of each degradation.")] = None,
    questions: Annotated[int | None, typer.Option(help="Keep this many clean questions.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that make images.")] = 1,
    strict: Annotated[bool, typer.Option("--strict", help="Stop, with nothing written, if a row is unusable.")] = False,
    seed: Seed = 0,
    keep_markings: Annotated[
        bool,
        typer.Option(
            "--keep-markings/--degrade-markings",
            help="Keep coloured markings on CT, MRI, X-ray and ultrasound as they are.",
        ),
    ] = True,
    image_format: Format = None,
    png_level: PngLevel = None,
    engine: Engines = "local",
    cluster: Cluster = None,
) -> None:
    """Build the benchmark from its sources: parquet shards, manifest, load report and dataset card.

    Ends with what was kept and what was skipped and why; exit code 1 if rows were skipped.
    """
    from medq_deg.data.build import REPORT
    from medq_deg.data.build import build as make
    from medq_deg.data.sources import LoadReport
    from medq_deg.encoding import Encoding
    from medq_deg.files import read_json

    given = {"gmai": gmai, "omnimedvqa": omnimedvqa, "medxpertqa": medxpertqa, "folder": folder}
    sources = {name: path for name, path in given.items() if path is not None} | read_sources(source or [])
    encoding = Encoding(image_format or "png", png_level)
    with opened_engine(engine, cluster, workers) as started, stages() as progress:
        manifest = make(
            sources,
            out,
            seed=seed,
            quotas=quotas,
            questions=questions,
            encoding=encoding,
            engine=started,
            strict=strict,
            keep_markings=keep_markings,
            progress=progress,
        )
    rows = ", ".join(f"{name} {count}" for name, count in manifest["counts"]["severity"].items())
    report = LoadReport.of(read_json(out / REPORT))
    _show(str(report))
    _show(f"{out}: {rows}; fingerprint {manifest['fingerprint'][:16]}")
    tell_result(manifest=manifest, skipped=report.skipped)
    say_next("medq-deg", "evaluate", "--model", "MODEL", "--data", out, "--out", "runs/my-model")
    if report.skipped:
        raise typer.Exit(1)


def _show(text: str) -> None:
    # As it is: names of files and folders may hold what rich takes for markup.
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@data.command("verify", epilog="Example: medq-deg data verify medq-deg-data/")
@long_command
def data_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `medq-deg build` wrote.")],
    sample: Annotated[int, typer.Option(help="Degraded images to make again and compare.")] = 50,
    seed: Seed = 0,
) -> None:
    """Check counts, hashes, columns and images of a build, and make a sample of images again."""
    from medq_deg.data.verify import verify

    with bar("checking") as progress:
        result = verify(folder, sample=sample, seed=seed, progress=progress)
    for problem in result.problems:
        errors.print(problem, markup=False, highlight=False, style="red")
    console.print(
        f"{result.rows} rows checked, {result.remade} images made again, {len(result.problems)} problems",
        highlight=False,
    )
    tell_result(rows=result.rows, remade=result.remade, problems=list(result.problems))
    if result.problems:
        say_next("medq-deg", "build", "--out", "ANOTHER_FOLDER", "--help")
        raise typer.Exit(1)
    say_next("medq-deg", "review", folder)


@data.command("push", epilog="Example: medq-deg data push medq-deg-data/ --repo my-org/medq-deg --private")
def data_push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `medq-deg build` wrote.")],
    repo: Annotated[str, typer.Option(help="Dataset repository, ORG/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Put a build on the Hugging Face Hub, in one commit."""
    from medq_deg.hub.push import push

    _show(push(folder, repo, private=private))
    say_next("medq-deg", "evaluate", "--model", "MODEL", "--data", repo, "--out", "runs/my-model")


@data.command(
    "apply-review", epilog="Example: medq-deg data apply-review medq-deg-data/ --db reviews.sqlite --out kept/"
)
def data_apply_review(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The dataset that was reviewed.")],
    db: Annotated[Path, typer.Option(help="The review database.")],
    out: Annotated[Path, typer.Option(help="Folder of the result; new or empty.")],
    rule: Annotated[
        str, typer.Option(help="A pair goes if more than half (majority), any or all of its reviewers delete it.")
    ] = "majority",
) -> None:
    """Write a dataset without the pairs that an expert review removed (see `medq-deg review`); L0 stays."""
    from medq_deg.review.apply import apply_review

    with stages() as progress:
        applied = apply_review(folder, db, rule, out, progress)
    rows = ", ".join(f"{name} {count}" for name, count in applied.manifest["counts"]["severity"].items())
    _show(f"{applied.removed} of {applied.reviewed} reviewed pairs removed; {out}: {rows}")
    if applied.reviewed < applied.pairs:
        say(f"warning: {applied.pairs - applied.reviewed} of {applied.pairs} pairs were not reviewed, and stay")


@building.command(epilog="Example: medq-deg enable")
def enable() -> None:
    """Make load_dataset("medq-deg") work without `import medq_deg`, in this environment."""
    from medq_deg.enable import enable as write

    _show(f"written: {write()}")


@building.command(epilog="Example: medq-deg disable")
def disable() -> None:
    """Undo `medq-deg enable`."""
    from medq_deg.enable import disable as remove

    console.print("removed" if remove() else "was not enabled", highlight=False)
