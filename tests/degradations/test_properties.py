"""What must hold for every degradation on every image."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from medq_deg import DEGRADATIONS, degrade
from medq_deg.demo import FOLDER
from medq_deg.taxonomy import DEGRADATION_NAMES
from tests.conftest import demo_image

names = st.sampled_from(DEGRADATION_NAMES)
sizes = st.tuples(st.integers(32, 200), st.integers(32, 200)) | st.sampled_from(
    [(32, 1024), (1024, 32), (257, 511), (33, 33), (1024, 1000)]
)


def anatomy(height: int, width: int, *, colour: bool) -> NDArray[np.uint8]:
    """A real section, stretched to any size."""
    source = demo_image("histo_hgsc_nest" if colour else "ct_chest_mediastinum")
    return np.asarray(cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA))


@settings(max_examples=120, deadline=None)
@given(name=names, size=sizes, colour=st.booleans(), severity=st.sampled_from([1, 2]), seed=st.integers(0, 2**63))
def test_shape_and_dtype_are_kept_and_the_input_is_not_touched(
    name: str, size: tuple[int, int], colour: bool, severity: int, seed: int
) -> None:
    image = anatomy(*size, colour=colour)
    before = image.copy()
    result = degrade(image, name, severity, seed)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert np.array_equal(image, before)
    assert not np.shares_memory(result, image)
    again = degrade(image, name, severity, seed)
    assert np.array_equal(result, again), "the same seed must give the same bytes"


@settings(max_examples=40, deadline=None)
@given(name=names, size=sizes, mode=st.sampled_from(["L", "RGB"]))
def test_a_pillow_image_comes_back_as_the_array_does(name: str, size: tuple[int, int], mode: str) -> None:
    array = anatomy(*size, colour=mode == "RGB")
    result = degrade(Image.fromarray(array), name, 2, 5)
    assert result.mode == mode
    assert result.size == (size[1], size[0])
    assert np.array_equal(np.asarray(result), degrade(array, name, 2, 5))


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_severity_0_is_the_identity(name: str, ct: NDArray[np.uint8]) -> None:
    result = degrade(ct, name, 0, 1)
    assert np.array_equal(result, ct)
    assert not np.shares_memory(result, ct)


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_another_seed_gives_other_bytes_where_the_type_is_random(name: str, mri: NDArray[np.uint8]) -> None:
    results = {degrade(mri, name, 2, seed).tobytes() for seed in range(8)}
    assert (len(results) > 1) == DEGRADATIONS[name].random


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_a_grey_image_in_three_channels_stays_grey_and_equals_the_single_channel(
    name: str, mri: NDArray[np.uint8]
) -> None:
    result = degrade(np.repeat(mri[..., None], 3, axis=2), name, 2, 3)
    single = degrade(mri, name, 2, 3)
    assert all(np.array_equal(result[..., c], single) for c in range(3))
    assert np.array_equal(degrade(mri[..., None], name, 2, 3)[..., 0], single)


PREFIXES = {"CT": "ct", "MRI": "mri", "X-ray": "xray", "ultrasound": "us", "dermoscopy": "skin"}
PREFIXES |= {"histopathology": "histo"}


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_l2_is_further_from_the_original_than_l1_on_every_image(name: str) -> None:
    for modality in DEGRADATIONS[name].modalities:
        for path in sorted((FOLDER / "images").glob(f"{PREFIXES.get(modality, 'none')}_*.png")):
            image = cv2.resize(np.asarray(Image.open(path)), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            for seed in range(12 if DEGRADATIONS[name].random else 1):
                mild, severe = (
                    np.mean((degrade(image, name, severity, seed, modality=modality).astype(float) - image) ** 2)
                    for severity in (1, 2)
                )
                assert 0 < mild < severe, (path.stem, seed)


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_no_image_gives_nan_or_a_warning(name: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        for level in (0, 255):
            flat = np.full((40, 56), level, np.uint8)
            assert degrade(flat, name, 2, 1).shape == flat.shape


def test_bytes_are_equal_across_processes_and_thread_counts(ct: NDArray[np.uint8]) -> None:
    code = (
        "import cv2, hashlib, sys, numpy as np\n"
        "from PIL import Image\n"
        "cv2.setNumThreads(int(sys.argv[1]))\n"
        "from medq_deg import DEGRADATIONS, degrade\n"
        "from medq_deg.demo import FOLDER\n"
        "image = np.asarray(Image.open(FOLDER / 'images' / 'ct_abdomen.png'))\n"
        "names = list(DEGRADATIONS) if sys.argv[2] == 'forward' else list(DEGRADATIONS)[::-1]\n"
        "made = {n: hashlib.sha256(degrade(image, n, 2, 11).tobytes()).hexdigest() for n in names}\n"
        "print(sorted(made.items()))\n"
    )
    printed = {
        subprocess.run([sys.executable, "-c", code, threads, order], capture_output=True, text=True, check=True).stdout
        for threads, order in (("1", "forward"), ("4", "backward"))
    }
    assert len(printed) == 1


def test_l1_and_l2_share_direction_and_position(histology: NDArray[np.uint8], mri: NDArray[np.uint8]) -> None:
    def centre_of_change(name: str, severity: int) -> NDArray[np.float64]:
        change = np.abs(degrade(histology, name, severity, 4).astype(float) - histology).sum(axis=2)
        rows, columns = np.indices(change.shape)
        return np.array([(rows * change).sum(), (columns * change).sum()]) / change.sum()

    # A blurred disc changes its outline most, a larger disc reaches the border: the centres agree roughly.
    assert np.abs(centre_of_change("bubble", 1) - centre_of_change("bubble", 2)).max() < 60
    noise = [degrade(mri, "gaussian_noise", s, 4).astype(float) - mri for s in (1, 2)]
    inside = mri > 100
    assert np.corrcoef(noise[0][inside], noise[1][inside])[0, 1] > 0.95


def test_severity_means_the_same_at_any_resolution() -> None:
    large = demo_image("ct_chest_mediastinum")
    small = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for name in ("gaussian_blur", "motion_blur", "object_movement", "dark_spots", "bias_field"):
        at_large = cv2.resize(degrade(large, name, 2, 9), small.shape[::-1], interpolation=cv2.INTER_AREA)
        at_small = degrade(small, name, 2, 9)
        assert np.abs(at_large.astype(float) - at_small).mean() < 5, name


@pytest.mark.parametrize("name", [name for name in DEGRADATION_NAMES if DEGRADATIONS[name].on_bytes])
@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
def test_what_is_made_of_bytes_part_by_part_is_the_rounded_whole(name: str, rounding: str) -> None:
    for source in ("mri_liver", "skin_nevus_photo"):
        image = np.asarray(cv2.resize(demo_image(source), (530, 701)))
        for severity in (1, 2):
            whole = degrade(image.astype(np.float32), name, severity, 5, value_range=(0, 255)).clip(0, 255)
            made = degrade(image, name, severity, 5, rounding=rounding)
            difference = np.abs(made - (np.floor(whole) if rounding == "truncate" else np.rint(whole)))
            assert difference.max() <= 1, (name, source)
            assert difference.mean() < 0.01, (name, source)
