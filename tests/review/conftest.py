"""What the tests of the review share: the demonstration set, a part of it, and a server on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("statsmodels")

from medq_deg.errors import ImageError, RowError
from medq_deg.review.catalogue import Catalogue, open_catalogue
from tests.review.served import Served, served


@pytest.fixture(scope="session")
def demo_catalogue() -> Catalogue:
    return open_catalogue("demo")


@pytest.fixture(scope="session")
def few(demo_catalogue: Catalogue) -> Catalogue:
    """Six questions of the demonstration set."""
    return replace(demo_catalogue, questions=demo_catalogue.questions[:6], fingerprint="f" * 64)


@pytest.fixture
def review(few: Catalogue, tmp_path: Path) -> Iterator[Served]:
    with served(few, tmp_path / "reviews.sqlite") as running:
        yield running


@pytest.fixture
def broken(few: Catalogue, tmp_path: Path) -> Iterator[Served]:
    """A review whose rows have one image that cannot be decoded, after all others were."""

    class Rows:
        def __len__(self) -> int:
            return len(few.rows)

        def __getitem__(self, index: int) -> dict[str, object]:
            if index == 0:
                raise RowError("x", ImageError("the image is broken (truncated)"))
            return few.rows[index]

        def columns(self) -> object:
            return few.rows.columns()

    with served(replace(few, rows=Rows()), tmp_path / "r.sqlite") as running:
        yield running
