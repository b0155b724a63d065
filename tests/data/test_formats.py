"""Shards and files in the formats that can be chosen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from medq_deg.cli import app
from medq_deg.data.build import build
from medq_deg.data.verify import verify
from medq_deg.demo import FOLDER
from medq_deg.encoding import Encoding
from medq_deg.errors import MedqDegError
from tests.conftest import Command
from tests.data.sources_of_demo import write_folder


def images(folder: Path) -> list[bytes]:
    return [
        row["image"]["bytes"]
        for path in sorted((folder / "data").glob("*.parquet"))
        for row in pq.read_table(path, columns=["image"]).to_pylist()
    ]


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.slow
def test_a_build_keeps_its_pixels_in_every_format_and_verifies(tmp_path: Path) -> None:
    write_folder(tmp_path / "mine", count=4)
    encodings = {"plain": None, "small": Encoding(png_level=9), "webp": Encoding("webp-lossless")}
    made = {}
    for name, encoding in encodings.items():
        build({"folder": tmp_path / "mine"}, tmp_path / name, encoding=encoding)
        assert verify(tmp_path / name).problems == []
        made[name] = images(tmp_path / name)
    for name in ("small", "webp"):
        assert all(np.array_equal(pixels(a), pixels(b)) for a, b in zip(made["plain"], made[name], strict=True))
        assert sum(map(len, made[name])) < sum(map(len, made["plain"]))
    assert all(data.startswith(b"RIFF") for data in made["webp"])


def test_a_build_does_not_go_on_in_another_format(tmp_path: Path) -> None:
    write_folder(tmp_path / "mine", count=2)
    build({"folder": tmp_path / "mine"}, tmp_path / "out")
    with pytest.raises(MedqDegError, match="webp-lossless"):
        build({"folder": tmp_path / "mine"}, tmp_path / "out", encoding=Encoding("webp-lossless"))


def degrade(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["degrade", *map(str, arguments), "-t", "gaussian_noise", "-s", "1"])


def test_a_file_and_a_folder_are_written_as_is_asked(tmp_path: Path) -> None:
    scan = FOLDER / "images/ct_abdomen.png"
    for name, options in {"1.png": (), "9.png": ("--png-level", 9), "w.webp": ("--format", "webp-lossless")}.items():
        assert degrade(scan, tmp_path / name, *options).exit_code == 0
    sizes = [(tmp_path / name).stat().st_size for name in ("1.png", "9.png", "w.webp")]
    assert sizes[0] > sizes[1]
    assert sizes[0] > sizes[2]
    assert np.array_equal(pixels((tmp_path / "1.png").read_bytes()), pixels((tmp_path / "w.webp").read_bytes()))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(scan.read_bytes())
    assert degrade(tmp_path / "in", tmp_path / "out", "--format", "webp-lossless").exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.webp"]


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("a.jpg", ("--png-level", 3), "--format png writes files that end with .png"),
        ("a.png", ("--format", "webp-lossless"), "writes files that end with .webp"),
        ("a.png", ("--format", "gif"), "'--format': 'gif' is not one of 'png', 'webp-lossless'"),
        ("a.png", ("--png-level", 10), "png_level must be 0 to 9, got 10"),
    ],
)
def test_formats_that_do_not_fit_are_refused(
    command: Command, tmp_path: Path, name: str, options: tuple[Any, ...], told: str
) -> None:
    given = ("--degradation", "exposure", "--severity", 1, *options)
    code, _, err = command("degrade", FOLDER / "images/ct_abdomen.png", tmp_path / name, *given)
    assert (code, told in err) == (2, True)
    assert not (tmp_path / name).exists()
