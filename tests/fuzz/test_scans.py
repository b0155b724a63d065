"""Damaged scans: an image or one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.inputs import answer_of, damaged_bytes, fuzz, inputs

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed: pip install 'medq-deg[dicom]'")
nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed: pip install 'medq-deg[dicom]'")

from medq_deg.medical.read import read_image  # noqa: E402
from tests.medical.files import dataset, written  # noqa: E402

pytestmark = [fuzz, pytest.mark.filterwarnings("ignore")]


def _whole(folder: Path, ending: str) -> bytes:
    stored = np.arange(24 * 20, dtype=np.int16).reshape(24, 20)
    path = folder / f"whole{ending}"
    if ending == ".dcm":
        written(path, dataset(stored, RescaleSlope="1", RescaleIntercept="-1024", WindowCenter="40", WindowWidth="400"))
    else:
        nibabel.save(nibabel.Nifti1Image(stored[..., None], np.eye(4)), path)
    return path.read_bytes()


@pytest.mark.parametrize("ending", [".dcm", ".nii", ".nii.gz"])
def test_any_damage_of_a_scan_is_an_image_or_a_sentence(ending: str, tmp_path: Path) -> None:
    whole = _whole(tmp_path, ending)
    path = tmp_path / f"scan{ending}"

    @inputs(0.01)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        # The header is where a byte matters most.
        head = whole[:900] if data.draw(st.booleans()) else whole
        path.write_bytes(data.draw(damaged_bytes(head)) + whole[len(head) :])
        image, told = answer_of(lambda: read_image(path))
        assert told is not None or image is not None

    check()
