"""The common view of the face of a 39794-5 record, and the names of the fields that the view lacks."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from matcher.records.capture_time import CaptureTime
from matcher.records.codes import (
    CaptureSource,
    EyeColour,
    FaceImageType2011,
    Gender,
    HairColour,
    LandmarkType,
)
from matcher.records.iso_39794.blocks import (
    AngleDataBlock,
    CaptureDevice2DBlock,
    CaptureDeviceBlock,
    IdentityMetadataBlock,
    ImageInformation2DBlock,
    LandmarkBlock,
    PoseAngleBlock,
    RepresentationBlock,
)
from matcher.records.iso_39794.codes import ColourSpace39794, FaceImageKind39794
from matcher.records.iso_39794.common_blocks import DateTimeBlock, RegistryIdBlock
from matcher.records.iso_39794.correspondence import (
    EXPRESSIONS,
    EYE_COLOURS,
    FEATURES,
    GENDERS,
    HAIR_COLOURS,
    MILLIMETRES,
    PROCESSING,
    SOURCES,
)
from matcher.records.iso_39794.landmark_codes import AnthropometricPoint, Mpeg4Point, point_code
from matcher.records.iso_39794.recognition import FORMAT_39794
from matcher.records.landmarks import Landmark, eye_centres
from matcher.records.pose import NO_POSE, PoseDegrees
from matcher.records.representation import Representation
from matcher.records.version_2011 import QualityBlock

__all__ = ["only_in_39794", "view_of_39794"]

_LARGEST: Final = 0xFFFF
_TALLEST: Final = 255
_BEST_SCORE: Final = 100
_FAILED_SCORE: Final = 0xFF
_NO_FORMAT: Final = -1
_NO_INFORMATION: Final = ImageInformation2DBlock(image_data_format=None)

_Flag = TypeVar("_Flag", bound=StrEnum)


def view_of_39794(face: RepresentationBlock) -> Representation:
    """Return the common view of the face of a 39794-5 record.

    Values outside the range of the standard count as not stated.

    Args:
        face: The face as coded.
    """
    information, device, identity = _parts(face)
    size, model = information.image_size, (face.capture_device or CaptureDeviceBlock()).model_id
    landmarks = tuple(point for one in face.landmarks or () if (point := _landmark(one)) is not None)
    moment = face.capture_date_time
    return Representation(
        standard=FORMAT_39794,
        position=1,
        width=None if size is None else size.width or None,
        height=None if size is None else size.height or None,
        face_image_type=FaceImageType2011.FULL_FRONTAL
        if information.face_image_kind == FaceImageKind39794.MRTD
        else FaceImageType2011.BASIC,
        image_data_type=_NO_FORMAT
        if information.image_data_format is None
        else information.image_data_format,
        colour_space=ColourSpace39794.UNKNOWN
        if information.image_colour_space is None
        else information.image_colour_space,
        source=CaptureSource.UNSPECIFIED
        if device.technology_id is None
        else SOURCES.get(device.technology_id, CaptureSource.UNSPECIFIED),
        device_vendor=model.organization if model is not None and _registered(model) else None,
        device_type=model.id if model is not None and _registered(model) else None,
        gender=GENDERS.get(identity.gender or 0, Gender.UNSPECIFIED),
        eye_colour=EyeColour.UNSPECIFIED
        if identity.eye_colour is None
        else EYE_COLOURS.get(identity.eye_colour, EyeColour.UNSPECIFIED),
        hair_colour=HairColour.UNSPECIFIED
        if identity.hair_colour is None
        else HAIR_COLOURS.get(identity.hair_colour, HairColour.UNSPECIFIED),
        features=_flags(identity.properties, FEATURES),
        expressions=_flags(identity.expression, EXPRESSIONS) or None,
        pose=_pose(identity.pose_angle),
        landmarks=landmarks,
        eye_centres=eye_centres(landmarks),
        capture_time=None if moment is None else _capture_time(moment),
        subject_height=_centimetres(identity.subject_height),
        quality=_quality(face),
        sampling_rate_level=None,
        post_acquisition=_flags(information.post_acquisition_processing, PROCESSING),
        cross_reference=None,
        three_d_bytes=0,
        block_39794=face,
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


def _registered(block: RegistryIdBlock) -> bool:
    return all(1 <= number <= _LARGEST for number in (block.organization, block.id))


def _flags(block: object | None, fields: Mapping[str, _Flag]) -> frozenset[_Flag] | None:
    if block is None:
        return None
    return frozenset(flag for name, flag in fields.items() if getattr(block, name))


def _pose(block: PoseAngleBlock | None) -> PoseDegrees:
    if block is None:
        return NO_POSE
    yaw, pitch, roll = (_angle(one) for one in (block.yaw_angle, block.pitch_angle, block.roll_angle))
    return PoseDegrees(yaw[0], pitch[0], roll[0], yaw[1], pitch[1], roll[1])


def _angle(block: AngleDataBlock | None) -> tuple[float | None, float | None]:
    if block is None or not -180 <= block.angle_value <= 180:
        return None, None
    uncertainty = block.angle_uncertainty
    return float(block.angle_value), (
        None if uncertainty is None or not 0 <= uncertainty <= 180 else float(uncertainty)
    )


def _landmark(block: LandmarkBlock) -> Landmark | None:
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
    unknown = CaptureTime()
    parts = (block.month, block.day, block.hour, block.minute, block.second, block.millisecond)
    others = (
        unknown.month,
        unknown.day,
        unknown.hour,
        unknown.minute,
        unknown.second,
        unknown.millisecond,
    )
    return CaptureTime(
        block.year, *(other if part is None else part for part, other in zip(parts, others, strict=True))
    )


def _centimetres(millimetres: int | None) -> int | None:
    if millimetres is None:
        return None
    height = round(millimetres / MILLIMETRES)
    return height if 1 <= height <= _TALLEST else None


def _quality(face: RepresentationBlock) -> tuple[QualityBlock, ...]:
    found = []
    for block in face.quality or ():
        score = block.score_or_error.score
        if _registered(block.algorithm_id) and (score is None or 0 <= score <= _BEST_SCORE):
            coded = _FAILED_SCORE if score is None else score
            found.append(QualityBlock(coded, block.algorithm_id.organization, block.algorithm_id.id))
    return tuple(found)
