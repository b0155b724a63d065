"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Seed: TypeAlias = Annotated[int, typer.Option(help="Seed, 0 or more: the same seed gives the same bytes.")]
