"""Recognises, reads and writes facial records of ISO/IEC 39794-5 in the ICAO application profile, in DER.

A record is the data block [APPLICATION 5] that begins with its version block [0] and the generation [0] in
it, bare or in the context tag [1] that encloses it in a DG2. The number of an application tag is the number
of the part of the standard: a data block [APPLICATION 4] is of a finger and [APPLICATION 6] of an iris. The
XML form names the standard in its namespace. The schema, with its source and the notice that belongs to it,
stands in ``blocks``. The text of the standard's clauses was not available.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from formats.der import encode
from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records.asn1 import Reader, Sequence, range_errors
from matcher.records.der import MOST_ELEMENTS, Element, read_der
from matcher.records.iso_39794.blocks import (
    FaceImageDataBlock,
    ImageRepresentation2DBlock,
    RepresentationBlock,
    VersionBlock,
)

FORMAT_39794: Final = "ISO/IEC 39794-5"
DATA_BLOCK: Final = 0x65
"""The face image data block: [APPLICATION 5], constructed."""
WRAPPED: Final = 0xA1
"""The context tag [1] around it."""
_PARTS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        0x64: ("ISO/IEC 39794-4", "finger image"),
        DATA_BLOCK: (FORMAT_39794, "face"),
        0x66: ("ISO/IEC 39794-6", "iris image"),
    }
)
_VERSION_BLOCK: Final = 0xA0
_GENERATION: Final = 0x80
_LONG: Final = 0x80
_XML_HEAD: Final = 1024
_XML_NAME: Final = b"39794"
FIRST_EDITION: Final = VersionBlock(generation=3, year=2019)
_SCHEMA: Final = Sequence(FaceImageDataBlock)
_REPRESENTATIONS: Final = 0xA1
_FIELD: Final = "face image data"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A record that was recognised.

    Attributes:
        format: The part of the standard.
        modality: The modality in words; ``"face"`` for 39794-5.
        xml: Whether it is in the XML form.
    """

    format: str
    modality: str
    xml: bool = False


def recognise_39794(data: bytes) -> Recognised | None:
    """Return the record that ``data`` begins with, bare or in its context tag; None if it is none."""
    if data[:1] == b"<":
        known = _XML_NAME in data[:_XML_HEAD]
        return Recognised(FORMAT_39794, "face", xml=True) if known else None
    position = _behind_head(data, 0) if data[:1] == bytes([WRAPPED]) else 0
    part = _PARTS.get(_byte(data, position))
    if part is None:
        return None
    version = _behind_head(data, position)
    if _byte(data, version) != _VERSION_BLOCK or _byte(data, _behind_head(data, version)) != _GENERATION:
        return None
    return Recognised(*part)


def not_supported(what: str) -> TrustedImageRefused:
    """Make the refusal of a 39794-5 record that is not read."""
    return TrustedImageRefused(
        RefusalReason.ISO_39794_NOT_SUPPORTED,
        f"The upload is an ISO/IEC 39794-5 record that {what}, which is not supported. Send the image in it, "
        "or a binary record with a two-dimensional image.",
        details={"format": FORMAT_39794},
    )


def _behind_head(data: bytes, position: int) -> int:
    """Return the offset after a tag of one byte and its length."""
    length = _byte(data, position + 1)
    return position + 2 + (length & ~_LONG if length > _LONG else 0)


def _byte(data: bytes, position: int) -> int:
    """Return a byte; -1 after the end."""
    return data[position] if position < len(data) else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record39794:
    """A 39794-5 record.

    Attributes:
        representation: The face, whose block holds a 2-D image.
        version: Edition that the record states.
        wrapped: Whether the context tag [1] encloses the data block, as in a DG2.
        trailing: Bytes after the record, which belong to no field; empty in a conformant record.
        ignored_extensions: Number of elements that the schema does not name. They are not written.
    """

    representation: RepresentationBlock
    version: VersionBlock = FIRST_EDITION
    wrapped: bool = True
    trailing: bytes = field(default=b"", repr=False)
    ignored_extensions: int = field(default=0, compare=False)

    @property
    def representations(self) -> tuple[RepresentationBlock, ...]:
        """The face, as records of other standards list theirs."""
        return (self.representation,)

    @property
    def picture(self) -> ImageRepresentation2DBlock:
        """The block of the 2-D image.

        Raises:
            RecordInvalid: There is none; a record that was read has one.
        """
        picture = self.representation.image_representation
        if picture is None:
            raise RecordInvalid("a record holds a 2-D image, and this one has none")
        return picture


def count_39794(data: bytes) -> int:
    """Return the number of representation blocks.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the record is not DER, or there are more than 64.
    """
    reader = Reader(data, format=FORMAT_39794)
    block, _ = _data_block(reader)
    for element in reader.children(block, most=MOST_ELEMENTS, field=_FIELD):
        if element.tag == _REPRESENTATIONS:
            return sum(1 for _ in reader.children(element, most=MOST_ELEMENTS, field="representations"))
    raise reader.malformed("there are no representation blocks in it", "representations", block.start)


def parse_39794(data: bytes) -> Record39794:
    """Read a record.

    Bytes after it are kept in ``trailing``. Values outside their range are kept (``excluded_values``).

    Args:
        data: The record; the caller has limited its length, and made sure that it has one representation.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: it is not DER, or does not have the structure of the schema.
            ISO_39794_NOT_SUPPORTED: it holds no 2-D image.
    """
    reader = Reader(data, format=FORMAT_39794)
    block, outermost = _data_block(reader)
    content = _SCHEMA.read(reader, block, _FIELD)
    if len(content.representations) != 1:
        what = f"it has {len(content.representations)} representation blocks, and the profile allows one"
        raise reader.malformed(what, "representations", block.start)
    (face,) = content.representations
    if face.image_representation is None:
        raise not_supported("holds no two-dimensional image")
    if not face.image_representation.representation_data:
        raise reader.malformed("the representation data are empty", "representation data", block.start)
    return Record39794(
        representation=face,
        version=content.version,
        wrapped=block != outermost,
        trailing=bytes(data[outermost.end :]),
        ignored_extensions=reader.ignored,
    )


def serialise_39794(record: Record39794) -> bytes:
    """Write a record. A record of the profile without extensions that was read is written byte for byte.

    Raises:
        RecordInvalid: It has no image, or a block whose parts do not fit together.
    """
    if not record.picture.representation_data:
        raise RecordInvalid("a face needs an image, and this one has no bytes")
    content = FaceImageDataBlock(version=record.version, representations=record.representations)
    block = encode(DATA_BLOCK, _SCHEMA.write(content))
    return (encode(WRAPPED, block) if record.wrapped else block) + record.trailing


def excluded_values(record: Record39794) -> tuple[str, ...]:
    """Return the values that the schema excludes: each field in words, with its value."""
    content = FaceImageDataBlock(version=record.version, representations=record.representations)
    return range_errors(_SCHEMA, content)


def _data_block(reader: Reader) -> tuple[Element, Element]:
    """Return the data block and the element that is outermost."""
    data = reader.data
    outermost = read_der(data, 0, len(data), format_=FORMAT_39794)
    block = reader.only(outermost, field=_FIELD) if outermost.tag == WRAPPED else outermost
    if block.tag != DATA_BLOCK:
        raise reader.malformed(f"it holds data object {block.tag:X}, not 65", _FIELD, block.start)
    return block, outermost
