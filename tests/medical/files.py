"""DICOM and NIfTI files for tests: made here, or shipped by the packages that read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
PERSON = "Testperson^Erika"
NUMBER = "MRN0815"


def shipped_files() -> Iterator[Path]:
    """Every DICOM and NIfTI file in the packages that are installed: images, reports, broken ones."""
    folders = [Path(pydicom.__file__).parent / "data", Path(nibabel.__file__).parent]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (path.suffix in (".dcm", ".gz", ".nii", "") and path.name != "LICENSE"):
                yield path


def dataset(stored: NDArray[Any], **attributes: Any) -> Dataset:
    """A data set of one grey (H, W), several grey (N, H, W) or one colour (H, W, 3) frame; attributes replace."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    colour = stored.ndim == 3 and stored.shape[2] == 3
    made.PatientName, made.PatientID, made.PatientBirthDate = PERSON, NUMBER, "19610228"
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.SOPInstanceUID, made.SOPClassUID = made.file_meta.MediaStorageSOPInstanceUID, "1.2.840.10008.5.1.4.1.1.7"
    made.AccessionNumber, made.StudyDescription = "ACC4711", f"head of {PERSON}"
    made.Modality = "OT"
    if stored.ndim == 3 and not colour:
        made.NumberOfFrames = len(stored)
    made.Rows, made.Columns = stored.shape[:2] if colour else stored.shape[-2:]
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8 * stored.dtype.itemsize
    made.PixelRepresentation = int(stored.dtype.kind == "i")
    made.PixelData = stored.tobytes()
    for name, value in attributes.items():
        setattr(made, name, value)
    if "HighBit" not in made:
        made.HighBit = made.BitsStored - 1
    return made


def written(path: Path, made: Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def ct(path: Path, hu: NDArray[Any], **attributes: Any) -> Path:
    """A CT whose Hounsfield units are `hu`, stored as scanners do: from 0, with an intercept of -1024."""
    stored = np.rint(hu + 1024).astype(np.uint16)
    defaults = {
        "Modality": "CT",
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "BitsStored": 12,
        "PixelSpacing": [0.7, 0.7],
    }
    return written(path, dataset(stored, **{**defaults, **attributes}))


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made
