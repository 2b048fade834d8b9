"""Converts ISO/IEC 39794-5 records to the view that all versions share, and metadata to new records.

The tables name the codes and fields of ISO/IEC 39794-5 and 19794-5 that mean the same; values without a
counterpart are in no table. A 39794-5 record states heights in millimetres.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

from formats.image_format import ImageFormat, ImageHeader
from matcher.errors import RecordInvalid
from matcher.records.codes import (
    CaptureSource,
    Expression,
    EyeColour,
    FaceImageType2011,
    Feature,
    Gender,
    HairColour,
    LandmarkType,
    PostAcquisition,
    colour_space_of,
)
from matcher.records.iso_39794.blocks import (
    AngleDataBlock,
    AnthropometricLandmark,
    AnthropometricPoint,
    CaptureDevice2DBlock,
    CaptureDeviceBlock,
    CaptureTechnology39794,
    ColourSpace39794,
    CoordinateCartesian2DBlock,
    DateTimeBlock,
    ExpressionBlock,
    EyeColour39794,
    FaceImageKind39794,
    Gender39794,
    HairColour39794,
    IdentityMetadataBlock,
    ImageDataFormat39794,
    ImageInformation2DBlock,
    ImageRepresentation2DBlock,
    ImageSizeBlock,
    LandmarkBlock,
    LandmarkCoordinates,
    LandmarkKind,
    Mpeg4Point,
    PoseAngleBlock,
    PostAcquisitionProcessingBlock,
    PropertiesBlock,
    QualityBlock39794,
    RegistryIdBlock,
    RepresentationBlock,
    ScoreOrError,
    ScoringError39794,
    point_code,
)
from matcher.records.iso_39794.record import FORMAT_39794, Record39794, excluded_values
from matcher.records.metadata import RecordMetadata, Representation, metadata_of
from matcher.records.values import (
    BEST_SCORE,
    FAILED_SCORE,
    NO_POSE,
    CaptureTime,
    Landmark,
    PoseDegrees,
    QualityBlock,
    eye_centres,
)

# Detects whether a JPEG 2000 code stream is coded without loss, which a 2011 record declares.
#
# Source: ISO/IEC 15444-1, annex A.

_START: Final = b"\xff\x4f\xff\x51"
_COD: Final = 0xFF52
_START_OF_TILE: Final = 0xFF90
_TRANSFORMATION: Final = 11
"""Offset of the transformation behind the marker segment's length field."""
_REVERSIBLE: Final = 1
_MOST_SEGMENTS: Final = 64


def is_reversible(image: bytes) -> bool:
    """Return True if the main header names the reversible 5-3 transformation, the only one without loss.

    A stream that is cut to fewer layers is lossy too, but its header does not state it.

    Args:
        image: A JP2 file or a code stream; other bytes give False.
    """
    start = image.find(_START)
    position = start + 2
    if start < 0:
        return False
    for _ in range(_MOST_SEGMENTS):
        marker = int.from_bytes(image[position : position + 2], "big")
        length = int.from_bytes(image[position + 2 : position + 4], "big")
        if marker == _COD:
            transformation = image[position + 2 + _TRANSFORMATION : position + 3 + _TRANSFORMATION]
            return transformation == bytes([_REVERSIBLE])
        if marker == _START_OF_TILE or length < 2:
            return False
        position += 2 + length
    return False


_MILLIMETRES: Final = 10
"""A centimetre of 19794-5 in units of 39794-5."""

