"""What DICOM's modality codes (0008,0060) are to us. A code that is in no table here is outside the seven."""

from __future__ import annotations

from typing import Final

MODALITY_OF: Final[dict[str, str]] = {
    "CT": "CT",
    "MR": "MRI",
    "CR": "X-ray",
    "DX": "X-ray",
    "MG": "X-ray",
    "XA": "X-ray",
    "RF": "X-ray",
    "RG": "X-ray",
    "IO": "X-ray",
    "PX": "X-ray",
    "US": "ultrasound",
    "BDUS": "ultrasound",
    "ES": "endoscopy",
    "SM": "histopathology",
    "DMS": "dermoscopy",
}

OUTSIDE: Final[dict[str, str]] = {
    "BMD": "bone densitometry",
    "GM": "microscopy that is no slide",
    "IVUS": "intravascular ultrasound",
    "NM": "nuclear medicine",
    "OAM": "axial length",
    "OCT": "intravascular OCT",
    "OP": "fundus photography",
    "OPM": "ophthalmic map",
    "OPT": "OCT",
    "OPTBSV": "OCT scan volume",
    "OPTENF": "OCT en face",
    "OT": "other",
    "PT": "PET",
    "RTIMAGE": "portal image",
    "SC": "secondary capture",
    "TG": "thermography",
    "XC": "photograph",
}
"""Images of other kinds: they are read, and degraded if the user says as which modality."""

REFUSED: Final[dict[str, str]] = {
    "AU": "audio",
    "DOC": "a document",
    "ECG": "a waveform",
    "EPS": "a waveform",
    "FID": "fiducials",
    "HD": "a waveform",
    "KO": "a list of key objects",
    "M3D": "a 3D model",
    "PLAN": "a plan",
    "PR": "a presentation state",
    "REG": "a registration",
    "RTDOSE": "a dose map",
    "RTPLAN": "a treatment plan",
    "RTRECORD": "a treatment record",
    "RTSTRUCT": "contours",
    "RWV": "a value map",
    "SEG": "a segmentation",
    "SMR": "a report",
    "SR": "a structured report",
}
"""Objects that are no image of a patient."""

TEXT_LIKELY: Final = ("US", "IVUS", "ES", "XC", "OT", "SC")
"""Kinds whose devices often write names and dates into the image."""
