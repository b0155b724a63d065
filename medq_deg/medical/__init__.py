"""Reading DICOM, NIfTI and images of 16 bits: an 8-bit image, and what is known of it.

What a header says about a person stays in the file: no name, date, number or UID is in what these readers return or in
what they say when they refuse. Needs ``pip install 'medq-deg[dicom]'`` for DICOM and NIfTI.
"""

from medq_deg.medical.image import MedicalImage
from medq_deg.medical.read import looks_medical, name_tells, read_chosen, read_image
from medq_deg.medical.windows import PRESETS

__all__ = ["PRESETS", "MedicalImage", "looks_medical", "name_tells", "read_chosen", "read_image"]
