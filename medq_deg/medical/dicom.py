"""One frame of a DICOM file as an image: what is refused, which frame, its pixels, and what else is known of it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image

from medq_deg.errors import ImageError
from medq_deg.images import LARGEST_SIDE
from medq_deg.medical import dicom_grey
from medq_deg.medical.dicom_frame import attributes_of_frame, is_yes, spacing_of
from medq_deg.medical.dicom_kinds import MODALITY_OF, OUTSIDE, REFUSED, TEXT_LIKELY
from medq_deg.medical.image import MedicalImage
from medq_deg.medical.scalars import check_preset
from medq_deg.medical.windows import Window

_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_IDENTIFIERS: Final = (
    *("PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "AccessionNumber", "StudyID"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "PatientBirthDate"),
)
_SHORTEST_TELLING: Final = 4


def read_dicom(path: Path, window: Window, frame: int | None) -> MedicalImage:
    """Read a frame; see `medq_deg.read_image`. Without `frame` it is the middle one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote the header
        try:
            return _read(path, window, frame)
        except ImageError as error:
            raise ImageError(f"DICOM: {error}") from None
        except MemoryError:
            raise ImageError("DICOM: the pixels do not fit into memory") from None
        except Exception as error:  # noqa: BLE001 - a broken header raises anything anywhere; its text may quote it
            raise ImageError(f"DICOM: the file is broken ({type(error).__name__})") from None


def _read(path: Path, window: Window, frame: int | None) -> MedicalImage:
    data: Any = pydicom.dcmread(path, force=True, defer_size="1 KB")
    code = str(data.get("Modality") or "").strip().upper()
    _refuse(data, code)
    notes = []
    if getattr(data.file_meta, "TransferSyntaxUID", None) is None:
        data.file_meta.TransferSyntaxUID = _plain_syntax(data)
        notes.append("the file names no transfer syntax: taken as uncompressed")
    frames = _number_of_frames(data)
    index = frames // 2 if frame is None else frame
    if not 0 <= index < frames:
        raise ImageError(f"frame must be 0 to {frames - 1}, the frames of this file, got {frame}")
    stored = _decoded(data, index)
    item = attributes_of_frame(data, index)
    known: dict[str, Any] = {
        "format": "DICOM",
        "modality": MODALITY_OF.get(code),
        "spacing_mm": spacing_of(item),
        "bits": int(data.get("BitsStored") or data.BitsAllocated),
        "frame": index,
        "frames": frames,
        "burned_in": is_yes(data.get("BurnedInAnnotation")),
    }
    if frames > 1:
        notes.append("one frame of several")
    if known["modality"] is None:
        notes.append(f"modality {_kind(code)}: outside the seven")
    if known["burned_in"]:
        notes.append("text is burned into the pixels")
    elif known["burned_in"] is None and code in TEXT_LIKELY:
        notes.append("text may be burned into the pixels: the file does not say")
    if stored.ndim == 3 or str(data.PhotometricInterpretation) == "PALETTE COLOR":
        check_preset(window, "")
        return MedicalImage(Image.fromarray(_colour(data, stored)), notes=tuple(notes), **known)
    grey = dicom_grey.show_grey(data, item, stored, code, window)
    values = grey.values.astype(np.float32)
    return MedicalImage(
        Image.fromarray(grey.display.show(values)),
        window=grey.window,
        shown_by=grey.shown_by,
        unit=grey.unit,
        slope=grey.slope,
        intercept=grey.intercept,
        values=values,
        display=grey.display,
        notes=(*notes, *grey.notes),
        **known,
    )


