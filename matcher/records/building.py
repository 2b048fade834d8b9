"""Writes facial records: fits metadata to a version, and makes a conformant record of an image and them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

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
    Feature,
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
    EDITION_2005,
    Record2005,
    Record2011,
    Record19794,
    Representation2005,
    Representation2011,
    edition_of,
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
from matcher.records.values import BEST_SCORE, FAILED_SCORE, UNKNOWN_TIME, CaptureTime, PoseCode
from matcher.records.views import FacialRecord

_LARGEST_SIDE: Final = 0xFFFF
_SMILES: Final = frozenset({Expression.SMILE_CLOSED, Expression.SMILE_OPEN})


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
    record: FacialRecord
    if version is RecordVersion.ISO_39794_5:
        record = build_39794(image, header, known)
    else:
        record = _build_19794(image, header, known, version)
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
    return edition_of(record).serialise(record)


def wrap_in_dg2(records: Sequence[bytes]) -> bytes:
    """Write an ICAO DG2 (Doc 9303-10) with ISO/IEC 19794-5:2005 or with ISO/IEC 39794-5 records.

    Raises:
        RecordInvalid: There is no record, there are 64 or more, one of them is of neither version, or they
            are of both.
    """
    if all(record.startswith(EDITION_2005.magic) for record in records):
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
    types = DATA_TYPES[version]
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


def _build_19794(
    image: bytes, header: ImageHeader, known: RecordMetadata, version: RecordVersion
) -> Record19794:
    kind = DATA_TYPES[version][header.format]
    shared: dict[str, Any] = {
        "image": image,
        "width": header.width,
        "height": header.height,
        "face_image_type": known.face_image_type,
        "source": known.source,
        "device_type": known.device_type,
        "gender": known.gender,
        "eye_colour": known.eye_colour,
        "hair_colour": known.hair_colour,
        "pose": PoseCode.of_degrees(known.pose),
        "landmarks": known.points,
    }
    if version is RecordVersion.ISO_19794_5_2005:
        face_2005 = Representation2005(
            image_data_type=kind,
            colour_space=colour_space_of(header, ColourSpace2005),
            features=mask_of(known.features, codes.FEATURE_BITS_2005),
            expression=next((Expression2005[one.name] for one in known.expressions or ()), 0),
            **shared,
        )
        return Record2005(representations=(face_2005,))
    if kind == ImageDataType2011.JPEG_2000_LOSSY and not known.lossy_jpeg_2000 and is_reversible(image):
        kind = ImageDataType2011.JPEG_2000_LOSSLESS
    moment = known.capture_time
    face_2011 = Representation2011(
        image_data_type=kind,
        sampling_rate_level=codes.sampling_rate_level(known.head_width),
        post_acquisition=mask_of(known.post_acquisition, codes.POST_ACQUISITION_BITS, specified=False),
        colour_space=colour_space_of(header, ColourSpace2011),
        capture_time=UNKNOWN_TIME if moment is None else CaptureTime.of_datetime(moment),
        device_vendor=known.device_vendor,
        quality=known.quality,
        subject_height=known.subject_height or 0,
        features=mask_of(known.features, codes.FEATURE_BITS_2011),
        expression=mask_of(known.expressions, codes.EXPRESSION_BITS_2011),
        **shared,
    )
    return Record2011(representations=(face_2011,))


DATA_TYPES: Final[Mapping[RecordVersion, Mapping[ImageFormat, int]]] = MappingProxyType(
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
"""The image data type of each format of an image that a version holds."""


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
    expressions = metadata.expressions
    if expressions is not None and (len(expressions) > 1 or Expression.SMILE in expressions):
        expressions = None
    points = tuple(point for point in metadata.landmarks if point.type == LandmarkType.MPEG_4)
    return _without(
        metadata,
        ("capture time", "capture_time", None),
        ("device vendor", "device_vendor", 0),
        ("height of the person", "subject_height", None),
        ("quality scores", "quality", ()),
        ("post-acquisition processing", "post_acquisition", None),
        ("head covering", "features", _among(metadata.features, FEATURE_BITS_2005.values())),
        ("expressions", "expressions", expressions),
        ("anthropometric landmarks", "landmarks", points),
        ("face image type", "face_image_type", _type_up_to(FaceImageType2011.TOKEN_FRONTAL, metadata)),
        head_width=0.0,
        landmarks=tuple(replace(point, z=0) for point in points),
    )


def _fitted_39794(metadata: RecordMetadata) -> tuple[RecordMetadata, tuple[str, ...]]:
    block, hair = metadata.block_39794, metadata.hair_colour
    if block is not None and excluded_values(Record39794(representation=block)):
        block = None
    landmarks = tuple(point for point in metadata.landmarks if (point.type, point.code) in POINTS)
    vendor, device = metadata.device_vendor, metadata.device_type
    quality = tuple(
        one
        for one in metadata.quality
        if one.algorithm_vendor and one.algorithm and (one.score <= BEST_SCORE or one.score == FAILED_SCORE)
    )
    return _without(
        metadata,
        (
            "what only 39794-5 records hold, because some of it is excluded by the standard",
            "block_39794",
            block,
        ),
        ("landmarks that it does not name", "landmarks", landmarks),
        ("distorting condition", "features", _among(metadata.features, FEATURES.values())),
        ("hair colour", "hair_colour", hair if hair in HAIR_COLOURS.values() else HairColour.UNSPECIFIED),
        ("device without vendor and number", "device_vendor", vendor if device else 0),
        ("device without vendor and number", "device_type", device if vendor else 0),
        ("quality scores without a registered algorithm", "quality", quality),
        ("face image type", "face_image_type", _type_up_to(FaceImageType2011.FULL_FRONTAL, metadata)),
        gender=metadata.gender if metadata.gender in GENDERS.values() else Gender.UNSPECIFIED,
        eye_colour=_eye_colour(metadata.eye_colour),
        expressions=_one_smile(metadata.expressions),
        head_width=0.0,
    )


def _without(
    metadata: RecordMetadata, *lost: tuple[str, str, Any], **changed: Any
) -> tuple[RecordMetadata, tuple[str, ...]]:
    """Return the metadata with other values, and the names of what was given and went.

    Args:
        lost: Each value in words, its field, and what is left of it.
        changed: Fields whose change loses nothing.
    """
    left_out = tuple(
        words for words, name, value in lost if (given := getattr(metadata, name)) and given != value
    )
    return replace(metadata, **({name: value for _, name, value in lost} | changed)), left_out


def _among(features: frozenset[Feature] | None, known: Iterable[Feature]) -> frozenset[Feature] | None:
    return None if features is None else features.intersection(known)


def _type_up_to(last: FaceImageType2011, metadata: RecordMetadata) -> FaceImageType2011:
    return metadata.face_image_type if metadata.face_image_type <= last else FaceImageType2011.BASIC


def _one_smile(expressions: frozenset[Expression] | None) -> frozenset[Expression] | None:
    if expressions and expressions & _SMILES:
        return (expressions - _SMILES) | {Expression.SMILE}
    return expressions


def _eye_colour(colour: EyeColour) -> EyeColour:
    # The other code for "unknown" belongs to 2005 records.
    return EyeColour.UNKNOWN if colour is EyeColour.UNKNOWN_8 else colour
