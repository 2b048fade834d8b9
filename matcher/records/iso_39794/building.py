"""Makes a conformant 39794-5 record of an image and its metadata."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from formats.image_format import ImageFormat, ImageHeader
from matcher.errors import RecordInvalid
from matcher.records.codes import CaptureSource, EyeColour, FaceImageType2011, Gender, HairColour
from matcher.records.iso_39794.blocks import (
    AngleDataBlock,
    AnthropometricLandmark,
    CaptureDevice2DBlock,
    CaptureDeviceBlock,
    CoordinateCartesian2DBlock,
    ExpressionBlock,
    IdentityMetadataBlock,
    ImageInformation2DBlock,
    ImageRepresentation2DBlock,
    ImageSizeBlock,
    LandmarkBlock,
    LandmarkCoordinates,
    LandmarkKind,
    PoseAngleBlock,
    PostAcquisitionProcessingBlock,
    PropertiesBlock,
    RepresentationBlock,
)
from matcher.records.iso_39794.codes import (
    CaptureTechnology39794,
    ColourSpace39794,
    FaceImageKind39794,
    ImageDataFormat39794,
    ScoringError39794,
)
from matcher.records.iso_39794.common_blocks import (
    DateTimeBlock,
    QualityBlock39794,
    RegistryIdBlock,
    ScoreOrError,
)
from matcher.records.iso_39794.correspondence import (
    EXPRESSIONS,
    EYE_COLOURS,
    FEATURES,
    GENDERS,
    HAIR_COLOURS,
    MILLIMETRES,
    POINTS,
    PROCESSING,
    SOURCES,
)
from matcher.records.iso_39794.landmark_codes import Mpeg4Point
from matcher.records.iso_39794.record import Record39794, excluded_values
from matcher.records.iso_39794.view import view_of_39794
from matcher.records.jpeg_2000 import is_reversible
from matcher.records.landmarks import Landmark, eye_landmarks
from matcher.records.metadata import RecordMetadata, metadata_of
from matcher.records.pose import PoseDegrees

__all__ = ["FORMATS_39794", "build_39794"]

_Code = TypeVar("_Code", bound=int)

FORMATS_39794: Final[Mapping[ImageFormat, int]] = MappingProxyType(
    {
        ImageFormat.JPEG: ImageDataFormat39794.JPEG,
        ImageFormat.JP2: ImageDataFormat39794.JPEG_2000_LOSSY,
        ImageFormat.J2K: ImageDataFormat39794.JPEG_2000_LOSSY,
    }
)
"""The image data format of each format of an image that a record holds."""
_JPEG_2000: Final = frozenset({ImageDataFormat39794.JPEG_2000_LOSSY, ImageDataFormat39794.JPEG_2000_LOSSLESS})
_FAILED_SCORE: Final = 0xFF
_NEW: Final = RepresentationBlock(representation_id=0, image_representation=None)
_SHOWN: Final = 5


def build_39794(image: bytes, header: ImageHeader, known: RecordMetadata) -> Record39794:
    """Make a record.

    Args:
        image: The image file, which is stored unchanged.
        header: Its header; the format is one of ``FORMATS_39794``.
        known: The metadata. If they come from a 39794-5 record, its other fields are copied from it.

    Raises:
        RecordInvalid: A value has no field or does not fit into it.
    """
    block = known.block_39794 or _NEW
    # Values that the metadata have not changed keep the form in which the record stated them.
    before = RecordMetadata() if known.block_39794 is None else metadata_of(view_of_39794(block))
    record = Record39794(
        representation=replace(
            block,
            image_representation=_picture(image, header, known, before, block),
            capture_date_time=block.capture_date_time
            if known.capture_time == before.capture_time
            else _date_time(known.capture_time),
            quality=block.quality if known.quality == before.quality else _quality(known),
            capture_device=_device(known, before, block.capture_device),
            identity_metadata=_identity(known, before, block.identity_metadata),
            landmarks=block.landmarks
            if known.eyes is None and known.landmarks == before.landmarks
            else _landmarks(known),
        )
    )
    excluded = excluded_values(record)
    if excluded:
        shown = ", ".join(excluded[:_SHOWN])
        raise RecordInvalid(f"a 39794-5 record does not hold these values: {shown}")
    return record


def _picture(
    image: bytes,
    header: ImageHeader,
    known: RecordMetadata,
    before: RecordMetadata,
    block: RepresentationBlock,
) -> ImageRepresentation2DBlock:
    old = block.image_representation
    same = old is not None and old.representation_data == image
    information = ImageInformation2DBlock(image_data_format=None) if old is None else old.image_information
    format_ = FORMATS_39794[header.format]
    if same and information.image_data_format in _JPEG_2000 and format_ in _JPEG_2000:
        # A code stream does not state whether layers were cut off; its record does.
        format_ = information.image_data_format
    elif format_ in _JPEG_2000 and not known.lossy_jpeg_2000 and is_reversible(image):
        format_ = ImageDataFormat39794.JPEG_2000_LOSSLESS
    information = replace(
        information,
        image_data_format=format_,
        face_image_kind=information.face_image_kind
        if known.face_image_type == before.face_image_type
        else _kind(known.face_image_type),
        post_acquisition_processing=information.post_acquisition_processing
        if known.post_acquisition == before.post_acquisition
        else _processing(known, information.post_acquisition_processing),
        # Of another encoding of the image the number of lossy steps is not known.
        lossy_transformation_attempts=information.lossy_transformation_attempts if same else None,
        image_size=ImageSizeBlock(width=header.width, height=header.height),
        image_colour_space=_colour_space(header),
    )
    device = CaptureDevice2DBlock() if old is None or old.capture_device is None else old.capture_device
    if known.source != before.source:
        device = replace(device, technology_id=_technology(known.source))
    return ImageRepresentation2DBlock(
        representation_data=image,
        image_information=information,
        capture_device=None if device == CaptureDevice2DBlock() else device,
    )


def _kind(kind: FaceImageType2011) -> int | None:
    if kind > FaceImageType2011.FULL_FRONTAL:
        raise RecordInvalid(f"a 39794-5 record has no face image kind {kind.name}")
    return FaceImageKind39794.MRTD if kind is FaceImageType2011.FULL_FRONTAL else None


def _processing(
    known: RecordMetadata, old: PostAcquisitionProcessingBlock | None
) -> PostAcquisitionProcessingBlock | None:
    if known.post_acquisition is None:
        return None
    flags = {name: True for name, flag in PROCESSING.items() if flag in known.post_acquisition}
    return replace(old or PostAcquisitionProcessingBlock(), **flags)


def _technology(source: CaptureSource) -> int | None:
    if source is CaptureSource.UNKNOWN:
        return CaptureTechnology39794.UNKNOWN
    return None if source is CaptureSource.UNSPECIFIED else _coded(SOURCES, source)


def _colour_space(header: ImageHeader) -> int:
    deep = header.bits_per_channel > 8
    grey, colour = (
        (ColourSpace39794.GREY_16, ColourSpace39794.RGB_48)
        if deep
        else (ColourSpace39794.GREY_8, ColourSpace39794.RGB_24)
    )
    return {1: grey, 3: colour}.get(header.channels, ColourSpace39794.OTHER)


def _date_time(moment: datetime | None) -> DateTimeBlock | None:
    if moment is None:
        return None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return DateTimeBlock(
        year=aware.year,
        month=aware.month,
        day=aware.day,
        hour=aware.hour,
        minute=aware.minute,
        second=aware.second,
        millisecond=aware.microsecond // 1000,
    )


def _quality(known: RecordMetadata) -> tuple[QualityBlock39794, ...] | None:
    return (
        tuple(
            QualityBlock39794(
                algorithm_id=RegistryIdBlock(organization=one.algorithm_vendor, id=one.algorithm),
                score_or_error=ScoreOrError(error=ScoringError39794.FAILURE_TO_ASSESS)
                if one.score == _FAILED_SCORE
                else ScoreOrError(score=one.score),
            )
            for one in known.quality
        )
        or None
    )


def _device(
    known: RecordMetadata, before: RecordMetadata, old: CaptureDeviceBlock | None
) -> CaptureDeviceBlock | None:
    numbers = (known.device_vendor, known.device_type)
    if numbers == (before.device_vendor, before.device_type):
        return old
    model = RegistryIdBlock(organization=numbers[0], id=numbers[1]) if any(numbers) else None
    block = replace(old or CaptureDeviceBlock(), model_id=model)
    return None if block == CaptureDeviceBlock() else block


def _identity(
    known: RecordMetadata, before: RecordMetadata, old: IdentityMetadataBlock | None
) -> IdentityMetadataBlock | None:
    block = old or IdentityMetadataBlock()
    block = IdentityMetadataBlock(
        gender=block.gender
        if known.gender == before.gender
        else None
        if known.gender is Gender.UNSPECIFIED
        else _coded(GENDERS, known.gender),
        eye_colour=block.eye_colour
        if known.eye_colour == before.eye_colour
        else None
        if known.eye_colour is EyeColour.UNSPECIFIED
        else _coded(EYE_COLOURS, known.eye_colour),
        hair_colour=block.hair_colour
        if known.hair_colour == before.hair_colour
        else None
        if known.hair_colour is HairColour.UNSPECIFIED
        else _coded(HAIR_COLOURS, known.hair_colour),
        subject_height=block.subject_height
        if known.subject_height == before.subject_height
        else known.subject_height and known.subject_height * MILLIMETRES,
        properties=block.properties
        if known.features == before.features
        else _flags(PropertiesBlock, known.features, FEATURES),
        expression=block.expression
        if known.expressions == before.expressions
        else _flags(ExpressionBlock, known.expressions, EXPRESSIONS),
        pose_angle=block.pose_angle if known.pose == before.pose else _pose(known.pose),
    )
    return None if old is None and block == IdentityMetadataBlock() else block


def _coded(table: Mapping[int, _Code], value: _Code) -> int:
    code = next((code for code, known in table.items() if known == value), None)
    if code is None:
        raise RecordInvalid(f"a 39794-5 record has no code for {value!r}")
    return code


_Block = TypeVar("_Block", PropertiesBlock, ExpressionBlock)
_Flag = TypeVar("_Flag", bound=StrEnum)


def _flags(block: type[_Block], flags: frozenset[_Flag] | None, fields: Mapping[str, _Flag]) -> _Block | None:
    """Return a block that states each flag as set or not set, and leaves fields without a counterpart out."""
    if flags is None:
        return None
    strange = flags - frozenset(fields.values())
    if strange:
        names = ", ".join(sorted(flag.value for flag in strange))
        raise RecordInvalid(f"a 39794-5 record has no field for {names}")
    return block(**{name: flag in flags for name, flag in fields.items()})


def _pose(pose: PoseDegrees) -> PoseAngleBlock | None:
    if not pose.given:
        return None
    return PoseAngleBlock(
        yaw_angle=_angle(pose.yaw, pose.yaw_uncertainty),
        pitch_angle=_angle(pose.pitch, pose.pitch_uncertainty),
        roll_angle=_angle(pose.roll, pose.roll_uncertainty),
    )


def _angle(degrees: float | None, uncertainty: float | None) -> AngleDataBlock | None:
    if degrees is None:
        return None
    return AngleDataBlock(
        angle_value=round(degrees),
        angle_uncertainty=None if uncertainty is None else math.ceil(uncertainty),
    )


def _landmarks(known: RecordMetadata) -> tuple[LandmarkBlock, ...] | None:
    points = known.landmarks if known.eyes is None else (*eye_landmarks(known.eyes), *known.landmarks)
    return tuple(_landmark(point) for point in points) or None


def _landmark(point: Landmark) -> LandmarkBlock:
    named = POINTS.get((point.type, point.code))
    if named is None:
        raise RecordInvalid(f"a 39794-5 record has no landmark {point.number} of type {point.type}")
    kind = (
        LandmarkKind(mpeg4_feature_point=named)
        if isinstance(named, Mpeg4Point)
        else LandmarkKind(anthropometric_landmark=AnthropometricLandmark(point_name=named))
    )
    return LandmarkBlock(
        landmark_kind=kind,
        landmark_coordinates=LandmarkCoordinates(
            cartesian_2d=CoordinateCartesian2DBlock(x=point.x, y=point.y)
        ),
    )
