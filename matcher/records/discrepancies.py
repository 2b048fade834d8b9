"""Finds disagreements between a record and its content, and harmless deviations from the standard.

No image is refused for a discrepancy: the code stream counts as right, and the discrepancy is reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from formats.image_format import ImageFormat, ImageHeader
from matcher.records import codes
from matcher.records.codes import FaceImageType2011
from matcher.records.dg2 import CBEFF_FACE, CBEFF_TYPES, ISO_19794_5, ISO_39794_5, SC_37, Dg2
from matcher.records.iso_19794 import Record2005, Record2011, Representation2005, Representation2011
from matcher.records.iso_39794.blocks import RepresentationBlock
from matcher.records.iso_39794.record import Record39794, excluded_values
from matcher.records.metadata import Representation
from matcher.records.values import BEST_SCORE, FAILED_SCORE
from matcher.records.views import AnyRepresentation


class DiscrepancyKind(StrEnum):
    """The properties that can disagree."""

    SIZE = "SIZE"
    """Declared width and height differ from those of the code stream."""
    MEDIA_TYPE = "MEDIA_TYPE"
    """The declared image data type differs from the format of the image."""
    COLOUR_SPACE = "COLOUR_SPACE"
    """The declared colour space differs from the image's channels and bits."""
    PICTURE_HEADER = "PICTURE_HEADER"
    """The header of the image cannot be read."""
    ORIENTATION = "ORIENTATION"
    """The image is stored turned or mirrored, for which a record has no field."""
    LANDMARKS_OUTSIDE = "LANDMARKS_OUTSIDE"
    """Points lie outside the image."""
    RECORD_LENGTH = "RECORD_LENGTH"
    """The header states too small a length."""
    TRAILING_BYTES = "TRAILING_BYTES"
    """Bytes follow the end of the record or data group."""
    EXTRA_BYTES = "EXTRA_BYTES"
    """Bytes follow the image of a face that is declared as 2-D."""
    RESERVED_VALUE = "RESERVED_VALUE"
    """Values are reserved or excluded by the standard."""
    BLOCK_COUNT = "BLOCK_COUNT"
    """The count that a DG2 states differs from its number of records."""
    BIOMETRIC_TYPE = "BIOMETRIC_TYPE"
    """The CBEFF header declares another modality than the face."""
    RECORD_FORMAT = "RECORD_FORMAT"
    """The CBEFF header declares another format than the record's."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One disagreement.

    Attributes:
        kind: The property that disagrees.
        text: A clause for people, with the values.
        found: The actual value; None if there is none to compare with.
    """

    kind: DiscrepancyKind
    text: str
    declared: str | None = None
    found: str | None = None


_JPEG_2000: Final = frozenset({ImageFormat.JP2, ImageFormat.J2K})
_FORMATS_OF: Final[Mapping[str, frozenset[ImageFormat]]] = MappingProxyType(
    {
        "JPEG": frozenset({ImageFormat.JPEG}),
        "JPEG_2000": _JPEG_2000,
        "JPEG_2000_LOSSY": _JPEG_2000,
        "JPEG_2000_LOSSLESS": _JPEG_2000,
        "PNG": frozenset({ImageFormat.PNG}),
    }
)
"""The formats of an image data type, by its name, which is the same in every version."""
_IS_GREY: Final[Mapping[str, bool]] = MappingProxyType(
    {"RGB_24": False, "RGB_48": False, "YUV_422": False, "GREY_8": True, "GREY_16": True}
)
"""Whether a colour space is grey, by its name; colour spaces without a statement are not listed."""
_GREY_CHANNELS: Final = frozenset({1, 2})
_LAST_LEVEL: Final = 7
_VENDORS_EXPRESSIONS: Final = 0xF000
_MOST_NAMED: Final = 5
"""Excluded values that are named; a hostile record can hold a thousand."""
_FORMATS: Final[Mapping[int, str]] = MappingProxyType({ISO_19794_5: "19794-5", ISO_39794_5: "39794-5"})


class _Reserved(IntEnum):
    """The enumeration of codes that no other enumeration names."""


