"""The command line as a user meets it: results, exit codes, one-line errors, nothing half-written."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medq_deg import __version__, degrade, demo
from medq_deg.evaluation.run import evaluate
from medq_deg.seeds import derive_seed
from tests.conftest import Command, demo_image
from tests.data.sources_of_demo import write_folder
from tests.evaluation.test_run import Echo


@pytest.fixture
def run(command: Command) -> Command:
    return command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    Image.fromarray(demo_image("ct_abdomen")).save(source / "a.png")
    Image.fromarray(demo_image("mri_liver")).save(source / "deep" / "b.jpg")
    Image.fromarray(demo_image("skin_nevus_photo")).save(source / "c.tif")
    (source / "notes.txt").write_text("not an image, and not named like one")
    return source


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_version_and_help(run) -> None:
    assert run("--version")[:2] == (0, f"medq-deg {__version__}\n")
    for command in ("degrade", "list", "gallery", "evaluate", "score", "demo"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert "Example:" in out


def test_list_names_every_type_with_its_parameters(run) -> None:
    code, out, _ = run("list")
    assert code == 0
    for word in (
        "18 degradations",
        "limited_angle",
        "views 54",
        "views 28",
        "look alike",
        "gaussian_blur",
        "X-ray only",
    ):
        assert word in out


def test_a_file_is_degraded_as_the_library_does(run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run("degrade", folder / "a.png", out, "--type", "sparse_view", "--severity", 2, "--seed", 7)[0] == 0
    expected = degrade(demo_image("ct_abdomen"), "sparse_view", 2, derive_seed(7, "a.png"))
    assert np.array_equal(np.asarray(Image.open(out)), expected)


def test_a_folder_is_degraded_whole_with_its_tree(run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, _ = run("degrade", folder, out, "-t", "gaussian_noise", "-s", "L1")
    assert code == 0
    assert "3 images written" in said
    assert {str(path.relative_to(out)) for path in out.rglob("*.*")} == {"a.png", "c.png", "deep/b.png"}
    first = {path.name: path.read_bytes() for path in out.rglob("*.png")}
    assert run("degrade", folder, out, "-t", "gaussian_noise", "-s", 1, "--overwrite")[0] == 0
    assert {path.name: path.read_bytes() for path in out.rglob("*.png")} == first


def test_two_images_of_one_stem_both_survive(run, folder: Path, tmp_path: Path) -> None:
    Image.fromarray(demo_image("mri_cardiac")).save(folder / "a.jpg")
    assert run("degrade", folder, tmp_path / "out", "-t", "bubble", "-s", 1)[0] == 0
    assert (tmp_path / "out" / "a.png").exists()
    assert (tmp_path / "out" / "a.jpg.png").exists()


def test_two_images_that_would_share_a_name_are_refused(run, folder: Path, tmp_path: Path) -> None:
    for name in ("x.jpg", "x.png", "x.jpg.png"):
        Image.fromarray(demo_image("mri_cardiac")).save(folder / name)
    code, _, errors = run("degrade", folder, tmp_path / "out", "-t", "bubble", "-s", 1)
    assert code == 2
    assert "would both be written to" in one_line(errors)
    assert not (tmp_path / "out").exists()


def test_usage_errors_are_one_line_too(run, folder: Path) -> None:
    for arguments in (["degrade", folder], ["degrade", "a", "b", "-t", "bubble", "-s", 1, "--seed", "x"], ["fly"]):
        code, _, errors = run(*arguments)
        assert code == 2
        one_line(errors)


def test_a_broken_image_is_reported_and_the_rest_is_written(run, folder: Path, tmp_path: Path) -> None:
    (folder / "text.png").write_text("hello")
    data = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    Image.new("I;16", (64, 64)).save(folder / "deep16.png")
    Image.new("L", (1, 1)).save(folder / "dot.png")
    code, said, errors = run("degrade", folder, tmp_path / "out", "-t", "bubble", "-s", 1)
    assert code == 1
    assert "3 images written" in said
    assert "4 skipped" in said
    for word in (
        "text.png: not an image that can be read",
        "cut.png",
        "deep16.png",
        "8 bits a channel",
        "dot.png",
        "1 x 1",
    ):
        assert word in errors
    assert not list((tmp_path / "out").rglob("*.part"))
    assert not (tmp_path / "out" / "cut.png").exists()


def test_nothing_is_overwritten_without_being_told(run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "c.png").write_text("precious")
    code, _, errors = run("degrade", folder, out, "-t", "bubble", "-s", 1)
    assert code == 2
    assert "--overwrite" in one_line(errors)
    assert [path.name for path in out.iterdir()] == ["c.png"]
    code, _, errors = run("degrade", folder / "c.tif", out / "c.png", "-t", "bubble", "-s", 1)
    assert code == 2
    assert "exists: use --overwrite" in one_line(errors)
    assert (out / "c.png").read_text() == "precious"


def header_of_a_png(width: int, height: int) -> bytes:
    """The start of a PNG file: enough to tell its size, without its 900 megapixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0\0\0\0IDAT"


