"""Which codes and fields of ISO/IEC 39794-5 and 19794-5 mean the same.

Values without a counterpart are in no table. A 39794-5 record states heights in millimetres.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from matcher.records.codes import (
    CaptureSource,
    Expression,
    EyeColour,
    Feature,
    Gender,
    HairColour,
    LandmarkType,
    PostAcquisition,
)
from matcher.records.iso_39794.codes import (
    CaptureTechnology39794,
    EyeColour39794,
    Gender39794,
    HairColour39794,
)
from matcher.records.iso_39794.landmark_codes import AnthropometricPoint, Mpeg4Point, point_code

__all__ = [
    "EXPRESSIONS",
    "EYE_COLOURS",
    "FEATURES",
    "GENDERS",
    "HAIR_COLOURS",
    "MILLIMETRES",
    "POINTS",
    "PROCESSING",
    "SOURCES",
]

MILLIMETRES: Final = 10
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
EXPRESSIONS: Final[Mapping[str, Expression]] = MappingProxyType(
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
PROCESSING: Final[Mapping[str, PostAcquisition]] = MappingProxyType(
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
