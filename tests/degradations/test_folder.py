"""Folders of images and scans: every file is accounted for, windows and Hounsfield units from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medq_deg import cli, degrade, read_image
from medq_deg.degradations import HU_RANGE
from medq_deg.degradations.folder import degrade_folder
from medq_deg.degradations.scans import Reading, degrade_scan
from medq_deg.errors import MedqDegError
from medq_deg.seeds import derive_seed
from tests.odd_files import encoded

files = pytest.importorskip("tests.medical.files", exc_type=ImportError)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["medq-deg", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            sys.exit(cli.main())
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return call


@pytest.fixture(scope="module")
def hu(ct: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A body of about water in air, with the texture of a real abdomen, in Hounsfield units."""
    texture = ct[::2, ::2].astype(float)
    return np.where(texture > 20, texture - 100.0, -1000.0).round()


def test_every_file_of_a_folder_is_written_skipped_or_counted(run: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    stored = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    files.written(source / "scan.dcm", files.dataset(stored, Modality="MR"))
    files.written(source / "IM0001", files.dataset(stored, Modality="MR"))
    files.written(source / "report.dcm", files.dataset(stored, Modality="SR"))
    files.written(source / "deep" / "report.dcm", files.dataset(stored, Modality="SR"))
    files.written(source / "tiny.dcm", files.dataset(stored[:10, :10]))
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(source / "a.png")
    (source / "notes.txt").write_text("not an image")
    (source / "drawing.svg").write_text("<svg/>")
    (source / "unknown").write_bytes(b"what is this")
    (source / ".hidden").write_text("")
    code, said, errors = run("degrade", source, out, "-t", "gaussian_noise", "-s", 1)
    assert code == 1
    assert "3 images written" in said
    assert "5 skipped" in said
    lines = errors.splitlines()
    assert "skipped 2 files: deep/report.dcm, report.dcm: DICOM: a structured report, not an image" in lines
    assert any(
        line.startswith("skipped 2 files: drawing.svg, unknown: not an image that can be read") for line in lines
    )
    assert any(line.startswith("skipped tiny.dcm: ") and "got 10 x 10 px" in line for line in lines)
    assert "not images: notes.txt" in lines
    assert {path.relative_to(out).as_posix() for path in out.rglob("*.*")} == {"scan.png", "IM0001.png", "a.png"}


def test_a_folder_without_a_image_is_an_error(run: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("text")
    code, _, errors = run("degrade", tmp_path / "in", tmp_path / "out", "-t", "bubble", "-s", 1)
    assert (code, "the folder holds no image and no scan" in errors) == (2, True)


def test_noise_of_a_dose_is_the_same_in_every_window(hu: NDArray[np.float64], tmp_path: Path) -> None:
    files.ct(tmp_path / "in" / "a.dcm", hu)
    inside = np.zeros(hu.shape, bool)
    inside[100:160, 100:160] = (hu[100:160, 100:160] > -10) & (hu[100:160, 100:160] < 60)
    assert inside.sum() > 500
    measured = {}
    for window, width in (("soft", 400), ("lung", 1500), ("40,900", 900)):
        clean = read_image(tmp_path / "in" / "a.dcm", window=window)
        degrade_folder(tmp_path / "in", tmp_path / window, "low_dose", 1, 7, reading=Reading(window))
        noisy = np.asarray(Image.open(tmp_path / window / "a.png")).astype(float)
        step = width / 255
        change = (noisy - np.asarray(clean.image))[inside] * step
        # Two roundings to grey levels add a twelfth of a step's square each.
        measured[window] = np.sqrt(change.var() - step**2 / 6)
    assert max(measured.values()) < 1.05 * min(measured.values()), measured


def test_physics_on_hounsfield_units_runs_before_the_window(hu: NDArray[np.float64], tmp_path: Path) -> None:
    scan = read_image(files.ct(tmp_path / "a.dcm", hu, PixelSpacing=[0.5, 0.5]), window="brain")
    for name in ("low_dose", "sparse_view", "limited_angle"):
        before = degrade(hu.astype(np.float32), name, 2, 3, modality="CT", value_range=HU_RANGE, spacing_mm=0.5)
        expected = np.clip((before.astype(np.float64)) * 255 / 80, 0, 255)
        result = np.asarray(degrade_scan(scan, name, 2, 3))
        assert np.abs(result - expected).max() <= 0.51
        assert np.array_equal(np.asarray(degrade_scan(scan, name, 0, 3)), np.asarray(scan.image))
    blurred = degrade_scan(scan, "gaussian_blur", 2, 3)
    assert np.array_equal(np.asarray(blurred), degrade(np.asarray(scan.image), "gaussian_blur", 2, 3, modality="CT"))


def test_padding_stays_black_and_monochrome1_stays_inverted(hu: NDArray[np.float64], tmp_path: Path) -> None:
    stored = np.rint(hu + 1024).astype(np.uint16)
    stored[:20] = 63536
    made = files.dataset(stored, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024, PixelSpacing=[0.7, 0.7])
    made.PhotometricInterpretation, made.PixelPaddingValue = "MONOCHROME1", 63536
    scan = read_image(files.written(tmp_path / "p.dcm", made), window="soft")
    result = np.asarray(degrade_scan(scan, "low_dose", 1, 0)).astype(int)
    assert (result[:20] == 0).all()
    assert np.corrcoef(result[40:].ravel(), np.asarray(scan.image)[40:].ravel())[0, 1] > 0.9


def test_a_file_s_own_modality_is_used_and_another_can_be_given(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    files.written(tmp_path / "in" / "x.dcm", files.dataset(stored, Modality="DX"))
    image = np.asarray(read_image(tmp_path / "in" / "x.dcm").image)
    seed = derive_seed(0, "x.dcm")
    for given, expected in ((None, "X-ray"), ("MRI", "MRI")):
        report = degrade_folder(tmp_path / "in", tmp_path / expected, "motion_blur", 2, 0, modality=given)
        made = np.asarray(Image.open(report.written[0]))
        assert np.array_equal(made, degrade(image, "motion_blur", 2, seed, modality=expected))
    report = degrade_folder(tmp_path / "in", tmp_path / "note", "low_dose", 1, 0)
    assert report.notes["low_dose is not meant for X-ray"] == 1


def test_window_and_frame_come_from_the_command_line(run: Any, hu: NDArray[np.float64], tmp_path: Path) -> None:
    path = files.ct(tmp_path / "a.dcm", hu)
    assert run("degrade", path, tmp_path / "o.png", "-t", "bubble", "-s", 0, "--window", "lung")[0] == 0
    lung = np.asarray(Image.open(tmp_path / "o.png"))
    assert np.array_equal(lung, np.asarray(read_image(path, window="lung").image))
    stack = [Image.fromarray(np.full((40, 40), 50 * k, np.uint8)) for k in range(3)]
    (tmp_path / "s.tif").write_bytes(encoded(stack[0], "TIFF", save_all=True, append_images=stack[1:]))
    assert run("degrade", tmp_path / "s.tif", tmp_path / "f.png", "-t", "bubble", "-s", 0, "--frame", 2)[0] == 0
    assert (np.asarray(Image.open(tmp_path / "f.png")) == 100).all()
    for option in (["--window", "lungs"], ["--window", "40,0"]):
        code, _, errors = run("degrade", path, tmp_path / "p.png", "-t", "bubble", "-s", 1, *option)
        assert (code, "a window must be auto, lung, brain, bone, soft or LEVEL,WIDTH" in errors) == (2, True)
    code, _, errors = run("degrade", path, tmp_path / "p.png", "-t", "bubble", "-s", 1, "--frame", 3)
    assert (code, "frame must be 0 to 0" in errors) == (2, True)


def test_16_bits_are_written_only_through_a_window_that_was_chosen(run: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40)).save(source / "deep.png")
    code, _, errors = run("degrade", source, tmp_path / "a", "-t", "bubble", "-s", 1)
    assert code == 1
    assert "8 bits a channel, this file has 16: choose a window" in errors
    assert run("degrade", source, tmp_path / "b", "-t", "bubble", "-s", 1, "--window", "auto")[0] == 0
    assert (tmp_path / "b" / "deep.png").exists()


def test_names_keep_all_but_the_suffix_of_a_image(tmp_path: Path) -> None:
    stored = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    for name in ("head.1.2", "head.1.3", "v.dcm", "V.IMA"):
        files.written(tmp_path / "in" / name, files.dataset(stored))
    report = degrade_folder(tmp_path / "in", tmp_path / "out", "bubble", 0, 0)
    assert {path.name for path in report.written} == {"head.1.2.png", "head.1.3.png", "v.dcm.png", "V.IMA.png"}


def test_the_gallery_shows_a_scan_with_its_own_modality(run: Any, hu: NDArray[np.float64], tmp_path: Path) -> None:
    path = files.ct(tmp_path / "MRN0815.dcm", hu)
    assert run("gallery", tmp_path / "g", "--image", path, "--window", "soft")[0] == 0
    page = (tmp_path / "g" / "gallery.html").read_text()
    assert page.count("CT: ") == page.count("<h2>") == 7
    assert "MRN0815" not in page
    code, _, errors = run("gallery", tmp_path / "g", "--window", "soft")
    assert (code, "go together" in errors) == (2, True)


def test_a_bad_argument_stops_before_anything_is_written(tmp_path: Path) -> None:
    files.written(tmp_path / "in" / "a.dcm", files.dataset(np.eye(40, dtype=np.uint8)))
    with pytest.raises(MedqDegError, match="must not lie inside"):
        degrade_folder(tmp_path / "in", tmp_path / "in" / "out", "bubble", 1, 0)
    degrade_folder(tmp_path / "in", tmp_path / "out", "bubble", 1, 0)
    with pytest.raises(MedqDegError, match="use --overwrite"):
        degrade_folder(tmp_path / "in", tmp_path / "out", "bubble", 1, 0)
