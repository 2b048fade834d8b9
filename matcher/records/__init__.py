"""Reads and writes facial records, which may contain a trusted image.

ISO/IEC 19794-5:2005 (``010``) and :2011 (``030``) and ISO/IEC 39794-5 in the ICAO application profile are
supported, bare or in the ICAO DG2. Start with ``open_trusted_image`` for reading and ``build_record`` for
writing. docs/trusted_images.md lists which errors of real records are tolerated.
"""

from matcher.records.building import build_record, fitted, serialise, wrap_in_dg2
from matcher.records.codes import (
    CaptureSource,
    FaceImageType2011,
    PostAcquisition,
    describe_code,
)
from matcher.records.contents import (
    MAX_BYTES,
    Container,
    Representations,
    TrustedImageContent,
    open_trusted_image,
)
from matcher.records.dg2 import Dg2
from matcher.records.discrepancies import Discrepancy
from matcher.records.iso_19794 import (
    CODES_2005,
    CODES_2011,
    Record2005,
    Record2011,
)
from matcher.records.iso_39794 import Record39794
from matcher.records.metadata import RecordMetadata, RecordVersion, Representation, metadata_of
from matcher.records.values import (
    NO_POSE,
    EyeCentres,
    Landmark,
    eye_landmarks,
)
from matcher.records.views import FacialRecord, representations_of

__all__ = [
    "CODES_2005",
    "CODES_2011",
    "MAX_BYTES",
    "NO_POSE",
    "CaptureSource",
    "Container",
    "Dg2",
    "Discrepancy",
    "EyeCentres",
    "FaceImageType2011",
    "FacialRecord",
    "Landmark",
    "PostAcquisition",
    "Record2005",
    "Record2011",
    "Record39794",
    "RecordMetadata",
    "RecordVersion",
    "Representation",
    "Representations",
    "TrustedImageContent",
    "build_record",
    "describe_code",
    "eye_landmarks",
    "fitted",
    "metadata_of",
    "open_trusted_image",
    "representations_of",
    "serialise",
    "wrap_in_dg2",
]
