"""Reads and writes facial records of ISO/IEC 39794-5 in the ICAO application profile, in DER.

A record is the data block [APPLICATION 5], bare or in the context tag [1] that encloses it in a DG2. Its
schema, with its source and the notice that belongs to it, stands in ``blocks``. The text of the standard's
clauses was not available.
"""

from dataclasses import dataclass, field
from typing import Final

from formats.der import encode
from matcher.errors import RecordInvalid
from matcher.records.asn1 import Reader
from matcher.records.asn1_structures import Sequence, range_errors
from matcher.records.der import MOST_ELEMENTS, Element, read_der
from matcher.records.iso_39794.blocks import (
    FaceImageDataBlock,
    ImageRepresentation2DBlock,
    RepresentationBlock,
)
from matcher.records.iso_39794.common_blocks import VersionBlock
from matcher.records.iso_39794.recognition import DATA_BLOCK, FORMAT_39794, WRAPPED, not_supported

__all__ = ["FIRST_EDITION", "Record39794", "count_39794", "excluded_values", "parse_39794", "serialise_39794"]

FIRST_EDITION: Final = VersionBlock(generation=3, year=2019)
_SCHEMA: Final = Sequence(FaceImageDataBlock)
_REPRESENTATIONS: Final = 0xA1
_FIELD: Final = "face image data"


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
    """Returns the number of representation blocks.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the record is not DER, or there are more than 64.
    """
    reader = Reader(data, format_=FORMAT_39794)
    block, _ = _data_block(reader)
    for element in reader.children(block, most=MOST_ELEMENTS, field=_FIELD):
        if element.tag == _REPRESENTATIONS:
            return sum(1 for _ in reader.children(element, most=MOST_ELEMENTS, field="representations"))
    raise reader.malformed("there are no representation blocks in it", "representations", block.start)


def parse_39794(data: bytes) -> Record39794:
    """Reads a record.

    Bytes after it are kept in ``trailing``. Values outside their range are kept (``excluded_values``).

    Args:
        data: The record; the caller has limited its length, and made sure that it has one representation.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: it is not DER, or does not have the structure of the schema.
            ISO_39794_NOT_SUPPORTED: it holds no 2-D image.
    """
    reader = Reader(data, format_=FORMAT_39794)
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
    """Writes a record. A record of the profile without extensions that was read is written byte for byte.

    Raises:
        RecordInvalid: It has no image, or a block whose parts do not fit together.
    """
    if not record.picture.representation_data:
        raise RecordInvalid("a face needs an image, and this one has no bytes")
    content = FaceImageDataBlock(version=record.version, representations=record.representations)
    block = encode(DATA_BLOCK, _SCHEMA.write(content))
    return (encode(WRAPPED, block) if record.wrapped else block) + record.trailing


def excluded_values(record: Record39794) -> tuple[str, ...]:
    """Returns the values that the schema excludes: each field in words, with its value."""
    content = FaceImageDataBlock(version=record.version, representations=record.representations)
    return range_errors(_SCHEMA, content)


def _data_block(reader: Reader) -> tuple[Element, Element]:
    """Returns the data block and the element that is outermost."""
    data = reader.data
    outermost = read_der(data, 0, len(data), format_=FORMAT_39794)
    block = reader.only(outermost, field=_FIELD) if outermost.tag == WRAPPED else outermost
    if block.tag != DATA_BLOCK:
        raise reader.malformed(f"it holds data object {block.tag:X}, not 65", _FIELD, block.start)
    return block, outermost
