"""Damaged run folders: whatever reads one answers with figures or with one sentence."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medq_deg.evaluation.merge import merge
from medq_deg.evaluation.reparse import reparse
from medq_deg.evaluation.store import RunFolder
from medq_deg.hub.submit import prepare, prepare_results
from medq_deg.reporting.collect import collect
from medq_deg.reporting.exports import EXPORTS
from medq_deg.reporting.write import write_report
from medq_deg.results.compare import compare_runs
from medq_deg.results.leaderboard import leaderboard
from medq_deg.results.score import score_run
from tests.fuzz.conftest import read_run
from tests.fuzz.inputs import SAMPLE, answer_of, damaged, damaged_bytes, fuzz, inputs

pytestmark = [fuzz, pytest.mark.filterwarnings("ignore")]

KINDS = ("votes", "orders", "blind", "subset", "exact")
SLOW_SAMPLE = 2
FEW = 10
"""Resamples of a bootstrap that nobody reads."""


def _write(folder: Path, files: dict[str, Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            data = content
        elif name == "run.json":
            data = json.dumps(content).encode()
        else:
            records = content if isinstance(content, list) else [content]
            data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        (folder / name).write_bytes(data)


@st.composite
def run_folders(draw: st.DrawFn) -> tuple[str, str, Any]:
    """Return a kind of run, one of its files, and how that is damaged: a seed of `damaged`, or of `damaged_bytes`."""
    kind = draw(st.sampled_from(KINDS))
    name = draw(st.sampled_from(["run.json", "run.json", "rows.jsonl", "answers.jsonl"]))
    return kind, name, draw(st.sampled_from(["values", "values", "values", "bytes"]))


def _board(run: Path) -> None:
    entries = leaderboard([run], n_resamples=FEW, coverage=0)
    for export in EXPORTS.values():
        export(entries)


def _continued(run: Path) -> None:
    folder = RunFolder(run)
    held = folder.read_run()
    folder.start(held["settings"], {}, folder.read_rows())
    folder.tidy()


ACTIONS: dict[str, tuple[float, Callable[[Path, Path, Path], Any]]] = {
    "score": (0.1, lambda run, good, out: score_run(run, n_resamples=FEW, coverage=0)),
    "score with a blind baseline": (0.03, lambda run, good, out: score_run(good, blind=run, n_resamples=FEW)),
    "collect": (0.05, lambda run, good, out: collect([run, good], n_resamples=FEW, coverage=0)),
    "report": (0.01, lambda run, good, out: write_report([run], out / "r.html", n_resamples=FEW, coverage=0)),
    "compare": (0.05, lambda run, good, out: compare_runs(good, run, n_resamples=FEW, coverage=0)),
    "leaderboard": (0.05, lambda run, good, out: _board(run)),
    "merge": (0.05, lambda run, good, out: merge([good, run], out / "merged")),
    "merge alone": (0.05, lambda run, good, out: merge([run], out / "merged")),
    "reparse": (0.05, lambda run, good, out: reparse(run, out / "again", "vlmevalkit")),
    "submit figures": (0.05, lambda run, good, out: prepare(run, "a/b", "c/d", dry_run=True)),
    "submit answers": (0.05, lambda run, good, out: prepare_results(run, "a/b", dry_run=True)),
    "evaluate": (0.05, lambda run, good, out: _continued(run)),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_damaged_run_is_answered_with_figures_or_a_sentence(
    action: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    share, act = ACTIONS[action]
    held = {kind: read_run(path) for kind, path in runs.items()}

    @inputs(share, sample=SLOW_SAMPLE if action == "report" else SAMPLE)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        kind, name, how = data.draw(run_folders())
        files = dict(held[kind])
        if how == "values":
            files[name] = data.draw(damaged(files[name]))
        else:
            files[name] = data.draw(damaged_bytes((runs[kind] / name).read_bytes()))
        folder = tmp_path / "run"
        _write(folder, files)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer_of(lambda: act(folder, runs["votes"], tmp_path / "out"))

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_was_whole(kind: str, runs: dict[str, Path]) -> None:
    assert score_run(runs[kind], n_resamples=FEW, coverage=0)["rows"] > 0
