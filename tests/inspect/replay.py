"""inspect-ai's mock model, saying what was said in a run."""

from __future__ import annotations

import base64
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, Model, ModelOutput, ModelUsage, get_model

from tests.harness.direct import texts_of


def replay(task: Task, run: Path, logs: Path, **options: Any) -> EvalLog:
    said = texts_of(run)
    queues: dict[tuple[str, str], deque[str]] = defaultdict(deque)
    for sample in task.dataset:
        image, text = sample.input[0].content
        queues[_shown(image.image), text.text].extend(said[str(sample.id)])

    return inspect_eval(
        task,
        model=mock(lambda content: queues[content[0].image, content[1].text].popleft()),
        log_dir=str(logs),
        display="none",
        **options,
    )[0]


def _shown(image: str) -> str:
    """Return the image as the model gets it, wherever it is kept."""
    if image.startswith("data:"):
        return image
    return f"data:image/png;base64,{base64.b64encode(Path(image).read_bytes()).decode()}"


def mock(say: Callable[[Any], str]) -> Model:
    """Return a model that says, for each choice, what a function makes of the content of the message."""

    def answer(messages: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
        return ModelOutput(
            model="mockllm",
            choices=[
                ChatCompletionChoice(message=ChatMessageAssistant(content=say(messages[0].content)))
                for _ in range(config.num_choices or 1)
            ],
            # Without it the mock counts tokens, for which it would fetch a table.
            usage=ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2),
        )

    return get_model("mockllm/model", custom_outputs=answer)


def metrics_of(log: EvalLog) -> dict[str, float]:
    assert log.status == "success", log.error and log.error.message
    assert log.results is not None
    return {name: metric.value for score in log.results.scores for name, metric in score.metrics.items()}
