"""Coloured markings on grey images: kept as they are, and without a trace in the image under them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import degrade
from medq_deg.degradations.marking import lift
from tests.conftest import demo_image

Image = NDArray[np.uint8]
Draw = Callable[[Image, tuple[int, int, int]], object]


def box(image: Image, colour: tuple[int, int, int]) -> object:
    return cv2.rectangle(image, (150, 180), (260, 270), colour, 3)


def contour(image: Image, colour: tuple[int, int, int]) -> object:
    return cv2.ellipse(image, (250, 260), (80, 50), 30, 0, 360, colour, 2, cv2.LINE_AA)


def arrow(image: Image, colour: tuple[int, int, int]) -> object:
    return cv2.arrowedLine(image, (330, 150), (250, 240), colour, 3, cv2.LINE_AA, tipLength=0.2)


SHAPES = {"box": box, "contour": contour, "arrow": arrow}
COLOURS = {"red": (255, 0, 0), "green": (0, 220, 40), "yellow": (255, 240, 0), "cyan": (0, 230, 255)}
TYPES = ("exposure", "ghosting", "gaussian_blur", "limited_angle", "undersampling", "motion_blur", "adjust_brightness")


def grey(name: str = "ct_abdomen") -> Image:
    return np.repeat(demo_image(name)[..., None], 3, axis=2)


def psnr(a: Image, b: Image, where: NDArray[np.bool_]) -> float:
    return float(-10 * np.log10(np.mean((a.astype(float) - b)[where] ** 2 / 255**2) + 1e-14))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_kept_marking_is_as_if_drawn_after_the_degradation(shape: str, colour: str) -> None:
    clean = grey()
    marked = clean.copy()
    SHAPES[shape](marked, COLOURS[colour])
    near = cv2.dilate((marked != clean).any(axis=2).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    lifted = lift(marked)
    assert lifted is not None
    assert psnr(lifted.grey, clean[..., 0], near) > 17, "the image under the marking is restored"
    assert np.array_equal(lifted.grey[~near], clean[~near][:, 0])
    for name in TYPES:
        truth = degrade(clean, name, 2, 1)
        SHAPES[shape](truth, COLOURS[colour])
        kept = degrade(marked, name, 2, 1, keep_marking=True)
        assert psnr(kept, truth, near) > 24, (name, "around it: no halo, no streak")
        assert psnr(kept, truth, ~near) > 36, (name, "elsewhere: the marking is not smeared into the image")
        core = (marked == COLOURS[colour]).all(axis=2)
        assert np.array_equal(kept[core], marked[core]), (name, "its own pixels are as they were")


def test_a_marking_on_a_jpeg_is_kept_too() -> None:
    marked = grey("mri_liver")
    contour(marked, (255, 0, 0))
    _, encoded = cv2.imencode(".jpg", marked[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    image = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    kept = degrade(image, "ghosting", 2, 1, keep_marking=True)
    core = np.ptp(image.astype(int), axis=2) > 180
    assert core.sum() > 100
    assert np.abs(kept[core].astype(int) - image[core]).mean() < 5


@pytest.mark.parametrize("name", ["xray_chest_pa", "ct_abdomen"])
@pytest.mark.parametrize("colour", [(0, 160, 255), (255, 0, 0)])
def test_colour_that_a_jpeg_spreads_beside_a_line_leaves_no_halo(name: str, colour: tuple[int, int, int]) -> None:
    def saved(image: Image) -> Image:
        _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])

    marked = grey(name)
    contour(marked, colour)
    drawn = (marked != grey(name)).any(axis=2).astype(np.uint8)
    beside = cv2.dilate(drawn, np.ones((3, 3), np.uint8)) > drawn
    truth = degrade(saved(grey(name)), "exposure", 2, 1)[..., 0].astype(float)
    kept = cv2.cvtColor(degrade(saved(marked), "exposure", 2, 1, keep_marking=True), cv2.COLOR_RGB2GRAY)
    assert abs((kept - truth)[beside].mean()) < 8


def test_pixels_that_are_no_marking_stay_grey() -> None:
    marked = grey()
    box(marked, (255, 0, 0))
    result = degrade(marked, "sparse_view", 2, 1, keep_marking=True)
    away = cv2.dilate((np.ptp(marked.astype(int), axis=2) > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    assert np.ptp(result[away].astype(int), axis=1).max() == 0
    assert not np.array_equal(degrade(marked, "sparse_view", 2, 1), result)


def test_a_solid_overlay_and_a_marking_at_the_edge_are_kept() -> None:
    overlay = grey()
    overlay[100:290, 0:200] = (200, 40, 40)
    result = degrade(overlay, "limited_angle", 2, 1, keep_marking=True)
    assert np.array_equal(result[120:270, 0:180], overlay[120:270, 0:180])


def test_a_marking_moves_with_a_rotated_image() -> None:
    image = grey()
    box(image, (255, 0, 0))
    kept = degrade(image, "object_rotation", 2, 1, keep_marking=True)
    assert np.array_equal(kept, degrade(image, "object_rotation", 2, 1))


def test_a_colour_image_has_no_marking(histology: Image, ct: Image) -> None:
    assert lift(histology) is None
    assert lift(ct) is None
    assert lift(ct[..., None]) is None
    assert lift(grey()) is None
    assert np.array_equal(degrade(histology, "bubble", 1, keep_marking=True), degrade(histology, "bubble", 1))


@pytest.mark.parametrize("stray", ["one pixel", "a marking"])
def test_a_image_that_is_grey_but_for_few_pixels_gets_grey_noise(stray: str) -> None:
    image = grey("xray_chest_pa")
    if stray == "one pixel":
        image[40, 50, 0] ^= 1
    else:
        box(image, (255, 0, 0))
    changed = image[:, :, 0] != image[:, :, 1]
    result = degrade(image, "gaussian_noise", 2, 3)
    assert np.ptp(result[~changed].astype(int), axis=1).max() == 0
    assert np.array_equal(result[~changed], degrade(grey("xray_chest_pa"), "gaussian_noise", 2, 3)[~changed])


def doppler(clean: Image, *, hues: bool) -> Image:
    """Draw a map of velocities: towards the probe red, away blue, faster brighter and, with `hues`, yellow and cyan."""
    height, width = clean.shape[:2]
    y, x = np.mgrid[:height, :width]
    speed = np.sin(x / 23) * np.cos(y / 31)
    bright, fast = np.abs(speed) ** 0.7 * 255, np.abs(speed) ** 2 * 220 * hues
    towards = np.stack([bright, fast, 0 * fast], axis=-1)
    flow = np.where((speed > 0)[..., None], towards, towards[..., ::-1]).astype(np.uint8)
    vessel = cv2.ellipse(np.zeros((height, width), np.uint8), (width // 2, height // 2), (90, 50), 20, 0, 360, 1, -1)
    return np.where(((vessel > 0) & (np.abs(speed) > 0.15))[..., None], flow, clean)


@pytest.mark.parametrize("hues", [True, False])
@pytest.mark.parametrize("quality", [None, 90])
def test_the_colours_of_a_doppler_are_no_marking(hues: bool, quality: int | None) -> None:
    image = doppler(demo_image("us_pelvis"), hues=hues)
    if quality:
        _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    assert lift(image) is None
    kept, plain = (
        degrade(image, "motion_blur", 2, 1, modality="ultrasound", keep_marking=keep) for keep in (True, False)
    )
    assert np.array_equal(kept, plain)


@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize("opacity", [1.0, 0.5])
def test_areas_of_few_colours_are_a_marking_also_where_the_image_shines_through(
    opacity: float, quality: int | None
) -> None:
    image = demo_image("us_pelvis").astype(float)
    for rows, colour in (
        (slice(60, 140), (220, 30, 30)),
        (slice(160, 230), (30, 220, 60)),
        (slice(250, 300), (40, 80, 240)),
    ):
        image[rows, 80:160] = (1 - opacity) * image[rows, 80:160] + opacity * np.array(colour)
    marked = image.astype(np.uint8)
    if quality:
        _, encoded = cv2.imencode(".jpg", marked[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        marked = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    assert lift(marked) is not None
