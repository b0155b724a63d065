"""What a header says of a person stays in the file: not in results, messages, names or bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medq_deg import read_image
from medq_deg.degradations.folder import degrade_folder, output_of
from medq_deg.degradations.scans import Reading
from medq_deg.errors import ImageError

files = pytest.importorskip("tests.medical.files", exc_type=ImportError)
pydicom = pytest.importorskip("pydicom")

TELLING = ("Testperson", "Erika", "MRN0815", "ACC4711", "19610228", "1.2.826.0.1.3680043", "2.25.")


def telling(text: str) -> list[str]:
    return [word for word in TELLING if word.casefold() in text.casefold()]


def scan() -> Any:
    return files.dataset(np.arange(1600, dtype=np.uint16).reshape(40, 40), Modality="MR")


BROKEN: dict[str, dict[str, Any]] = {
    "whole": {},
    "name as modality": {"Modality": "TESTPERSON ERIKA"},
    "name as photometric": {"PhotometricInterpretation": "TESTPERSON"},
    "name as kind": {"ImageType": ["ERIKA", "TESTPERSON"]},
    "name as shape": {"PresentationLUTShape": "TESTPERSON"},
    "name as function": {"VOILUTFunction": "TESTPERSON", "WindowCenter": 5, "WindowWidth": 5},
    "uid as syntax": {"file_meta.TransferSyntaxUID": "1.2.826.0.1.3680043.8.498.1"},
    "cut off": {"PixelData": b"Erika Testperson"},
    "no pixels": {"PixelData": None},
    "report": {"Modality": "SR"},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BROKEN)
def test_neither_a_result_nor_a_refusal_quotes_the_header(
    name: str, tmp_path: Path, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    made = scan()
    path = tmp_path / "scan.dcm"
    for attribute, value in BROKEN[name].items():
        if value is None:
            delattr(made, attribute)
        elif "." in attribute:
            continue
        else:
            setattr(made, attribute, value)
    files.written(path, made)
    if "file_meta.TransferSyntaxUID" in BROKEN[name]:
        data = path.read_bytes()
        before = b"1.2.840.10008.1.2.1\0"
        assert before in data
        path.write_bytes(data.replace(before, b"1.2.826.0.1.3680043."[: len(before)], 1))
    recwarn.clear()
    try:
        image = read_image(path)
        said = f"{image!r} {image.notes} {image.image.info} {vars(image)}"
    except ImageError as error:
        said = str(error).removeprefix(f"{path}: ")
    out, err = capfd.readouterr()
    warned = " ".join(str(warning.message) for warning in recwarn)
    assert telling(f"{said} {out} {err} {warned}") == []


def test_names_that_tell_are_replaced_and_no_byte_tells(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    names = []
    for name in ("TESTPERSON_ERIKA/a.dcm", "MRN0815.dcm", "study/{uid}", "study/scan.dcm", "study/head.v2.dcm"):
        made = scan()
        files.written(source / name.format(uid=made.SOPInstanceUID), made)
        names.append(name)
    report = degrade_folder(source, out, "gaussian_noise", 1, 0)
    assert len(report.written) == 5
    found = {path.relative_to(out).as_posix() for path in report.written}
    kept = {name for name in found if not name.startswith("image-")}
    assert kept == {"study/scan.png", "study/head.v2.png"}
    assert all(telling(str(path.relative_to(out))) == [] for path in out.rglob("*"))
    for path in report.written:
        data = path.read_bytes()
        assert not any(word.encode() in data for word in TELLING)
    assert output_of(source / "MRN0815.dcm").name == "image.png"
    assert output_of(source / "study" / "scan.dcm").name == "scan.png"


def test_text_that_the_file_says_is_burned_in_is_left_out_unless_wanted(tmp_path: Path) -> None:
    for name, value in {"yes.dcm": "YES", "no.dcm": "NO"}.items():
        made = scan()
        made.BurnedInAnnotation = value
        files.written(tmp_path / "in" / name, made)
    files.written(tmp_path / "in" / "untold.dcm", files.dataset(np.eye(40, dtype=np.uint8), Modality="US"))
    report = degrade_folder(tmp_path / "in", tmp_path / "out", "gaussian_noise", 1, 0)
    assert [path.name for path, _ in report.skipped] == ["yes.dcm"]
    assert report.skipped[0][1].startswith("text is burned into the pixels")
    assert report.notes["text may be burned into the pixels: the file does not say"] == 1
    kept = degrade_folder(
        tmp_path / "in", tmp_path / "all", "gaussian_noise", 1, 0, reading=Reading(keep_burned_in=True)
    )
    assert len(kept.written) == 3
    assert read_image(tmp_path / "in" / "yes.dcm").burned_in is True