def bad_inputs(folder: Path, tmp_path: Path) -> dict[str, tuple[list[object], str]]:
    (folder / "text.png").write_text("hello")
    Image.new("L", (1, 1)).save(folder / "dot.png")
    Image.new("I;16", (64, 64)).save(folder / "deep16.png")
    (folder / "huge.png").write_bytes(header_of_a_png(30_000, 30_000))
    frames = [Image.new("L", (64, 64), c) for c in (0, 99)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out.png"
    ok = ["--type", "bubble", "--severity", 1]
    return {
        "missing file": ([folder / "none.png", out, *ok], "none.png: no such file"),
        "unknown type": (
            [folder / "a.png", out, "-t", "bubbel", "-s", 1],
            "unknown degradation 'bubbel'; did you mean 'bubble'?",
        ),
        "severity 3": ([folder / "a.png", out, "-t", "bubble", "-s", 3], "severity must be 0, 1 or 2"),
        "unknown modality": ([folder / "a.png", out, *ok, "--modality", "PET"], "unknown modality 'PET'"),
        "negative seed": ([folder / "a.png", out, *ok, "--seed", -1], "seed must be an integer of 0 or more"),
        "bad rounding": (
            [folder / "a.png", out, *ok, "--rounding", "up"],
            "'--rounding': 'up' is not one of",
        ),
        "empty folder": ([tmp_path / "empty", tmp_path / "o", *ok], "holds no image"),
        "text named .png": ([folder / "text.png", out, *ok], "not an image that can be read"),
        "one pixel": ([folder / "dot.png", out, *ok], "sides of 32 to 4096 px, got 1 x 1 px"),
        "16 bits": ([folder / "deep16.png", out, *ok], "must have 8 bits a channel"),
        "far too large": ([folder / "huge.png", out, *ok], "huge.png"),
        "several frames": ([folder / "film.gif", out, *ok], "must have one frame, this one has 2"),
        "unknown suffix": (
            [folder / "a.png", tmp_path / "out.xyz", *ok],
            "no image is written with the suffix '.xyz'",
        ),
        "folder to file": ([folder, folder / "a.png", *ok], "a folder is needed for the output"),
        "output in input": ([folder, folder / "deep", *ok], "must not lie inside the input"),
    }


@pytest.mark.parametrize("case", [
    "missing file", "unknown type", "severity 3", "unknown modality", "negative seed", "bad rounding", "empty folder",
    "text named .png", "one pixel", "16 bits", "far too large", "several frames", "unknown suffix", "folder to file",
    "output in input",
])  # fmt: skip
def test_what_the_user_did_wrong_is_one_line_and_exit_code_2(case: str, run, folder: Path, tmp_path: Path) -> None:
    arguments, message = bad_inputs(folder, tmp_path)[case]
    before = sorted(tmp_path.rglob("*"))
    code, said, errors = run("degrade", *arguments)
    assert code == 2
    assert message in one_line(errors)
    assert "Traceback" not in errors + said
    assert sorted(tmp_path.rglob("*")) == before, "nothing half-written"


def test_a_full_disk_or_a_read_only_folder_is_one_line(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out.png"))

    monkeypatch.setattr("medq_deg.files.tempfile.mkstemp", full)
    code, _, errors = run("degrade", folder / "a.png", tmp_path / "out.png", "-t", "bubble", "-s", 1)
    assert code == 2
    assert "No space left on device" in one_line(errors)


@pytest.mark.slow
def test_the_gallery_shows_your_own_image_and_the_demo_s(run, folder: Path, tmp_path: Path) -> None:
    assert run("gallery", tmp_path / "g", "--image", folder / "a.png", "--modality", "CT")[0] == 0
    page = (tmp_path / "g" / "gallery.html").read_text()
    assert page.count("<h2>") == 7
    assert "http" not in page.replace("data:image/jpeg;base64", "")
    assert Image.open(tmp_path / "g" / "gallery.png").width > 1000
    assert run("gallery", tmp_path / "g", "--once")[0] == 0
    assert (tmp_path / "g" / "gallery.html").read_text().count("<h2>") == 18
    code, _, errors = run("gallery", tmp_path / "g", "--image", folder / "a.png")
    assert (code, "--image and --modality go together" in one_line(errors)) == (2, True)


def test_the_demo_model_is_asked_what_it_was_not_trained_on_unless_told_otherwise(run) -> None:
    pytest.importorskip("transformers")
    code, out, errors = run("evaluate", "--model", "demo", "--try", "1")
    assert code == 0
    assert "demo-test-" in out
    assert "no test of it" not in errors
    code, out, errors = run("evaluate", "--model", "demo", "--data", "demo", "--try", "1")
    assert code == 0
    assert "demo-test-" not in out
    assert "no test of it" in errors


def test_a_build_is_made_verified_and_evaluated_from_the_command_line(run, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    source, out, results = write_folder(tmp_path / "mine", count=2), tmp_path / "data", tmp_path / "run"
    code, said, _ = run("build", "--folder", source, "--out", out)
    assert code == 0
    assert "L0 2" in said
    code, said, _ = run("data", "verify", out, "--sample", 3)
    assert code == 0
    assert "3 images made again, 0 problems" in said
    assert run("evaluate", "--model", "demo", "--data", out, "--out", results)[0] == 0
    code, said, _ = run("score", results)
    assert code == 0
    assert "on data, 10 votes per row" in said
    assert "knows no medicine" in said
    (out / "data" / "L1-00000.parquet").unlink()
    code, _, errors = run("data", "verify", out)
    assert code == 1
    assert "L1-00000.parquet: is missing" in errors
    code, _, errors = run("evaluate", "--model", "demo", "--data", source, "--out", results)
    assert (code, "unknown data" in one_line(errors)) == (2, True)
    code, _, errors = run("build", "--out", tmp_path / "none")
    assert (code, "no source is given" in one_line(errors)) == (2, True)


def test_answers_are_read_again_without_asking_the_model(run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    evaluate(Echo("B or maybe C"), demo.rows()[:6], out, data_name="demo")
    code, said, _ = run("reparse", out, "--parser", "vlmevalkit")
    assert (code, f"run in {tmp_path / 'run-vlmevalkit'}" in said) == (0, True)
    assert run("score", tmp_path / "run-vlmevalkit")[0] == 0
    code, said, _ = run("score", out)
    assert "Votes that name no option: L0 0 cut off, 0 refused, 20 unread of 20" in said
    code, _, errors = run("reparse", out, "--parser", "vlmevalkit")
    assert (code, "holds a run already" in one_line(errors)) == (2, True)


def test_a_missing_or_foreign_run_is_one_line(run, tmp_path: Path) -> None:
    code, _, errors = run("score", tmp_path)
    assert code == 2
    assert "is not the folder of a run" in one_line(errors)
    (tmp_path / "run.json").write_text("{broken")
    assert "is not valid JSON" in one_line(run("score", tmp_path)[2])
    (tmp_path / "run.json").write_text(json.dumps({"other": 1}))
    assert "has no settings" in one_line(run("score", tmp_path)[2])
