"""The part of an image's metadata that a record of each version can hold."""

from dataclasses import replace
from typing import Final

from matcher.records.codes import (
    FEATURE_BITS_2005,
    CaptureSource,
    Expression,
    EyeColour,
    FaceImageType2011,
    Gender,
    HairColour,
    LandmarkType,
)
from matcher.records.iso_39794.correspondence import FEATURES, GENDERS, HAIR_COLOURS, POINTS
from matcher.records.iso_39794.record import Record39794, excluded_values
from matcher.records.iso_39794.view import only_in_39794
from matcher.records.landmarks import Landmark
from matcher.records.metadata import RecordMetadata, RecordVersion

__all__ = ["fitted"]

_SMILES: Final = frozenset({Expression.SMILE_CLOSED, Expression.SMILE_OPEN})
_BEST_SCORE: Final = 100
_FAILED_SCORE: Final = 0xFF


def fitted(metadata: RecordMetadata, version: RecordVersion) -> tuple[RecordMetadata, tuple[str, ...]]:
    """Return the part of ``metadata`` that a version can hold, and the names of the rest in words.

    Args:
        metadata: The metadata.
        version: The version of the record.
    """
    if version is RecordVersion.ISO_39794_5:
        return _fitted_39794(metadata)
    known = metadata
    lost: tuple[str, ...] = ()
    if metadata.block_39794 is not None:
        known, lost = replace(metadata, block_39794=None), only_in_39794(metadata.block_39794)
    fitting, left_out = (
        _fitted_2011(known) if version is RecordVersion.ISO_19794_5_2011 else _fitted_2005(known)
    )
    return fitting, (*left_out, *lost)


def _fitted_2011(metadata: RecordMetadata) -> tuple[RecordMetadata, tuple[str, ...]]:
    expressions = _one_smile(metadata.expressions)
    source = metadata.source
    if source is CaptureSource.UNKNOWN:
        source = CaptureSource.UNSPECIFIED
    # The other code for "unknown" belongs to 2005 records.
    gender = Gender.UNKNOWN if metadata.gender is Gender.UNKNOWN_3 else metadata.gender
    eyes = _eye_colour(metadata.eye_colour)
    return replace(metadata, expressions=expressions, source=source, gender=gender, eye_colour=eyes), ()


def _fitted_2005(metadata: RecordMetadata) -> tuple[RecordMetadata, tuple[str, ...]]:
    left_out = [
        what
        for what, value in (
            ("capture time", metadata.capture_time),
            ("device vendor", metadata.device_vendor),
            ("height of the person", metadata.subject_height),
            ("quality scores", metadata.quality),
            ("post-acquisition processing", metadata.post_acquisition),
        )
        if value
    ]
    known = frozenset(FEATURE_BITS_2005.values())
    features = None if metadata.features is None else metadata.features & known
    if features != metadata.features:
        left_out.append("head covering")
    expressions = metadata.expressions
    if expressions is not None and (len(expressions) > 1 or Expression.SMILE in expressions):
        left_out.append("expressions")
        expressions = None
    landmarks = tuple(
        Landmark(point.type, point.code, point.x, point.y)
        for point in metadata.landmarks
        if point.type == LandmarkType.MPEG_4
    )
    if len(landmarks) != len(metadata.landmarks):
        left_out.append("anthropometric landmarks")
    face_type = metadata.face_image_type
    if face_type > FaceImageType2011.TOKEN_FRONTAL:
        left_out.append("face image type")
        face_type = FaceImageType2011.BASIC
    fitting = replace(
        metadata,
        face_image_type=face_type,
        landmarks=landmarks,
        features=features,
        expressions=expressions,
        capture_time=None,
        device_vendor=0,
        subject_height=None,
        quality=(),
        head_width=0.0,
        post_acquisition=None,
    )
    return fitting, tuple(left_out)


def _fitted_39794(metadata: RecordMetadata) -> tuple[RecordMetadata, tuple[str, ...]]:
    left_out = []
    block = metadata.block_39794
    if block is not None and excluded_values(Record39794(representation=block)):
        left_out.append("what only 39794-5 records hold, because some of it is excluded by the standard")
        block = None
    landmarks = tuple(point for point in metadata.landmarks if (point.type, point.code) in POINTS)
    if len(landmarks) != len(metadata.landmarks):
        left_out.append("landmarks that it does not name")
    features = None if metadata.features is None else metadata.features & frozenset(FEATURES.values())
    if features != metadata.features:
        left_out.append("distorting condition")
    hair = metadata.hair_colour
    if hair not in {HairColour.UNSPECIFIED, *HAIR_COLOURS.values()}:
        left_out.append("hair colour")
        hair = HairColour.UNSPECIFIED
    device = (metadata.device_vendor, metadata.device_type)
    if any(device) and not all(device):
        left_out.append("device without vendor and number")
        device = (0, 0)
    quality = tuple(
        one
        for one in metadata.quality
        if one.algorithm_vendor and one.algorithm and (one.score <= _BEST_SCORE or one.score == _FAILED_SCORE)
    )
    if len(quality) != len(metadata.quality):
        left_out.append("quality scores without a registered algorithm")
    face_type = metadata.face_image_type
    if face_type > FaceImageType2011.FULL_FRONTAL:
        left_out.append("face image type")
        face_type = FaceImageType2011.BASIC
    fitting = replace(
        metadata,
        face_image_type=face_type,
        landmarks=landmarks,
        features=features,
        hair_colour=hair,
        gender=metadata.gender if metadata.gender in GENDERS.values() else Gender.UNSPECIFIED,
        eye_colour=_eye_colour(metadata.eye_colour),
        expressions=_one_smile(metadata.expressions),
        device_vendor=device[0],
        device_type=device[1],
        quality=quality,
        head_width=0.0,
        block_39794=block,
    )
    return fitting, tuple(left_out)


def _one_smile(expressions: frozenset[Expression] | None) -> frozenset[Expression] | None:
    if expressions and expressions & _SMILES:
        return (expressions - _SMILES) | {Expression.SMILE}
    return expressions


def _eye_colour(colour: EyeColour) -> EyeColour:
    # The other code for "unknown" belongs to 2005 records.
    return EyeColour.UNKNOWN if colour is EyeColour.UNKNOWN_8 else colour