GENDERS: Final[Mapping[int, Gender]] = MappingProxyType(
    {Gender39794.MALE: Gender.MALE, Gender39794.FEMALE: Gender.FEMALE}
)
EYE_COLOURS: Final[Mapping[int, EyeColour]] = MappingProxyType(
    {code: EyeColour[code.name] for code in EyeColour39794 if code.name in EyeColour.__members__}
)
HAIR_COLOURS: Final[Mapping[int, HairColour]] = MappingProxyType(
    {code: HairColour[code.name] for code in HairColour39794 if code.name in HairColour.__members__}
)
SOURCES: Final[Mapping[int, CaptureSource]] = MappingProxyType(
    {code: CaptureSource[code.name] for code in CaptureTechnology39794}
)
FEATURES: Final[Mapping[str, Feature]] = MappingProxyType(
    {
        "glasses": Feature.GLASSES,
        "moustache": Feature.MOUSTACHE,
        "beard": Feature.BEARD,
        "teeth_visible": Feature.TEETH_VISIBLE,
        "pupil_or_iris_not_visible": Feature.BLINK,
        "mouth_open": Feature.MOUTH_OPEN,
        "left_eye_patch": Feature.LEFT_EYE_PATCH,
        "right_eye_patch": Feature.RIGHT_EYE_PATCH,
        "dark_glasses": Feature.DARK_GLASSES,
        "head_coverings_present": Feature.HEAD_COVERING,
    }
)
"""Fields of ``PropertiesBlock``."""
_EXPRESSIONS: Final[Mapping[str, Expression]] = MappingProxyType(
    {
        "neutral": Expression.NEUTRAL,
        "smile": Expression.SMILE,
        "raised_eyebrows": Expression.RAISED_EYEBROWS,
        "eyes_looking_away_from_the_camera": Expression.EYES_LOOKING_AWAY,
        "squinting": Expression.SQUINTING,
        "frowning": Expression.FROWNING,
    }
)
"""Fields of ``ExpressionBlock``."""
_PROCESSING: Final[Mapping[str, PostAcquisition]] = MappingProxyType(
    {
        "rotated": PostAcquisition.ROTATED,
        "cropped": PostAcquisition.CROPPED,
        "down_sampled": PostAcquisition.DOWN_SAMPLED,
        "white_balance_adjusted": PostAcquisition.WHITE_BALANCE_ADJUSTED,
        "multiply_compressed": PostAcquisition.MULTIPLY_COMPRESSED,
        "interpolated": PostAcquisition.INTERPOLATED,
        "contrast_stretched": PostAcquisition.CONTRAST_STRETCHED,
        "pose_corrected": PostAcquisition.POSE_CORRECTED,
        "multi_view_image": PostAcquisition.MULTI_VIEW,
        "age_progressed": PostAcquisition.AGE_PROCESSED,
        "super_resolution_processed": PostAcquisition.SUPER_RESOLUTION,
    }
)
"""Fields of ``PostAcquisitionProcessingBlock``."""
POINTS: Final[Mapping[tuple[int, int], Mpeg4Point | AnthropometricPoint]] = MappingProxyType(
    {(LandmarkType.MPEG_4, point_code(point)): point for point in Mpeg4Point}
    | {(LandmarkType.ANTHROPOMETRIC_2D, point_code(point)): point for point in AnthropometricPoint}
)
"""Points by the type and the code of a landmark in a 19794-5 record."""

_LARGEST: Final = 0xFFFF
_TALLEST: Final = 255
_NO_FORMAT: Final = -1
_NO_INFORMATION: Final = ImageInformation2DBlock(image_data_format=None)
FORMATS_39794: Final[Mapping[ImageFormat, int]] = MappingProxyType(
    {
        ImageFormat.JPEG: ImageDataFormat39794.JPEG,
        ImageFormat.JP2: ImageDataFormat39794.JPEG_2000_LOSSY,
        ImageFormat.J2K: ImageDataFormat39794.JPEG_2000_LOSSY,
    }
)
"""The image data format of each format of an image that a record holds."""
_JPEG_2000: Final = frozenset({ImageDataFormat39794.JPEG_2000_LOSSY, ImageDataFormat39794.JPEG_2000_LOSSLESS})
_NEW: Final = RepresentationBlock(representation_id=0, image_representation=None)
_SHOWN: Final = 5

_Block = TypeVar(
    "_Block", RepresentationBlock, ImageInformation2DBlock, CaptureDevice2DBlock, IdentityMetadataBlock
)


@dataclass(frozen=True, slots=True)
class _Counterpart:
    """A field of a block, and the value of the common view and of the metadata that means the same.

    Attributes:
        read: Gives the value for what the field states.
        write: Gives what the field states for the value; its second argument is what it stated before.
    """

    field: str
    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], Any]


