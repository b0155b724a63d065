"""The task `medq_deg`: each row a sample, each vote an epoch, or all votes of a row in one request."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

from inspect_ai import Epochs, Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig
from inspect_ai.solver import generate

from medq_deg import __version__
from medq_deg.data.schema import TOLD_COLUMNS
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.asking import TRIALS
from medq_deg.evaluation.run import fingerprint
from medq_deg.files import replace_file
from medq_deg.harness.asked import Asked, check_votes, choose, read_severities
from medq_deg.inspect.scoring import calibration_shift, medq_deg_choice
from medq_deg.models.options import MAX_NEW_TOKENS
from medq_deg.models.parsing import check_parser
from medq_deg.models.prompts import INSTRUCTION, build_prompt

TASK: Final = "medq_deg"
VERSION: Final = "1-A"


@task(name=TASK)
def medq_deg(
    data: str = "demo",
    severity: int | str | list[int] | None = None,
    votes: int = TRIALS,
    parser: str = "strict",
    images: str | None = None,
    choices: bool = False,
    subset: int | None = None,
    max_tokens: int | None = MAX_NEW_TOKENS,
) -> Task:
    """Ask multiple-choice questions on medical images, clean and degraded.

    Parameters
    ----------
    data : str
        As in ``medq-deg evaluate --data``.
    severity : int, str or list, optional
        0, 1 or 2, or several ("0,2"); all by default, which what is lost to degradation needs.
    votes : int
        Answers sampled per row at temperature 1.0, 2 or more.
    parser : {"strict", "vlmevalkit", "medqdeg-vlmevalkit"}
        See `medq_deg.parse_answer`.
    images : str, optional
        A folder to keep the images in; with ``--no-log-images`` logs then hold none of them. Without it each vote's
        sample carries its image as a data URI.
    choices : bool
        Ask for all votes of a row in one request (OpenAI's ``n``) instead of in epochs, where the provider can.
    subset : int, optional
        At most this many rows of the data, in whole questions, as in ``medq-deg evaluate --subset``.
    max_tokens : int, optional
        Longest answer; ``-T max_tokens=null`` leaves it to the provider.
    """
    check_votes(votes)
    check_parser(parser)
    asked = choose(data, severities=read_severities(severity), subset=subset)
    folder = None if not images else _folder(images)
    return Task(
        dataset=MemoryDataset(
            [_sample(asked, number, folder) for number in range(len(asked))], name=TASK, location=asked.data.name
        ),
        solver=generate(),
        scorer=medq_deg_choice(parser),
        metrics=[calibration_shift(expected=len(asked) * votes)],
        epochs=None if choices else Epochs(votes, "mean"),
        config=GenerateConfig(
            temperature=1.0, top_p=1.0, max_tokens=max_tokens, num_choices=votes if choices else None
        ),
        name=TASK,
        version=VERSION,
        metadata={
            "prompt": INSTRUCTION,
            "parser": parser,
            "votes": votes,
            "severities": sorted({row["severity"] for row in asked.columns}),
            "data": {
                "name": asked.data.name,
                "rows": len(asked),
                "version": asked.data.fingerprint,
                "fingerprint": fingerprint(asked.columns, asked.data.fingerprint),
            },
            **asked.settings,
            "medq_deg": __version__,
        },
        headline_metric=HeadlineMetric(scorer="medq_deg_choice", metric="calibration_shift"),
    )


def _sample(asked: Asked, number: int, folder: Path | None) -> Sample:
    row = asked.columns[number]
    return Sample(
        id=row["id"],
        input=[
            ChatMessageUser(
                content=[
                    ContentImage(image=_image(asked, number, folder)),
                    ContentText(text=build_prompt(row["question"], row["options"])),
                ]
            )
        ],
        choices=list(row["options"]),
        target=row["answer"],
        metadata=_metadata(row, number),
    )


def _metadata(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {**{name: row[name] for name in TOLD_COLUMNS}, "num_choices": len(row["options"]), "place": number}


def _image(asked: Asked, number: int, folder: Path | None) -> str:
    """Return a data URI, or the path of a file, which is named by what it shows and made only once."""
    if folder is None:
        return f"data:image/png;base64,{base64.b64encode(asked.image(number)).decode()}"
    name = hashlib.sha256(f"{asked.data.fingerprint} {asked.columns[number]['id']}".encode()).hexdigest()[:32]
    path = folder / f"{name}.png"
    if not path.exists():
        with replace_file(path) as file:
            file.write(asked.image(number))
    return str(path)


def _folder(images: str) -> Path:
    folder = Path(images).resolve()
    if folder.exists() and not folder.is_dir():
        raise MedqDegError(f"images: {folder} is a file, a folder is wanted")
    return folder
