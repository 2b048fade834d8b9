"""Writes facial records: fits metadata to a version, and makes a conformant record of an image and them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from formats.errors import ImageUnreadable
from formats.image_format import ImageFormat, ImageHeader
from formats.image_header import parse_header
from matcher.errors import RecordInvalid
from matcher.records import codes
from matcher.records.codes import (
    FEATURE_BITS_2005,
    CaptureSource,
    ColourSpace2005,
    ColourSpace2011,
    Expression,
    Expression2005,
    EyeColour,
    FaceImageType2011,
    Gender,
    HairColour,
    ImageDataType2005,
    ImageDataType2011,
    LandmarkType,
    colour_space_of,
    mask_of,
)
from matcher.records.dg2 import ISO_19794_5, ISO_39794_5, wrapped
from matcher.records.iso_19794 import (
    Record2005,
    Record2011,
    Representation2005,
    Representation2011,
    serialise_2005,
    serialise_2011,
)
from matcher.records.iso_39794.conversion import (
    FEATURES,
    FORMATS_39794,
    GENDERS,
    HAIR_COLOURS,
    POINTS,
    build_39794,
    is_reversible,
    only_in_39794,
)
from matcher.records.iso_39794.record import (
    FORMAT_39794,
    WRAPPED,
    Record39794,
    excluded_values,
    recognise_39794,
    serialise_39794,
)
from matcher.records.metadata import RecordMetadata, RecordVersion
from matcher.records.values import UNKNOWN_TIME, CaptureTime, Landmark, PoseCode
from matcher.records.views import FacialRecord

_LARGEST_SIDE: Final = 0xFFFF
_FACIAL_2005: Final = b"FAC\x00010\x00"
_SMILES: Final = frozenset({Expression.SMILE_CLOSED, Expression.SMILE_OPEN})
_BEST_SCORE: Final = 100
_FAILED_SCORE: Final = 0xFF


def build_record(
    image: bytes, *, version: RecordVersion, metadata: RecordMetadata | None = None
) -> FacialRecord:
    """Make a record of one face.

    Width, height, data type and colour space are those of the image's header. Metadata that the version has
    no field for are left out; ``fitted`` names them.

    The image is stored unchanged: JPEG or JPEG 2000, for 2011 also PNG.

    Raises:
        RecordInvalid: The image has a format that the version does not hold, is broken, is larger than 65535
            pixels a side or is stored turned (EXIF), or a value is out of its range.
    """
    known, _ = fitted(metadata or RecordMetadata(), version)
    header = _readable(image, version)
    if version is RecordVersion.ISO_19794_5_2005:
        record: FacialRecord = Record2005(representations=(_build_2005(image, header, known),))
    elif version is RecordVersion.ISO_39794_5:
        record = build_39794(image, header, known)
    else:
        record = Record2011(representations=(_build_2011(image, header, known),))
    # A value that does not fit its field raises now, and not when the record is written.
    serialise(record)
    return record


def serialise(record: FacialRecord) -> bytes:
    """Write a record. A conformant record that was read is written byte for byte.

    Raises:
        RecordInvalid: The record has no face, a face without image, or a value that does not fit its field.
    """
    if isinstance(record, Record39794):
        return serialise_39794(record)
    return serialise_2005(record) if isinstance(record, Record2005) else serialise_2011(record)


def wrap_in_dg2(records: Sequence[bytes]) -> bytes:
    """Write an ICAO DG2 (Doc 9303-10) with ISO/IEC 19794-5:2005 or with ISO/IEC 39794-5 records.

    Raises:
        RecordInvalid: There is no record, there are 64 or more, one of them is of neither version, or they
            are of both.
    """
    if all(record.startswith(_FACIAL_2005) for record in records):
        return wrapped(records, format_type=ISO_19794_5)
    if all(map(_is_39794, records)):
        return wrapped(records, format_type=ISO_39794_5)
    raise RecordInvalid(
        "a DG2 holds ISO/IEC 19794-5:2005 records ('010') or ISO/IEC 39794-5 records in their context tag, "
        "all of one kind; build one of these"
    )


def _is_39794(record: bytes) -> bool:
    found = recognise_39794(record)
    return found is not None and found.format == FORMAT_39794 and record[0] == WRAPPED


def _readable(image: bytes, version: RecordVersion) -> ImageHeader:
    try:
        header = parse_header(image)
    except ImageUnreadable as error:
        raise RecordInvalid(f"the image cannot go into a record: {error}") from error
    types = _DATA_TYPES[version]
    if header.format not in types:
        accepted = ", ".join(format_.name for format_ in types)
        raise RecordInvalid(
            f"a {version.value} record holds no {header.format.name}; it holds {accepted}: convert the "
            "image first"
        )
    if max(header.width, header.height) > _LARGEST_SIDE:
        raise RecordInvalid(
            f"the image is {header.width} x {header.height} pixels; a record holds up to {_LARGEST_SIDE} "
            "a side"
        )
    if header.orientation != 1:
        raise RecordInvalid(
            f"the image is stored with EXIF orientation {header.orientation}; "
            "a record has no field for it: turn it upright first"
        )
    return header


def _build_2005(image: bytes, header: ImageHeader, known: RecordMetadata) -> Representation2005:
    return Representation2005(
        image=image,
        width=header.width,
        height=header.height,
        face_image_type=known.face_image_type,
        image_data_type=_DATA_TYPES[RecordVersion.ISO_19794_5_2005][header.format],
        colour_space=colour_space_of(header, ColourSpace2005),
        source=known.source,
        device_type=known.device_type,
        gender=known.gender,
        eye_colour=known.eye_colour,
        hair_colour=known.hair_colour,
        features=mask_of(known.features, codes.FEATURE_BITS_2005),
        expression=next((Expression2005[one.name] for one in known.expressions or ()), 0),
        pose=PoseCode.of_degrees(known.pose),
        landmarks=known.points,
    )


def _build_2011(image: bytes, header: ImageHeader, known: RecordMetadata) -> Representation2011:
    kind = _DATA_TYPES[RecordVersion.ISO_19794_5_2011][header.format]
    if kind == ImageDataType2011.JPEG_2000_LOSSY and not known.lossy_jpeg_2000 and is_reversible(image):
        kind = ImageDataType2011.JPEG_2000_LOSSLESS
    return Representation2011(
        image=image,
        width=header.width,
        height=header.height,
        face_image_type=known.face_image_type,
        image_data_type=kind,
        sampling_rate_level=codes.sampling_rate_level(known.head_width),
        post_acquisition=mask_of(known.post_acquisition, codes.POST_ACQUISITION_BITS, specified=False),
        colour_space=colour_space_of(header, ColourSpace2011),
        capture_time=UNKNOWN_TIME
        if known.capture_time is None
        else CaptureTime.of_datetime(known.capture_time),
        source=known.source,
        device_vendor=known.device_vendor,
        device_type=known.device_type,
        quality=known.quality,
        gender=known.gender,
        eye_colour=known.eye_colour,
        hair_colour=known.hair_colour,
        subject_height=known.subject_height or 0,
        features=mask_of(known.features, codes.FEATURE_BITS_2011),
        expression=mask_of(known.expressions, codes.EXPRESSION_BITS_2011),
        pose=PoseCode.of_degrees(known.pose),
        landmarks=known.points,
    )


_DATA_TYPES: Final[Mapping[RecordVersion, Mapping[ImageFormat, int]]] = MappingProxyType(
    {
        RecordVersion.ISO_19794_5_2005: {
            ImageFormat.JPEG: ImageDataType2005.JPEG,
            ImageFormat.JP2: ImageDataType2005.JPEG_2000,
            ImageFormat.J2K: ImageDataType2005.JPEG_2000,
        },
        RecordVersion.ISO_19794_5_2011: {
            ImageFormat.JPEG: ImageDataType2011.JPEG,
            ImageFormat.JP2: ImageDataType2011.JPEG_2000_LOSSY,
            ImageFormat.J2K: ImageDataType2011.JPEG_2000_LOSSY,
            ImageFormat.PNG: ImageDataType2011.PNG,
        },
        RecordVersion.ISO_39794_5: FORMATS_39794,
    }
)


def fitted(metadata: RecordMetadata, version: RecordVersion) -> tuple[RecordMetadata, tuple[str, ...]]:
    """Return the part of ``metadata`` that a version can hold, and the names of the rest in words."""
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