def of_record(record: Record2005 | Record2011 | Record39794) -> tuple[Discrepancy, ...]:
    """Return the discrepancies of the record as a whole."""
    if isinstance(record, Record39794):
        excluded = excluded_values(record)
        named = list(excluded[:_MOST_NAMED])
        if len(excluded) > _MOST_NAMED:
            named.append(f"and {len(excluded) - _MOST_NAMED} more")
        return (*_trailing(len(record.trailing), "record"), *_reserved(named))
    found = []
    if record.declared_length is not None and record.declared_length < record.length:
        found.append(
            Discrepancy(
                DiscrepancyKind.RECORD_LENGTH,
                f"the header states a length of {record.declared_length} bytes, its faces reach to "
                f"{record.length}",
                str(record.declared_length),
                str(record.length),
            )
        )
    found += _trailing(len(record.trailing), "record")
    if isinstance(record, Record2011):
        found += _reserved(_reserved_header_values(record))
    return tuple(found)


def of_dg2(dg2: Dg2, *, format_type: int) -> tuple[Discrepancy, ...]:
    """Return the discrepancies of a DG2.

    Args:
        format_type: The format of its records: ``dg2.ISO_19794_5`` or ``dg2.ISO_39794_5``.
    """
    found = []
    if dg2.declared_count not in {None, len(dg2.blocks)}:
        text = f"the DG2 states {dg2.declared_count} records and holds {len(dg2.blocks)}"
        found.append(
            Discrepancy(DiscrepancyKind.BLOCK_COUNT, text, str(dg2.declared_count), str(len(dg2.blocks)))
        )
    found += _trailing(len(dg2.trailing), "DG2")
    for block in dg2.blocks:
        kind = block.biometric_type
        if kind not in {None, CBEFF_FACE}:
            name = CBEFF_TYPES.get(kind or 0, f"type {kind:#x}")
            text = f"the CBEFF header declares a {name} record, and it is of a face"
            found.append(Discrepancy(DiscrepancyKind.BIOMETRIC_TYPE, text, name, "face"))
        declared = (block.format_owner, block.format_type)
        if None not in declared and declared != (SC_37, format_type):
            text = (
                f"the CBEFF header declares format {declared[0]:04X}/{declared[1]:04X}, and it is "
                f"{_FORMATS[format_type]}"
            )
            name = f"{declared[0]:04X}/{declared[1]:04X}"
            found.append(
                Discrepancy(DiscrepancyKind.RECORD_FORMAT, text, name, f"{SC_37:04X}/{format_type:04X}")
            )
    return tuple(found)


def of_picture(
    face: AnyRepresentation,
    view: Representation,
    *,
    found_format: ImageFormat | None,
    header: ImageHeader | None,
    fault: str | None,
) -> tuple[Discrepancy, ...]:
    """Return the discrepancies between the record of a face and the header of its image.

    Args:
        view: The common view of the same face.
        found_format: Format by the first bytes of the image; None if unknown.
        header: The header of the image; None if it cannot be read.
        fault: Why the header cannot be read.
    """
    found = [*_media_type(view, found_format)]
    if header is None:
        text = f"the header of the image cannot be read ({fault}); its size is what the record declares"
        found.append(Discrepancy(DiscrepancyKind.PICTURE_HEADER, text))
    else:
        found += _size(view, header, stated=not _leaves_size_open(face))
        found += _colours(view, header)
    outside = _outside(view, header)
    if outside:
        text = f"{outside} of {len(view.landmarks)} points lie outside the image"
        found.append(Discrepancy(DiscrepancyKind.LANDMARKS_OUTSIDE, text, found=str(outside)))
    if (
        isinstance(face, Representation2011)
        and face.three_d
        and face.face_image_type < FaceImageType2011.BASIC_3D
    ):
        text = f"{len(face.three_d)} bytes follow the image of a face that is declared as 2-D"
        found.append(Discrepancy(DiscrepancyKind.EXTRA_BYTES, text, "0", str(len(face.three_d))))
    found += _reserved(_reserved_values(face))
    return tuple(found)


def _trailing(count: int, where: str) -> tuple[Discrepancy, ...]:
    if not count:
        return ()
    text = f"{count} bytes follow the end of the {where}; they were ignored"
    return (Discrepancy(DiscrepancyKind.TRAILING_BYTES, text, "0", str(count)),)


