"""The metadata of an image that is stored in a record."""

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
from matcher.records.iso_39794.blocks import RepresentationBlock
from matcher.records.iso_39794.codes import ImageDataFormat39794
from matcher.records.landmarks import EyeCentres, Landmark
from matcher.records.pose import NO_POSE, PoseDegrees
from matcher.records.representation import Representation
from matcher.records.version_2011 import QualityBlock

__all__ = ["RecordMetadata", "RecordVersion", "metadata_of"]

_Code = TypeVar("_Code", bound=IntEnum)
_LOSSY_JPEG_2000: Final = (ImageDataType2011.JPEG_2000_LOSSY, ImageDataFormat39794.JPEG_2000_LOSSY)
_OF_THE_PICTURE: Final[Mapping[int, FaceImageType2011]] = MappingProxyType(
    {
        FaceImageType2011.BASIC_3D: FaceImageType2011.BASIC,
        FaceImageType2011.FULL_FRONTAL_3D: FaceImageType2011.FULL_FRONTAL,
        FaceImageType2011.TOKEN_FRONTAL_3D: FaceImageType2011.TOKEN_FRONTAL,
    }
)


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
        landmarks: Further points.
        pose: Angles in degrees.
        gender: The person's gender.
        eye_colour: The person's eye colour.
        hair_colour: The person's hair colour.
        features: Features of the face; an empty set states that there are none, None that they are unknown.
        expressions: The expressions; a 2005 record holds at most one.
        source: Source of the image.
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


def metadata_of(view: Representation) -> RecordMetadata:
    """Return the metadata of a face in a record, for use in another record.

    Reserved codes, vendors' codes and 3-D data are omitted; the face image type becomes that of the image
    alone.

    Args:
        view: One face of a record that was read.
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
