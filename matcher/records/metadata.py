"""What a record states about a face: the view of one that was read, the metadata of one to be written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from matcher.records.codes import (
    SAMPLING_RATE_BOUNDS,
    CaptureSource,
    Expression,
    EyeColour,
    FaceImageType2011,
    Feature,
    Gender,
    HairColour,
    ImageDataType2011,
    PostAcquisition,
)
from matcher.records.iso_39794.blocks import ImageDataFormat39794, RepresentationBlock
from matcher.records.values import (
    NO_POSE,
    CaptureTime,
    EyeCentres,
    Landmark,
    PoseDegrees,
    QualityBlock,
    eye_landmarks,
)

STANDARD_19794: Final = "ISO/IEC 19794-5"
_Code = TypeVar("_Code", bound=IntEnum)
_LOSSY_JPEG_2000: Final = (ImageDataType2011.JPEG_2000_LOSSY, ImageDataFormat39794.JPEG_2000_LOSSY)
_OF_THE_PICTURE: Final[Mapping[int, FaceImageType2011]] = MappingProxyType(
    {
        FaceImageType2011.BASIC_3D: FaceImageType2011.BASIC,
        FaceImageType2011.FULL_FRONTAL_3D: FaceImageType2011.FULL_FRONTAL,
        FaceImageType2011.TOKEN_FRONTAL_3D: FaceImageType2011.TOKEN_FRONTAL,
    }
)


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
    device_vendor: int | None = None
    device_type: int | None
    gender: int
    eye_colour: int
    hair_colour: int
    features: frozenset[Feature] | None
    expressions: frozenset[Expression] | None
    pose: PoseDegrees
    landmarks: tuple[Landmark, ...]
    eye_centres: EyeCentres | None
    capture_time: CaptureTime | None = None
    subject_height: int | None = None
    quality: tuple[QualityBlock, ...] = ()
    sampling_rate_level: int | None = None
    post_acquisition: frozenset[PostAcquisition] | None = None
    cross_reference: int | None = None
    three_d_bytes: int = 0
    block_39794: RepresentationBlock | None = None


class RecordVersion(StrEnum):
    """The versions that are written."""

    ISO_19794_5_2005 = "ISO_19794_5_2005"
    ISO_19794_5_2011 = "ISO_19794_5_2011"
    ISO_39794_5 = "ISO_39794_5"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMetadata:
    """The metadata of an image in a record. A record states a field with its default as unspecified.

    Attributes:
        face_image_type: BASIC (the image follows no rules) or FULL_FRONTAL for all versions, TOKEN_FRONTAL
            for 2005 and 2011, the others for 2011 only.
        eyes: Positions of the eyes; they become the points 12.1 and 12.2.
        pose: Angles in degrees.
        features: Features of the face; an empty set states that there are none, None that they are unknown.
        expressions: The expressions; a 2005 record holds at most one.
        device_type: The vendor's number of the device, 0..65535.
        capture_time: Time at which it was taken (not 2005; such a record has no field for it and omits it).
        device_vendor: Number of the device's vendor (not 2005).
        subject_height: Height of the person in centimetres, 1..255 (not 2005).
        quality: Quality blocks, at most 255 (not 2005).
        head_width: Width of the head in pixels, for the spatial sampling rate level (2011 only).
        post_acquisition: Processing of the image (not 2005).
        lossy_jpeg_2000: Whether a record states that the JPEG 2000 lost information. A code stream does not
            state whether layers were cut off.
        block_39794: The block of the 39794-5 record from which the metadata come (39794-5 only). A new record
            keeps its fields, except those of the image and those that the metadata now state differently.
    """

    face_image_type: FaceImageType2011 = FaceImageType2011.BASIC
    eyes: EyeCentres | None = None
    landmarks: tuple[Landmark, ...] = ()
    pose: PoseDegrees = NO_POSE
    gender: Gender = Gender.UNSPECIFIED
    eye_colour: EyeColour = EyeColour.UNSPECIFIED
    hair_colour: HairColour = HairColour.UNSPECIFIED
    features: frozenset[Feature] | None = None
    expressions: frozenset[Expression] | None = None
    source: CaptureSource = CaptureSource.UNSPECIFIED
    device_type: int = 0
    capture_time: datetime | None = None
    device_vendor: int = 0
    subject_height: int | None = None
    quality: tuple[QualityBlock, ...] = ()
    head_width: float = 0.0
    post_acquisition: frozenset[PostAcquisition] | None = None
    lossy_jpeg_2000: bool = False
    block_39794: RepresentationBlock | None = None

    @property
    def points(self) -> tuple[Landmark, ...]:
        """The eyes and the further points."""
        return self.landmarks if self.eyes is None else (*eye_landmarks(self.eyes), *self.landmarks)


def metadata_of(view: Representation) -> RecordMetadata:
    """Return the metadata of a face in a record, for use in another record.

    Reserved codes, vendors' codes and 3-D data are omitted; the face image type becomes that of the image
    alone.
    """
    kind = _OF_THE_PICTURE.get(view.face_image_type, int(view.face_image_type))
    capture = view.capture_time
    level = view.sampling_rate_level or 0
    return RecordMetadata(
        face_image_type=_member(FaceImageType2011, kind, FaceImageType2011.BASIC)
        if view.sampling_rate_level is not None or kind <= FaceImageType2011.TOKEN_FRONTAL
        else FaceImageType2011.BASIC,
        landmarks=view.landmarks,
        pose=view.pose,
        gender=_member(Gender, view.gender, Gender.UNSPECIFIED),
        eye_colour=_member(EyeColour, view.eye_colour, EyeColour.UNSPECIFIED),
        hair_colour=_member(HairColour, view.hair_colour, HairColour.UNSPECIFIED),
        features=view.features,
        expressions=view.expressions,
        source=_member(CaptureSource, view.source, CaptureSource.UNSPECIFIED),
        device_type=view.device_type or 0,
        capture_time=None if capture is None else capture.utc,
        device_vendor=view.device_vendor or 0,
        subject_height=view.subject_height,
        quality=view.quality,
        head_width=float(SAMPLING_RATE_BOUNDS[level - 1]) if 1 <= level <= len(SAMPLING_RATE_BOUNDS) else 0.0,
        post_acquisition=view.post_acquisition,
        # Codes of two standards may be the same number.
        lossy_jpeg_2000=any(view.image_data_type is kind for kind in _LOSSY_JPEG_2000),
        block_39794=view.block_39794,
    )


def _member(kind: type[_Code], value: int, otherwise: _Code) -> _Code:
    try:
        return kind(value)
    except ValueError:
        return otherwise
