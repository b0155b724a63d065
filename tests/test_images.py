"""The gate: one verdict on an image, by whichever door it comes, and nothing but pixels behind it."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from datasets import Image as Feature
from numpy.typing import NDArray
from PIL import EpsImagePlugin, Image

from medq_deg import OnTheFly, degrade
from medq_deg.data.clean import collect
from medq_deg.data.sources import LoadReport, read_folder
from medq_deg.degradations.folder import degrade_folder
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.images import LARGEST_FILE, check_image, open_image, pixels
from medq_deg.models.chat import ImageOptions
from medq_deg.reporting.images import Images
from tests.conftest import demo_image
from tests.odd_files import encoded, odd_files, patient_files

ODD = dict(odd_files())
Door = Callable[[Path], NDArray[np.uint8]]


def unread(path: Path) -> NDArray[np.uint8]:
    return np.asarray(degrade(foreign(lambda: Image.open(path)), "reduce_contrast", 0))


def loaded(path: Path) -> NDArray[np.uint8]:
    image = foreign(lambda: Image.open(io.BytesIO(path.read_bytes())))
    foreign(image.load)
    return np.asarray(degrade(image, "reduce_contrast", 0))


def loaded_from_disk(path: Path) -> NDArray[np.uint8]:
    image = foreign(lambda: Image.open(path))
    foreign(image.load)
    return pixels(image)


def through_datasets(path: Path) -> NDArray[np.uint8]:
    rows = Dataset.from_dict({"image": [{"bytes": path.read_bytes(), "path": None}]}).cast_column("image", Feature())
    foreign(lambda: rows[0])
    return np.asarray(rows.with_transform(OnTheFly("reduce_contrast", 0))[0]["image"])


def foreign(call: Callable[[], object]) -> Image.Image:
    """What Pillow or `datasets` refuses before we see it counts as refused."""
    try:
        return call()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(str(error)) from None


DOORS: dict[str, Door] = {
    "encoded bytes": lambda path: np.asarray(open_image(path.read_bytes())),
    "Pillow, unread": unread,
    "Pillow, loaded": loaded,
    "Pillow, loaded from disk": loaded_from_disk,
    "datasets and OnTheFly": through_datasets,
}


def verdict(door: Door, path: Path) -> bytes | None:
    try:
        array = door(path)
    except ImageError:
        return None
    return repr(array.shape).encode() + array.tobytes()


def test_there_are_odd_files_enough_on_both_sides() -> None:
    kept = [name for name in ODD if not refused(ODD[name])]
    assert len(ODD) > 80
    assert len(kept) > 30
    assert len(ODD) - len(kept) > 40


def refused(data: bytes) -> bool:
    try:
        open_image(data)
    except ImageError:
        return True
    return False


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_a_image_is_the_same_or_refused_by_every_door(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(ODD[name])
    expected = verdict(lambda path: np.asarray(open_image(path)), path)
    assert {door: verdict(call, path) == expected for door, call in DOORS.items()} == dict.fromkeys(DOORS, True)
    if expected is not None:
        check_image(ODD[name])


def test_build_and_folder_keep_what_the_gate_lets_in_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name, data in ODD.items():
        (source / name).write_bytes(data)
    lines = [f"{name},Which one is {number}?,left,right,A,dermoscopy" for number, name in enumerate(ODD)]
    (source / "table.csv").write_text("\n".join(["image,question,A,B,answer,modality", *lines]) + "\n")
    expected = {name for name, data in ODD.items() if not refused(data)}
    report = LoadReport()
    clean = collect(read_folder(source, report), tmp_path / "images", report)
    assert {[*ODD][int(pair.question.question.split()[-1][:-1])] for pair in clean} == expected
    done = degrade_folder(source, tmp_path / "out", "reduce_contrast", 1, 0)
    assert {path.name for path, _ in done.skipped} == set(ODD) - expected
    assert len(done.written) == len(expected)


@pytest.mark.parametrize("name", [name for name in ODD if refused(ODD[name])])
def test_a_refusal_is_one_sentence_that_names_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(ODD[name])
    with pytest.raises(ImageError) as refusal:
        open_image(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    with contextlib.suppress(OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        image = Image.open(path)
        with pytest.raises(ImageError, match=re.escape(f"{path}: ")):
            degrade(image, "bubble", 1)
    assert "\n" not in message
    assert len(message) < len(str(path)) + 250
    assert "Error" not in message


def test_what_comes_out_holds_pixels_alone(tmp_path: Path) -> None:
    for name, data in patient_files():
        assert b"Erika Testperson" in data, name
        image = open_image(data)
        assert image.info == {}
        assert not image.getexif()
        assert image.format is None


def test_nothing_of_a_person_in_a_header_gets_into_what_is_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    rows = ["image,question,A,B,answer,modality"]
    for name, data in patient_files():
        (source / name).write_bytes(data)
        rows.append(f"{name},Is this {name}?,yes,no,A,dermoscopy")
    (source / "table.csv").write_text("\n".join(rows) + "\n")
    report = LoadReport()
    clean = collect(read_folder(source, report), tmp_path / "out" / "images", report)
    assert len(clean) == len(rows) - 1
    for level in (0, 1):
        degrade_folder(source, tmp_path / "out" / str(level), "bubble", level, 0)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) >= 2 * len(clean) + 1
    for path in written:
        assert b"Erika" not in path.read_bytes(), path


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_nothing_of_a_header_is_sent_to_an_endpoint_or_put_on_a_page(kind: str) -> None:
    for name, data in patient_files():
        image = Image.open(io.BytesIO(data))
        image.load()
        sent = ImageOptions(format=kind).part(image)["image_url"]["url"]
        for url in (sent, Images([{"id": "row", "image": image}]).uri("row")):
            assert b"Erika" not in base64.b64decode(url.partition(",")[2]), name


def test_postscript_named_like_a_image_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo 10.0; exit 0;; esac\necho > {mark}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    path = tmp_path / "scan.png"
    path.write_bytes(ODD["postscript.png"])
    for door in (
        open_image,
        lambda path: degrade(Image.open(path), "bubble", 1),
        lambda path: pixels(Image.open(path)),
    ):
        with pytest.raises(ImageError):
            door(path)
    with pytest.raises(ImageError):
        OnTheFly("bubble", 1)({"image": [Image.open(path)]})
    assert not mark.exists()
    with pytest.raises((OSError, subprocess.SubprocessError)):
        Image.open(path).load()
    assert mark.exists(), "the program would have been started by Pillow"


def test_a_frame_can_be_chosen_of_several(tmp_path: Path, ct: NDArray[np.uint8]) -> None:
    frames = [np.roll(ct, 40 * k, axis=1) for k in range(3)]
    first, *rest = (Image.fromarray(frame) for frame in frames)
    for kind in ("TIFF", "PNG"):
        data = encoded(first, kind, save_all=True, append_images=rest)
        for number, frame in enumerate(frames):
            assert np.array_equal(np.asarray(open_image(data, frame=number)), frame)
        with pytest.raises(ImageError, match="frame must be 0 to 2, the frames that this image has, got 3"):
            open_image(data, frame=3)
    assert np.array_equal(np.asarray(open_image(encoded(first, "PNG"), frame=0)), ct)
    with pytest.raises(ImageError, match="frame must be 0 to 0"):
        open_image(encoded(first, "PNG"), frame=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_image_comes_upright_by_every_door(orientation: int, tmp_path: Path, ct: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(ct[:200]).save(path, exif=exif)
    arrays = [np.asarray(open_image(path)), *(door(path) for door in DOORS.values())]
    assert arrays[0].shape == ((200, 512) if orientation < 5 else (512, 200))
    assert all(np.array_equal(arrays[0], array) for array in arrays)


def test_what_is_no_regular_file_is_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with (tmp_path / "vast.png").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    for name, message in {
        "pipe.png": "is not a regular file",
        "vast.png": "an image's file has up to 64 MiB, this one has more",
        "none.png": "no such file",
        ".": "is a folder, an image is needed",
    }.items():
        with pytest.raises(ImageError, match=message):
            open_image(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
def test_mutated_images_end_in_a_image_or_a_sentence() -> None:
    draw = random.Random(5)
    small = Image.fromarray(demo_image("skin_nevus_photo")).resize((48, 40))
    exif = Image.Exif()
    exif[274] = 6
    seeds = [encoded(small, kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "JPEG2000")]
    seeds += [encoded(small, "JPEG", exif=exif), encoded(small, "PNG", exif=exif)]
    read = 0
    for _ in range(25):
        for seed in seeds:
            data = bytearray(seed)
            for _ in range(draw.randint(1, 6)):
                place = draw.randrange(min(len(data), 400) if draw.random() < 0.7 else len(data))
                match draw.randrange(3):
                    case 0:
                        data[place] = draw.randrange(256)
                    case 1:
                        data[place : place + 4] = draw.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
                    case _:
                        del data[max(place, 8) :]
            with contextlib.suppress(MedqDegError):
                assert open_image(bytes(data)).mode in ("L", "RGB")
                read += 1
    assert 0 < read < 25 * len(seeds)
