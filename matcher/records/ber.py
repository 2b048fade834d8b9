"""BER-TLV data objects of documents: ISO/IEC 7816-4, 5.2.2 (definite lengths only)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from matcher.records.fields import record_malformed, require_field

__all__ = ["MOST_ELEMENTS", "Element", "elements", "encode", "head_length", "read_element"]

MOST_ELEMENTS: Final = 64
"""More data objects than this within one are refused: documents hold about ten."""

_TAG_FOLLOWS: Final = 0x1F
_MORE: Final = 0x80
_LONGEST_TAG: Final = 3
_LONGEST_LENGTH: Final = 4
_CONSTRUCTED: Final = 0x20


class Element(NamedTuple):
    """The position of a data object in the bytes from which it was read.

    Attributes:
        tag: The tag's bytes as one number, such as 0x7F61.
        start: Offset of its value.
        end: Offset after its value.
    """

    tag: int
    start: int
    end: int


def read_element(data: bytes, position: int, end: int, *, format_: str) -> Element:
    """Reads the head of the data object at ``position``.

    Args:
        data: The bytes.
        position: Offset of the object.
        end: Offset after the enclosing object.
        format_: The format that the bytes claim, for errors.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the object reaches beyond ``end``, its length is indefinite
            or longer than four bytes, or its tag longer than three.
    """
    require_field(end, position, 1, format_=format_, field="tag")
    tag, cursor = data[position], position + 1
    if tag & _TAG_FOLLOWS == _TAG_FOLLOWS:
        for _ in range(_LONGEST_TAG - 1):
            require_field(end, cursor, 1, format_=format_, field="tag")
            tag, cursor = tag << 8 | data[cursor], cursor + 1
            if not tag & _MORE:
                break
        else:
            raise record_malformed(format_, "a tag is longer than three bytes", field="tag", offset=position)
    require_field(end, cursor, 1, format_=format_, field="length")
    length, cursor = data[cursor], cursor + 1
    if length & _MORE:
        count = length & ~_MORE
        if not 1 <= count <= _LONGEST_LENGTH:
            form = f"of {count} bytes" if count else "of the indefinite form"
            what = f"data object {tag:X} has a length {form}; definite ones of at most 4 bytes are read"
            raise record_malformed(format_, what, field="length", offset=cursor - 1)
        require_field(end, cursor, count, format_=format_, field="length")
        length, cursor = int.from_bytes(data[cursor : cursor + count], "big"), cursor + count
    if cursor + length > end:
        what = (
            f"data object {tag:X} declares {length} bytes, and {end - cursor} are left: the record is cut "
            "off, or the length is wrong"
        )
        raise record_malformed(format_, what, field=f"length of {tag:X}", offset=position)
    return Element(tag, cursor, cursor + length)


def elements(data: bytes, position: int, end: int, *, format_: str) -> Iterator[Element]:
    """Yields the data objects from ``position`` to ``end``.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: as ``read_element``, or more than ``MOST_ELEMENTS``.
    """
    for _ in range(MOST_ELEMENTS):
        if position >= end:
            return
        element = read_element(data, position, end, format_=format_)
        yield element
        position = element.end
    if position < end:
        what = f"one data object holds more than {MOST_ELEMENTS} others"
        raise record_malformed(format_, what, field="data objects", offset=position)


def encode(tag: int, value: bytes) -> bytes:
    """Encodes a data object, with its length in the shortest form.

    Args:
        tag: As in ``Element``, 0..0xFFFFFF.
        value: Less than 4 GiB.
    """
    size = len(value)
    if size < _MORE:
        length = bytes([size])
    else:
        digits = size.to_bytes(_octets(size), "big")
        length = bytes([_MORE | len(digits)]) + digits
    return tag.to_bytes(max(1, _octets(tag)), "big") + length + value


def head_length(tag: int, size: int) -> int:
    """Returns the number of bytes that ``encode`` writes before a value of ``size`` bytes."""
    return max(1, _octets(tag)) + 1 + (_octets(size) if size >= _MORE else 0)


def _octets(number: int) -> int:
    return (number.bit_length() + 7) // 8
