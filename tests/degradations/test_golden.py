"""Golden images: what each type makes of real images, to within one grey level on any machine.

`golden.json` holds, for each type, level and image, a hash of the result and 256 of its grey levels. Where the hash
differs, as another machine's arithmetic may round a level differently, the grey levels must agree to within one. A
deliberate change raises `DEGRADATION_VERSION` and makes the file anew: ``python -m tests.degradations.test_golden``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import DEGRADATIONS, degrade
from medq_deg.degradations.version import DEGRADATION_VERSION
from medq_deg.taxonomy import DEGRADATION_NAMES
from tests.conftest import demo_image

FILE = Path(__file__).with_name("golden.json")
SAMPLES = 256
IMAGES = {
    "CT": "ct_abdomen",
    "MRI": "mri_shoulder",
    "X-ray": "xray_chest_pa",
    "ultrasound": "us_pelvis",
    "histopathology": "histo_hgsc_nest",
    "dermoscopy": "skin_nevus_photo",
}


def cases() -> list[tuple[str, str, int]]:
    return [
        (name, modality, severity)
        for name in DEGRADATION_NAMES
        for modality in IMAGES
        if modality in DEGRADATIONS[name].modalities
        for severity in (1, 2)
    ]


def make(name: str, modality: str, severity: int) -> NDArray[np.uint8]:
    image = cv2.resize(demo_image(IMAGES[modality]), (240, 200), interpolation=cv2.INTER_AREA)
    return degrade(np.asarray(image), name, severity, 11, modality=modality)


def record(result: NDArray[np.uint8]) -> dict[str, str]:
    places = np.linspace(0, result.size - 1, SAMPLES).astype(int)
    return {"sha256": hashlib.sha256(result.tobytes()).hexdigest(), "levels": result.ravel()[places].tobytes().hex()}


def golden() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))


def test_the_golden_images_are_of_this_version_and_every_type() -> None:
    assert golden()["version"] == DEGRADATION_VERSION
    assert set(golden()["images"]) == {"/".join(map(str, case)) for case in cases()}


@pytest.mark.parametrize("case", cases(), ids=lambda case: "-".join(map(str, case)))
def test_a_image_is_its_golden_one_to_within_a_grey_level(case: tuple[str, str, int]) -> None:
    wanted, made = golden()["images"]["/".join(map(str, case))], record(make(*case))
    if made["sha256"] == wanted["sha256"]:
        return
    levels = [np.frombuffer(bytes.fromhex(each["levels"]), np.uint8).astype(int) for each in (wanted, made)]
    assert np.abs(levels[0] - levels[1]).max() <= 1, (
        "the degradation changed: raise DEGRADATION_VERSION and make the golden images anew"
    )


if __name__ == "__main__":
    made = {"/".join(map(str, case)): record(make(*case)) for case in cases()}
    FILE.write_text(json.dumps({"version": DEGRADATION_VERSION, "images": made}, indent=1) + "\n")
