"""Reads and writes facial records, which may contain a trusted image.

ISO/IEC 19794-5:2005 (``010``) and :2011 (``030``) are supported, bare or in the ICAO DG2. ISO/IEC 39794-5 is
recognised and refused. Start with ``open_trusted_image`` for reading and ``build_record`` for writing.
docs/trusted_images.md lists which errors of real records are tolerated.
"""

from matcher.records.building import FacialRecord, build_record, serialise, wrap_in_dg2
from matcher.records.capture_time import CaptureTime
from matcher.records.contents import Container, Representations, TrustedImageContent, open_trusted_image
from matcher.records.dg2 import BiometricBlock, Dg2
from matcher.records.discrepancies import Discrepancy, DiscrepancyKind
from matcher.records.landmarks import EyeCentres, Landmark
from matcher.records.metadata import RecordMetadata, RecordVersion, fitted, metadata_of
from matcher.records.pose import PoseCode, PoseDegrees
from matcher.records.representation import Representation, representations_of
from matcher.records.version_2005 import Record2005, Representation2005
from matcher.records.version_2011 import QualityBlock, Record2011, Representation2011

__all__ = [
    "BiometricBlock",
    "CaptureTime",
    "Container",
    "Dg2",
    "Discrepancy",
    "DiscrepancyKind",
    "EyeCentres",
    "FacialRecord",
    "Landmark",
    "PoseCode",
    "PoseDegrees",
    "QualityBlock",
    "Record2005",
    "Record2011",
    "RecordMetadata",
    "RecordVersion",
    "Representation",
    "Representation2005",
    "Representation2011",
    "Representations",
    "TrustedImageContent",
    "build_record",
    "fitted",
    "metadata_of",
    "open_trusted_image",
    "representations_of",
    "serialise",
    "wrap_in_dg2",
]
