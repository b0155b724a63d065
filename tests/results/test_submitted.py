"""A dataset of results is read as files that may be anybody's, and ranked by the rules of the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medq_deg.results.leaderboard import leaderboard, published_entries, ranked
from medq_deg.results.submitted import read_submitted
from tests.hub.boards import STRANGE, real_entry, whole, write
from tests.hub.runs import benchmark_rows, make_run


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return real_entry(tmp_path_factory.mktemp("entry"), parameters=7_000_000_000)


def test_the_figures_are_those_of_the_command_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "org/small", rows=benchmark_rows())
    (mine,) = (entry for entry in leaderboard([run], n_resamples=10) if entry.run)
    held = real_entry(tmp_path / "again")
    ((entry,), unusable) = read_submitted(write(tmp_path, {"a": held}))
    assert unusable == 0
    for name in ("accuracy_l0", "accuracy_l1", "accuracy_l2", "change", "shift_l0", "shift_l1", "shift_l2"):
        assert getattr(entry, name) == pytest.approx(getattr(mine, name), abs=1e-6)
    assert entry.cells == mine.cells
    assert entry.categories == mine.categories
    assert (entry.unranked, entry.beside) == (mine.unranked, mine.beside)


def test_a_file_of_an_older_version_keeps_its_categories(tmp_path: Path, held: dict[str, Any]) -> None:
    older = {"families" if key == "categories" else key: value for key, value in held.items()}
    ((new,), _), ((old,), _) = (
        read_submitted(write(tmp_path / name, {"a": file})) for name, file in (("new", held), ("old", older))
    )
    assert old.categories == new.categories != {}


def test_ninety_rows_are_not_ranked_above_a_model_of_78_billion(tmp_path: Path, held: dict[str, Any]) -> None:
    perfect = whole(held, gain=1.0)
    few = {**held, "cells": [{**cell, "accuracy": 1.0} for cell in held["cells"]]}
    (entries, _) = read_submitted(write(tmp_path, {"few": {**few, "model": "few"}, "whole": perfect}))
    by_name = {entry.model: entry for entry in ranked([*published_entries(), *entries])}
    assert by_name["few"].accuracy_l2 == 1.0
    assert by_name["few"].rank is None
    assert any("of the paper's 24,894 rows" in reason for reason in by_name["few"].unranked)
    assert by_name["org/small"].rank == 1
    assert by_name["InternVL3-Instruct(78B)"].rank == 2


def test_a_run_that_would_not_be_submitted_is_not_ranked_where_it_was_put_by_hand(
    tmp_path: Path, held: dict[str, Any]
) -> None:
    by_hand = whole(held)
    by_hand["asked"]["parser"] = "vlmevalkit"
    unsaid = {name: value for name, value in whole(held, model="older").items() if name != "asked"}
    (entries, _) = read_submitted(write(tmp_path, {"a": by_hand, "b": unsaid}))
    assert all(not entry.comparable for entry in entries)
    assert "does not say what was asked" in entries[1].notes


def test_files_that_cannot_be_used_are_counted_and_left_out(tmp_path: Path, held: dict[str, Any]) -> None:
    cell = held["cells"][0]

    def with_cell(**changes: Any) -> dict[str, Any]:
        return {**held, "cells": [{**cell, **changes}, *held["cells"][1:]]}

    bad = {
        "cut": json.dumps(held)[:-20],
        "list": "[1, 2]",
        "null": "null",
        "deep": "[" * 100_000,
        "huge": json.dumps({**held, "filler": "x" * 3_000_000}),
        "number": '{"a": ' + "9" * 5000 + "}",
        "nan": with_cell(accuracy=float("nan")),
        "above": with_cell(confidence=1.5),
        "text": with_cell(accuracy="0.5"),
        "truth": with_cell(accuracy=True),
        "part": with_cell(n=1.5),
        "none": with_cell(n=0),
        "degradation": with_cell(degradation="<b>"),
        "modality": with_cell(modality="__proto__"),
        "severity": with_cell(severity="L3"),
        "twice": {**held, "cells": [*held["cells"], held["cells"][0]]},
        "other rows": {**held, "asked": {**held["asked"], "rows": [1, 2, 3]}},
        "empty": {**held, "cells": []},
        "size": {**held, "parameters_billion": float("inf")},
        "data": {**held, "data": None},
        "categories": {**held, "categories": {"noise": {"clean": 2, "degraded": 0}}},
        "asked": {**held, "asked": []},
    }
    (tmp_path / "results" / "folder" / "leaderboard.json").mkdir(parents=True)
    entries, unusable = read_submitted(write(tmp_path, {**bad, "good": {**held, "model": STRANGE}}))
    assert [entry.model for entry in entries] == [STRANGE]
    assert unusable == len(bad) + 1


def test_runs_of_one_model_have_names_of_their_own_and_long_names_are_cut(tmp_path: Path, held: dict[str, Any]) -> None:
    names = ["same", "same", "same", "x" * 5000, 7, "", "a\u202egnp.\n\0b"]
    files = {str(number): {**held, "model": name} for number, name in enumerate(names)}
    entries, unusable = read_submitted(write(tmp_path, files))
    assert unusable == 0
    assert [entry.model for entry in entries] == [
        "same",
        "same (run 2)",
        "same (run 3)",
        "x" * 100,
        "7",
        "a model without a name",
        "a\ufffdgnp. \ufffdb",
    ]
