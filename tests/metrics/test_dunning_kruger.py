"""The paper's rules on the paper's numbers, and verdicts that do not fire on a calibrated model."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from medq_deg import results
from medq_deg.errors import MedqDegError
from medq_deg.metrics import (
    FIGURES,
    SHIFTS,
    calibration_shift,
    holm,
    inter_model,
    inter_model_rule,
    intra_model_rule,
)
from medq_deg.metrics.dunning_kruger import evidence, verdict
from tests.metrics.models import hesitating_model, questions_and_votes

pytestmark = pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")

SIX = [f"{level}_{figure}" for level in ("l0", "l2") for figure in ("accuracy", "confidence", "shift")]


def published() -> dict[str, dict[str, float]]:
    with (Path(results.__file__).parent / "paper" / "calibration.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {row["model"]: {key: float(row[key]) for key in SIX} for row in rows if all(row[key] for key in SIX)}


def test_the_intra_model_rule_holds_for_every_published_model_with_all_six_values():
    models = published()
    assert len(models) == 17
    for values in models.values():
        assert intra_model_rule(values["l0_accuracy"], values["l2_accuracy"], values["l0_shift"], values["l2_shift"])
        assert values["l2_shift"] == pytest.approx(values["l2_confidence"] - values["l2_accuracy"], abs=0.001)


def test_the_inter_model_rule_counts_the_pairs_of_published_models():
    figures = {name: (values["l2_accuracy"], values["l2_shift"]) for name, values in published().items()}
    result = inter_model_rule(figures)
    expected = [
        (figures[a][0] - figures[b][0]) * (figures[a][1] - figures[b][1]) < 0 for a, b in combinations(figures, 2)
    ]
    assert len(result["pairs"]) == len(expected) == 17 * 16 / 2
    assert result["share"] == pytest.approx(np.mean(expected))
    assert 0.5 < result["share"] < 1


def test_the_rules_are_as_the_paper_writes_them_at_equality():
    assert intra_model_rule(0.7, 0.6, 0.2, 0.2)
    assert not intra_model_rule(0.6, 0.6, 0.2, 0.3)
    assert not intra_model_rule(0.7, 0.6, 0.2, 0.1)
    assert inter_model_rule({"a": (0.5, 0.2), "b": (0.6, 0.2)})["share"] == 0
    assert inter_model_rule({"a": (0.5, 0.2), "b": (0.5, 0.1)})["share"] is None


def test_holm_adjusts_as_the_definition_says():
    p_values = [0.001, 0.2, 0.012, 0.04, 0.7]
    by_definition = []
    order = sorted(p_values)
    for p in p_values:
        steps = [min(1, (len(order) - i) * smaller) for i, smaller in enumerate(order[: order.index(p) + 1])]
        by_definition.append(max(steps))
    assert holm(p_values) == pytest.approx(by_definition)
    assert holm([]) == []
    with pytest.raises(MedqDegError, match="between 0 and 1"):
        holm([0.5, float("nan")])


def test_a_verdict_needs_both_conditions_to_be_supported_and_one_to_be_refuted():
    noise = np.random.default_rng(0).normal(size=(2, 400))
    noise -= noise.mean(axis=1, keepdims=True)
    noise /= noise.std(axis=1, ddof=1, keepdims=True) / np.sqrt(400)

    def judged(drop, change):
        weighed = evidence(drop + noise[0], change + noise[1])
        return verdict(weighed.p_supported, weighed.p_refuted, confidence_level=0.95)

    assert judged(4, 4) == "supported"
    assert judged(4, 1) == "undecided"
    assert judged(4, -4) == "refuted"
    assert judged(-4, 4) == "refuted"


def test_below_30_questions_or_where_few_carry_the_change_nothing_is_judged():
    steady = np.linspace(0.5, 1.5, 30)
    assert evidence(steady[:29], steady[:29]).reason == "too few questions"
    assert evidence(steady, steady).p_supported < 1e-6
    skewed = np.zeros(200)
    skewed[:5] = 1.0
    assert 25 * 6.0**2 > 200
    assert evidence(np.ones(200), skewed) == evidence(skewed, np.ones(200))
    assert evidence(skewed, np.ones(200)).reason == "too few questions"
    assert evidence(skewed, np.ones(200)).p_refuted is None


def test_changes_that_are_all_alike_are_as_certain_as_a_sign_test_allows():
    same = np.ones(30)
    assert evidence(same, same).p_supported == 2 * 2.0**-30
    assert evidence(same, -same).p_refuted == 4 * 2.0**-30
    assert evidence(0 * same, same).p_supported == 1


def test_a_verdict_that_rests_on_how_missing_answers_are_treated_is_not_given():
    rng = np.random.default_rng(12)
    model = hesitating_model(200, rng, 10, clean=0.9, degraded=0.88)
    # On degraded images it refuses four in ten votes: wrong answers, or none at all?
    model["votes"][200:] = [[None if rng.random() < 0.4 else vote for vote in row] for row in model["votes"][200:]]
    for invalid in ("wrong", "drop"):
        told = calibration_shift(**model, invalid=invalid)["dunning_kruger"]
        agreement = told["agreement_shift"]
        assert agreement["verdict"] == "undecided"
        missing = 100 * told["missing_l2"]
        assert 37 < missing < 43
        said = f"answers are missing at L2 in {missing:.1f} % of votes against 0.0 % at L0"
        assert agreement["reason"] == said
    # As many missing on clean images: nothing rests on them.
    model = hesitating_model(200, rng, 10, clean=0.55, degraded=0.9)
    model["votes"] = [[None] * 2 + row[2:] for row in model["votes"]]
    told = calibration_shift(**model)["dunning_kruger"]
    assert (told["agreement_shift"]["verdict"], told["agreement_shift"]["reason"]) == ("refuted", None)


@pytest.mark.slow
@pytest.mark.parametrize("trials", [3, 10])
def test_the_plug_in_rule_fires_on_a_perfectly_calibrated_model_and_the_agreement_verdict_does_not(trials):
    rng = np.random.default_rng(trials)
    fired, supported = dict.fromkeys(SHIFTS, 0), dict.fromkeys(SHIFTS, 0)
    for simulation in range(200):
        model = hesitating_model(600, rng, trials)
        result = calibration_shift(**model, n_resamples=200, seed=simulation)["dunning_kruger"]
        for shift in SHIFTS:
            fired[shift] += bool(result[shift]["rule"])
            supported[shift] += result[shift]["verdict"] == "supported"
    assert fired["calibration_shift"] >= 195
    assert supported["calibration_shift"] >= 180
    # The paper's rule has no room for noise: without any effect it fires in every second sample.
    assert 70 <= fired["agreement_shift"] <= 130
    assert supported["agreement_shift"] <= 10


def test_a_model_that_stays_sure_of_itself_is_found_out_by_every_shift():
    rng = np.random.default_rng(4)
    model = hesitating_model(500, rng, 10)
    # The degraded rows keep the votes of the clean ones, but of other questions: as sure as before, and often wrong.
    model["votes"][500:] = [model["votes"][number] for number in rng.permutation(500)]
    result = calibration_shift(**model, confidence_level=0.95)
    for shift in SHIFTS:
        assert result["dunning_kruger"][shift]["verdict"] == "supported"
    assert result["dunning_kruger"]["verdict"] == "supported"
    low, high = result["dunning_kruger"]["accuracy_drop_ci"]
    assert 0 < low < result["dunning_kruger"]["accuracy_drop"] < high


def test_a_model_that_gets_better_refutes_the_effect():
    model = hesitating_model(500, np.random.default_rng(5), 10, clean=0.55, degraded=0.9)
    assert calibration_shift(**model)["dunning_kruger"]["verdict"] == "refuted"


def test_each_degraded_row_is_compared_with_its_own_clean_row():
    votes = [["A"] * 10, ["A"] * 6 + ["B"] * 4, ["A"] * 2 + ["B"] * 8, ["B"] * 10, ["B"] * 9 + ["A"]]
    result = calibration_shift(
        votes, ["A"] * 5, 2, ["p", "p", "p", "q", "q"], [0, 2, 2, 0, 2], confidence_level=0.9, n_resamples=50
    )
    # Question p counts twice, as it has two degraded rows: (-0.4 - 0.8 + 0.1) / 3.
    change = result["by_severity"]["L2"]["change_from_l0"]
    assert change["pairs"] == 3
    assert change["accuracy"] == pytest.approx(-1.1 / 3)
    assert result["dunning_kruger"]["accuracy_drop"] == pytest.approx(1.1 / 3)
    # The paper's rule compares the plain means.
    assert result["dunning_kruger"]["accuracy_l0"] == 0.5
    assert result["dunning_kruger"]["accuracy_l2"] == pytest.approx(0.3)
    assert set(FIGURES) <= set(change)


def test_pairing_makes_the_interval_of_a_change_shorter():
    votes, answers, groups = questions_and_votes(400, np.random.default_rng(6))
    result = calibration_shift(votes, answers, 4, groups, [0, 2] * 400, confidence_level=0.95)
    low, high = result["by_severity"]["L2"]["change_from_l0"]["accuracy_ci"]
    widths = [np.ptp(result["by_severity"][name]["accuracy_ci"]) for name in ("L0", "L2")]
    assert high - low < 0.6 * np.hypot(*widths)
    assert low < 0 < high


def test_without_clean_or_severe_rows_there_is_no_effect_to_judge():
    assert (
        calibration_shift([["A"] * 5] * 2, ["A"] * 2, 2, severities=[0, 1], groups=["aa"] * 2)["dunning_kruger"] is None
    )
    assert calibration_shift([["A"] * 5] * 2, ["A"] * 2, 2, severities=[2, 2])["dunning_kruger"] is None


def test_inter_model_judges_each_pair_on_the_same_questions():
    rng = np.random.default_rng(7)
    votes, answers, groups = questions_and_votes(500, rng)
    wrong_and_sure = [row if rng.random() < 0.4 else ["ABCD"[rng.integers(4)]] * 10 for row in votes]
    result = inter_model({"good": votes, "sure": wrong_and_sure, "again": votes}, answers, 4, groups)
    pairs = {(pair["weaker"], pair["stronger"]): pair for pair in result["pairs"]}
    assert len(pairs) == 3
    for shift in SHIFTS:
        assert pairs["sure", "good"][shift]["rule"]
        assert pairs["sure", "good"][shift]["verdict"] == "supported"
        assert pairs["sure", "good"][shift]["verdict_holm"] == "supported"
        assert pairs["good", "again"][shift]["verdict"] == "undecided"
        assert result["share"][shift] == 1
    alone = calibration_shift(votes, answers, 4, groups, confidence_level=0.95)
    assert result["models"]["good"]["calibration_shift"] == pytest.approx(alone["calibration_shift"])
    assert result["models"]["good"]["calibration_shift_ci"] == pytest.approx(alone["calibration_shift_ci"])


def test_inter_model_wants_two_models_on_the_same_rows():
    with pytest.raises(MedqDegError, match="at least 2 models, got 1"):
        inter_model({"one": [["A", "B"]]}, ["A"], 2)
    with pytest.raises(MedqDegError, match="votes has 2 rows but answers has 1"):
        inter_model({"one": [["A", "B"]], "two": [["A", "B"]] * 2}, ["A"], 2)
    with pytest.raises(MedqDegError, match="vote 1 of row 0 of 'two'"):
        inter_model({"one": [["A", "B"]], "two": [["C", "B"]]}, ["A"], 2)


def test_one_question_only_is_not_judged():
    one = {"groups": ["q"] * 2, "answers": ["A"] * 2, "num_choices": 2}
    result = inter_model({"one": [["A"] * 10, ["B"] * 10], "two": [["A"] * 10] * 2}, **one)
    (pair,) = result["pairs"]
    assert pair["accuracy_gap"] == 0.5
    assert pair["accuracy_gap_ci"] is None
    assert pair["calibration_shift"]["rule"] is True
    assert pair["calibration_shift"]["verdict"] is None
    assert result["models"]["one"]["accuracy_ci"] is None
    judged = calibration_shift(votes=[["A"] * 10, ["B"] * 10], severities=[0, 2], **one)["dunning_kruger"]
    assert judged["rule"] is True
    assert judged["verdict"] is None
    assert judged["reason"] == "too few questions"