def _coded(field: str, name: str, table: Mapping[int, IntEnum], absent: IntEnum) -> _Counterpart:
    """Make the counterpart of a code; ``absent`` stands for one that ``table`` lacks, and for none."""
    codes: dict[IntEnum, int | None] = {absent: None} | {value: code for code, value in table.items()}

    def write(value: IntEnum, _: object) -> int | None:
        if value not in codes:
            raise RecordInvalid(f"a 39794-5 record has no code for this {name}: {value.name}")
        return codes[value]

    return _Counterpart(field, name, lambda code: table.get(code, absent), write)


def _stated(flags: Mapping[str, StrEnum], block: object | None) -> frozenset[StrEnum] | None:
    return None if block is None else frozenset(flag for name, flag in flags.items() if getattr(block, name))


def _flagged(field: str, name: str, type_: type[object], flags: Mapping[str, StrEnum]) -> _Counterpart:
    """Make the counterpart of flags: all are stated, as set or not set, or none is."""

    def write(stated: frozenset[StrEnum] | None, _: object) -> object | None:
        return None if stated is None else type_(**{name: flag in stated for name, flag in flags.items()})

    return _Counterpart(field, name, partial(_stated, flags), write)


def _processing(
    done: frozenset[PostAcquisition] | None, old: PostAcquisitionProcessingBlock | None
) -> PostAcquisitionProcessingBlock | None:
    if done is None:
        return None
    flags = {name: True for name, flag in _PROCESSING.items() if flag in done}
    return replace(old or PostAcquisitionProcessingBlock(), **flags)


def _centimetres(millimetres: int | None) -> int | None:
    if millimetres is None:
        return None
    height = round(millimetres / _MILLIMETRES)
    return height if 1 <= height <= _TALLEST else None


def _millimetres(centimetres: int | None, _: object) -> int | None:
    return None if centimetres is None else centimetres * _MILLIMETRES


def _pose_of(block: PoseAngleBlock | None) -> PoseDegrees:
    if block is None:
        return NO_POSE
    yaw, pitch, roll = (_angle_of(one) for one in (block.yaw_angle, block.pitch_angle, block.roll_angle))
    return PoseDegrees(yaw[0], pitch[0], roll[0], yaw[1], pitch[1], roll[1])


def _angle_of(block: AngleDataBlock | None) -> tuple[float | None, float | None]:
    if block is None or not -180 <= block.angle_value <= 180:
        return None, None
    uncertainty = block.angle_uncertainty
    return float(block.angle_value), (
        None if uncertainty is None or not 0 <= uncertainty <= 180 else float(uncertainty)
    )


def _pose(pose: PoseDegrees, _: object) -> PoseAngleBlock | None:
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


def _registered(block: RegistryIdBlock) -> bool:
    return all(1 <= number <= _LARGEST for number in (block.organization, block.id))


def _quality_of(blocks: tuple[QualityBlock39794, ...] | None) -> tuple[QualityBlock, ...]:
    found = []
    for block in blocks or ():
        score = block.score_or_error.score
        if _registered(block.algorithm_id) and (score is None or 0 <= score <= BEST_SCORE):
            coded = FAILED_SCORE if score is None else score
            found.append(QualityBlock(coded, block.algorithm_id.organization, block.algorithm_id.id))
    return tuple(found)


def _quality(blocks: tuple[QualityBlock, ...], _: object) -> tuple[QualityBlock39794, ...] | None:
    failed = ScoreOrError(error=ScoringError39794.FAILURE_TO_ASSESS)
    return (
        tuple(
            QualityBlock39794(
                algorithm_id=RegistryIdBlock(organization=one.algorithm_vendor, id=one.algorithm),
                score_or_error=failed if one.score == FAILED_SCORE else ScoreOrError(score=one.score),
            )
            for one in blocks
        )
        or None
    )


