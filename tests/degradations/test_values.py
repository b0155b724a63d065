"""Floats, 16 bits, Hounsfield units and windows: the same degradation whatever the numbers are stored in."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medq_deg import DEGRADATIONS, degrade
from medq_deg.degradations import HU_RANGE, RangeWarning
from medq_deg.degradations.transform import Degrade
from medq_deg.degradations.types.ct_low_dose import WATER_PER_MM
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.taxonomy import DEGRADATION_NAMES
from tests.conftest import demo_image


def suitable(name: str) -> NDArray[np.uint8]:
    colour = "histopathology" in DEGRADATIONS[name].modalities or "dermoscopy" in DEGRADATIONS[name].modalities
    return np.ascontiguousarray(demo_image("histo_hgsc_nest" if colour else "mri_liver")[:230, :260])


@pytest.mark.parametrize("severity", [1, 2])
@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_a_float_result_rounded_is_the_8_bit_result(name: str, severity: int) -> None:
    image = suitable(name)
    expected = degrade(image, name, severity, 4)
    exact = degrade(image.astype(np.float32), name, severity, 4, value_range=(0, 255))
    assert exact.dtype == np.float32
    assert np.array_equal(np.rint(exact).astype(np.uint8), expected)
    unit = degrade(image / 255, name, severity, 4, value_range=(0.0, 1.0))
    assert np.abs(unit * 255 - expected).max() <= 0.51
    wide = degrade(image.astype(np.uint16) * 257, name, severity, 4, value_range=(0, 65535))
    assert wide.dtype == np.uint16
    assert np.abs(wide / 257 - expected).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.uint16, np.int32, np.uint8])
def test_the_dtype_of_a_result_is_that_of_the_values(dtype: type, mri: NDArray[np.uint8]) -> None:
    values = mri.astype(dtype)
    before = values.copy()
    for severity in (0, 1):
        result = degrade(values, "ghosting", severity, 1, value_range=(0, 255))
        assert result.dtype == (np.float32 if np.dtype(dtype).kind == "f" else dtype)
    assert np.array_equal(values, before)


def test_a_range_that_cuts_much_is_warned_about_and_cut(mri: NDArray[np.uint8]) -> None:
    values = mri.astype(np.float32)
    with pytest.warns(RangeWarning, match="value_range 50 to 255 cuts .* % of the image's values, which run from"):
        result = degrade(values, "undersampling", 1, value_range=(50, 255))
    assert result.min() >= 50
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        degrade(values, "undersampling", 1, value_range=(0, 255))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"value_range": (1, 0)}, "high above low"),
        ({"value_range": (3.0, 3.0)}, "high above low"),
        ({"value_range": (0, float("nan"))}, "finite"),
        ({"value_range": 255}, "value_range must be"),
        ({"value_range": (0, 1, 2)}, "value_range must be"),
        ({"value_range": (0, 255), "window": (40, 400)}, "leave value_range out"),
        ({"value_range": (0, 255), "keep_marking": True}, "leave value_range out"),
        ({"window": (40, 0)}, "width above 0"),
        ({"window": "brain"}, "window must be"),
        ({"spacing_mm": 0}, "above 0"),
        ({"spacing_mm": (0.5, -1)}, "above 0"),
        ({"spacing_mm": "thin"}, "spacing_mm must be"),
    ],
)
def test_a_bad_range_window_or_spacing_is_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(MedqDegError, match=problem):
        degrade(demo_image("ct_abdomen"), "low_dose", 1, **options)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.full((64, 64), np.nan, np.float32), "finite"),
        (np.zeros((64, 64), bool), "numbers"),
        (np.zeros((64, 64), complex), "numbers"),
        (np.zeros((64, 64, 2), np.float32), "shape"),
        (np.zeros((64, 8), np.float32), "sides"),
        (Image.new("F", (64, 64)), "numpy arrays"),
    ],
)
def test_values_that_are_no_image_are_refused(image: object, problem: str) -> None:
    with pytest.raises(ImageError, match=problem):
        degrade(image, "ghosting", 1, value_range=(0, 1))


SIDE, SPACING = 256, 1.4


def section() -> NDArray[np.float32]:
    """A body of water with a bone, in Hounsfield units."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    hounsfield = np.full((SIDE, SIDE), -1000, np.float32)
    hounsfield[(x / 100) ** 2 + (y / 70) ** 2 < 1] = 0
    hounsfield[x**2 + (y - 40) ** 2 < 10**2] = 1400
    return hounsfield


