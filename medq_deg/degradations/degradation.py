"""What a degradation is: one object that holds its function, whom it suits, its strengths, their limits and sources.

Each is declared beside its function, by `published` for the paper's 18 degradations, by `declared` for others of
ours, and by `medq_deg.register` for those of users.
An object that is incomplete or contradicts itself cannot be made.
"""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from medq_deg.degradations.arrays import ByteImage, ImageFunction
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import CATEGORIES, CATEGORY_OF, DEGRADATION_NAMES, MODALITIES, modalities_of

Parameters: TypeAlias = Mapping[str, Any]
Limits: TypeAlias = tuple[float, float] | tuple[str, ...]
"""Least and greatest value, whole numbers for counts; or the words that are allowed."""

BytesFunction: TypeAlias = Callable[..., ByteImage | None]


@dataclass(frozen=True)
class Severities:
    """Parameters of one degradation at L1 and L2, and where they come from."""

    mild: Parameters
    severe: Parameters
    source: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Degradation:
    """One degradation.

    Attributes
    ----------
    name : str
        Lower-case words joined by underscores.
    summary : str
        What the artefact is, in one line.
    clinician : str
        What a reader of the image should know, in one line.
    function : callable
        Pure function ``f(image, rng, *, **parameters)`` on float32 arrays, see `medq_deg.degradations.arrays`.
    category : str
        One of `medq_deg.taxonomy.CATEGORIES`.
    modalities : tuple of str
        Those of `medq_deg.taxonomy.MODALITIES` that it suits.
    limits : mapping of str to (least, greatest) or words
        For each parameter of the function; bounds that are whole numbers ask for whole numbers. A parameter of two
        numbers is a range, the least first.
    severities : Severities
        Parameters at L1 and L2, for any image.
    reference : str
        Source of the physics.
    random : bool
        Whether the result depends on the seed.
    moves : bool
        Whether it moves the anatomy, so that masks, boxes and markings have to move with it.
    by_modality : mapping of str to Severities
        Parameters for images of a modality where the published figures ask for others.
    attenuation : bool
        Whether its physics is that of X-ray attenuation, so that on a CT in Hounsfield units it acts before the window.
    hounsfield : Severities, optional
        Parameters where it acts on Hounsfield units, if they are others.
    pointwise : bool
        Whether a pixel's result depends on its value and the seed alone, so that 256 values tell all of it.
    note : str
        What a reader of the two levels should know, if anything.
    on_bytes : callable, optional
        ``f(image, rng, *, truncate, **parameters)`` on uint8 arrays that returns the function's rounded result by a
        quicker way, or None where it has none.

    Raises
    ------
    MedqDegError
        If a field is empty or of another kind, a parameter has no limits, or a strength lies outside them.
    """

    name: str
    summary: str
    clinician: str
    function: ImageFunction
    category: str
    modalities: tuple[str, ...]
    limits: Mapping[str, Limits]
    severities: Severities
    reference: str
    random: bool = True
    moves: bool = False
    by_modality: Mapping[str, Severities] = field(default_factory=dict)
    attenuation: bool = False
    hounsfield: Severities | None = None
    pointwise: bool = False
    note: str = ""
    on_bytes: BytesFunction | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", self.name)):
            raise MedqDegError(
                f"a degradation's name must be lower-case words joined by underscores, got {self.name!r}"
            )
        if not callable(self.function):
            raise MedqDegError(f"{self.name}: function must be callable, got {self.function!r}")
        tables = [self.severities, *self.by_modality.values(), *([self.hounsfield] if self.hounsfield else [])]
        if not all(isinstance(table, Severities) for table in tables):
            raise MedqDegError(f"{self.name}: strengths must be given as Severities(mild, severe, source)")
        texts = {"summary": self.summary, "clinician": self.clinician, "reference": self.reference}
        texts.update({f"source {number}": table.source for number, table in enumerate(tables, 1)})
        for what, text in texts.items():
            if not (isinstance(text, str) and text.strip()):
                raise MedqDegError(f"{self.name}: {what} must be a line of text, got {text!r}")
        if self.category not in CATEGORIES:
            raise MedqDegError(f"{self.name}: category must be one of {', '.join(CATEGORIES)}, got {self.category!r}")
        for modality in (*self.modalities, *self.by_modality):
            if modality not in MODALITIES:
                raise MedqDegError(f"{self.name}: modality must be one of {', '.join(MODALITIES)}, got {modality!r}")
        if not self.modalities:
            raise MedqDegError(f"{self.name}: modalities must name at least one of {', '.join(MODALITIES)}")
        if set(self.limits) != set(self.argument_names):
            raise MedqDegError(
                f"{self.name}: limits must name each parameter of the function "
                f"({', '.join(self.argument_names) or 'none'}), got {', '.join(self.limits) or 'none'}"
            )
        for parameters in (parameters for table in tables for parameters in (table.mild, table.severe)):
            if missing := [name for name in self.argument_names if name not in {**self._defaults, **parameters}]:
                raise MedqDegError(f"{self.name}: a strength must give {', '.join(missing)}")
            self.check_parameters(parameters)

    def __repr__(self) -> str:
        levels = "; ".join(
            f"L{severity}: {describe(values) or 'no parameter'}" for severity, values in self.parameters.items()
        )
        return f"<{self.name}: {self.summary} ({', '.join(self.modalities)}) {levels}>"

    def _repr_html_(self) -> str:
        """Return it on an image of the demonstration set: the original, L1 and L2."""
        from medq_deg.degradations.gallery import html_of

        return html_of(self)

    @property
    def parameters(self) -> Mapping[int, Parameters]:
        """Parameters of the function at severity 1 and 2, for any image."""
        return MappingProxyType({1: self.severities.mild, 2: self.severities.severe})

    def parameters_for(self, severity: int, modality: str | None = None, *, hounsfield: bool = False) -> Parameters:
        """Return the parameters at severity 1 or 2 for images of a modality (canonical name), or for CT in HU."""
        chosen = self.by_modality.get(modality, self.severities) if modality else self.severities
        if hounsfield and self.hounsfield is not None:
            chosen = self.hounsfield
        return chosen.mild if severity == 1 else chosen.severe

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Names of the function's parameters, after the image and the generator."""
        return tuple(inspect.signature(self.function).parameters)[2:]

    @property
    def _defaults(self) -> Parameters:
        known = inspect.signature(self.function).parameters.values()
        return {item.name: item.default for item in known if item.default is not inspect.Parameter.empty}

    def check_parameters(self, values: Mapping[str, Any]) -> None:
        """Raise `MedqDegError` if a name is not a parameter of the function, or a value outside its limits."""
        for name, value in values.items():
            if name not in self.limits:
                allowed = ", ".join(self.argument_names) or "none"
                raise MedqDegError(f"{self.name} has no parameter {name!r}; it has {allowed}")
            limits = self.limits[name]
            if isinstance(limits[0], str):
                if value not in limits:
                    raise MedqDegError(f"{self.name}: {name} must be {' or '.join(map(repr, limits))}, got {value!r}")
                continue
            parts = tuple(value) if isinstance(value, tuple | list) else None
            self._check_length(name, parts, value)
            low, high = limits
            kind = numbers.Integral if isinstance(low, int) and isinstance(high, int) else numbers.Real
            for number in (value,) if parts is None else parts:
                if isinstance(number, bool) or not isinstance(number, kind) or not low <= float(number) <= high:
                    what = "a whole number" if kind is numbers.Integral else "a number"
                    raise MedqDegError(f"{self.name}: {name} must be {what} from {low} to {high}, got {value!r}")
            if parts is not None and len(parts) == 2 and parts[0] > parts[1] and self._lengths(name) == {2}:
                raise MedqDegError(f"{self.name}: {name} must be (least, greatest), got {value!r}")

    def _lengths(self, name: str) -> set[int]:
        """Return how many entries the strengths and the default have in a parameter; two are a range."""
        like = [p[name] for p in (self._defaults, self.severities.mild, self.severities.severe) if name in p]
        return {len(example) for example in like if isinstance(example, tuple | list)}

    def _check_length(self, name: str, parts: tuple[Any, ...] | None, value: object) -> None:
        """Allow a list where the strengths have one, with as many entries if both have as many."""
        lengths = self._lengths(name)
        if not lengths and parts is not None:
            raise MedqDegError(f"{self.name}: {name} must be one number, got {value!r}")
        if lengths and (not parts or (len(lengths) == 1 and len(parts) not in lengths)):
            count = f"{min(lengths)} numbers" if len(lengths) == 1 else "a list of numbers"
            raise MedqDegError(f"{self.name}: {name} must be {count}, got {value!r}")


