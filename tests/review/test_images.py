"""Images as they are served: from shards and from a plan, broken ones told, memory bounded."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medq_deg.data.features import features
from medq_deg.data.stored import StoredRows
from medq_deg.errors import ImageError, MedqDegError
from medq_deg.review.catalogue import Catalogue, open_catalogue
from medq_deg.review.images import Bounded, Images
from tests.review.many import write_many


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("small"), questions=5, group=2)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.effect_noise((64, 48), 50).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def with_images(small: Path, folder: Path, *images: bytes | None) -> Images:
    """The clean rows with other images in the place of the first ones."""
    path = folder / "L0-00000.parquet"
    rows = pq.read_table(small / "data" / path.name).to_pylist()
    for row, image in zip(rows, images, strict=False):
        row["image"] = {"bytes": image, "path": None}
    pq.write_table(pa.Table.from_pylist(rows, schema=features().arrow_schema), path)
    return Images(StoredRows([path]))


@pytest.mark.slow
def test_stored_images_are_served_as_they_are_stored(small: Path) -> None:
    catalogue = open_catalogue(str(small))
    images = Images(catalogue.rows)
    for place in range(len(catalogue.rows)):
        data, kind = images(place)
        assert kind == "image/png"
        assert Image.open(io.BytesIO(data)).tobytes() == catalogue.rows[place]["image"].tobytes()


def test_formats_that_browsers_show_are_left_alone_and_others_become_png(small: Path, tmp_path: Path) -> None:
    given = [encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF")]
    images = with_images(small, tmp_path, *given)
    told = [images(place) for place in range(4)]
    assert [kind for _, kind in told] == ["image/png", "image/jpeg", "image/webp", "image/png"]
    assert [data for data, _ in told[:3]] == given[:3]
    assert Image.open(io.BytesIO(told[3][0])).tobytes() == Image.open(io.BytesIO(given[3])).tobytes()


def test_a_broken_image_is_told_and_others_are_not_affected(small: Path, tmp_path: Path) -> None:
    whole = encoded("PNG")
    images = with_images(small, tmp_path, whole[: len(whole) // 2], b"no image", None, whole)
    for place in range(3):
        with pytest.raises(ImageError):
            images(place)
    assert images(3)[0] == whole


def test_what_is_held_stays_below_its_limit() -> None:
    held: Bounded[str] = Bounded(10)
    for number in range(100):
        held.put(number, str(number), 3)
    assert [held.get(number) for number in (96, 97, 98, 99)] == [None, "97", "98", "99"]
    held.get(97)
    held.put(100, "100", 3)
    assert held.get(97) == "97"  # used last, so 98 went
    assert held.get(98) is None
    held.put("large", "x", 50)
    assert held.get("large") == "x"
    assert held.get(100) is None


def test_data_with_nothing_to_review_is_refused(small: Path, demo_catalogue: Catalogue) -> None:
    rows = list(open_catalogue(str(small)).rows.columns())
    clean = [row for row in rows if row["severity"] == 0]
    with pytest.raises(MedqDegError, match="nothing to review"):
        Catalogue.of("clean", "f", clean)
    with pytest.raises(MedqDegError, match="no clean one"):
        Catalogue.of("degraded", "f", [row for row in rows if row["severity"]])
    with pytest.raises(MedqDegError, match="one severity alone"):
        Catalogue.of("half", "f", [row for row in rows if row["severity"] < 2])
