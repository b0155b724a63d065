"""The chart of the first screen: one paired baseline, a scale that holds all, shading where surer than right."""

from __future__ import annotations

import re

import pytest

from medq_deg.reporting import hero

LEVELS = {
    "L0": {"accuracy": 0.9, "agreement": 0.9},
    "L1": {
        "accuracy": 0.7,
        "agreement": 0.8,
        "change_from_l0": {
            "accuracy": -0.1,
            "accuracy_ci": [-0.2, 0.0],
            "agreement": -0.05,
            "agreement_ci": [-0.1, 0.0],
        },
    },
    "L2": {
        "accuracy": 0.6,
        "agreement": 0.85,
        "few_clusters": False,
        "change_from_l0": {
            "accuracy": -0.2,
            "accuracy_ci": [-0.3, -0.1],
            "agreement": 0.0,
            "agreement_ci": [-0.1, 0.1],
        },
    },
}


def test_clean_values_are_those_of_the_severe_images_before_they_were_degraded() -> None:
    levels = hero.levels_of(LEVELS)
    assert levels is not None
    assert levels.values["right"] == pytest.approx({"L0": 0.8, "L1": 0.7, "L2": 0.6})
    assert levels.values["sure"] == pytest.approx({"L0": 0.85, "L1": 0.8, "L2": 0.85})
    assert levels.ranges["right"]["L2"] == pytest.approx((0.5, 0.7))
    assert levels.gap("L2") == pytest.approx(0.25)


def test_there_is_no_chart_without_pairs_and_no_range_for_few_questions() -> None:
    assert hero.levels_of({"L2": {"accuracy": 0.5}}) is None
    few = hero.levels_of({**LEVELS, "L2": {**LEVELS["L2"], "few_clusters": True}})
    assert few is not None
    assert few.ranges == {"right": {}, "sure": {}}


def test_the_scale_holds_all_values_and_is_at_least_thirty_long() -> None:
    levels = hero.levels_of(LEVELS)
    assert levels is not None
    assert hero.bounds([levels]) == (40, 100)
    flat = hero.Levels({"right": {"L0": 1.0}, "sure": {"L0": 1.0}}, {"right": {}, "sure": {}})
    assert hero.bounds([flat]) == (70, 100)


def test_only_where_the_model_is_surer_than_right_is_shaded() -> None:
    def shaded(sure: tuple[float, ...], right: tuple[float, ...]) -> int:
        names = ("L0", "L1", "L2")
        values = {"sure": dict(zip(names, sure, strict=True)), "right": dict(zip(names, right, strict=True))}
        drawing = hero.draw(hero.Levels(values, {"right": {}, "sure": {}}), 560, 356, "wide")
        return len(re.findall('class="gap"', drawing))

    assert shaded((0.9, 0.9, 0.9), (0.8, 0.8, 0.8)) == 2
    assert shaded((0.7, 0.7, 0.7), (0.8, 0.8, 0.8)) == 0
    assert shaded((0.7, 0.9, 0.9), (0.8, 0.8, 0.95)) == 2
    assert shaded((0.7, 0.7, 0.9), (0.8, 0.8, 0.8)) == 1


def test_the_chart_says_in_words_what_it_shows() -> None:
    levels = hero.levels_of(LEVELS)
    assert levels is not None
    assert "Severe: right 60, sure 85 of 100" in hero.draw(levels, 358, 300, "slim")