DECLARED: list[Degradation] = []
"""The types that the modules of `medq_deg.degradations.types` declare: the paper's 18, and any other of ours."""


def published(**fields: Any) -> Callable[[ImageFunction], ImageFunction]:
    """Declare the function below as one of the paper's types, whose category and modalities the taxonomy holds."""

    def declare(function: ImageFunction) -> ImageFunction:
        name = function.__name__
        if name not in DEGRADATION_NAMES:
            raise MedqDegError(f"{name}: is not one of the paper's degradations; declare it with `declared`")
        return declared(category=CATEGORY_OF[name], modalities=modalities_of(name), **fields)(function)

    return declare


def declared(*, category: str, modalities: tuple[str, ...], **fields: Any) -> Callable[[ImageFunction], ImageFunction]:
    """Declare the function below as a type of its name, beside the paper's: all that is known of it stands there.

    Parameters
    ----------
    category, modalities, **fields
        The fields of `Degradation`, but name and function.

    Raises
    ------
    MedqDegError
        If a field is missing, unknown or wrong.
    """

    def declare(function: ImageFunction) -> ImageFunction:
        try:
            entry = Degradation(
                name=function.__name__, function=function, category=category, modalities=modalities, **fields
            )
        except TypeError as error:
            raise MedqDegError(f"{function.__name__}: {str(error).partition('() ')[2] or error}") from None
        DECLARED.append(entry)
        return function

    return declare


def describe(parameters: Parameters) -> str:
    """Return parameters in one short line, such as ``length 0.0156, angles 0 to 180``."""
    return ", ".join(f"{name} {_short(value)}" for name, value in parameters.items())


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return (" to " if len(value) == 2 else "/").join(_short(part) for part in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
