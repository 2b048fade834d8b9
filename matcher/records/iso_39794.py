"""Recognises ISO/IEC 39794-5 records by their structure; it does not read them.

A record is DER: the data block [APPLICATION 5] that begins with its version block [0] (generation [0],
year [1]); the DG2 of a passport holds it in a context tag [1]. The XML form names the standard in its
namespace. The number of an application tag is the number of the part of the standard: a data block
[APPLICATION 4] is of a finger and [APPLICATION 6] of an iris.

The content of a record starts at ``DataBlock.start``. Source: ISO/IEC 39794-1:2019 and 39794-5:2019, annex A,
as open implementations read them; the text of the clauses was not available.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.records.ber import read_element

__all__ = ["FORMAT_39794", "DataBlock", "find_39794", "not_supported"]

FORMAT_39794: Final = "ISO/IEC 39794-5"
_PARTS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        0x64: ("ISO/IEC 39794-4", "finger image"),
        0x65: (FORMAT_39794, "face"),
        0x66: ("ISO/IEC 39794-6", "iris image"),
    }
)
_WRAPPED: Final = 0xA1
_VERSION_BLOCK: Final = 0xA0
_GENERATION: Final = 0x80
_YEAR: Final = 0x81
_XML_HEAD: Final = 1024
_XML_NAME: Final = b"39794"


@dataclass(frozen=True, slots=True)
class DataBlock:
    """A data block that was recognised.

    Attributes:
        format: The part of the standard.
        modality: The modality in words; ``"face"`` for 39794-5.
        year: Year of the edition, as the version block states it; None in the XML form.
        start: Offset of the block's value; 0 in the XML form.
        end: Offset behind it.
    """

    format: str
    modality: str
    year: int | None
    start: int
    end: int


def find_39794(data: bytes) -> DataBlock | None:
    """Return the data block of ``data``, bare or in its context tag; None if it is none."""
    if data[:1] == b"<":
        known = _XML_NAME in data[:_XML_HEAD]
        return DataBlock(FORMAT_39794, "face", None, 0, len(data)) if known else None
    try:
        return _find(data)
    except TrustedImageRefused:
        # Bytes that are not valid DER are no such record.
        return None


def not_supported() -> TrustedImageRefused:
    """Make the refusal of a 39794-5 record."""
    return TrustedImageRefused(
        RefusalReason.ISO_39794_NOT_SUPPORTED,
        "The upload is an ISO/IEC 39794-5 record, which is not supported. Send the image in it, or "
        "an ISO/IEC 19794-5 record.",
        details={"format": FORMAT_39794},
    )


def _find(data: bytes) -> DataBlock | None:
    if not data or data[0] not in {_WRAPPED, *_PARTS}:
        return None
    block = read_element(data, 0, len(data), format_=FORMAT_39794)
    if block.tag == _WRAPPED:
        block = read_element(data, block.start, block.end, format_=FORMAT_39794)
    if block.tag not in _PARTS:
        return None
    version = read_element(data, block.start, block.end, format_=FORMAT_39794)
    if version.tag != _VERSION_BLOCK:
        return None
    generation = read_element(data, version.start, version.end, format_=FORMAT_39794)
    year = read_element(data, generation.end, version.end, format_=FORMAT_39794)
    if (generation.tag, year.tag) != (_GENERATION, _YEAR):
        return None
    part, modality = _PARTS[block.tag]
    edition = int.from_bytes(data[year.start : min(year.end, year.start + 4)], "big")
    return DataBlock(part, modality, edition, block.start, block.end)
