"""Makes the common view of a face from a record of each version."""

from typing import TypeAlias

from matcher.records import codes
from matcher.records.codes import Expression, flags_of, named
from matcher.records.iso_39794.blocks import RepresentationBlock
from matcher.records.iso_39794.record import Record39794
from matcher.records.iso_39794.view import view_of_39794
from matcher.records.landmarks import eye_centres
from matcher.records.representation import STANDARD_19794, Representation
from matcher.records.version_2005 import Record2005, Representation2005
from matcher.records.version_2011 import Record2011, Representation2011

__all__ = ["AnyRepresentation", "representation_of", "representations_of"]

AnyRepresentation: TypeAlias = Representation2005 | Representation2011 | RepresentationBlock
"""A face as coded, of any version."""


def representation_of(face: AnyRepresentation, *, position: int = 1) -> Representation:
    """Return the common view of one face.

    Args:
        face: The face as coded.
        position: Number of the face in its record, from 1.
    """
    if isinstance(face, RepresentationBlock):
        return view_of_39794(face)
    if isinstance(face, Representation2005):
        return _of_2005(face, position)
    return _of_2011(face, position)


def representations_of(record: Record2005 | Record2011 | Record39794) -> tuple[Representation, ...]:
    """Return the common view of every face of a record."""
    faces: tuple[AnyRepresentation, ...] = record.representations
    return tuple(representation_of(face, position=number) for number, face in enumerate(faces, start=1))


def _of_2005(face: Representation2005, position: int) -> Representation:
    expression = named(codes.Expression2005, face.expression)
    return Representation(
        standard=STANDARD_19794,
        position=position,
        width=face.width or None,
        height=face.height or None,
        face_image_type=named(codes.FaceImageType2005, face.face_image_type),
        image_data_type=named(codes.ImageDataType2005, face.image_data_type),
        colour_space=named(codes.ColourSpace2005, face.colour_space),
        source=named(codes.CaptureSource, face.source),
        device_vendor=None,
        device_type=face.device_type or None,
        gender=named(codes.Gender, face.gender),
        eye_colour=named(codes.EyeColour, face.eye_colour),
        hair_colour=named(codes.HairColour, face.hair_colour),
        features=flags_of(face.features, codes.FEATURE_BITS_2005),
        expressions=frozenset({Expression[expression.name]})
        if isinstance(expression, codes.Expression2005) and expression
        else None,
        pose=face.pose.degrees,
        landmarks=face.landmarks,
        eye_centres=eye_centres(face.landmarks),
        capture_time=None,
        subject_height=None,
        quality=(),
        sampling_rate_level=None,
        post_acquisition=None,
        cross_reference=None,
        three_d_bytes=0,
    )


def _of_2011(face: Representation2011, position: int) -> Representation:
    return Representation(
        standard=STANDARD_19794,
        position=position,
        width=face.width or None,
        height=face.height or None,
        face_image_type=named(codes.FaceImageType2011, face.face_image_type),
        image_data_type=named(codes.ImageDataType2011, face.image_data_type),
        colour_space=named(codes.ColourSpace2011, face.colour_space),
        source=named(codes.CaptureSource, face.source),
        device_vendor=face.device_vendor or None,
        device_type=face.device_type or None,
        gender=named(codes.Gender, face.gender),
        eye_colour=named(codes.EyeColour, face.eye_colour),
        hair_colour=named(codes.HairColour, face.hair_colour),
        features=flags_of(face.features, codes.FEATURE_BITS_2011),
        expressions=flags_of(face.expression, codes.EXPRESSION_BITS_2011) or None,
        pose=face.pose.degrees,
        landmarks=face.landmarks,
        eye_centres=eye_centres(face.landmarks),
        capture_time=face.capture_time if face.capture_time.given else None,
        subject_height=face.subject_height or None,
        quality=face.quality,
        sampling_rate_level=face.sampling_rate_level,
        post_acquisition=flags_of(face.post_acquisition, codes.POST_ACQUISITION_BITS),
        cross_reference=face.cross_reference or None,
        three_d_bytes=len(face.three_d),
    )
