"""An installation without the extra says in a sentence what to install; ordinary images need nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medq_deg import read_image
from medq_deg.degradations.folder import degrade_folder
from medq_deg.errors import ImageError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.split(".")[0] in ("pydicom", "nibabel") or name in ("medq_deg.medical.dicom", "medq_deg.medical.nifti"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("pydicom", "nibabel"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.dcm", bytes(128) + b"DICM" + bytes(64), "DICOM"),
        ("IM0001", bytes(128) + b"DICM" + bytes(64), "DICOM"),
        ("a.nii.gz", b"\x1f\x8b", "NIfTI"),
    ],
)
def test_the_extra_is_named(name: str, data: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(
        ImageError, match=rf"{name}: {kind} files need the extra .*: pip install 'medq-deg\[dicom\]'"
    ) as refusal:
        read_image(tmp_path / name)
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("bare")
def test_a_folder_is_degraded_but_for_what_needs_it(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(np.full((40, 40), 90, np.uint8)).save(source / "a.png")
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40)).save(source / "deep.png")
    (source / "b.dcm").write_bytes(bytes(128) + b"DICM" + bytes(64))
    report = degrade_folder(source, tmp_path / "out", "bubble", 1, 0)
    assert [path.name for path in report.written] == ["a.png"]
    assert [path.name for path, _ in report.skipped] == ["b.dcm", "deep.png"]
    assert read_image(source / "deep.png").bits == 16
