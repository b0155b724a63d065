"""Overlays of histopathology: how much they cover, where, and what they do to the light."""

from __future__ import annotations

import numpy as np
import pytest

from medq_deg import DEGRADATIONS
from medq_deg.degradations.types.blood_cells import blood_cell
from medq_deg.degradations.types.histopathology import bubble, dark_spots


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.20), (2, 0.47)])
def test_blood_cells_cover_the_published_share(severity: int, share: float) -> None:
    section = np.zeros((400, 520, 3), np.float32)
    settings = DEGRADATIONS["blood_cell"].parameters[severity]
    covered = [np.mean(blood_cell(section, rng(s), **settings)[..., 0] > 1) for s in range(10)]
    assert np.mean(covered) == pytest.approx(share, abs=0.04)


def test_a_severe_section_has_the_mild_one_s_cells_and_more() -> None:
    section = np.zeros((300, 300, 3), np.float32)
    mild, severe = (blood_cell(section, rng(3), coverage=c, opacity=0.3) for c in (0.2, 0.47))
    assert (severe >= mild - 1e-3).all()
    assert (severe > mild + 1).mean() > 0.15


def test_cells_are_translucent_and_textured() -> None:
    dark, light = np.zeros((300, 300, 3), np.float32), np.full((300, 300, 3), 255, np.float32)
    over_dark, over_light = (blood_cell(s, rng(3), coverage=0.1, opacity=0.25) for s in (dark, light))
    inside = over_dark[..., 0] > 20
    assert (over_light - over_dark)[inside].min() > 255 * 0.3, "the section shows through"
    assert over_dark[inside].std(axis=0).max() > 2, "a cell is not one flat colour"


def test_no_coverage_and_no_opacity_give_the_section_back(histology: np.ndarray) -> None:
    section = histology.astype(np.float32)
    assert np.array_equal(blood_cell(section, rng(), coverage=0.0, opacity=0.3), section)
    assert np.allclose(blood_cell(section, rng(), coverage=0.4, opacity=0.0), section)
    assert np.array_equal(dark_spots(section, rng(), depth=0.0, radius=0.3), section)


def test_a_dark_spot_absorbs_its_share_smoothly_and_only_darkens() -> None:
    white = np.full((256, 256, 3), 200, np.float32)
    light = dark_spots(white, rng(), depth=0.47, radius=51 / 256)[..., 0] / 200
    assert light.min() == pytest.approx(1 - 0.47, abs=1e-3)
    assert light.max() <= 1
    assert np.abs(np.diff(light, axis=0)).max() < 0.01
    # 0.47 2 pi s^2 of the light, if the whole spot is in sight.
    assert 1 - light.mean() == pytest.approx(0.47 * 2 * np.pi * (51 / 256) ** 2, rel=0.15)


def test_a_bubble_blurs_inside_and_leaves_the_outside_alone(histology: np.ndarray) -> None:
    section = histology.astype(np.float32)
    result = bubble(section, rng(), radius=50 / 256, sigma=1.6 / 256)
    changed = np.abs(result - section).max(axis=2) > 0.5
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    # Up to the soft edge of the rim.
    for extent in (np.ptp(rows), np.ptp(columns)):
        assert extent == pytest.approx(2 * 50 / 256 * 512, abs=24)
    assert np.array_equal(result[:20, :20], section[:20, :20])
    centre = (
        slice(int(rows.mean()) - 40, int(rows.mean()) + 40),
        slice(int(columns.mean()) - 40, int(columns.mean()) + 40),
    )
    sharp, soft = (np.abs(np.diff(image[centre], axis=0)).mean() for image in (section, result))
    assert soft < 0.5 * sharp


def test_a_bubble_has_a_dark_rim() -> None:
    white = np.full((512, 512), 200, np.float32)
    result = bubble(white, rng(), radius=0.2, sigma=0.01)
    assert result.min() == pytest.approx(200 * (1 - 0.18), rel=0.05)
    assert 0.01 < (result < 190).mean() < 0.04
