"""The table of the degradations: what each is, whom it suits, how strong it is at L1 and L2, and why.

This file is data. The functions live in the modules of the physical families; lengths are fractions of sqrt(H W),
strengths in grey levels are of 255. "reference" in a source means severity_reference.csv and "by modality"
severity_by_modality.csv: figures measured on the pictures that the paper's authors published.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from medq_deg.degradations import blur, ct, histopathology, intensity, motion, mri, noise
from medq_deg.degradations.arrays import ImageFunction
from medq_deg.errors import MedqDegError
from medq_deg.taxonomy import CATEGORY_OF, modalities_of

Parameters = Mapping[str, Any]


LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "views": (1, 10_000),
        "arc": (1.0, 180.0),
        "lowest": (0.001, 10.0),
        "highest": (0.001, 10.0),
        "order": (0, 8),
        "center": (0.0, 1.0),
        "acceleration": (1.0, 1e4),
        "weights": (0.0, 10.0),
        "coverage": (0.0, 0.99),
        "opacity": (0.0, 1.0),
        "depth": (0.0, 1.0),
        "radius": (0.001, 2.0),
        "rim": (0.0, 1.0),
        "angles": (-360.0, 360.0),
        "segments": (1, 64),
        "shift": (0.0, 1.0),
        "degrees": (0.0, 180.0),
        "offset": (-255.0, 255.0),
        "gamma": (1.0, 20.0),
        "fog": (0.0, 255.0),
        "contrast": (0.0, 1.0),
        "sigma": (0.0, 255.0),
        "gaussian_blur.sigma": (0.0, 0.5),
        "bubble.sigma": (0.001, 0.5),
        "photons": (10.0, 1e15),
        "electronic": (0.0, 1e6),
        "field_mm": (1.0, 100_000.0),
        "largest_integral": (0.1, 16.0),
        "scale": (0.001, 1.0),
        "length": (0.0, 1.0),
    }
)
"""Least and greatest value of each parameter, whole numbers for counts; a type's own limit goes first."""


@dataclass(frozen=True)
class Severities:
    """Parameters of one degradation at L1 and L2, and where they come from."""

    mild: Parameters
    severe: Parameters
    source: str


@dataclass(frozen=True)
class Degradation:
    """One degradation.

    Attributes
    ----------
    name : str
        Canonical name, one of `medq_deg.taxonomy.DEGRADATION_NAMES`.
    summary : str
        What the artefact is, in one line.
    function : callable
        Pure function ``f(image, rng, **parameters)`` on float32 arrays, see `medq_deg.degradations.arrays`.
    severities : Severities
        Parameters for any picture.
    reference : str
        Source of the physics.
    random : bool
        Whether the result depends on the seed.
    moves : bool
        Whether it moves the anatomy, so that masks, boxes and markings have to move with it.
    by_modality : mapping of str to Severities
        Parameters for pictures of a modality where the published figures ask for others.
    attenuation : bool
        Whether its physics is that of X-ray attenuation, so that on a CT in Hounsfield units it acts before the window.
    hounsfield : Severities, optional
        Parameters where it acts on Hounsfield units, if they are others.
    """

    name: str
    summary: str
    function: ImageFunction
    severities: Severities
    reference: str
    random: bool = True
    moves: bool = False
    by_modality: Mapping[str, Severities] = field(default_factory=dict)
    attenuation: bool = False
    hounsfield: Severities | None = None

    @property
    def category(self) -> str:
        """One of `medq_deg.taxonomy.CATEGORIES`."""
        return CATEGORY_OF[self.name]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that the degradation suits."""
        return modalities_of(self.name)

    @property
    def parameters(self) -> Mapping[int, Parameters]:
        """Parameters of the function at severity 1 and 2, for any picture."""
        return MappingProxyType({1: self.severities.mild, 2: self.severities.severe})

    def parameters_for(self, severity: int, modality: str | None = None, *, hounsfield: bool = False) -> Parameters:
        """Return the parameters at severity 1 or 2 for pictures of a modality (canonical name), or for CT in HU."""
        chosen = self.by_modality.get(modality, self.severities) if modality else self.severities
        if hounsfield and self.hounsfield is not None:
            chosen = self.hounsfield
        return chosen.mild if severity == 1 else chosen.severe

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Names of the function's parameters, after the picture and the generator."""
        return tuple(inspect.signature(self.function).parameters)[2:]

    def check_parameters(self, values: Mapping[str, Any]) -> None:
        """Raise `MedqDegError` if a name is not a parameter of the function, or a number outside its limits."""
        allowed = self.argument_names
        for name, value in values.items():
            if name not in allowed:
                raise MedqDegError(f"{self.name} has no parameter {name!r}; it has {', '.join(allowed)}")
            if name not in LIMITS:
                continue
            low, high = LIMITS.get(f"{self.name}.{name}", LIMITS[name])
            kind = numbers.Integral if isinstance(low, int) else numbers.Real
            for number in value if isinstance(value, tuple | list) else (value,):
                if isinstance(number, bool) or not isinstance(number, kind) or not low <= float(number) <= high:
                    what = "a whole number" if kind is numbers.Integral else "a number"
                    raise MedqDegError(f"{self.name}: {name} must be {what} from {low} to {high}, got {value!r}")


