"""Recognises ISO/IEC 39794 records by their first tags.

A record is DER: the data block [APPLICATION 5] that begins with its version block [0] and the generation [0]
in it; the DG2 of a passport holds it in a context tag [1]. The XML form names the standard in its namespace.
The number of an application tag is the number of the part of the standard: a data block [APPLICATION 4] is of
a finger and [APPLICATION 6] of an iris. The parser tests lengths, so that it names a record that is cut off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from matcher.errors import RefusalReason, TrustedImageRefused

__all__ = ["DATA_BLOCK", "FORMAT_39794", "WRAPPED", "Recognised", "not_supported", "recognise_39794"]

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
    """Make the refusal of a 39794-5 record that is not read.

    Args:
        what: Why, as the end of a sentence about the record.
    """
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
