"""Rows and models that the tests of endpoints share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from medq_deg.demo import FOLDER
from medq_deg.models.base import Query, Reply
from medq_deg.models.endpoint import EndpointModel
from medq_deg.models.retry import Retries

OPTIONS = ("yes", "no", "perhaps", "unknown")
QUICK = Retries(count=15, base=0.01, longest=0.03)
IMAGE = Image.open(FOLDER / "images" / "ct_abdomen.png").resize((64, 64))


class Rows:
    """Queries of a run, and which of them were claimed."""

    def __init__(self, count: int) -> None:
        self.stopped = False
        self.claimed: list[int] = []
        self.count = count

    def claim(self) -> Iterator[int]:
        for index in range(self.count):
            if self.stopped:
                return
            self.claimed.append(index)
            yield index

    def __iter__(self) -> Iterator[Query]:
        return (self[index] for index in self.claim())

    def __getitem__(self, index: int) -> Query:
        return Query(f"row{index}", IMAGE, f"Row row{index}. Which?", OPTIONS, seed=1000 + index)


def model(url: str, **options: Any) -> EndpointModel:
    return EndpointModel(url, "tiny", **{"retries": QUICK, "timeout": 5.0, **options})


def ask(model: EndpointModel, count: int = 1, trials: int = 4) -> list[Reply]:
    return list(model.answer(Rows(count), trials))