_COUNTERPARTS: Final[Mapping[type[Any], tuple[_Counterpart, ...]]] = MappingProxyType(
    {
        IdentityMetadataBlock: (
            _coded("gender", "gender", GENDERS, Gender.UNSPECIFIED),
            _coded("eye_colour", "eye_colour", EYE_COLOURS, EyeColour.UNSPECIFIED),
            _coded("hair_colour", "hair_colour", HAIR_COLOURS, HairColour.UNSPECIFIED),
            _Counterpart("subject_height", "subject_height", _centimetres, _millimetres),
            _flagged("properties", "features", PropertiesBlock, FEATURES),
            replace(
                _flagged("expression", "expressions", ExpressionBlock, _EXPRESSIONS),
                read=lambda block: _stated(_EXPRESSIONS, block) or None,
            ),
            _Counterpart("pose_angle", "pose", _pose_of, _pose),
        ),
        ImageInformation2DBlock: (
            _coded(
                "face_image_kind",
                "face_image_type",
                {FaceImageKind39794.MRTD: FaceImageType2011.FULL_FRONTAL},
                FaceImageType2011.BASIC,
            ),
            _Counterpart(
                "post_acquisition_processing", "post_acquisition", partial(_stated, _PROCESSING), _processing
            ),
        ),
        RepresentationBlock: (_Counterpart("quality", "quality", _quality_of, _quality),),
        CaptureDevice2DBlock: (_coded("technology_id", "source", SOURCES, CaptureSource.UNSPECIFIED),),
    }
)
"""The fields of each block that the view and the metadata have too."""


def view_of_39794(face: RepresentationBlock) -> Representation:
    """Return the common view of the face of a 39794-5 record.

    Values outside the range of the standard count as not stated.
    """
    information, device, identity = _parts(face)
    size, model = information.image_size, (face.capture_device or CaptureDeviceBlock()).model_id
    landmarks = tuple(point for one in face.landmarks or () if (point := _landmark_of(one)) is not None)
    moment = face.capture_date_time
    return Representation(
        standard=FORMAT_39794,
        position=1,
        width=None if size is None else size.width or None,
        height=None if size is None else size.height or None,
        image_data_type=_NO_FORMAT
        if information.image_data_format is None
        else information.image_data_format,
        colour_space=ColourSpace39794.UNKNOWN
        if information.image_colour_space is None
        else information.image_colour_space,
        device_vendor=model.organization if model is not None and _registered(model) else None,
        device_type=model.id if model is not None and _registered(model) else None,
        landmarks=landmarks,
        eye_centres=eye_centres(landmarks),
        capture_time=None if moment is None else _capture_time(moment),
        block_39794=face,
        **{
            one.name: one.read(getattr(block, one.field))
            for block in (face, information, device, identity)
            for one in _COUNTERPARTS[type(block)]
        },
    )


def only_in_39794(face: RepresentationBlock) -> tuple[str, ...]:
    """Return the names of the stated values that the common view, and so a 19794-5 record, cannot hold."""
    information, device, identity = _parts(face)
    properties, processing = identity.properties, information.post_acquisition_processing
    moment, maker = face.capture_date_time, face.capture_device
    view = view_of_39794(face)
    stated = {
        "gender": identity.gender is not None and view.gender == Gender.UNSPECIFIED,
        "eye colour": identity.eye_colour is not None and view.eye_colour == EyeColour.UNSPECIFIED,
        "hair colour": identity.hair_colour is not None and view.hair_colour == HairColour.UNSPECIFIED,
        "height of the person": identity.subject_height is not None and view.subject_height is None,
        "absent biometric": properties is not None and properties.biometric_absent,
        "normalisation": processing is not None and processing.normalised,
        "lossy transformations": information.lossy_transformation_attempts is not None,
        "camera distance": information.camera_to_subject_distance is not None,
        "sensor diagonal": information.sensor_diagonal is not None,
        "focal length": information.lens_focal_length is not None,
        "face measurements": information.image_face_measurements is not None,
        "reference colours": information.reference_colour_mapping is not None,
        "spectral range": device.spectral is not None,
        "certificates of the device": maker is not None and maker.certification_ids is not None,
        "time of capture": moment is not None and _capture_time(moment).utc is None,
        "PAD data": face.pad_data is not None,
        "session": face.session_id is not None,
        "origin": face.derived_from is not None,
        "other landmarks": len(face.landmarks or ()) > len(view.landmarks),
        "other quality scores": len(face.quality or ()) > len(view.quality),
    }
    return tuple(name for name, given in stated.items() if given)


