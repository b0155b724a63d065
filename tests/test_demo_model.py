"""The demo model that is shipped, the parts of the images it was and was not trained on, and its training script."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from medq_deg.data.load import open_data
from medq_deg.demo.crops import KINDS, crop_questions, facts, held_out_rows, part_box, read_part
from medq_deg.demo.model import demo_model
from medq_deg.models.prompts import build_prompt
from tests.conftest import load_module

PARTS = ("training", "validation", "test")
IMAGES = sorted({fact.image for fact in facts()})


def overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])


def test_the_three_parts_of_every_image_share_no_pixel() -> None:
    assert len(IMAGES) == 20
    for name in IMAGES:
        boxes = [part_box(name, part) for part in PARTS]
        assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2)), name


def test_held_out_rows_show_the_test_part_and_nothing_else() -> None:
    rows = held_out_rows()
    assert [row["id"] for row in rows.columns()] == [row["id"] for row in open_data("demo-held-out").columns()]
    clean = crop_questions("test")
    assert {row["question_id"] for row in rows.columns()} == {row["question_id"] for row in clean}
    for record, row in zip(facts(), clean, strict=True):
        assert np.array_equal(np.asarray(row["image"]), np.asarray(read_part(record.image, "test")))
        assert row["options"]["ABCDE".index(row["answer"])] == record.answer


def test_no_option_can_be_ruled_out_without_looking() -> None:
    right = {kind: {fact.answer for fact in facts() if fact.kind == kind} for kind in KINDS}
    for fact, row in zip(facts(), crop_questions("test"), strict=True):
        assert set(row["options"]) <= right[fact.kind]
        assert len(row["options"]) >= 2


def test_the_shipped_model_is_small_and_has_a_card() -> None:
    folder = demo_model()
    assert (folder / "model.safetensors").stat().st_size < 6e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "knows no medicine" in card


SCRIPT = Path(__file__).parent.parent / "scripts" / "train_demo_model.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    pytest.importorskip("transformers")
    return load_module(SCRIPT)


def load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    return AutoModelForImageTextToText.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)


Asked = dict[str, list[tuple[float, float]]]


@pytest.fixture(scope="module")
def changes(script: ModuleType) -> Asked:
    """Probability of the right option and of the likeliest one: of clean rows, then degraded minus clean, by question.

    Keys are "clean", "L1", "L2", and each degradation at L2.
    """
    model, processor = load(demo_model())
    found: Asked = defaultdict(list)
    clean: dict[str, tuple[float, float]] = {}
    by_question: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in held_out_rows():
        prompt = build_prompt(row["question"], row["options"])
        likely = script.letter_probabilities(model, processor, row["image"], prompt, len(row["options"]))
        right, top = likely["ABCDE".index(row["answer"])].item(), likely.max().item()
        question, severity = row["question_id"], row["severity"]
        if severity == 0:  # each question's clean row comes first
            clean[question] = (right, top)
            found["clean"].append((right, top))
            continue
        change = (right - clean[question][0], top - clean[question][1])
        by_question[f"L{severity}", question].append(change)
        if severity == 2:
            found[row["degradation"]].append(change)
    for (severity, _), values in by_question.items():
        found[severity].append((float(np.mean([v[0] for v in values])), float(np.mean([v[1] for v in values]))))
    return found


def test_the_shipped_model_is_a_small_one_that_samples() -> None:
    pytest.importorskip("transformers")
    model, _ = load(demo_model())
    assert 1e6 < sum(p.numel() for p in model.parameters()) < 3e6
    assert model.generation_config.do_sample


def test_the_shipped_model_is_well_above_chance_on_its_test_part(changes: Asked) -> None:
    chance = np.mean([1 / len(row["options"]) for row in crop_questions("test")])
    assert np.mean([right for right, _ in changes["clean"]]) > chance + 0.6


def test_severe_degradations_cost_it_ten_points_or_more_and_it_hardly_notices(changes: Asked) -> None:
    right, top = (np.array(values) for values in zip(*changes["L2"], strict=True))
    assert right.size == len(crop_questions("test"))
    assert right.mean() < -0.10
    assert stats.ttest_1samp(right, 0).confidence_interval(0.95).high < 0
    assert -top.mean() < -right.mean() / 2
    assert right.mean() < np.mean([change for change, _ in changes["L1"]]) < 0


@pytest.mark.parametrize("degradation", ["gaussian_noise", "motion_blur", "low_resolution", "object_rotation"])
def test_noise_blur_resolution_and_rotation_are_among_what_hurts_it(changes: Asked, degradation: str) -> None:
    assert np.mean([right for right, _ in changes[degradation]]) < -0.05


def test_its_filters_answer_neither_to_grey_levels_nor_to_slow_changes(script: ModuleType) -> None:
    import torch

    model, _ = load(demo_model())
    filters = model.model.vision_tower.embeddings.patch_embedding.weight
    assert torch.allclose(script.FineOnly()(filters), filters, atol=1e-5)
    ramp = torch.arange(script.PATCH).float().expand(script.PATCH, -1) / script.PATCH
    for patch in (torch.ones_like(ramp), torch.cos(torch.pi * (ramp + 0.5 / script.PATCH))):
        assert (filters * patch).sum((2, 3)).abs().max() < 1e-4
    stripes = torch.cos(torch.pi * torch.arange(script.PATCH)).expand(script.PATCH, -1)
    assert (filters * stripes).sum((2, 3)).abs().max() > 0.1


def test_the_training_script_makes_the_same_model_twice(script: ModuleType, tmp_path: Path) -> None:
    import torch

    said: list[str] = []
    short = script.Steps(see=2, read=2, answer=2, stored=1, batch=4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in ("one", "two"):
            script.train(tmp_path / name, 3, short, said.append)
    finally:
        torch.set_num_threads(threads)
    assert any(line.startswith("answer") for line in said)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    model, processor = load(tmp_path / "one")
    likely = script.letter_probabilities(
        model, processor, read_part(IMAGES[0], "validation"), "Which?\n\nA. x\nB. y", 2
    )
    assert likely.shape == (2,)
    assert (tmp_path / "one" / "README.md").exists()
