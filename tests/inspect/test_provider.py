"""The provider over our sampler, with the demo's own model."""

from __future__ import annotations

import base64
from pathlib import Path

import anyio
import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make test-harnesses")
pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig, get_model

from medq_deg.demo import FOLDER
from medq_deg.demo.model import demo_model
from medq_deg.errors import MedqDegError
from medq_deg.models.prompts import build_prompt


def message() -> list[ChatMessageUser]:
    image = base64.b64encode((FOLDER / "images" / "mri_liver.png").read_bytes()).decode()
    prompt = build_prompt("Which modality is it?", ["MRI", "CT", "X-ray", "ultrasound"])
    content = [ContentImage(image=f"data:image/png;base64,{image}"), ContentText(text=prompt)]
    return [ChatMessageUser(content=content)]


def test_inspect_runs_a_folder_by_its_name(tmp_path: Path) -> None:
    log = inspect_eval(
        "medq_deg/medq_deg",
        model=f"medq_deg/{demo_model()}",
        task_args={"votes": 3, "subset": 60, "severity": 0, "choices": True},
        log_dir=str(tmp_path),
        display="none",
    )[0]
    assert log.status == "success", log.error and log.error.message
    samples = read_eval_log(log.location).samples
    assert samples
    assert all(len(sample.output.choices) == 3 for sample in samples)
    assert all(sample.output.usage and sample.output.usage.input_tokens > 0 for sample in samples)


def test_the_same_question_asked_again_is_another_sample_and_the_same_in_another_process() -> None:
    def texts() -> list[list[str]]:
        model = get_model("medq_deg/demo", memoize=False)

        async def ask() -> list[list[str]]:
            return [
                [choice.message.text for choice in (await model.generate(message(), config=config)).choices]
                for config in (GenerateConfig(num_choices=12), GenerateConfig(num_choices=12))
            ]

        return anyio.run(ask)

    first = texts()
    assert first[0] != first[1]
    assert texts() == first


@pytest.mark.parametrize(
    ("config", "told"),
    [({"temperature": 0.2}, "temperature must be 1.0"), ({"top_k": 50}, "top_k must be 0"), ({"top_p": 0.9}, "top_p")],
)
def test_sampling_that_is_not_the_model_s_own_is_refused(config: dict[str, float], told: str) -> None:
    model = get_model("medq_deg/demo", memoize=False)
    with pytest.raises(MedqDegError, match=told):
        anyio.run(lambda: model.generate(message(), config=GenerateConfig(**config)))


def test_an_unknown_argument_and_a_missing_model_are_named() -> None:
    with pytest.raises(MedqDegError, match="unknown model argument 'colour'"):
        get_model("medq_deg/demo", memoize=False, colour="blue")
    model = get_model("medq_deg/./nowhere", memoize=False)
    with pytest.raises(MedqDegError, match="nowhere"):
        anyio.run(lambda: model.generate(message()))


def test_conversations_and_several_images_are_refused() -> None:
    model = get_model("medq_deg/demo", memoize=False)
    (user,) = message()
    both = ChatMessageUser(content=[*user.content, user.content[0]])
    with pytest.raises(MedqDegError, match="at most one image, got 2 images"):
        anyio.run(lambda: model.generate([both]))
