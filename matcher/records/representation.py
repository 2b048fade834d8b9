"""The common view of one face of a record, independent of the version's layout."""

from dataclasses import dataclass
from typing import Final

from matcher.records.capture_time import CaptureTime
from matcher.records.codes import Expression, Feature, PostAcquisition
from matcher.records.iso_39794.blocks import RepresentationBlock
from matcher.records.landmarks import EyeCentres, Landmark
from matcher.records.pose import PoseDegrees
from matcher.records.version_2011 import QualityBlock

__all__ = ["STANDARD_19794", "Representation"]

STANDARD_19794: Final = "ISO/IEC 19794-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """A record's declarations about one face. Codes are members of the enumerations in ``codes`` if named.

    A value of a 39794-5 record that those enumerations lack is "unspecified" here; ``block_39794`` has it.

    Attributes:
        standard: The standard of the record, such as ``"ISO/IEC 19794-5"``.
        position: Number of the face in the record, from 1.
        width: Declared width in pixels; None if the record states none, or 0.
        height: Declared height in pixels; None if the record states none, or 0.
        face_image_type: ``codes.FaceImageType2005`` or ``codes.FaceImageType2011``.
        image_data_type: ``codes.ImageDataType2005``, ``codes.ImageDataType2011`` or
            ``iso_39794.codes.ImageDataFormat39794``.
        colour_space: ``codes.ColourSpace2005``, ``codes.ColourSpace2011`` or
            ``iso_39794.codes.ColourSpace39794``.
        source: ``codes.CaptureSource``.
        device_vendor: Number of the capture device's vendor; None unless given (2011).
        device_type: The vendor's number of the device; None unless given.
        gender: ``codes.Gender``.
        eye_colour: ``codes.EyeColour``.
        hair_colour: ``codes.HairColour``.
        features: The features of the mask; None if none is specified.
        expressions: The expressions; None if none, or none that the standard names, is specified.
        pose: The pose; None for each angle that is not given.
        landmarks: All points.
        eye_centres: The points 12.1 and 12.2; None unless both are given.
        capture_time: Time at which the image was taken; None unless given (2011).
        subject_height: Height of the person in centimetres; None unless given (2011).
        quality: Quality blocks (2011).
        sampling_rate_level: Spatial sampling rate level, 0..7 (2011); None in a 2005 record.
        post_acquisition: Processing of the image (2011); None if there was none, or if it is not stated.
        cross_reference: Number, from 1, of the representation from which this one was made; None for none.
        three_d_bytes: Length of the 3-D data after the image (2011).
        block_39794: The block with every field (39794-5 only).
    """

    standard: str
    position: int
    width: int | None
    height: int | None
    face_image_type: int
    image_data_type: int
    colour_space: int
    source: int
    device_vendor: int | None
    device_type: int | None
    gender: int
    eye_colour: int
    hair_colour: int
    features: frozenset[Feature] | None
    expressions: frozenset[Expression] | None
    pose: PoseDegrees
    landmarks: tuple[Landmark, ...]
    eye_centres: EyeCentres | None
    capture_time: CaptureTime | None
    subject_height: int | None
    quality: tuple[QualityBlock, ...]
    sampling_rate_level: int | None
    post_acquisition: frozenset[PostAcquisition] | None
    cross_reference: int | None
    three_d_bytes: int
    block_39794: RepresentationBlock | None = None
