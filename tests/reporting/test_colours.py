"""The colours of the report for readers with and without a colour-vision deficiency.

The simulation is that of Machado, Oliveira and Fernandes (IEEE TVCG 15, 2009) at full severity; distances are CIE76 in
CIELAB, where about 2.3 can just be told apart.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from medq_deg.reporting.drawing import COLOURS, FADED, MARKS, SEVERITY_COLOURS, SEVERITY_MARKS

VISION = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
PAGES = {"light": "#ffffff", "dark": "#131516"}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    x, y, z = np.cbrt(to_xyz @ np.clip(rgb, 0, 1) / [0.95047, 1.0, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    light, dark = sorted((float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [COLOURS, tuple(SEVERITY_COLOURS.values())])
def test_colours_can_be_told_apart(vision: str, colours: tuple[str, ...]) -> None:
    seen = {colour: lab(VISION[vision] @ linear(colour)) for colour in colours}
    for one, other in combinations(colours, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (vision, one, other)


def test_no_two_runs_or_severities_share_a_mark() -> None:
    assert len(set(MARKS)) == len(MARKS) == len(COLOURS)
    assert len(set(SEVERITY_MARKS.values())) == 3


@pytest.mark.parametrize("page", PAGES)
def test_colours_are_seen_on_the_page(page: str) -> None:
    # Orange and sky blue are light: on white a dark rim, drawn in the page's ink, gives their marks an edge.
    for colour in (*COLOURS, *SEVERITY_COLOURS.values(), FADED):
        assert contrast(colour, PAGES[page]) > 2, colour
