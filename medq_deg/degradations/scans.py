"""Degrading what `read_image` reads: on CT in Hounsfield units the physics of attenuation runs before the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from medq_deg.degradations.apply import degrade
from medq_deg.degradations.registry import DEGRADATIONS
from medq_deg.degradations.values import HU_RANGE
from medq_deg.errors import ImageError
from medq_deg.medical import MedicalImage, read_chosen
from medq_deg.medical.image import HU
from medq_deg.taxonomy import APPLICABLE, resolve_degradation


@dataclass(frozen=True)
class Reading:
    """How files are read: window and frame as in `medq_deg.read_image`, and whether text in the pixels is no matter."""

    window: str | None = None
    frame: int | None = None
    keep_burned_in: bool = False


def read_scan(path: Path, reading: Reading) -> MedicalImage:
    """Read an image or scan.

    Raises
    ------
    ImageError
        If it cannot be read, or says that text is burned into its pixels, which may be the patient's name.
    """
    scan = read_chosen(path, reading.window, reading.frame)
    if scan.burned_in and not reading.keep_burned_in:
        raise ImageError(
            f"{path}: text is burned into the pixels, says the file; it may name the patient: --keep-burned-in keeps it"
        )
    return scan


def acts_on_hounsfield_units(scan: MedicalImage, name: str, modality: str | None) -> bool:
    """Whether a degradation acts on a scan's Hounsfield units, before the window, rather than on the image."""
    return scan.unit == HU and scan.values is not None and modality == "CT" and DEGRADATIONS[name].attenuation


def degrade_scan(
    scan: MedicalImage, name: str, severity: int, seed: int, *, modality: str | None = None, **options: Any
) -> Image.Image:
    """Degrade an image or scan.

    Parameters
    ----------
    scan : MedicalImage
        From `medq_deg.read_image`.
    name, severity, seed, **options
        As in `medq_deg.degrade`.
    modality : str, optional
        Without it, what the file says.

    Returns
    -------
    PIL.Image.Image
        Of the size and mode of ``scan.image``. In CT with Hounsfield units the types whose physics is attenuation act
        on those, with the scan's pixel spacing, and the result is shown through the same window.
    """
    name, where = resolve_degradation(name), modality or scan.modality
    if acts_on_hounsfield_units(scan, name, where) and scan.values is not None:
        options.pop("keep_marking", None)  # a scan has no marking
        changed = degrade(
            scan.values,
            name,
            severity,
            seed,
            modality=where,
            value_range=HU_RANGE,
            spacing_mm=scan.spacing_mm,
            **options,
        )
        return scan.show(changed)
    return degrade(scan.image, name, severity, seed, modality=where, **options)


def notes_on(scan: MedicalImage, name: str, modality: str | None) -> list[str]:
    """Return what a user should know of how a scan was read and degraded."""
    where = modality or scan.modality
    notes = list(scan.notes)
    if scan.window is not None:
        notes.append(f"window: {scan.shown_by}")
    if acts_on_hounsfield_units(scan, name, where):
        notes.append(f"{name} acted on Hounsfield units, before the window")
    if where is not None and name not in APPLICABLE[where]:
        notes.append(f"{name} is not meant for {where}")
    return notes
