"""Writes facial records: makes a conformant record of each version of an image and its metadata."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from formats.errors import ImageUnreadable
from formats.image_format import ImageFormat, ImageHeader
from formats.image_header import parse_header
from matcher.errors import RecordInvalid
from matcher.records import codes
from matcher.records.capture_time import UNKNOWN_TIME, CaptureTime
from matcher.records.codes import (
    ColourSpace2005,
    ColourSpace2011,
    Expression,
    Expression2005,
    FaceImageType2011,
    ImageDataType2005,
    ImageDataType2011,
    mask_of,
)
from matcher.records.dg2 import ISO_19794_5, ISO_39794_5, wrapped
from matcher.records.iso_39794 import FORMAT_39794, Record39794, recognise_39794, serialise_39794
from matcher.records.iso_39794.building import FORMATS_39794, build_39794
from matcher.records.iso_39794.recognition import WRAPPED
from matcher.records.jpeg_2000 import is_reversible
from matcher.records.landmarks import Landmark, eye_landmarks
from matcher.records.metadata import RecordMetadata, RecordVersion
from matcher.records.pose import PoseCode
from matcher.records.version_2005 import Record2005, Representation2005, serialise_2005
from matcher.records.version_2011 import Record2011, Representation2011, serialise_2011

__all__ = ["FacialRecord", "build_record", "serialise", "wrap_in_dg2"]

FacialRecord: TypeAlias = Record2005 | Record2011 | Record39794
"""A record of any version."""

_LARGEST_SIDE: Final = 0xFFFF
_LARGEST_LEVEL: Final = 7
_FACIAL_2005: Final = b"FAC\x00010\x00"


def build_record(
    image: bytes, *, version: RecordVersion, metadata: RecordMetadata | None = None
) -> FacialRecord:
    """Make a record of one face.

    Width, height, data type and colour space are those of the image's header.

    Args:
        image: The image file, which is stored unchanged: JPEG or JPEG 2000, for 2011 also PNG.
        version: The version of the record.
        metadata: The metadata of the image.

    Raises:
        RecordInvalid: The image has a format that the version does not hold, is broken, is larger than 65535
            pixels a side or is stored turned (EXIF), or the version has no field for a value.
    """
    known = metadata or RecordMetadata()
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
    if known.face_image_type > FaceImageType2011.TOKEN_FRONTAL:
        named = codes.describe_code(FaceImageType2011, known.face_image_type)
        raise RecordInvalid(f"a 2005 record has no face image type {named}")
    only_2011 = {
        "a device vendor": known.device_vendor,
        "the person's height": known.subject_height,
        "quality blocks": known.quality,
        "post-acquisition processing": known.post_acquisition,
    }
    for what, value in only_2011.items():
        if value:
            raise RecordInvalid(f"a 2005 record has no field for {what}; build a 2011 record")
    return Representation2005(
        image=image,
        width=header.width,
        height=header.height,
        face_image_type=known.face_image_type,
        image_data_type=_DATA_TYPES[RecordVersion.ISO_19794_5_2005][header.format],
        colour_space=_colour_space_2005(header),
        source=known.source,
        device_type=known.device_type,
        gender=known.gender,
        eye_colour=known.eye_colour,
        hair_colour=known.hair_colour,
        features=_mask(known.features, codes.FEATURE_BITS_2005, "2005"),
        expression=_expression_2005(known.expressions),
        pose=PoseCode.of_degrees(known.pose),
        landmarks=_landmarks(known),
    )


def _build_2011(image: bytes, header: ImageHeader, known: RecordMetadata) -> Representation2011:
    kind = _DATA_TYPES[RecordVersion.ISO_19794_5_2011][header.format]
    if kind == ImageDataType2011.JPEG_2000_LOSSY and not known.lossy_jpeg_2000 and is_reversible(image):
        kind = ImageDataType2011.JPEG_2000_LOSSLESS
    processing = mask_of(known.post_acquisition, codes.POST_ACQUISITION_BITS, specified=False)
    return Representation2011(
        image=image,
        width=header.width,
        height=header.height,
        face_image_type=known.face_image_type,
        image_data_type=kind,
        sampling_rate_level=codes.sampling_rate_level(known.head_width),
        post_acquisition=processing or 0,
        colour_space=_colour_space_2011(header),
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
        features=_mask(known.features, codes.FEATURE_BITS_2011, "2011"),
        expression=_mask(known.expressions, codes.EXPRESSION_BITS_2011, "2011"),
        pose=PoseCode.of_degrees(known.pose),
        landmarks=_landmarks(known),
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


def _landmarks(known: RecordMetadata) -> tuple[Landmark, ...]:
    return known.landmarks if known.eyes is None else (*eye_landmarks(known.eyes), *known.landmarks)


def _mask(flags: frozenset[StrEnum] | None, bits: Mapping[int, StrEnum], edition: str) -> int:
    mask = mask_of(flags, bits)
    if mask is None:
        strange = ", ".join(sorted(flag.value for flag in (flags or frozenset()) - set(bits.values())))
        raise RecordInvalid(f"a {edition} record has no code for {strange}")
    return mask


def _expression_2005(expressions: frozenset[Expression] | None) -> int:
    if not expressions:
        return Expression2005.UNSPECIFIED
    if len(expressions) > 1:
        raise RecordInvalid(f"a 2005 record holds one expression, not {len(expressions)}")
    (name,) = expressions
    try:
        return Expression2005[name.name]
    except KeyError as error:
        raise RecordInvalid(f"a 2005 record has no code for {name.value}; name the kind of smile") from error


def _colour_space_2005(header: ImageHeader) -> int:
    if header.bits_per_channel > 8:
        return ColourSpace2005.OTHER
    return {1: ColourSpace2005.GREY_8, 3: ColourSpace2005.RGB_24}.get(header.channels, ColourSpace2005.OTHER)


def _colour_space_2011(header: ImageHeader) -> int:
    deep = header.bits_per_channel > 8
    grey, colour = (
        (ColourSpace2011.GREY_16, ColourSpace2011.RGB_48)
        if deep
        else (ColourSpace2011.GREY_8, ColourSpace2011.RGB_24)
    )
    return {1: grey, 3: colour}.get(header.channels, ColourSpace2011.OTHER)