def describe(parameters: Parameters) -> str:
    """Return parameters in one short line, such as ``length 0.0156, angles 0 to 180``."""
    return ", ".join(f"{name} {_short(value)}" for name, value in parameters.items())


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return (" to " if len(value) == 2 else "/").join(_short(part) for part in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


_TABLE: Final = (
    Degradation(
        "limited_angle",
        "CT from projections over less than 180 degrees: edges of some directions smear out",
        ct.limited_angle,
        Severities({"arc": 145.0}, {"arc": 115.0}, "by modality and by eye; the estimates of the reference are weak"),
        "Kak and Slaney, ch. 3; Quinto 1993",
        attenuation=True,
    ),
    Degradation(
        "sparse_view",
        "CT reconstructed from too few projections: fine streaks over the whole picture",
        ct.sparse_view,
        Severities(
            {"views": 72},
            {"views": 36},
            "L2 reference: fair fit; its 144 views at L1 leave 30 dB on our pictures where 22 to 23 are published, "
            "so L1 is chosen by those figures",
        ),
        "Kak and Slaney, sec. 5.1",
        attenuation=True,
    ),
    Degradation(
        "bias_field",
        "MRI coil sensitivity that falls with the distance: smooth bright and dark regions",
        mri.bias_field,
        Severities({"lowest": 0.36, "highest": 0.68}, {"lowest": 0.28, "highest": 0.54}, "reference: good fit"),
        "Van Leemput et al. 1999",
    ),
    Degradation(
        "undersampling",
        "MRI with k-space lines left out: blur and aliasing along one axis",
        mri.undersampling,
        Severities({"center": 0.08, "acceleration": 5.5}, {"center": 0.08, "acceleration": 6.8}, "reference: good fit"),
        "Lustig et al. 2007; Zbontar et al. 2018",
    ),
    Degradation(
        "ghosting",
        "MRI of a body that moves periodically: displaced copies along the phase axis",
        mri.ghosting,
        Severities(
            {"weights": (0.12, 0.10, 0.09, 0.06, 0.04)},
            {"weights": (0.56, 0.52, 0.47, 0.43, 0.38, 0.34)},
            "reference: good fit",
        ),
        "Wood and Henkelman 1985",
    ),
    Degradation(
        "blood_cell",
        "translucent red blood cells over the section",
        histopathology.blood_cell,
        Severities({"coverage": 0.2, "opacity": 0.25}, {"coverage": 0.47, "opacity": 0.33}, "reference: rough fit"),
        "Porter and Duff 1984; Evans and Fung 1972",
    ),
    Degradation(
        "dark_spots",
        "a smooth dark area: dirt or a fold out of focus absorbs light",
        histopathology.dark_spots,
        Severities({"depth": 0.47, "radius": 51 / 256}, {"depth": 0.77, "radius": 89 / 256}, "reference: good fit"),
        "Beer-Lambert absorption",
    ),
    Degradation(
        "object_movement",
        "MRI of a body that moves during the scan: doubled edges and ringing",
        mri.object_movement,
        Severities(
            {"segments": 5, "shift": 0.006, "degrees": 0.6},
            {"segments": 5, "shift": 0.03, "degrees": 3.0},
            "by modality and by eye; the reference could not identify it",
        ),
        "Wood and Henkelman 1985; Shaw et al. 2019",
    ),
    Degradation(
        "low_dose",
        "CT with few photons: grain that grows with the path through the body, streaks along dense structures",
        ct.low_dose,
        Severities(
            {"photons": 1e5, "electronic": 5.0},
            {"photons": 2.5e4, "electronic": 5.0},
            "by modality; the reference is of MRI",
        ),
        "Buzug, ch. 2 and 9",
        attenuation=True,
        hounsfield=Severities(
            {"photons": 4e6, "electronic": 5.0, "largest_integral": 12.0},
            {"photons": 1e6, "electronic": 5.0, "largest_integral": 12.0},
            "the grain that L1 and L2 have on a soft-tissue picture of an abdomen, at its true attenuation",
        ),
    ),
    Degradation(
        "bubble",
        "an air bubble under the cover slip: a blurred disc with a dark rim",
        histopathology.bubble,
        Severities(
            {"radius": 50 / 256, "sigma": 1.6 / 256}, {"radius": 92 / 256, "sigma": 3.2 / 256}, "reference: exact fit"
        ),
        "refraction at a sphere, defocus",
    ),
    Degradation(
        "object_rotation",
        "the patient lies turned: the picture is rotated on a black canvas",
        motion.object_rotation,
        Severities(
            {"angles": (10.0, 25.0)},
            {"angles": (95.0, 125.0)},
            "the paper's rule: mild up to about 25 degrees, severe beyond 90; the reference has 18 and -153. Not "
            "beyond 125, where a nearly symmetric body comes back to itself and L2 is closer to the original than L1",
        ),
        "rigid rotation, linear interpolation",
        moves=True,
    ),
    Degradation(
        "adjust_brightness",
        "too little light: every grey value lower by the same amount, shadows clipped",
        intensity.adjust_brightness,
        Severities({"offset": -75.0}, {"offset": -113.0}, "reference: exact fit"),
        "additive shift with clipping",
        random=False,
    ),
    Degradation(
        "exposure",
        "X-ray film exposed too much (dark) or too little (bright)",
        intensity.exposure,
        Severities(
            {"gamma": 1.451, "fog": 9.5},
            {"gamma": 2.357, "fog": 27.3},
            "reference: good fit of the dark direction; the bright one is its inverse curve (ours)",
        ),
        "Hurter and Driffield 1890; Bushberg et al., ch. 7",
    ),
    Degradation(
        "reduce_contrast",
        "grey values pulled towards their mean: a veiled, flat picture",
        intensity.reduce_contrast,
        Severities({"contrast": 0.65}, {"contrast": 0.297}, "reference: exact fit"),
        "linear contrast about the mean",
        random=False,
    ),
    Degradation(
        "gaussian_noise",
        "white noise of the detector or the amplifier",
        noise.gaussian_noise,
        Severities({"sigma": 12.2}, {"sigma": 20.3}, "reference (X-ray): good fit"),
        "Gonzalez and Woods, sec. 5.2",
        by_modality={
            "CT": Severities({"sigma": 19.0}, {"sigma": 30.0}, "by modality"),
            "MRI": Severities({"sigma": 15.0}, {"sigma": 23.0}, "by modality"),
            "ultrasound": Severities({"sigma": 8.5}, {"sigma": 14.0}, "by modality"),
        },
    ),
    Degradation(
        "low_resolution",
        "a coarse grid: fewer and larger pixels",
        blur.low_resolution,
        Severities(
            {"scale": 0.7}, {"scale": 0.4}, "by modality (CT, MRI, endoscopy); one X-ray in the reference: 0.597, 0.06"
        ),
        "linear interpolation down, nearest neighbour up",
        by_modality={
            "ultrasound": Severities({"scale": 0.8}, {"scale": 0.55}, "by modality"),
            "histopathology": Severities({"scale": 0.7}, {"scale": 0.27}, "by modality"),
            "X-ray": Severities(
                {"scale": 0.7}, {"scale": 0.2}, "by figures of the reference, not by its 0.06: see benchmarks"
            ),
            "dermoscopy": Severities({"scale": 0.7}, {"scale": 0.2}, "by modality"),
        },
        random=False,
    ),
    Degradation(
        "motion_blur",
        "blurred along a line by even motion during the exposure",
        blur.motion_blur,
        Severities(
            {"length": 8 / 513, "angles": (0.0, 180.0)},
            {"length": 11 / 513, "angles": (0.0, 180.0)},
            "reference: good fit; any direction (ours)",
        ),
        "Gonzalez and Woods, sec. 5.6",
        by_modality={
            "CT": Severities(
                {"length": 0.0125, "angles": (0.0, 180.0)}, {"length": 0.0185, "angles": (0.0, 180.0)}, "by modality"
            ),
            "MRI": Severities(
                {"length": 0.024, "angles": (0.0, 180.0)}, {"length": 0.036, "angles": (0.0, 180.0)}, "by modality"
            ),
            "ultrasound": Severities(
                {"length": 0.022, "angles": (0.0, 180.0)}, {"length": 0.032, "angles": (0.0, 180.0)}, "by modality"
            ),
            "X-ray": Severities(
                {"length": 13 / 1024, "angles": (-20.0, 20.0)},
                {"length": 41 / 1024, "angles": (-20.0, 20.0)},
                "reference (xray_motion_blur_artifact): good fit; the range of directions is ours",
            ),
        },
    ),
    Degradation(
        "gaussian_blur",
        "out of focus: every point spread to a round blot",
        blur.gaussian_blur,
        Severities({"sigma": 3 / 499}, {"sigma": 7 / 499}, "reference: exact fit"),
        "Goodman, ch. 6",
        random=False,
    ),
)

DEGRADATIONS: Final[Mapping[str, Degradation]] = MappingProxyType(
    {entry.name: entry for name in CATEGORY_OF for entry in _TABLE if entry.name == name}
)
"""Every degradation by its canonical name, in the paper's order."""
