"""Two runs over the same data: what differs, by how much, and whether chance explains it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.store import RunFolder
from medq_deg.files import replace_file
from medq_deg.metrics import COMPARED, FIGURES, compare
from medq_deg.metrics.rows import Source
from medq_deg.results.better import better
from medq_deg.results.controlled import control_figures, match_blind, subset_sentence
from medq_deg.results.score import BREAKDOWNS, AnsweredRun, answer_of, read_answered, read_blind

SETTINGS = {"trials": None, "prompt": None, "parser": None, "orders": 1, "image": "shown"}
"""What may differ between two runs that are compared, and is told; and what each is where it is not written."""

POOLED = ("calibration_shift", "agreement_shift")
"""Figures that several orders of the options lower by themselves, since votes are pooled over them."""


def compare_runs(
    first: Path,
    second: Path,
    *,
    coverage: float = 1.0,
    blind: Sequence[Path] = (),
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two runs over the same data, on the rows that both have answered.

    Parameters
    ----------
    first, second : Path
        Folders of runs. Every difference is the second's figure minus the first's.
    coverage : float
        Least share of the rows that both runs must have answered, in [0, 1].
    blind : sequence of Path
        Folders of their blind baselines.
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        Ready for JSON. ``sentence``: which is better on bad images, in words; ``first`` and ``second``: ``run``,
        ``model``, ``trials``, ``coverage``, ``controls`` (see `medq_deg.results.controlled.ControlFigures`) and
        ``answer`` of each; ``data``; ``rows`` compared and their ``coverage``;
        ``notes``: sentences about what a reader should know; and the result of `medq_deg.metrics.compare`, broken down
        as `score_run` does. If both runs have exact votes they are compared by their probabilities, else by their
        votes. Runs with different numbers of votes are not compared in ``calibration_shift``, which depends on it.

    Raises
    ------
    MedqDegError
        If a folder is no run, the runs are over different data, or too few rows are answered by both.
    """
    check_same_data(first, second)
    runs = read_answered(first, coverage), read_answered(second, coverage)
    ids = [{row["id"] for row in run.rows} for run in runs]
    both = ids[0] & ids[1]
    share = len(both) / runs[0].wanted
    if not both or share < coverage:
        raise MedqDegError(
            f"{len(both)} of {runs[0].wanted} rows are answered in both {first} and {second} (coverage {share:.3f}, "
            f"wanted {coverage:.3f}); finish the runs, or lower --coverage"
        )
    source: Source = "probabilities" if all(run.source == "probabilities" for run in runs) else "votes"
    baselines = match_blind(runs, [read_blind(path, coverage) for path in blind])
    controls = [
        control_figures(run, baseline, n_resamples=n_resamples, seed=seed)
        for run, baseline in zip(runs, baselines, strict=True)
    ]
    same_trials = runs[0].settings["trials"] == runs[1].settings["trials"]
    figures = [name for name in COMPARED if source == "probabilities" or same_trials or name != "calibration_shift"]
    if not _same_orders(runs):
        figures = [name for name in figures if name not in POOLED]
    result = compare(
        [row for row in runs[0].rows if row["id"] in both],
        [row for row in runs[1].rows if row["id"] in both],
        by=BREAKDOWNS,
        figures=figures,
        source=source,
        n_resamples=n_resamples,
        seed=seed,
    )
    first_name, second_name = _names(runs, (first, second))
    return {
        "sentence": better(result, first_name, second_name),
        **{
            key: {
                "run": str(path),
                "model": run.settings["model"],
                "trials": run.settings["trials"],
                "coverage": len(run.rows) / run.wanted,
                "controls": figures.as_dict(),
                "answer": answer_of(run, figures, n_resamples=n_resamples, seed=seed).as_json(),
            }
            for key, path, run, figures in zip(("first", "second"), (first, second), runs, controls, strict=True)
        },
        "data": runs[0].settings["data"],
        "rows": len(both),
        "coverage": share,
        "notes": [*_notes(runs, source, share), *_withheld(result)],
        **result,
    }


def _names(runs: tuple[AnsweredRun, AnsweredRun], paths: tuple[Path, Path]) -> tuple[str, str]:
    """Call two runs by their models, or by their folders where they are of one model."""
    names = [str(run.settings["model"].get("name") or path) for run, path in zip(runs, paths, strict=True)]
    return (names[0], names[1]) if names[0] != names[1] else (str(paths[0]), str(paths[1]))


def write_comparison(result: Mapping[str, Any], path: Path) -> None:
    """Write what `compare_runs` returns as JSON."""
    with replace_file(path) as file:
        file.write(json.dumps(result, indent=2).encode() + b"\n")


def check_same_data(first: Path, second: Path) -> None:
    """Raise `MedqDegError` that names the data of both runs unless it is the same."""
    runs = [RunFolder(path) for path in (first, second)]
    data = [run.read_run()["settings"]["data"] for run in runs]
    prints = [each.get("fingerprint") for each in data]
    if prints[0] and prints[0] == prints[1]:
        return
    told = " and ".join(
        f"{path} ({each.get('name')!r}, {each.get('rows')} rows, fingerprint {str(each.get('fingerprint'))[:12]})"
        for path, each in zip((first, second), data, strict=True)
    )
    why = ""
    if (subsets := [run.read_run()["settings"].get("subset") for run in runs])[0] != subsets[1]:
        sizes = " and ".join("all rows" if each is None else f"a subset of {each['rows']}" for each in subsets)
        why = f": {sizes}; runs on a subset compare only with runs on the same rows"
    elif data[0].get("rows") == data[1].get("rows") and runs[0].read_rows() == runs[1].read_rows():
        why = ": the questions are the same, but their images were degraded by different versions of medq-deg"
    raise MedqDegError(f"runs over different data cannot be compared: {told}{why}")


def _withheld(result: Mapping[str, Any]) -> list[str]:
    """Say of which figures nothing is concluded over all rows, and at which severity missing answers are why."""
    cells = {"": result["overall"], **{f" at {name}": cell for name, cell in result["by"].get("severity", {}).items()}}
    parts = [(name, where, cell[name]) for where, cell in cells.items() for name in result["figures"]]
    return [
        f"{FIGURES[name].title}{where}: {'no verdict' if part['verdict'] is None else 'undecided'}, {part['reason']}"
        for name, where, part in parts
        if part["reason"] and (part is result["overall"][name] or part["verdict"] is not None)
    ]


def _same_orders(runs: Sequence[AnsweredRun]) -> bool:
    return len({run.settings.get("orders", 1) for run in runs}) == 1


def _notes(runs: tuple[AnsweredRun, AnsweredRun], source: Source, share: float) -> list[str]:
    first, second = (run.settings for run in runs)
    notes = [
        f"the runs differ in {name}: {first.get(name, default)!r} and {second.get(name, default)!r}"
        for name, default in SETTINGS.items()
        if first.get(name, default) != second.get(name, default)
    ]
    if first["trials"] != second["trials"] and source == "votes":
        notes.append("calibration_shift depends on the number of votes, and is left out")
    if not _same_orders(runs):
        notes.append(
            "the runs asked in other orders of the options: figures that pool the votes over them are left out"
        )
    if subset := first.get("subset"):
        notes.append(subset_sentence(subset).removesuffix("."))
    if source == "votes" and runs[0].source != runs[1].source:
        notes.append("one run has exact votes and the other has not: both are compared by their sampled votes")
    if share < 1:
        notes.append(f"only the {share:.1%} of the rows that both runs have answered are compared")
    return notes
