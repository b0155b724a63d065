"""Where a model breaks: tiers by number of questions, the worst first where there is a rank, and words for it."""

from __future__ import annotations

import re
from typing import Any

from medq_deg.reporting import breaks


def cell(questions: int, change: float, half: float = 0.05, verdict: str = "undecided") -> dict[str, Any]:
    return {
        "by_severity": {
            "L2": {
                "clusters": questions,
                "change_from_l0": {
                    "pairs": questions,
                    "accuracy": change,
                    "accuracy_ci": [change - half, change + half],
                    "agreement_shift": 0.0,
                },
            }
        },
        "dunning_kruger": {"agreement_shift": {"verdict_page": verdict}},
    }


CELLS = {
    "bubble": cell(9, -0.9),
    "exposure": cell(3, 0.1),
    "motion_blur": cell(12, -0.02),
    "low_dose": cell(29, -0.1),
    "gaussian_noise": cell(30, -0.08, verdict="supported"),
    "gaussian_blur": cell(400, -0.3),
    "none": cell(500, 0.0),
}


def test_cells_stand_by_tier_and_the_worst_is_first_where_there_is_a_rank() -> None:
    found = breaks.cells_of(CELLS)
    assert [each.name for each in found] == [
        "gaussian_blur",
        "gaussian_noise",
        "low_dose",
        "motion_blur",
        "bubble",  # below 10 questions nothing is ranked: by name
        "exposure",
    ]
    assert [each.tier for each in found] == [0, 0, 1, 1, 2, 2]
    assert [each.interval is None for each in found] == [False] * 4 + [True] * 2
    assert [each.survives for each in found] == [False, True, False, False, False, False]


def test_the_sentence_names_what_can_be_judged() -> None:
    told = breaks.summary(breaks.cells_of(CELLS), "type")
    assert told == (
        "Worst where it can be judged: out of focus (−30), noise (−8). 4 of 6 have fewer than 30 questions."
    )
    few = breaks.summary(breaks.cells_of({"low_dose": cell(12, -0.1)}), "type")
    assert few == "1 of 1 have fewer than 30 questions. Worst so far: low dose (CT), −10 on 12 questions."
    fine = breaks.summary(breaks.cells_of({"low_dose": cell(40, 0.0)}), "type")
    assert fine == "No type with 30 questions or more shows a loss beyond chance."


def test_the_scale_holds_every_range_in_steps_of_twenty() -> None:
    assert breaks.bounds([breaks.cells_of(CELLS)]) == (-1.0, 0.2)
    assert breaks.bounds([breaks.cells_of({"low_dose": cell(40, 0.0)})]) == (-0.2, 0.2)


def test_every_cell_is_drawn_once_and_told_in_words() -> None:
    found = breaks.cells_of(CELLS)
    for width, kind in ((1040, "wide"), (358, "slim")):
        drawing = breaks.draw(found, "type", width, kind, breaks.bounds([found]))
        assert len(re.findall(r'class="dotb', drawing)) == len(found)
        assert "out of focus −30" in drawing
        assert all(0 <= float(x) <= width for x in re.findall(r' x="([-\d.]+)"', drawing))
