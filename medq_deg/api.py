"""The package as functions: what the commands do, for notebooks and scripts. All of them are names of `medq_deg`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from medq_deg.bars import bars
from medq_deg.data.names import default_data
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import Controls, ShownImage
from medq_deg.models.options import Parser, ServerOptions, TransformersOptions
from medq_deg.results.shown import Comparison, Run, Scores

if TYPE_CHECKING:
    from medq_deg.data.load import Data
    from medq_deg.evaluation.progress import Progress
    from medq_deg.models.base import Model

Folder: TypeAlias = "str | PathLike[str]"
"""A run: its folder, or what `evaluate` returned, which is a path too."""


def evaluate(
    model: str | Model,
    data: str | Sequence[Mapping[str, Any]] | None = None,
    out: str | PathLike[str] = "runs/run",
    *,
    trials: int = 10,
    seed: int = 0,
    parser: Parser = "strict",
    orders: int = 1,
    image: ShownImage = "shown",
    subset: int | None = None,
    max_new_tokens: int | None = None,
    transformers: TransformersOptions | None = None,
    endpoint: str | None = None,
    server: ServerOptions | None = None,
    keep_going: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Let a model answer every question several times, and store what it said; the same call continues a run.

    Parameters
    ----------
    model : str or Model
        Hub id, folder, published model, "demo", plugin, or with `endpoint` a served name; or an object with the
        methods of `medq_deg.models.base.Model`, such as a `TransformersModel` around a model in training.
    data : str or sequence of mappings, optional
        A name or folder as in `open_data`, or rows with the columns of the benchmark, such as a `datasets.Dataset`. By
        default "demo"; for the model "demo" the parts of its images that it was not trained on, "demo-held-out".
    out : str or path
        Folder of the run.
    trials : int
        Votes per row, 2 or more, sampled at temperature 1.
    seed : int
        0 or more; each row's own seed is derived from it and the row's id.
    parser : {"strict", "vlmevalkit", "medqdeg-vlmevalkit"}
        See `medq_deg.parse_answer`.
    orders : int
        Orders of the options to spread the votes over.
    image : {"shown", "none", "grey"}
        "none" and "grey" ask the clean questions blind.
    subset : int, optional
        At most this many rows, in whole questions.
    max_new_tokens : int, optional
        Longest answer in tokens; by default 32, or a published model's own preset.
    transformers : TransformersOptions, optional
        How a model in transformers is loaded and asked.
    endpoint : str, optional
        Address of an OpenAI-compatible server.
    server : ServerOptions, optional
        How a model behind it is asked.
    keep_going : bool
        Go on even if the first 20 rows show that hardly a vote can be read.
    progress : callable
        Called with a `medq_deg.evaluation.progress.Progress` after each row. By default a bar, which
        `datasets.disable_progress_bars()` hides.

    Returns
    -------
    Run
        In a notebook it shows its table.

    Raises
    ------
    MedqDegError
        If model, data or an option cannot be used, the folder holds another run, or rows failed; the run keeps what
        was answered, and the same call asks the others.

    Examples
    --------
    >>> import medq_deg
    >>> run = medq_deg.evaluate("demo", out="runs/demo")  # doctest: +SKIP
    >>> medq_deg.score(run)["answer"]["headline"]  # doctest: +SKIP
    """
    from medq_deg.data.load import Data, open_data
    from medq_deg.evaluation.run import evaluate as ask
    from medq_deg.models.load import load_model

    if data is None:
        data = default_data(ours=model == "demo" and endpoint is None)
    rows = open_data(data) if isinstance(data, str) else data
    if isinstance(model, str):
        model = load_model(
            model, transformers=transformers, endpoint=endpoint, server=server, max_new_tokens=max_new_tokens
        )
    elif (transformers, endpoint, server, max_new_tokens) != (None, None, None, None):
        raise MedqDegError("transformers, endpoint, server and max_new_tokens go with the name of a model")
    folder = Path(out)
    with bars(" rows") as draw:
        summary = ask(
            model,
            rows,
            folder,
            data_name=rows.name if isinstance(rows, Data) else "rows",
            data_version=rows.fingerprint if isinstance(rows, Data) else None,
            trials=trials,
            seed=seed,
            parser=parser,
            controls=Controls(orders, image, subset),
            keep_going=keep_going,
            progress=progress or (lambda at: draw("asking", at.done, at.total, at.told)),
        )
    if summary.failed:
        raise MedqDegError(f"{summary.failed} of {summary.rows} rows failed; the same call asks them again: {folder}")
    return Run(folder)


