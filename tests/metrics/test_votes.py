"""What counts as a vote, and what happens to input that is wrong."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from medq_deg.errors import MedqDegError
from medq_deg.metrics import (
    FIGURES,
    ClusterWarning,
    FewTrialsWarning,
    PairingWarning,
    UnparsableWarning,
    calibration_shift,
    summarize,
)
from medq_deg.metrics.votes import encode
from tests.metrics.models import LETTERS, spelled

TEN = ["A"] * 10


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.FewTrialsWarning")
def test_shares_hold_options_first_and_the_unparsable_outcome_last():
    table = encode([["A", "C", None, ""], ["B", "B", "A", "B"]], None, ["A", "B"], [3, 2])
    assert table.shares.tolist() == [[0.25, 0, 0.25, 0.5], [0.25, 0.75, 0, 0]]
    assert table.named.tolist() == [0.5, 1.0]
    assert table.trials.tolist() == [4, 4]


def test_up_to_26_options_are_allowed():
    result = calibration_shift([["Z"] * 10], ["Z"], 26)
    assert result["accuracy"] == 1
    assert result["confidence"] == 1


@pytest.mark.filterwarnings("ignore::medq_deg.metrics.MetricWarning")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], [], []), "votes is empty"),
        (([TEN, TEN], ["A"], 4), "votes has 2 rows but answers has 1"),
        (([TEN], ["A"], [4, 4]), "votes has 1 rows but num_choices has 2"),
        (([TEN], ["A"], 1), "num_choices of row 0 must be 2 to 26, got 1"),
        (([TEN], ["A"], 27), "must be 2 to 26, got 27"),
        (([TEN], ["A"], [4.0]), "must be 2 to 26, got 4.0"),
        (([TEN], ["A"], [True]), "must be 2 to 26, got True"),
        (([TEN], ["E"], 4), "the answer of row 0 is 'E', but the row has 4 options: allowed are A to D"),
        (([TEN], [None], 4), "the answer of row 0 is None"),
        (([TEN], [""], 4), "the answer of row 0 is ''"),
        (([TEN], "A", 4), "answers must hold one value for each row, got 'A'"),
        (([TEN, ["A", "B", "E"]], ["A", "A"], 4), "vote 3 of row 1 is 'E', but the row has 4 options"),
        (([["A", "a"]], ["A"], 4), "vote 2 of row 0 is 'a'"),
        (([["A", "AB"]], ["A"], 4), "vote 2 of row 0 is 'AB'"),
        (([["A", 0]], ["A"], 4), "vote 2 of row 0 is 0"),
        (([["A", math.nan]], ["A"], 4), "vote 2 of row 0 is nan"),
        (([["A", ["B"]]], ["A"], 4), "vote 2 of row 0 is"),
        ((["AAAB"], ["A"], 4), "the votes of row 0 must be a list of letters, got 'AAAB'"),
        (([None], ["A"], 4), "the votes of row 0 must be a list of letters, got None"),
        (([TEN, ["A"], []], ["A"] * 3, 4), "row 1 has 1 vote, row 2 has 0 votes: at least 2 are needed"),
        ((None, ["A"], 4), "exactly one of votes and probabilities must be given, got neither"),
        (([TEN], ["A"], 4, ["q", "r"]), "groups has 2 labels but there are 1 rows"),
        (([TEN], ["A"], 4, [None]), "the group of row 0 must be a label, got None"),
        (([TEN], ["A"], 4, None, [3]), "the severity of row 0 must be 0, 1 or 2, got 3"),
        (([TEN], ["A"], 4, None, ["L3"]), "the severity of row 0 must be 0, 1 or 2, got 'L3'"),
        (([TEN], ["A"], 4, None, ["0"]), "the severity of row 0 must be 0, 1 or 2"),
        (({"q": TEN}, ["A"], 4), "votes must hold one list for each row"),
        (((row for row in [TEN]), ["A"], 4), "votes must hold one list for each row"),
        (([TEN], ["A"], 4, None, 0), "severities must hold one value for each row, got 0"),
        (([TEN], ["A"], 4, None, [0, 1]), "severities has 2 values but there are 1 rows"),
    ],
)
def test_bad_votes_are_refused_in_one_sentence_that_names_them(arguments, words):
    with pytest.raises(MedqDegError) as caught:
        calibration_shift(*arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ([[0.5, 0.5, 0.0]], "must be 4 numbers, one for each option"),
        ([[0.5, math.nan, 0.0, 0.0]], "must be 0 or more and sum to at most 1"),
        ([[0.5, math.inf, 0.0, 0.0]], "must be 0 or more and sum to at most 1"),
        ([[0.5, 0.6, 0.0, 0.0]], "must be 0 or more and sum to at most 1"),
        ([[1.1, -0.1, 0.0, 0.0]], "must be 0 or more and sum to at most 1"),
        ([["x", 0.0, 0.0, 0.0]], "must be numbers"),
        (["half"], "must be 4 numbers"),
        ([None], "must be 4 numbers"),
        ([{"A": 0.5, "F": 0.5}], "name 'F', but the row has 4 options"),
        ([{"A": None}], "must be 0 or more and sum to at most 1"),
        ([], "probabilities is empty"),
    ],
)
def test_bad_probabilities_are_refused(probabilities, words):
    with pytest.raises(MedqDegError, match=words):
        calibration_shift(None, ["A"] * len(probabilities), 4, probabilities=probabilities)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"invalid": "keep"}, "invalid must be 'wrong' or 'drop', got 'keep'"),
        ({"confidence_level": "0.95"}, "confidence_level must lie between 0 and 1, got '0.95'"),
        ({"confidence_level": 95}, "confidence_level must lie between 0 and 1, got 95"),
        ({"n_resamples": 1}, "n_resamples must be a whole number of 2 or more, got 1"),
        ({"n_resamples": 10.5}, "n_resamples must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of 0 or more, got -1"),
        ({"probabilities": [[1, 0, 0, 0]]}, "got both"),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(MedqDegError, match=words):
        calibration_shift([TEN], ["A"], 4, **settings)


def test_an_error_names_the_group_or_the_id_of_its_row():
    with pytest.raises(MedqDegError, match=r"row 1 \(group 'q7'\) has 1 vote"):
        calibration_shift([TEN, ["A"]], ["A", "A"], 4, groups=["q1", "q7"])
    row = {"id": "q7/none/L0", "question_id": "q7", "votes": ["A"], "answer": "A", "num_choices": 4}
    with pytest.raises(MedqDegError, match="row 'q7/none/L0' has 1 vote"):
        summarize([row], by=[])


def test_few_votes_warn_that_confidence_is_not_interpretable():
    with pytest.warns(FewTrialsWarning, match="1 of 2 rows have fewer than 5 votes"):
        result = calibration_shift([TEN, ["A", "B", "C"]], ["A", "A"], 4)
    assert (result["trials_min"], result["trials"], result["trials_max"]) == (3, 6.5, 10)


def test_five_votes_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert calibration_shift([["A"] * 5], ["A"], 2)["trials"] == 5


def test_an_unparsable_vote_is_wrong_stays_in_t_and_takes_its_share_of_the_confidence():
    result = calibration_shift([["A"] * 5 + [None] * 5, ["A"] * 5 + ["B"] * 5], ["A", "A"], 4, confidence_level=None)
    assert result["accuracy"] == 0.5
    assert result["majority_accuracy"] == 0.5
    assert result["trials"] == 10
    assert result["parse_rate"] == 0.75
    assert (result["invalid"], result["invalid_votes"], result["rows_with_invalid"]) == ("wrong", 5, 1)
    # Half of the votes of one row name an option, all of these the same; the other row is split between two of four.
    assert result["confidence"] == pytest.approx((0.5 * 1 + 0.5) / 2, abs=1e-12)
    # 10 of the 45 pairs of votes are two A's in the one row; 10 two A's and 10 two B's in the other.
    assert result["agreement"] == pytest.approx((10 + 20) / 90, abs=1e-12)


def test_dropped_votes_leave_t_and_rows_without_enough_votes_count_in_the_parse_rate_only():
    votes = [["A"] * 5 + [None] * 5, ["B"] + [None] * 9]
    with pytest.warns(UnparsableWarning, match="leaves out 1 of 2 rows"):
        result = calibration_shift(votes, ["A", "A"], 4, invalid="drop")
    assert (result["n"], result["rows_left_out"], result["trials"]) == (1, 1, 5)
    assert (result["accuracy"], result["confidence"], result["agreement"]) == (1, 1, 1)
    assert (result["parse_rate"], result["invalid"], result["invalid_votes"]) == (0.3, "drop", 14)


def test_nothing_parsable_is_defined_with_a_warning_or_refused_when_dropped():
    votes = [[None] * 10, [""] * 10]
    with pytest.warns(UnparsableWarning, match="not one vote could be parsed"):
        result = calibration_shift(votes, ["A", "B"], 4, confidence_level=0.95)
    assert (result["accuracy"], result["majority_accuracy"], result["parse_rate"]) == (0, 0, 0)
    assert (result["confidence"], result["agreement"], result["ece"], result["auroc"]) == (0, 0, 0, None)
    assert result["brier"] == 1
    with pytest.raises(MedqDegError, match="no row has enough parsable votes"):
        calibration_shift(votes, ["A", "B"], 4, invalid="drop")


def test_one_cluster_only_has_figures_but_no_intervals():
    with pytest.warns(ClusterWarning, match="one cluster"):
        result = calibration_shift([TEN, TEN], ["A", "B"], 4, groups=["q", "q"], confidence_level=0.95)
    assert result["accuracy"] == 0.5
    assert result["accuracy_ci"] is None
    assert result["few_clusters"]


def test_degraded_rows_without_their_clean_row_are_reported():
    with pytest.warns(PairingWarning, match="1 of 2 degraded rows"):
        result = calibration_shift([TEN] * 3, ["A"] * 3, 4, groups=["p", "p", "q"], severities=[0, 2, 2])
    assert result["dunning_kruger"]["pairs"] == 1
    with pytest.warns(PairingWarning, match="Give groups"):
        result = calibration_shift([TEN] * 2, ["A"] * 2, 4, severities=[0, 2])
    assert result["dunning_kruger"]["rule"] is False
    assert result["dunning_kruger"]["verdict"] is None


def test_exact_probabilities_are_the_limit_of_many_votes():
    shares = [[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]]
    many = [spelled(tuple(round(share * 20000) for share in row)) for row in shares]
    exact = calibration_shift(None, ["A", "A"], 4, probabilities=shares)
    sampled = calibration_shift(many, ["A", "A"], 4)
    assert exact["trials"] is None
    assert exact["source"] == "probabilities"
    for figure in ("accuracy", "majority_accuracy", "confidence", "confidence_corrected", "agreement", "brier"):
        assert exact[figure] == pytest.approx(sampled[figure], abs=2e-4)
    assert exact["confidence"] == exact["confidence_corrected"]


def test_probabilities_may_be_mappings_and_missing_mass_is_unparsable():
    result = calibration_shift(None, ["A"], 3, probabilities=[{"A": 0.5, "B": 0.25}])
    same = calibration_shift([["A", "A", "B", None] * 5000], ["A"], 3)
    assert result["parse_rate"] == 0.75
    assert result["confidence"] == pytest.approx(same["confidence"])
    assert result["agreement"] == pytest.approx(same["agreement"], abs=1e-3)
    dropped = calibration_shift(None, ["A"], 3, probabilities=[{"A": 0.5, "B": 0.25}], invalid="drop")
    assert dropped["accuracy"] == pytest.approx(2 / 3)


def test_rounding_of_single_precision_is_no_unparsable_mass():
    shares = np.full((1, 3), 1 / 3, np.float32)
    result = calibration_shift(None, ["A"], 3, probabilities=shares)
    assert result["parse_rate"] == pytest.approx(1)
    assert result["rows_with_invalid"] == 0
    assert result["confidence"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("figure", ["confidence", "confidence_corrected", "agreement"])
def test_abstaining_lowers_confidence_and_agreement_step_by_step(figure):
    told = [calibration_shift([["A"] * (10 - lost) + [None] * lost], ["A"], 4)[figure] for lost in range(10)]
    assert told == sorted(told, reverse=True)
    assert len(set(told)) == 10


@pytest.mark.parametrize("trials", [5, 10, 12])
@pytest.mark.parametrize("options", [2, 3, 5])
def test_confidence_is_the_share_that_names_an_option_times_the_confidence_of_those_votes(options, trials):
    for read in range(2, trials + 1):
        letters = [LETTERS[place % options] for place in range(read)]
        alone = calibration_shift([letters], ["A"], options, invalid="wrong") if read >= 5 else None
        both = calibration_shift([letters + [None] * (trials - read)], ["A"], options)
        counts = np.bincount([LETTERS.index(letter) for letter in letters], minlength=options)
        shares = counts[counts > 0] / read
        sureness = 1 + float((shares * np.log(shares)).sum()) / math.log(options)
        assert both["confidence"] == pytest.approx(read / trials * sureness, abs=1e-12)
        assert both["agreement"] == pytest.approx((counts * (counts - 1)).sum() / (trials * (trials - 1)), abs=1e-12)
        if alone:
            for figure in ("confidence", "confidence_corrected"):
                assert both[figure] == pytest.approx(read / trials * alone[figure], abs=1e-12)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.25] * 4, [0.7, 0.2, 0.1]])
@pytest.mark.parametrize("off", [1e-7, 2e-6, 1e-5, 1e-3])
def test_a_little_mass_off_the_options_moves_exact_figures_by_as_little(shares, off):
    options = len(shares)
    whole = calibration_shift(None, ["A"], options, probabilities=[shares])
    less = calibration_shift(None, ["A"], options, probabilities=[[(1 - off) * share for share in shares]])
    for figure in FIGURES:
        if whole[figure] is not None:
            assert less[figure] == pytest.approx(whole[figure], abs=2.1 * off), figure


def test_dropping_gives_what_the_readable_votes_alone_give():
    rng = np.random.default_rng(4)
    votes = [["A" if rng.random() < 0.6 else "B" for _ in range(10)] for _ in range(40)]
    lost = [[None if rng.random() < 0.3 else vote for vote in row] for row in votes]
    alone = calibration_shift([[vote for vote in row if vote] for row in lost], ["A"] * 40, 3)
    dropped = calibration_shift(lost, ["A"] * 40, 3, invalid="drop")
    for figure in FIGURES:
        if figure != "parse_rate":
            assert dropped[figure] == pytest.approx(alone[figure], abs=1e-12), figure


def test_both_treatments_are_the_same_to_the_last_bit_where_every_vote_names_an_option():
    rng = np.random.default_rng(5)
    votes = [[LETTERS[code] for code in rng.integers(4, size=10)] for _ in range(50)]
    assert encode(votes, None, ["A"] * 50, 4).other is None
    wrong, dropped = (calibration_shift(votes, ["A"] * 50, 4, invalid=invalid) for invalid in ("wrong", "drop"))
    assert {**wrong, "invalid": None} == {**dropped, "invalid": None}
