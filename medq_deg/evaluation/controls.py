"""How a run differs from the paper's: several orders of the options, no image, or a part of the questions.

Definitions are in `docs/controls.md`. Each setting is written to `run.json` only where it differs from the paper's, so
that runs of before it existed can be continued.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.evaluation.subset import SUBSET_SEED, take_subset
from medq_deg.seeds import derive_seed

if TYPE_CHECKING:
    from PIL import Image

ShownImage: TypeAlias = Literal["shown", "none", "grey"]
SHOWN_IMAGES: Final[tuple[str, ...]] = get_args(ShownImage)

_GREY_SIDE, _GREY_VALUE = 512, 128


@dataclass(frozen=True)
class Controls:
    """What is asked.

    Attributes
    ----------
    orders : int
        Orders of the options over which the votes of a row are spread; a row with fewer permutations gets all of them.
        1 is the paper's.
    image : {"shown", "none", "grey"}
        "none" asks the clean questions without their image, "grey" with one and the same grey one in its place.
    subset : int, optional
        Most rows to ask, in whole questions, see `medq_deg.evaluation.subset.take_subset`.
    """

    orders: int = 1
    image: ShownImage = "shown"
    subset: int | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Controls:
        """Return those of a run, from its settings."""
        subset = settings.get("subset") or {}
        return cls(settings.get("orders", 1), settings.get("image", "shown"), subset.get("rows"))

    def check(self, trials: int) -> None:
        """Raise `MedqDegError` for a control that cannot be run with this number of votes."""
        if self.image not in SHOWN_IMAGES:
            raise UnknownNameError("image", self.image, SHOWN_IMAGES)
        if self.orders < 1:
            raise MedqDegError(f"orders must be 1 or more, got {self.orders}")
        if self.orders > 1 and self.orders > trials // 2:
            raise MedqDegError(
                f"orders must be at most half of the votes, {trials // 2} of {trials}, got {self.orders}: with one "
                "vote an order, chance and position cannot be told apart"
            )

    def settings(self, rows: int) -> dict[str, Any]:
        """Return what `run.json` says of them; `rows` is how many the data has in all."""
        subset = {"rows": self.subset, "of": rows, "seed": SUBSET_SEED}
        return {
            **({"orders": self.orders} if self.orders > 1 else {}),
            **({"image": self.image} if self.image != "shown" else {}),
            **({"subset": subset} if self.subset not in (None, rows) else {}),
        }

    def choose(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the places of the rows to ask, in their order; `rows` need no image.

        Raises
        ------
        MedqDegError
            If a subset is too large or too small, or there is no clean row to ask without its image.
        """
        places = list(range(len(rows))) if self.subset is None else take_subset(rows, self.subset)
        if self.image == "shown":
            return places
        clean = [place for place in places if rows[place]["severity"] == 0]
        if not clean:
            raise MedqDegError(f"image {self.image!r} asks the clean rows (L0) alone, and the data has none")
        return clean

    def orders_of(self, seed: int, question_id: str, options: int) -> tuple[tuple[int, ...], ...]:
        """Return the orders of a question's options; empty for one order, the given one.

        All rows of a question are shown the same. The first order is the given one; the others are drawn without
        replacement from the other permutations.
        """
        if self.orders == 1:
            return ()
        draw = random.Random(derive_seed(seed, question_id, "orders"))
        found = {tuple(range(options)): None}
        while len(found) < min(self.orders, factorial(options)):
            found[tuple(draw.sample(range(options), options))] = None
        return tuple(found)

    def in_place_of_image(self) -> Image.Image | None:
        """Return what a blind baseline shows: nothing, or the same grey image for all."""
        if self.image != "grey":
            return None
        from PIL import Image

        return Image.new("L", (_GREY_SIDE, _GREY_SIDE), _GREY_VALUE)


PAPER: Final = Controls()
"""The paper's way to ask."""


def order_text(order: Sequence[int]) -> str:
    """Write an order as the letters of the row's own options at each position, such as "CADB"."""
    return "".join(LETTERS[place] for place in order)


def controls_told(settings: Mapping[str, Any]) -> list[str]:
    """Say how a run was asked differently from the paper's, from its settings; nothing if it was not."""
    told = []
    if (orders := settings.get("orders", 1)) != 1:
        told.append(f"options shown in {orders} orders")
    if (image := settings.get("image", "shown")) != "shown":
        told.append("clean questions without their image" if image == "none" else f"a {image} image for all")
    if subset := settings.get("subset"):
        told.append(f"a subset of {settings['data'].get('rows')} of {subset.get('of')} rows")
    return told
