"""Coloured markings in the benchmark: kept on grey modalities wherever rows are made, unless the plan says no."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import load_dataset
from numpy.typing import NDArray
from PIL import Image

import medq_deg
from medq_deg.data.build import MANIFEST, build
from medq_deg.data.planned import PlannedRows
from medq_deg.data.verify import verify
from medq_deg.degradations.version import DEGRADATION_VERSION
from tests.conftest import demo_image

RED = (255, 0, 0)


def marked() -> NDArray[np.uint8]:
    image = np.repeat(demo_image("ct_abdomen")[::2, ::2, None], 3, axis=2)
    return np.asarray(cv2.rectangle(image, (80, 80), (140, 130), RED, 3), np.uint8)


def is_red(image: Image.Image) -> bool:
    core = (marked() == RED).all(axis=2)
    return bool((np.asarray(image)[core] == RED).all())


@pytest.mark.parametrize("keep", [True, False])
def test_planned_rows_and_apply_plan_follow_the_plan_s_switch(keep: bool, tmp_path: Path) -> None:
    folder = sources(tmp_path)
    build({"folder": folder}, tmp_path / "built", keep_markings=keep)
    clean = load_dataset("parquet", data_dir=str(tmp_path / "built" / "data"), split="train")
    clean = clean.filter(lambda row: row["severity"] == 0)
    plan = medq_deg.make_plan(clean, keep_markings=keep)
    assert {row.keep_marking for row in plan if row.severity} == {keep}
    named = [{**row, "modality": "CT"} for row in clean]
    for rows in (PlannedRows(named, plan), medq_deg.apply_plan(clean, plan)):
        for row in rows:
            if row["severity"]:
                label = row["degradation"]
                name = label if isinstance(label, str) else medq_deg.taxonomy.DEGRADATION_LABELS[label]
                moves = medq_deg.DEGRADATIONS[name].moves
                assert is_red(row["image"]) == (keep and not moves), name


@pytest.mark.parametrize("keep", [True, False])
def test_a_build_keeps_markings_says_so_and_can_be_verified(keep: bool, tmp_path: Path) -> None:
    out = tmp_path / "built"
    build({"folder": sources(tmp_path)}, out, keep_markings=keep)
    settings = json.loads((out / MANIFEST).read_text())["settings"]
    assert settings["keep_markings"] is keep
    assert settings["degradation_version"] == DEGRADATION_VERSION
    result = verify(out, sample=20)
    assert result.problems == []
    assert result.remade > 0


def sources(folder: Path) -> Path:
    """A folder with one marked CT and a question about it."""
    own = folder / "mine"
    own.mkdir()
    Image.fromarray(marked()).save(own / "ct.png")
    (own / "questions.csv").write_text(
        "image,question,A,B,answer,modality\nct.png,What is in the box?,liver,kidney,A,CT\n"
    )
    return own
