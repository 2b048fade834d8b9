"""Data elements in DER (ITU-T X.690): the objects of ``ber`` with the shortest tags and lengths only.

The content of an element is never searched. A caller descends only into elements that its schema names, so
the depth is that of the schema, whatever the bytes contain.
"""

from collections.abc import Iterator
from typing import Final

from matcher.records.ber import Element, head_length, read_element
from matcher.records.fields import record_malformed

__all__ = ["LONGEST_INTEGER", "der_elements", "read_der", "read_integer", "write_integer"]

LONGEST_INTEGER: Final = 16
"""Octets of a number; longer ones are refused. The schemas that are read limit most numbers to two."""

_TAG_FOLLOWS: Final = 0x1F
_MORE: Final = 0x80
_SHORT_HEAD: Final = 2


def read_der(data: bytes, position: int, end: int, *, format_: str) -> Element:
    """Reads the head of the element at ``position``.

    Args:
        data: The bytes.
        position: Offset of the element.
        end: Offset after the enclosing element.
        format_: The format that the bytes claim, for errors.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: as ``ber.read_element``, or the tag or the length is not in the
            fewest octets.
    """
    start = position + _SHORT_HEAD
    if start <= end:
        # Most elements: a tag of one byte and a length of one, which are the shortest.
        tag, length = data[position], data[position + 1]
        if tag & _TAG_FOLLOWS != _TAG_FOLLOWS and length < _MORE and start + length <= end:
            return Element(tag, start, start + length)
    element = read_element(data, position, end, format_=format_)
    tag = element.tag
    if tag > 0xFF:
        first = data[position + 1]
        if first == _MORE or (tag <= 0xFFFF and first < _TAG_FOLLOWS):
            raise record_malformed(
                format_, f"tag {tag:X} is not in the fewest octets", field="tag", offset=position
            )
    if element.start - position != head_length(tag, element.end - element.start):
        what = f"the length of data object {tag:X} is not in the fewest octets, as DER demands"
        raise record_malformed(format_, what, field="length", offset=position)
    return element


def der_elements(
    data: bytes, position: int, end: int, *, format_: str, most: int, field: str
) -> Iterator[Element]:
    """Yields the elements from ``position`` to ``end``.

    Args:
        data: The bytes.
        position: Offset of the first element.
        end: Offset after the last one.
        format_: The format that the bytes claim, for errors.
        most: Limit of the number of elements.
        field: The field that holds them, for errors.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: as ``read_der``, or there are more than ``most``.
    """
    for _ in range(most):
        if position >= end:
            return
        element = read_der(data, position, end, format_=format_)
        yield element
        position = element.end
    if position < end:
        what = f"the {field} holds more than {most} data objects"
        raise record_malformed(format_, what, field=field, offset=position)


def read_integer(data: bytes, element: Element, *, format_: str, field: str) -> int:
    """Reads the content of an INTEGER or ENUMERATED, which is in two's complement.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: it is empty, longer than ``LONGEST_INTEGER``, or not in the
            fewest octets.
    """
    size = element.end - element.start
    if not 1 <= size <= LONGEST_INTEGER:
        what = f"the {field} has {size} octets, and 1 to {LONGEST_INTEGER} are read"
        raise record_malformed(format_, what, field=field, offset=element.start)
    octets = data[element.start : element.end]
    if size > 1 and (octets[0], octets[1] >> 7) in {(0x00, 0), (0xFF, 1)}:
        what = f"the {field} is not in the fewest octets, as DER demands"
        raise record_malformed(format_, what, field=field, offset=element.start)
    return int.from_bytes(octets, "big", signed=True)


def write_integer(value: int) -> bytes:
    """Writes the content of an INTEGER or ENUMERATED."""
    bits = value.bit_length() if value >= 0 else (~value).bit_length()
    return value.to_bytes(bits // 8 + 1, "big", signed=True)
