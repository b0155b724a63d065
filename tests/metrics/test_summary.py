"""Breakdowns by column: which rows make a cell, what a cell says, and what the many cells share."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.metrics import BREAKDOWNS, simulated_rows
from medq_deg import taxonomy
from medq_deg.errors import MedqDegError
from medq_deg.metrics import FIGURES, SHIFTS, calibration_shift, holm, summarize


@pytest.fixture(scope="module")
def rows():
    return simulated_rows(questions=150, pairs=320, votes=10, seed=1)


@pytest.fixture(scope="module")
def summary(rows):
    return summarize(rows, by=[*BREAKDOWNS, ("severity", "category")], n_resamples=200)


def shape(cells):
    return {key: cell["n"] for key, cell in cells.items()}


def test_every_row_is_in_one_cell_of_each_plain_column(rows, summary):
    assert summary["n"] == len(rows) == 150 + 2 * 320
    assert shape(summary["by"]["severity"]) == {"L0": 150, "L1": 320, "L2": 320}
    for column in ("degradation", "category", "modality", "task"):
        assert sum(shape(summary["by"][column]).values()) == len(rows)
    assert set(summary["by"]["category"]) == {*taxonomy.CATEGORIES, taxonomy.NO_DEGRADATION}


def test_a_row_with_two_skills_is_in_the_cells_of_both(rows, summary):
    for skill, cell in summary["by"]["skills"].items():
        assert cell["n"] == sum(skill in row["skills"] for row in rows)
    assert sum(shape(summary["by"]["skills"]).values()) == sum(len(row["skills"]) for row in rows) > len(rows)


def test_a_tuple_crosses_its_columns(rows, summary):
    cell = summary["by"]["severity x category"]["L2 x noise"]
    assert cell["n"] == sum(row["severity"] == 2 and row["category"] == "noise" for row in rows)


def test_a_cell_equals_the_metric_of_its_rows_alone(rows, summary):
    mine = [row for row in rows if row["modality"] == "CT"]
    alone = calibration_shift(
        [row["votes"] for row in mine],
        [row["answer"] for row in mine],
        [row["num_choices"] for row in mine],
        [row["question_id"] for row in mine],
        [row["severity"] for row in mine],
        confidence_level=0.95,
        n_resamples=200,
    )
    cell = summary["by"]["modality"]["CT"]
    for key in ("n", "clusters", *FIGURES, *(f"{figure}_ci" for figure in FIGURES), "by_severity"):
        assert cell[key] == alone[key]


def test_a_cell_without_clean_rows_is_paired_with_the_clean_rows_of_its_questions(rows, summary):
    cell = summary["by"]["degradation"]["low_resolution"]
    degraded = [row for row in rows if row["degradation"] == "low_resolution" and row["severity"] == 2]
    clean = {row["question_id"]: row for row in rows if row["severity"] == 0}

    def share(row):
        return row["votes"].count(row["answer"]) / 10

    changes = [share(row) - share(clean[row["question_id"]]) for row in degraded]
    assert "L0" not in cell["by_severity"]
    assert cell["by_severity"]["L2"]["change_from_l0"]["accuracy"] == pytest.approx(np.mean(changes))
    assert cell["dunning_kruger"]["pairs"] == len(degraded)
    assert cell["dunning_kruger"]["accuracy_l0"] - cell["dunning_kruger"]["accuracy_l2"] == pytest.approx(
        -np.mean(changes)
    )


def test_the_p_values_of_a_breakdown_are_adjusted_together(summary):
    cells = [cell["dunning_kruger"] for cell in summary["by"]["degradation"].values() if cell["dunning_kruger"]]
    assert len(cells) > 15
    for shift in SHIFTS:
        # A cell of few questions can't be tested and is no member of the family.
        parts = [cell[shift] for cell in cells if cell[shift]["p_supported"] is not None]
        assert 0 < len(parts) < len(cells)
        assert [part["p_supported_holm"] for part in parts] == holm([part["p_supported"] for part in parts])
        assert {part["verdict_holm"] for part in parts} <= {"supported", "refuted", "undecided"}
        assert {cell[shift]["reason"] for cell in cells if cell[shift]["verdict"] is None} == {"too few questions"}
        assert all("verdict_holm" not in cell[shift] for cell in cells if cell[shift]["verdict"] is None)


def test_what_survives_across_the_page_is_marked_over_the_cells_of_all_breakdowns(summary):
    cells = [cell["dunning_kruger"] for cells in summary["by"].values() for cell in cells.values()]
    for shift in SHIFTS:
        parts = [cell[shift] for cell in cells if cell and cell[shift]["p_supported"] is not None]
        for key in ("p_supported", "p_refuted"):
            assert [part[f"{key}_page"] for part in parts] == holm([part[key] for part in parts])
        assert all(part["p_supported_page"] >= part["p_supported_holm"] for part in parts)
        assert {part["verdict_page"] for part in parts} <= {"supported", "refuted", "undecided"}
    assert "verdict_page" not in summary["dunning_kruger"]["agreement_shift"]


def test_cells_with_under_30_questions_are_flagged(summary):
    flags = {cell["clusters"]: cell["few_clusters"] for cell in summary["by"]["degradation"].values()}
    assert any(flags.values())
    assert not all(flags.values())
    assert all(flag == (clusters < 30) for clusters, flag in flags.items())


def test_a_summary_is_ready_for_json(summary):
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_neither_the_order_of_rows_nor_the_other_breakdowns_change_a_cell(rows, summary):
    order = np.random.default_rng(2).permutation(len(rows))
    again = summarize([rows[i] for i in order], by=["modality"], n_resamples=200)
    for name, cell in again["by"]["modality"].items():
        for figure in FIGURES:
            assert cell[f"{figure}_ci"] == pytest.approx(summary["by"]["modality"][name][f"{figure}_ci"], abs=1e-10)


def test_rows_may_have_options_probabilities_no_severity_and_no_value():
    rows = [
        {"question_id": 1, "answer": "A", "options": ["x", "y"], "probabilities": {"A": 0.75, "B": 0.25}, "task": None},
        {"question_id": 2, "answer": "B", "options": ["x", "y"], "probabilities": {"A": 0.5, "B": 0.5}, "task": "t"},
    ]
    result = summarize(rows, by=["task"], source="probabilities", confidence_level=None)
    assert result["accuracy"] == 0.625
    assert shape(result["by"]["task"]) == {"(missing)": 1, "t": 1}
    assert "by_severity" not in result
    assert "accuracy_ci" not in result


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.ClusterWarning")
@pytest.mark.parametrize(
    ("change", "by", "words"),
    [
        ({}, "severity", "by must be a list of columns"),
        ({}, ["severity", "severity"], "each breakdown once"),
        ({}, ["colour"], "unknown column of row 'r' 'colour'"),
        ({"votes": None}, [], "the votes of row 'r' are missing"),
        ({"options": None}, [], "needs num_choices or a list of options"),
        ({"answer": "Z"}, [], "the answer of row 'r' is 'Z'"),
        ({"severity": 5}, [], "must be 0, 1 or 2, got 5"),
    ],
)
def test_bad_rows_and_breakdowns_are_refused(change, by, words):
    row = {"id": "r", "question_id": "q", "answer": "A", "options": ["x", "y"], "votes": ["A"] * 10, "severity": 0}
    with pytest.raises(MedqDegError, match=words):
        summarize([row | change], by=by)


def test_a_source_that_is_not_there_and_no_rows_are_refused():
    with pytest.raises(MedqDegError, match="source must be"):
        summarize([], source="texts")
    with pytest.raises(MedqDegError, match="row 0 must be a mapping from column to value, got 'q'"):
        summarize(["q"])
    with pytest.raises(MedqDegError, match="votes is empty"):
        summarize([])
