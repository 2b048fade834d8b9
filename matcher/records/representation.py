"""The common view of one face of a record, independent of the version's layout."""

from dataclasses import dataclass

from matcher.records import codes
from matcher.records.capture_time import CaptureTime
from matcher.records.codes import Expression, Feature, PostAcquisition, flags_of, named
from matcher.records.landmarks import EyeCentres, Landmark, eye_centres
from matcher.records.pose import PoseDegrees
from matcher.records.version_2005 import Record2005, Representation2005
from matcher.records.version_2011 import QualityBlock, Record2011, Representation2011

__all__ = ["Representation", "representation_of", "representations_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """A record's declarations about one face. Codes are members of the enumerations in ``codes`` if named.

    Attributes:
        position: Number of the face in the record, from 1.
        width: Declared width in pixels; None if the record states 0.
        height: Declared height in pixels; None if the record states 0.
        face_image_type: ``codes.FaceImageType2005`` or ``codes.FaceImageType2011``.
        image_data_type: ``codes.ImageDataType2005`` or ``codes.ImageDataType2011``.
        colour_space: ``codes.ColourSpace2005`` or ``codes.ColourSpace2011``.
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
        three_d_bytes: Length of the 3-D data behind the image (2011).
    """

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


def representation_of(face: Representation2005 | Representation2011, *, position: int = 1) -> Representation:
    """Return the common view of one face.

    Args:
        face: The face as coded.
        position: Number of the face in its record, from 1.
    """
    if isinstance(face, Representation2005):
        return _of_2005(face, position)
    return _of_2011(face, position)


def representations_of(record: Record2005 | Record2011) -> tuple[Representation, ...]:
    """Return the common view of every face of a record."""
    faces: tuple[Representation2005 | Representation2011, ...] = record.representations
    return tuple(representation_of(face, position=number) for number, face in enumerate(faces, start=1))


def _of_2005(face: Representation2005, position: int) -> Representation:
    expression = named(codes.Expression2005, face.expression)
    return Representation(
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
