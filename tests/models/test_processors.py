"""Processors of every native family: an image and a question go in, tokens come out, with and without torchvision."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoModelForImageTextToText
from transformers.utils import is_torchvision_available

from medq_deg import demo
from medq_deg.errors import MedqDegError
from medq_deg.models.pixels import limit_pixels
from medq_deg.models.processors import load_processor
from tests.models import tiny_vlms

ONE_SIZE = {"gemma3", "janus", "llava"}
"""Families that resize every image to one square."""

Checkpoint = Callable[[str], Path]


@pytest.fixture(scope="module")
def image() -> Image.Image:
    image: Image.Image = demo.rows()[0]["image"]
    return image.convert("RGB")


def inputs(processor: Any, image: Image.Image, text: str = "What is this?") -> Any:
    content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_a_checkpoint_of_every_family_loads_and_answers(
    family: str, checkpoint: Checkpoint, image: Image.Image
) -> None:
    folder = checkpoint(family)
    processor = load_processor(str(folder))
    model = AutoModelForImageTextToText.from_pretrained(str(folder)).eval()
    question = inputs(processor, image)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokens = model.generate(**question, max_new_tokens=8, do_sample=True, top_k=0, num_return_sequences=10)
    answers = processor.batch_decode(tokens[:, question["input_ids"].shape[1] :], skip_special_tokens=True)
    lengths = (tokens[:, question["input_ids"].shape[1] :] != processor.tokenizer.pad_token_id).sum(dim=1)
    assert len(set(answers)) > 5
    assert len(set(lengths.tolist())) > 1
    assert "What is this?" in processor.tokenizer.decode(question["input_ids"][0])


@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_the_image_changes_what_the_model_says(family: str, checkpoint: Checkpoint, image: Image.Image) -> None:
    folder = checkpoint(family)
    processor = load_processor(str(folder))
    model = AutoModelForImageTextToText.from_pretrained(str(folder)).eval()
    negative = Image.fromarray(255 - np.asarray(image))
    with torch.inference_mode():
        logits = [model(**inputs(processor, image)).logits[0, -1] for image in (image, negative)]
    assert not torch.allclose(*logits, atol=1e-4)


@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_a_wide_image_has_its_own_number_of_tokens(family: str, checkpoint: Checkpoint, image: Image.Image) -> None:
    processor = load_processor(str(checkpoint(family)))
    square, wide = (inputs(processor, image)["input_ids"].shape for image in (image, image.resize((300, 120))))
    assert (square == wide) == (family in ONE_SIZE)


@pytest.mark.skipif(is_torchvision_available(), reason="torchvision is here")
@pytest.mark.parametrize("family", tiny_vlms.FAMILIES)
def test_without_torchvision_images_go_through_pil(family: str, checkpoint: Checkpoint) -> None:
    processor = load_processor(str(checkpoint(family)))
    assert type(processor.image_processor).__name__.endswith("Pil")
    assert "video_processor" not in processor.get_attributes()


@pytest.mark.skipif(is_torchvision_available(), reason="torchvision is here")
def test_a_processor_without_video_part_can_be_saved_and_loaded_again(
    checkpoint: Checkpoint, image: Image.Image, tmp_path: Path
) -> None:
    processor = load_processor(str(checkpoint("qwen3_vl")))
    shutil.copy(checkpoint("qwen3_vl") / "config.json", tmp_path)
    processor.save_pretrained(tmp_path)
    again = load_processor(str(tmp_path))
    before, after = inputs(processor, image), inputs(again, image)
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.slow
def test_a_torchvision_that_does_not_import_counts_as_missing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = checkpoint("qwen2_5_vl")
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator nms does not exist')")
    information = tmp_path / "torchvision-0.99.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99\n")
    script = (
        "import sys, transformers; from transformers.utils import is_torchvision_available\n"
        "assert is_torchvision_available()\n"
        "from medq_deg.models.processors import load_processor\n"
        "print(type(load_processor(sys.argv[1]).image_processor).__name__)"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    run = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "Qwen2VLImageProcessorPil", run.stderr


def test_the_class_follows_from_the_architecture_where_the_files_do_not_name_it(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("glm4v_moe"), tmp_path / "glm"))
    for file in folder.glob("*preprocessor_config.json"):
        content = json.loads(file.read_text())
        del content["processor_class"]
        file.write_text(json.dumps(content))
    assert type(load_processor(str(folder))).__name__ == "Glm4vProcessor"


def test_a_chat_template_in_the_older_file_is_found(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2_vl"), tmp_path / "qwen"))
    template = (folder / "chat_template.jinja").rename(folder / "moved").read_text()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    assert load_processor(str(folder)).chat_template == template


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("chat_template.jinja", "has no chat template"),
        ("preprocessor_config.json", "cannot be loaded: Can't load image processor"),
        ("tokenizer.json", "cannot be loaded"),
    ],
)
def test_a_missing_file_is_a_one_line_error(missing: str, message: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("gemma3"), tmp_path / "gemma"))
    (folder / missing).unlink()
    with pytest.raises(MedqDegError, match=message) as error:
        load_processor(str(folder))
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="cannot be loaded: Unrecognized"):
        load_processor(str(tmp_path))


def test_a_model_that_reads_only_text_is_an_error(tmp_path: Path) -> None:
    vocabulary = tiny_vlms.Vocabulary([])
    vocabulary.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **vocabulary.decoder()}))
    with pytest.raises(MedqDegError, match="has no processor for images"):
        load_processor(str(tmp_path))


def test_saving_again_writes_the_same_weights(checkpoint: Checkpoint, tmp_path: Path) -> None:
    again = tiny_vlms.save("llava", tmp_path / "llava")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (checkpoint("llava"), again)]
    assert weights[0] == weights[1]


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 40_000))
def test_a_limited_image_is_below_the_limit_and_keeps_its_shape(width: int, height: int, limit: int) -> None:
    image = Image.new("L", (width, height))
    limited = limit_pixels(image, limit)
    assert limited.width * limited.height <= limit
    assert limited.width <= width
    assert limited.height <= height
    if width * height <= limit:
        assert limited is image
    else:
        # As large as the limit allows, but for less than one pixel of each side.
        scale = (limit / (width * height)) ** 0.5
        assert limited.width > width * scale - 1 or limited.height == 1
        assert limited.height > height * scale - 1 or limited.width == 1


def test_a_limited_image_keeps_its_brightness(image: Image.Image) -> None:
    limited = limit_pixels(image, 10_000)
    assert limited.size == (100, 100)
    assert np.asarray(limited).mean() == pytest.approx(np.asarray(image).mean(), abs=0.5)
