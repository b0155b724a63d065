"""The options of models, each said once: name, type, default, range and help.

The classes of models and `medq_deg.evaluate` take them as keywords, and the command line makes its own options of them
(`medq_deg.cli.options`). Cheap to import: neither torch nor a client of a server is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeVar, get_args

from medq_deg.errors import MedqDegError, UnknownNameError

VotesBy = Literal["sampled", "exact", "repeat"]
ImageFormat = Literal["png", "jpeg"]
ImageDetail = Literal["auto", "low", "high"]

Parser = Literal["strict", "vlmevalkit", "medqdeg-vlmevalkit"]
"""The parsers of `medq_deg.models.parsing`, the default first."""

MAX_NEW_TOKENS: Final = 32
"""Longest answer in tokens, unless something else is said."""


@dataclass(frozen=True, kw_only=True)
class TransformersOptions:
    """How a model in transformers is loaded and asked.

    Attributes
    ----------
    votes : {"sampled", "exact", "repeat"}
        "sampled": answers sampled with one vision pass and one prefill per row. "exact": only the first token, in one
        forward pass, with the probability of every option's letter; for models that answer with one token. "repeat":
        the same answers as "sampled", slower, for models whose cache cannot be reordered.
    batch_size : int
        Most rows in a batch, 1 or more; halved for good when memory runs out.
    workers : int, optional
        Processes that read, degrade and process images ahead, 0 or more; 0 does it in between, which suits a CPU. By
        default 4 beside a GPU, else 0.
    max_pixels : int, optional
        Larger images are scaled down to this many pixels first, 1 or more.
    dtype : str
        Name of a torch dtype, or "auto" for the checkpoint's.
    device_map : str, optional
        As in transformers, to spread one model over several devices.
    attn_implementation : str, optional
        As in transformers, such as "sdpa" or "flash_attention_2".
    revision : str, optional
        Commit, tag or branch of a Hub id.
    trust_remote_code : bool
        Run code that comes with the checkpoint.

    Raises
    ------
    MedqDegError
        If a value is outside its range.
    """

    votes: VotesBy = field(default="sampled", metadata={"help": "How votes are got."})
    batch_size: int = field(default=8, metadata={"help": "Most rows in a batch."})
    workers: int | None = field(default=None, metadata={"help": "Processes that prepare images ahead."})
    max_pixels: int | None = field(default=None, metadata={"help": "Scale larger images down to this many pixels."})
    dtype: str = field(default="auto", metadata={"help": "torch dtype, or auto."})
    device_map: str | None = field(default=None, metadata={"help": "Spread one model over devices: auto."})
    attn_implementation: str | None = field(default=None, metadata={"help": "Such as sdpa or flash_attention_2."})
    revision: str | None = field(default=None, metadata={"help": "Commit, tag or branch."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Run code that comes with the model."})

    def __post_init__(self) -> None:
        _one_of("way to get votes", self.votes, VotesBy)
        if self.workers is not None and self.workers < 0:
            raise MedqDegError(f"workers must be 0 or more, got {self.workers}")
        _positive(batch_size=self.batch_size, max_pixels=self.max_pixels)


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """How a model behind an OpenAI-compatible endpoint is asked.

    Attributes
    ----------
    concurrency : int
        Requests in flight at once, 1 or more. A request that waits for its next try counts.
    timeout : float
        Seconds that a request may take in all, more than 0.
    retries : int
        Tries after a failed request, 0 or more.
    give_up_after : int
        Rows that may fail one after another before asking ends with an error; 0 goes on regardless. Rows that the
        server calls malformed (400, 422) count only as long as no row was answered.
    prices : tuple of float, optional
        USD per million tokens of input and of output, and perhaps of cached input.
    max_cost : float, optional
        USD that must not be passed: rows are left for the next start before that. Needs `prices`, unless the server
        reports what it charges.
    image_format : {"png", "jpeg"}
        png loses nothing; jpeg has quality 95, whole chroma, and about a quarter of the bytes.
    image_detail : {"auto", "low", "high"}, optional
        What the protocol's field ``detail`` says; None leaves it out.
    max_pixels : int, optional
        Larger images are scaled down to this many pixels, 1 or more.
    extra_body : mapping, optional
        Further fields of each request, for what one server needs. None leaves out ``max_tokens``, ``temperature``,
        ``top_p`` or ``seed``, for servers that refuse them.
    key_variable : str, optional
        Environment variable that holds the key, see `medq_deg.models.address.find_key`.

    Raises
    ------
    MedqDegError
        If a value is outside its range.
    """

    concurrency: int = field(default=8, metadata={"help": "Requests at a time."})
    timeout: float = field(default=120.0, metadata={"help": "Seconds for one request."})
    retries: int = field(default=6, metadata={"help": "Tries after a failed one."})
    give_up_after: int = field(
        default=20, metadata={"help": "Rows that may fail in a row before it ends; 0: any number."}
    )
    prices: tuple[float, ...] | None = field(
        default=None, metadata={"help": "USD per million tokens: INPUT,OUTPUT[,CACHED INPUT].", "flag": "--price"}
    )
    max_cost: float | None = field(default=None, metadata={"help": "Stop before this many USD are passed."})
    image_format: ImageFormat = field(default="png", metadata={"help": "How images are encoded."})
    image_detail: ImageDetail | None = field(
        default=None, metadata={"help": "What the server is told about their detail."}
    )
    max_pixels: int | None = field(default=None, metadata={"help": "Scale larger images down to this many pixels."})
    extra_body: Mapping[str, Any] | None = field(
        default=None, metadata={"help": "JSON object of fields for this server."}
    )
    key_variable: str | None = field(default=None, metadata={"help": "Environment variable that holds the key."})

    def __post_init__(self) -> None:
        _positive(concurrency=self.concurrency, max_pixels=self.max_pixels)
        if not 0 < self.timeout < math.inf:
            raise MedqDegError(f"timeout must be more than 0 seconds, got {self.timeout}")
        if self.retries < 0:
            raise MedqDegError(f"retries must be 0 or more, got {self.retries}")
        if self.give_up_after < 0:
            raise MedqDegError(f"give_up_after must be 0 or more rows, got {self.give_up_after}")
        if self.max_cost is not None and not 0 < self.max_cost < math.inf:
            raise MedqDegError(f"max_cost must be more than 0 USD, got {self.max_cost}")
        _one_of("image format", self.image_format, ImageFormat)
        if self.image_detail is not None:
            _one_of("image detail", self.image_detail, ImageDetail)


Options = TypeVar("Options", TransformersOptions, ServerOptions)


def make_options(kind: type[Options], given: Options | Mapping[str, Any] | None = None, **more: Any) -> Options:
    """Return options of a kind from what a caller gave.

    Parameters
    ----------
    kind : type
        `TransformersOptions` or `ServerOptions`.
    given : options or mapping, optional
        Options of that kind, or values by name.
    **more
        Values that go before those.

    Raises
    ------
    MedqDegError
        If a name is not one of the kind's, or a value outside its range.
    """
    known = [each.name for each in fields(kind)]
    held = given if isinstance(given, Mapping) else {} if given is None else vars(given)
    values = {**held, **more}
    for name in values:
        if name not in known:
            raise UnknownNameError("option of a model", name, known)
    return kind(**values)


def _one_of(what: str, value: str, allowed: Any) -> None:
    if value not in get_args(allowed):
        raise UnknownNameError(what, value, get_args(allowed))


def _positive(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise MedqDegError(f"{name} must be 1 or more, got {count}")