def _refuse(data: Any, code: str) -> None:
    """Raise `ImageError` for what is understood but is no single image."""
    meta = getattr(data, "file_meta", {})
    if "DirectoryRecordSequence" in data or str(meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY:
        raise ImageError("a directory (DICOMDIR), not an image")
    if code in REFUSED:
        raise ImageError(f"{REFUSED[code]}, not an image")
    if "EncapsulatedDocument" in data:
        raise ImageError("a document, not an image")
    if not any(name in data for name in _PIXELS):
        raise ImageError("the file has no pixels")
    needed = ("Rows", "Columns", "PhotometricInterpretation", "BitsAllocated", "SamplesPerPixel")
    if any(data.get(name) in (None, "") for name in needed):
        raise ImageError("size, depth or photometric interpretation is missing")
    rows, columns = int(data.Rows), int(data.Columns)
    if max(rows, columns) > LARGEST_SIDE:
        raise ImageError(f"an image has sides of up to {LARGEST_SIDE} px, got {columns} x {rows}")
    kinds = [str(kind).upper() for kind in (data.get("ImageType") or [])]
    across, down = int(data.get("TotalPixelMatrixColumns") or 0), int(data.get("TotalPixelMatrixRows") or 0)
    if code == "SM" and (across > columns or down > rows or "LABEL" in kinds or "OVERVIEW" in kinds):
        raise ImageError("a whole slide or its label: cut tiles out of it first")
    if int(data.BitsAllocated) == 1:
        raise ImageError("one bit a pixel: a mask, not an image")


def _plain_syntax(data: Any) -> Any:
    from pydicom import uid

    implicit, little = data.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _number_of_frames(data: Any) -> int:
    try:
        return max(int(data.get("NumberOfFrames") or 1), 1)
    except (TypeError, ValueError):
        data.NumberOfFrames = 1
        return 1


def _decoded(data: Any, index: int) -> NDArray[Any]:
    """Return the stored numbers of one frame, colour as RGB; no other frame is decoded."""
    from pydicom.pixels import pixel_array

    if "PixelData" not in data:
        array = np.asarray(data.pixel_array)
        return array[index] if _number_of_frames(data) > 1 else array
    syntax = data.file_meta.TransferSyntaxUID
    high, bits = data.get("HighBit"), int(data.get("BitsStored") or 0)
    # pydicom clears the bits above BitsStored, which destroys an image that lies in the upper bits.
    shifted = not syntax.is_encapsulated and high is not None and int(high) != bits - 1
    try:
        return np.asarray(pixel_array(data, index=index, correct_unused_bits=not shifted))
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds, and their text may quote the file
        name = syntax.name if syntax.is_transfer_syntax and not syntax.is_private else "an unknown transfer syntax"
        if "plugins" in str(error) and "missing" in str(error):
            raise ImageError(f"compressed as {name}, which needs: pip install 'medq-deg[dicom]'") from None
        raise ImageError(f"the pixels cannot be decoded ({name}, {type(error).__name__})") from None


def _colour(data: Any, stored: NDArray[Any]) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut

    bits = int(data.get("BitsStored") or data.BitsAllocated)
    if stored.ndim == 2:
        tables = ("RedPaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData")
        if not any(name in data for name in tables):
            raise ImageError("palette colour without a palette")
        stored = apply_color_lut(stored, data)
        bits = int(data.RedPaletteColorLookupTableDescriptor[2])
        if bits > 8 and stored.max() <= 255:  # entries of 8 bits in words of 16
            bits = 8
    stored = stored[..., :3]
    if bits > 8:
        stored = np.rint(stored.astype(np.float64) * (255 / (2.0**bits - 1)))
    return np.ascontiguousarray(np.clip(stored, 0, 255).astype(np.uint8))


def _kind(code: str) -> str:
    return f"{code} ({OUTSIDE[code]})" if code in OUTSIDE else "not told" if not code else "unknown"


def name_tells(path: Path, name: str) -> bool:
    """Whether a name holds something that a DICOM file's header says of the patient or the study.

    Parameters
    ----------
    path : Path
        The file; anything but DICOM tells nothing.
    name : str
        What a result would be called, such as the file's own name with its folders.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=[*_IDENTIFIERS])
            values = [str(data.get(keyword) or "") for keyword in _IDENTIFIERS]
        except Exception:  # noqa: BLE001 - a header that cannot be read cannot be held against the name
            return False
    parts = {part for value in values for part in (value, *re.split(r"[\\^\s=,']+", value))}
    plain = _letters(name)
    return any(len(_letters(part)) >= _SHORTEST_TELLING and _letters(part) in plain for part in parts)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
