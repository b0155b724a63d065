"""`read_image`: the one function that reads an image of any kind, by what the file holds, not by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import ImageError, MedqDegError
from medq_deg.images import check_one_frame, check_size, depth_of, frames_of, open_image, opened, read_bytes, seek_frame
from medq_deg.medical.deep import show_deep
from medq_deg.medical.image import MedicalImage
from medq_deg.medical.windows import AUTO, Window, parse_window

_HEAD: Final = 352
_DICOM_NAME: Final = re.compile(r"\.(dcm|dicom|dic|ima)$", re.IGNORECASE)
_NIFTI_NAME: Final = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_MEDICAL: Final = ("DICOM", "NIfTI")
_EXTRA: Final = "pip install 'medq-deg[dicom]'"


def read_image(
    path: str | os.PathLike[str], window: str | Sequence[float] | None = None, frame: int | None = None
) -> MedicalImage:
    """Read a DICOM, NIfTI or ordinary image file as an 8-bit image, with what is known of it.

    Parameters
    ----------
    path : path
        DICOM (also without a suffix, also compressed), NIfTI, or an image of any depth in a format of
        `medq_deg.images.FORMATS`. The content decides which, not the name.
    window : str or (float, float), optional
        Which values become black and white. None or "auto": what the file says, else soft tissue for Hounsfield
        units, else the 0.5th to the 99.5th percentile. "lung", "brain", "bone" or "soft": a preset, for Hounsfield
        units only. (level, width) or ``"LEVEL,WIDTH"``: in the unit of the file, which is HU for CT. Images that
        have 8 bits already, and colour, are not windowed.
    frame : int, optional
        From 0: the frame of a DICOM cine, or the slice of a volume along its thickest axis, where None is the middle
        one; or the frame of a GIF or TIFF, which is refused without it if it has several.

    Returns
    -------
    MedicalImage
        The image; its values before the window; modality, window, unit, spacing, bits, frame and notes. Nothing
        that tells whose image it is.

    Raises
    ------
    ImageError
        If the file is missing or broken, needs the extra ``medq-deg[dicom]``, or holds no single image (a report,
        contours, a segmentation, a whole slide); the message names the file and quotes nothing of its header.
    MedqDegError
        For a window or a frame that is none.

    Examples
    --------
    >>> from medq_deg.demo import FOLDER
    >>> read_image(FOLDER / "images" / "ct_abdomen.png").image.mode
    'L'
    """
    wanted = parse_window(window)
    if frame is not None and (isinstance(frame, bool) or not hasattr(frame, "__index__")):
        raise MedqDegError(f"a frame must be a whole number from 0, got {frame!r}")
    path = Path(path)
    try:
        kind = _kind(path)
        if kind == "image":
            return _image(path, wanted, frame)
        try:
            if kind == "DICOM":
                from medq_deg.medical.dicom import read_dicom as read
            else:
                from medq_deg.medical.nifti import read_nifti as read
            return read(path, wanted, frame)
        except ImportError as error:
            if (error.name or "").split(".")[0] not in ("pydicom", "nibabel"):
                raise
            raise ImageError(f"{kind} files need the extra for medical formats: {_EXTRA}") from None
    except ImageError as error:
        reason = str(error)
        raise ImageError(reason if reason.startswith(f"{path}: ") else f"{path}: {reason}") from None


def read_chosen(path: Path, window: str | Sequence[float] | None = None, frame: int | None = None) -> MedicalImage:
    """Read an image as `read_image` does, for work in which nobody looks at each image.

    An ordinary image of more than 8 bits says nothing of what is black and white, and which values are is a clinical
    choice: without a `window` it is refused here, as `medq_deg.degrade` refuses it.
    """
    image = read_image(path, window, frame)
    if window is None and image.bits > 8 and image.format not in _MEDICAL:
        raise ImageError(
            f"{path}: an image must have 8 bits a channel, this file has {image.bits}: choose a window (auto, or "
            "LEVEL,WIDTH in the file's values)"
        )
    return image


def looks_medical(path: Path) -> bool:
    """Whether a file is DICOM or NIfTI by its first bytes or by its name."""
    try:
        return _kind(path) in _MEDICAL
    except ImageError:
        return False


def name_tells(path: Path, name: str) -> bool:
    """Whether a name holds something that the header of a DICOM file says of the patient or the study."""
    try:
        from medq_deg.medical import dicom

        return _kind(path) == "DICOM" and dicom.name_tells(path, name)
    except ImportError:
        return False


def _kind(path: Path) -> str:
    try:
        if not path.is_file():
            read_bytes(path)  # which tells what it is instead
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise ImageError(os.strerror(error.errno or 0)) from None
    if head[128:132] == b"DICM" or _bare_dicom(head) or _DICOM_NAME.search(path.name):
        return "DICOM"
    if _NIFTI_NAME.search(path.name) or head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return "NIfTI"
    return "image"


def _bare_dicom(head: bytes) -> bool:
    """Whether bytes start like a DICOM data set without preamble: group 0002 or 0008, in either byte order."""
    little, big = head[:2] in (b"\x02\0", b"\x08\0"), head[:2] in (b"\0\x02", b"\0\x08")
    return (little and head[3:4] == b"\0") or (big and head[2:3] == b"\0")


def _image(path: Path, window: Window, frame: int | None) -> MedicalImage:
    data = read_bytes(path)
    with opened(data) as image:
        frames, depth = frames_of(image), depth_of(image)
        known: dict[str, Any] = {"format": image.format or "", "frames": frames, "frame": frame or 0, "bits": depth}
        if depth > 8:
            check_size(*image.size)
            if frame is None:
                check_one_frame(image)
            seek_frame(image, frame or 0)
            return show_deep(data, image, window, known)
    notes = () if window.name == AUTO else ("8 bits already: no window is used",)
    return MedicalImage(open_image(data, frame), notes=notes, **known)
