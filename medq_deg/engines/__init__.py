"""Where the making of images runs: in this process, in processes of this machine, or on a Dask cluster.

An engine takes a function and items and yields the results in the order of the items, so that what is made does not
depend on it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

EngineName: TypeAlias = Literal["local", "dask"]
