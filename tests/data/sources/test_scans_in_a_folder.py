"""DICOM, NIfTI and 16-bit images in a user's folder of questions."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medq_deg import read_image
from medq_deg.data.clean import collect
from medq_deg.data.sources import LoadReport, SourceRecord, read_folder

files = pytest.importorskip("tests.medical.files", exc_type=ImportError)
nibabel = pytest.importorskip("nibabel")

HEAD = "image,question,A,B,answer,modality,window,frame\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows, columns = np.indices((64, 64))
    files.ct(tmp_path / "ct.dcm", np.clip(rows * 20.0 - 1000 + columns, -1000, 3000))
    stack = np.stack([(rows * 20 + 100 * k).astype(np.uint16) for k in range(3)])
    files.written(tmp_path / "cine.dcm", files.dataset(stack, Modality="XA"))
    files.written(tmp_path / "sr.dcm", files.dataset(stack[0], Modality="SR"))
    files.written(tmp_path / "burned.dcm", files.dataset(stack[0], Modality="US", BurnedInAnnotation="YES"))
    nibabel.save(nibabel.Nifti1Image(np.stack([*stack] * 2, -1).astype(np.int16), np.eye(4)), tmp_path / "v.nii.gz")
    Image.fromarray(stack[1]).save(tmp_path / "deep.png")
    return tmp_path


def read(folder: Path, *lines: str) -> tuple[list[SourceRecord], LoadReport]:
    (folder / "table.csv").write_text(HEAD + "".join(f"{line}\n" for line in lines))
    report = LoadReport()
    return list(read_folder(folder, report)), report


def image(record: SourceRecord) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(record.image)))


def test_a_dicom_file_s_own_modality_is_used_where_the_table_has_none(folder: Path) -> None:
    records, _ = read(folder, "ct.dcm,Where?,left,right,A,,,", "cine.dcm,Where?,left,right,A,MRI,,")
    assert [record.modality for record in records] == ["CT", "MRI"]
    assert np.array_equal(image(records[0]), np.asarray(read_image(folder / "ct.dcm").image))


def test_window_and_frame_are_columns_and_part_of_what_a_question_is(folder: Path) -> None:
    lines = [f'ct.dcm,Where?,left,right,A,,"{window}",' for window in ("lung", "brain", "40,500")]
    lines += [f"cine.dcm,Where?,left,right,A,,,{frame}" for frame in (0, 1, 2)]
    lines += ["v.nii.gz,Where?,left,right,A,MRI,,1", "deep.png,Where?,left,right,A,X-ray,auto,"]
    records, report = read(folder, *lines)
    assert report.skipped == {}
    assert len({record.key for record in records}) == len(records) == 8
    for record, window in zip(records, ("lung", "brain", "40,500"), strict=False):
        assert np.array_equal(image(record), np.asarray(read_image(folder / "ct.dcm", window=window).image))
    for frame in range(3):
        expected = np.asarray(read_image(folder / "cine.dcm", frame=frame).image)
        assert np.array_equal(image(records[3 + frame]), expected)


def test_what_cannot_be_used_is_skipped_with_its_reason(folder: Path, tmp_path: Path) -> None:
    files_and_reasons = {
        "sr.dcm,,": "a structured report, not an image",
        "burned.dcm,,": "text is burned into the pixels",
        "deep.png,,": "8 bits a channel",
        "cine.dcm,lung,": "the window 'lung' is in Hounsfield units",
        "cine.dcm,,7": "frame must be 0 to 2",
        "cine.dcm,,first": "a frame must be a whole number",
        "ct.dcm,lungs,": "a window must be auto, lung",
    }
    lines = []
    for number, entry in enumerate(files_and_reasons):
        name, window, frame = entry.split(",")
        lines.append(f"{name},Where {number}?,left,right,A,CT,{window},{frame}")
    records, report = read(folder, *lines)
    assert records == []
    assert sum(report.skipped.values()) == len(lines)
    told = str(report.as_dict())
    for reason in list(files_and_reasons.values())[:5]:
        assert reason in told


def test_nothing_of_the_header_is_in_what_a_build_collects(folder: Path) -> None:
    records, report = read(folder, "ct.dcm,Where?,left,right,A,,,", "v.nii.gz,Where?,left,right,A,MRI,,")
    clean = collect(records, folder / "images", report)
    assert len(clean) == 2
    for path in (folder / "images").iterdir():
        assert b"Testperson" not in path.read_bytes()
        assert b"MRN0815" not in path.read_bytes()
