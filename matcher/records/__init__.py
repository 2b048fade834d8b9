"""Reads and writes facial records, which may contain a trusted image.

ISO/IEC 19794-5:2005 (``010``) and :2011 (``030``) and ISO/IEC 39794-5 in the ICAO application profile are
supported, bare or in the ICAO DG2. Start with ``open_trusted_image`` for reading and ``build_record`` for
writing. docs/trusted_images.md lists which errors of real records are tolerated.
"""

from matcher.records.building import FacialRecord, build_record, serialise, wrap_in_dg2
from matcher.records.capture_time import CaptureTime
from matcher.records.codes import (
    SAMPLING_RATE_BOUNDS,
    CaptureSource,
    ColourSpace2005,
    ColourSpace2011,
    Expression2005,
    EyeColour,
    FaceImageType2005,
    FaceImageType2011,
    Gender,
    HairColour,
    ImageDataType2005,
    ImageDataType2011,
    LandmarkType,
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
from matcher.records.dg2 import BiometricBlock, Dg2
from matcher.records.discrepancies import Discrepancy, DiscrepancyKind
from matcher.records.fitting import fitted
from matcher.records.iso_39794 import Record39794
from matcher.records.landmarks import EyeCentres, Landmark, eye_landmarks
from matcher.records.metadata import RecordMetadata, RecordVersion, metadata_of
from matcher.records.modality import CBEFF_TYPES
from matcher.records.pose import NO_POSE, PoseCode, PoseDegrees
from matcher.records.representation import Representation
from matcher.records.version_2005 import Record2005, Representation2005
from matcher.records.version_2011 import QualityBlock, Record2011, Representation2011
from matcher.records.views import representations_of

__all__ = [
    "CBEFF_TYPES",
    "MAX_BYTES",
    "NO_POSE",
    "SAMPLING_RATE_BOUNDS",
    "BiometricBlock",
    "CaptureSource",
    "CaptureTime",
    "ColourSpace2005",
    "ColourSpace2011",
    "Container",
    "Dg2",
    "Discrepancy",
    "DiscrepancyKind",
    "Expression2005",
    "EyeCentres",
    "EyeColour",
    "FaceImageType2005",
    "FaceImageType2011",
    "FacialRecord",
    "Gender",
    "HairColour",
    "ImageDataType2005",
    "ImageDataType2011",
    "Landmark",
    "LandmarkType",
    "PoseCode",
    "PoseDegrees",
    "PostAcquisition",
    "QualityBlock",
    "Record2005",
    "Record2011",
    "Record39794",
    "RecordMetadata",
    "RecordVersion",
    "Representation",
    "Representation2005",
    "Representation2011",
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