CENTRE = (slice(SIDE // 2 - 20, SIDE // 2 + 20),) * 2


def test_hounsfield_units_are_neither_cut_nor_rounded() -> None:
    hounsfield = section()
    for dtype in (np.float32, np.int16):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clean = degrade(hounsfield.astype(dtype), "low_dose", 1, 0, value_range=HU_RANGE, photons=1e15)
        assert clean.dtype == np.float32
        assert np.abs(clean - hounsfield).max() < 1.0
    padded = np.where(hounsfield == -1000, -2000, hounsfield)
    assert np.array_equal(
        degrade(padded, "sparse_view", 1, value_range=HU_RANGE),
        degrade(hounsfield, "sparse_view", 1, value_range=HU_RANGE),
    )


def test_the_noise_of_a_dose_is_that_of_the_counts_at_the_centre_of_a_water_disc() -> None:
    """The variance of filtered back-projection at the centre of a disc: every ray has the same line integral."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    radius, photons = 70, 1e6
    disc = np.where(x**2 + y**2 < radius**2, 0.0, -1000.0).astype(np.float32)
    middle = (slice(SIDE // 2 - 8, SIDE // 2 + 8),) * 2
    options = {"value_range": HU_RANGE, "spacing_mm": SPACING, "photons": photons, "electronic": 0.0}
    noise = np.array([degrade(disc, "low_dose", 1, seed, **options)[middle] for seed in range(40)])
    line = 2 * radius * SPACING * WATER_PER_MM
    # Ramp filter and two linear interpolations, sampled at the pixel: pi^2 / (V d^2) times the integral of
    # k^2 sinc^4(k) over both signs up to Nyquist, plus the images that the interpolation leaves beyond.
    k = np.linspace(0, 1, 20001)
    ramp = np.minimum(k, 1 - k)
    gain = 2 * np.trapezoid(ramp**2 * np.sinc(k) ** 4, k)
    deviation = np.sqrt(np.pi**2 / 360 * gain * np.exp(line) / photons) / SPACING / WATER_PER_MM * 1000
    assert noise.std() == pytest.approx(deviation, rel=0.1)


def test_a_dose_means_the_same_hounsfield_units_in_every_window(ct: NDArray[np.uint8]) -> None:
    hounsfield = section()

    def spread(level: float, width: float) -> float:
        shown = np.clip((hounsfield - level + width / 2) * 255 / width, 0, 255).round().astype(np.uint8)
        noisy = degrade(shown, "low_dose", 1, 3, modality="CT", window=(level, width), spacing_mm=SPACING)
        change = (noisy.astype(float) - shown)[CENTRE] * width / 255
        return float(change[(noisy > 0)[CENTRE] & (noisy < 255)[CENTRE]].std())

    truth = degrade(hounsfield, "low_dose", 1, 3, modality="CT", value_range=HU_RANGE, spacing_mm=SPACING) - hounsfield
    for level, width in ((40, 400), (0, 300), (-600, 1500), (400, 1800)):
        assert spread(level, width) == pytest.approx(truth[CENTRE].std(), rel=0.15)
    # Without a window the same numbers are taken for attenuation as they are.
    plain = degrade(ct, "low_dose", 1, 3, modality="CT").astype(float) - ct
    brain = degrade(ct, "low_dose", 1, 3, modality="CT", window=(40, 80)).astype(float) - ct
    assert brain.std() > 2 * plain.std()


def test_a_larger_body_at_the_same_dose_is_noisier() -> None:
    spread = [
        float((degrade(section(), "low_dose", 1, 3, value_range=HU_RANGE, spacing_mm=mm) - section())[CENTRE].std())
        for mm in (0.7, (1.4, 1.4))
    ]
    assert spread[1] > 1.5 * spread[0]


def test_a_window_leaves_types_of_other_physics_alone(ct: NDArray[np.uint8]) -> None:
    for name in ("motion_blur", "gaussian_noise", "object_rotation"):
        assert np.array_equal(degrade(ct, name, 1, 2, window=(40, 80)), degrade(ct, name, 1, 2))


@pytest.mark.parametrize("modality", ["MRI", "X-ray", "ultrasound", "endoscopy"])
@pytest.mark.parametrize("name", ["gaussian_noise", "low_dose"])
def test_a_window_with_a_modality_that_has_no_hounsfield_units_is_refused(
    ct: NDArray[np.uint8], modality: str, name: str
) -> None:
    for use in (
        lambda: degrade(ct, name, 1, modality=modality, window=(40, 400)),
        lambda: Degrade(name, 1, modality=modality, window=(40, 400)),
    ):
        with pytest.raises(MedqDegError, match=f"window is in Hounsfield units, for CT: .* modality '{modality}'"):
            use()
    for allowed in ("CT", None):
        assert degrade(ct, name, 1, modality=allowed, window=(40, 400)).shape == ct.shape


@pytest.mark.parametrize(
    ("name", "parameters", "problem"),
    [
        ("object_rotation", {"angles": (90, 20)}, r"angles must be \(least, greatest\), got \(90, 20\)"),
        ("object_rotation", {"angles": [0.5, -0.5]}, r"angles must be \(least, greatest\), got \[0.5, -0.5\]"),
        ("motion_blur", {"angles": (45.0, 44.9)}, r"angles must be \(least, greatest\), got \(45.0, 44.9\)"),
        ("bias_field", {"lowest": 0.7, "highest": 0.3}, "lowest must not be above highest, got 0.7 and 0.3"),
        ("bias_field", {"lowest": 0.69}, "lowest must not be above highest, got 0.69 and 0.68"),
    ],
)
def test_a_pair_that_is_upside_down_is_refused_by_name(
    mri: NDArray[np.uint8], name: str, parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(MedqDegError, match=f"{name}: {problem}"):
        degrade(mri, name, 1, **parameters)
    # A pair of two equal ends is a single strength, not a mistake.
    same = {"angles": (20, 20)} if "angles" in parameters else {"lowest": 0.5, "highest": 0.5}
    assert degrade(mri, name, 1, **same).shape == mri.shape


def test_no_seed_draws_a_fresh_one(mri: NDArray[np.uint8]) -> None:
    assert len({degrade(mri, "gaussian_noise", 1, None).tobytes() for _ in range(3)}) == 3
    assert np.array_equal(degrade(mri, "gaussian_noise", 1), degrade(mri, "gaussian_noise", 1, 0))