def score(run: Folder, *, coverage: float = 1.0, blind: Folder | None = None) -> Scores:
    """Compute accuracy, confidence and Calibration Shift of a run with intervals, and write `metrics.json`.

    Parameters
    ----------
    run : str, path or Run
        Folder of the run.
    coverage : float
        Least share of its rows that must be answered, in [0, 1].
    blind : str, path or Run, optional
        Its blind baseline: the same model asked with ``image="none"``.

    Returns
    -------
    Scores
        A dict, ready for JSON, see `medq_deg.results.score.score_run`; in a notebook a table.

    Raises
    ------
    MedqDegError
        If the folder is no run, or fewer rows are answered than `coverage` asks for.

    Examples
    --------
    >>> medq_deg.score("runs/demo")["by_severity"]["L2"]["accuracy"]  # doctest: +SKIP
    """
    from medq_deg.results.score import score_run

    return Scores(score_run(Path(run), coverage=coverage, blind=None if blind is None else Path(blind)))


def report(
    runs: Folder | Sequence[Folder],
    out: str | PathLike[str] = "report.html",
    *,
    coverage: float = 1.0,
    data: str | Data | None = None,
    blind: Sequence[Folder] = (),
) -> Path:
    """Write a page on one or more runs: one HTML file, its card, and its charts as SVG, PNG and CSV.

    Parameters
    ----------
    runs : str, path, Run, or sequence of them
        Folders of runs.
    out : str or path
        The HTML file; the card and the folder of charts go beside it.
    coverage : float
        Least share of each run's rows that must be answered, in [0, 1].
    data : str or rows, optional
        Data of the runs, for their images: a name as in `open_data`, or rows.
    blind : sequence of str, path or Run
        Blind baselines of the runs.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    MedqDegError
        If a folder is no run, or `out` cannot be written; nothing is written then.

    Examples
    --------
    >>> medq_deg.report("runs/demo", "report.html")  # doctest: +SKIP
    """
    from medq_deg.data.load import open_data
    from medq_deg.reporting.write import write_report

    several = [runs] if isinstance(runs, (str, PathLike)) else list(runs)
    rows = open_data(data) if isinstance(data, str) else data
    return write_report([*map(Path, several)], Path(out), coverage=coverage, data=rows, blind=[*map(Path, blind)])[0]


def compare(first: Folder, second: Folder, *, coverage: float = 1.0, blind: Sequence[Folder] = ()) -> Comparison:
    """Compare two runs row by row: the second's figures minus the first's, with intervals and adjusted p-values.

    Parameters
    ----------
    first, second : str, path or Run
        Folders of runs over the same data.
    coverage : float
        Least share of the rows that both must have answered, in [0, 1].
    blind : sequence of str, path or Run
        Their blind baselines.

    Returns
    -------
    Comparison
        A dict, ready for JSON, see `medq_deg.results.compare.compare_runs`.

    Raises
    ------
    MedqDegError
        If a folder is no run, or they are about other data.

    Examples
    --------
    >>> medq_deg.compare("runs/a", "runs/b")["sentence"]  # doctest: +SKIP
    """
    from medq_deg.results.compare import compare_runs

    found = compare_runs(Path(first), Path(second), coverage=coverage, blind=[*map(Path, blind)])
    return Comparison(found)