def _parts(
    face: RepresentationBlock,
) -> tuple[ImageInformation2DBlock, CaptureDevice2DBlock, IdentityMetadataBlock]:
    picture = face.image_representation
    information = _NO_INFORMATION if picture is None else picture.image_information
    device = None if picture is None else picture.capture_device
    return (
        information,
        device or CaptureDevice2DBlock(),
        face.identity_metadata or IdentityMetadataBlock(),
    )


def _landmark_of(block: LandmarkBlock) -> Landmark | None:
    """Return a point of the image that a 19794-5 record could name; None for the others."""
    kind, coordinates = block.landmark_kind, block.landmark_coordinates
    place = None if coordinates is None else coordinates.cartesian_2d
    if kind is None or place is None or not (0 <= place.x <= _LARGEST and 0 <= place.y <= _LARGEST):
        return None
    if isinstance(kind.mpeg4_feature_point, Mpeg4Point):
        return Landmark(LandmarkType.MPEG_4, point_code(kind.mpeg4_feature_point), place.x, place.y)
    named = None if kind.anthropometric_landmark is None else kind.anthropometric_landmark.point_name
    if isinstance(named, AnthropometricPoint):
        return Landmark(LandmarkType.ANTHROPOMETRIC_2D, point_code(named), place.x, place.y)
    return None


def _capture_time(block: DateTimeBlock) -> CaptureTime:
    return CaptureTime(**{name: part for name, part in asdict(block).items() if part is not None})


def build_39794(image: bytes, header: ImageHeader, known: RecordMetadata) -> Record39794:
    """Make a record.

    The image, whose format is one of ``FORMATS_39794``, is stored unchanged. If the metadata come from a
    39794-5 record, its other fields are copied from it.

    Raises:
        RecordInvalid: A value has no field or does not fit into it.
    """
    block = known.block_39794 or _NEW
    # Values that the metadata have not changed keep the form in which the record stated them.
    before = RecordMetadata() if known.block_39794 is None else metadata_of(view_of_39794(block))
    record = Record39794(
        representation=replace(
            _changed(block, known, before),
            image_representation=_picture(image, header, known, before, block),
            capture_date_time=block.capture_date_time
            if known.capture_time == before.capture_time
            else _date_time(known.capture_time),
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
        _changed(information, known, before),
        image_data_format=format_,
        # Of another encoding of the image the number of lossy steps is not known.
        lossy_transformation_attempts=information.lossy_transformation_attempts if same else None,
        image_size=ImageSizeBlock(width=header.width, height=header.height),
        image_colour_space=colour_space_of(header, ColourSpace39794),
    )
    device = CaptureDevice2DBlock() if old is None or old.capture_device is None else old.capture_device
    device = _changed(device, known, before)
    return ImageRepresentation2DBlock(
        representation_data=image,
        image_information=information,
        capture_device=None if device == CaptureDevice2DBlock() else device,
    )


def _date_time(moment: datetime | None) -> DateTimeBlock | None:
    if moment is None:
        return None
    return DateTimeBlock(**asdict(CaptureTime.of_datetime(moment)))


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
    block = _changed(old or IdentityMetadataBlock(), known, before)
    return None if old is None and block == IdentityMetadataBlock() else block


def _changed(block: _Block, known: RecordMetadata, before: RecordMetadata) -> _Block:
    """Return the block with the fields that the metadata state differently than the record did."""
    fields = {
        one.field: one.write(getattr(known, one.name), getattr(block, one.field))
        for one in _COUNTERPARTS[type(block)]
        if getattr(known, one.name) != getattr(before, one.name)
    }
    return replace(block, **fields)


def _landmarks(known: RecordMetadata) -> tuple[LandmarkBlock, ...] | None:
    return tuple(_landmark(point) for point in known.points) or None


def _landmark(point: Landmark) -> LandmarkBlock:
    named = POINTS[point.type, point.code]
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