def _media_type(view: Representation, found: ImageFormat | None) -> tuple[Discrepancy, ...]:
    kind = view.image_data_type
    if found in _FORMATS_OF.get(_name(kind), ()):
        return ()
    declared = codes.describe_code(_kind(kind), kind)
    actual = "no known format" if found is None else found.value
    text = f"the record declares image data type {declared}, the image is {actual}"
    return (Discrepancy(DiscrepancyKind.MEDIA_TYPE, text, declared, actual),)


def _leaves_size_open(face: AnyRepresentation) -> bool:
    picture = face.image_representation if isinstance(face, RepresentationBlock) else None
    return picture is not None and picture.image_information.image_size is None


def _size(view: Representation, header: ImageHeader, *, stated: bool) -> tuple[Discrepancy, ...]:
    found = []
    if stated and (view.width, view.height) != (header.width, header.height):
        declared, actual = f"{view.width or 0} x {view.height or 0}", f"{header.width} x {header.height}"
        text = f"the record declares {declared} pixels, the code stream has {actual}"
        found.append(Discrepancy(DiscrepancyKind.SIZE, text, declared, actual))
    if header.orientation != 1:
        text = f"the image is stored with EXIF orientation {header.orientation}; a record has no field for it"
        found.append(Discrepancy(DiscrepancyKind.ORIENTATION, text, "1", str(header.orientation)))
    return tuple(found)


def _colours(view: Representation, header: ImageHeader) -> tuple[Discrepancy, ...]:
    declared = view.colour_space
    grey = _IS_GREY.get(_name(declared))
    if grey is None or grey == (header.channels in _GREY_CHANNELS):
        return ()
    name = codes.describe_code(_kind(declared), declared)
    actual = f"{header.channels} channels of {header.bits_per_channel} bits"
    text = f"the record declares colour space {name}, the image has {actual}"
    return (Discrepancy(DiscrepancyKind.COLOUR_SPACE, text, name, actual),)


def _name(value: int) -> str:
    """Return the name of a code; an empty one if the code is reserved."""
    return value.name if isinstance(value, IntEnum) else ""


def _kind(value: int) -> type[IntEnum]:
    """Return the enumeration of a value; for a reserved code, one without members."""
    return type(value) if isinstance(value, IntEnum) else _Reserved


def _outside(view: Representation, header: ImageHeader | None) -> int:
    width = view.width if header is None else header.width
    height = view.height if header is None else header.height
    if width is None or height is None:
        return 0
    return sum(point.type in {1, 2} and (point.x >= width or point.y >= height) for point in view.landmarks)


def _reserved_values(face: AnyRepresentation) -> list[str]:
    if isinstance(face, RepresentationBlock):
        return []
    found = ["pose"] if face.pose.reserved else []
    if isinstance(face, Representation2005):
        found += _reserved_bits("feature", codes.bits_of(face.features, codes.FEATURE_BITS_2005))
        if face.quality:
            found.append(f"quality {face.quality} (the 2005 edition reserves it)")
        return found
    expressions = codes.bits_of(face.expression & ~_VENDORS_EXPRESSIONS, codes.EXPRESSION_BITS_2011)
    processing = codes.bits_of(face.post_acquisition, codes.POST_ACQUISITION_BITS, specified=False)
    found += _reserved_bits("feature", codes.bits_of(face.features, codes.FEATURE_BITS_2011))
    found += _reserved_bits("expression", expressions)
    found += _reserved_bits("post-acquisition", processing)
    if face.sampling_rate_level > _LAST_LEVEL:
        found.append(f"spatial sampling rate level {face.sampling_rate_level}")
    scores = [one.score for one in face.quality if BEST_SCORE < one.score < FAILED_SCORE]
    if scores:
        found.append(f"quality score {max(scores)}")
    return found


def _reserved_bits(mask: str, bits: Sequence[int]) -> list[str]:
    return [f"{mask} bits {' '.join(map(str, bits))}"] if bits else []


def _reserved_header_values(record: Record2011) -> list[str]:
    found = [f"certification flag {record.certification}"] if record.certification else []
    if record.temporal_semantics and len(record.representations) == 1:
        found.append(f"temporal semantics {record.temporal_semantics} of a single face")
    return found


def _reserved(what: list[str]) -> tuple[Discrepancy, ...]:
    if not what:
        return ()
    text = f"values that the standard reserves: {', '.join(what)}"
    return (Discrepancy(DiscrepancyKind.RESERVED_VALUE, text, found=", ".join(what)),)
