"""Data objects in records: elements in DER, and the BER-TLV of documents (ISO/IEC 7816-4, 5.2.2).

``formats.der`` reads them; this module refuses the record, and says where, if they cannot be read. The
content of an element is never searched. A caller descends only into elements that its schema names, so the
depth is that of the schema, whatever the bytes contain.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from formats.der import Encoding, Head, read_head, shortest_integer
from formats.errors import DerMalformed, DerProblem
from matcher.errors import TrustedImageRefused
from matcher.records.fields import record_malformed

MOST_ELEMENTS: Final = 64
"""More data objects than this within one are refused: documents hold about ten."""
LONGEST_INTEGER: Final = 16
"""Octets of a number; longer ones are refused. The schemas that are read limit most numbers to two."""

_LONGEST_TAG: Final = 3

Element: TypeAlias = Head
"""The tag and the place of a data object in the bytes from which it was read; its length is definite."""


def read_element(data: bytes, position: int, end: int, *, format_: str) -> Element:
    """Reads the head of the data object at ``position``.

    Args:
        position: Offset of the object.
        end: Offset after the enclosing object.
        format_: The format that the bytes claim, for errors.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the object reaches beyond ``end``, its length is indefinite
            or longer than four bytes, or its tag longer than three.
    """
    return _read(data, position, end, Encoding.TLV, format_)


def read_der(data: bytes, position: int, end: int, *, format_: str) -> Element:
    """Reads the head of the element at ``position``; see ``read_element`` for the arguments.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: as ``read_element``, or the tag or the length is not in the
            fewest octets.
    """
    return _read(data, position, end, Encoding.DER, format_)


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


def der_elements(
    data: bytes, position: int, end: int, *, format_: str, most: int, field: str
) -> Iterator[Element]:
    """Yields the elements from ``position`` to ``end``.

    Args:
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
    value = shortest_integer(data[element.start : element.end])
    if value is None:
        what = f"the {field} is not in the fewest octets, as DER demands"
        raise record_malformed(format_, what, field=field, offset=element.start)
    return value


def _read(data: bytes, position: int, end: int, encoding: Encoding, format_: str) -> Element:
    try:
        element = read_head(data, position, end, encoding)
    except DerMalformed as error:
        raise _refusal(error, position, format_) from error
    if element.tag >> 8 * _LONGEST_TAG:
        raise _tag_too_long(position, format_)
    return element


def _tag_too_long(position: int, format_: str) -> TrustedImageRefused:
    return record_malformed(format_, "a tag is longer than three bytes", field="tag", offset=position)


def _refusal(error: DerMalformed, position: int, format_: str) -> TrustedImageRefused:
    """Returns the refusal of a record whose element at ``position`` cannot be read."""
    field, offset = "length", position
    match error.problem:
        case DerProblem.TAG_TOO_LONG:
            return _tag_too_long(position, format_)
        case DerProblem.CUT_OFF_IN_TAG | DerProblem.CUT_OFF_IN_LENGTH:
            field = "tag" if error.problem is DerProblem.CUT_OFF_IN_TAG else "length"
            offset = error.position
            what = f"the {field} needs {error.octets} bytes at byte {offset}, and {error.left} are left"
        case DerProblem.TAG_NOT_SHORTEST:
            field, what = "tag", f"tag {error.tag:X} is not in the fewest octets"
        case DerProblem.LENGTH_INDEFINITE | DerProblem.LENGTH_TOO_LONG:
            offset = error.position
            indefinite = error.problem is DerProblem.LENGTH_INDEFINITE
            form = "of the indefinite form" if indefinite else f"of {error.octets} bytes"
            what = f"data object {error.tag:X} has a length {form}; definite ones of at most 4 bytes are read"
        case DerProblem.LENGTH_NOT_SHORTEST:
            what = f"the length of data object {error.tag:X} is not in the fewest octets, as DER demands"
        case _:
            field = f"length of {error.tag:X}"
            what = (
                f"data object {error.tag:X} declares {error.octets} bytes, and {error.left} are left: the "
                "record is cut off, or the length is wrong"
            )
    return record_malformed(format_, what, field=field, offset=offset)
