"""Data objects in records: elements in DER, and the BER-TLV of documents (ISO/IEC 7816-4, 5.2.2).

``formats.der`` reads them; this module refuses the record, and says where, if they cannot be read. The
content of an element is never searched. A caller descends only into elements that its schema names, so the
depth is that of the schema, whatever the bytes contain.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final, TypeAlias

from formats.der import Encoding, Head, read_head, shortest_integer
from formats.errors import DerMalformed
from matcher.errors import record_malformed

MOST_ELEMENTS: Final = 64
"""More data objects than this within one are refused: documents hold about ten."""
LONGEST_INTEGER: Final = 16
"""Octets of a number; longer ones are refused. The schemas that are read limit most numbers to two."""

_LONGEST_TAG: Final = 3

Element: TypeAlias = Head
"""The tag and the place of a data object in the bytes from which it was read; its length is definite."""


def read_element(
    data: bytes, position: int, end: int, *, format_: str, encoding: Encoding = Encoding.TLV
) -> Element:
    """Read the head of the data object at ``position``.

    Args:
        position: Offset of the object.
        end: Offset after the enclosing object.
        format_: The format that the bytes claim, for errors.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the object reaches beyond ``end``, its length is indefinite
            or longer than four bytes, its tag longer than three, or one of them is not in the encoding.
    """
    try:
        element = read_head(data, position, end, encoding)
    except DerMalformed as error:
        raise record_malformed(format_, str(error), field=error.field, offset=error.position) from error
    if element.tag >> 8 * _LONGEST_TAG:
        raise record_malformed(format_, "a tag is longer than three bytes", field="tag", offset=position)
    return element


read_der = partial(read_element, encoding=Encoding.DER)
"""Reads the head of an element of which tag and length are in the fewest octets; see ``read_element``."""


def elements(
    data: bytes,
    position: int,
    end: int,
    *,
    format_: str,
    most: int = MOST_ELEMENTS,
    field: str = "data objects",
    encoding: Encoding = Encoding.TLV,
) -> Iterator[Element]:
    """Yield the data objects from ``position`` to ``end``.

    Args:
        most: Limit of their number.
        field: The field that holds them, for errors.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: as ``read_element``, or there are more than ``most``.
    """
    for _ in range(most):
        if position >= end:
            return
        element = read_element(data, position, end, format_=format_, encoding=encoding)
        yield element
        position = element.end
    if position < end:
        what = f"one data object holds more than {most} others"
        raise record_malformed(format_, what, field=field, offset=position)


der_elements = partial(elements, encoding=Encoding.DER)
"""Yields elements of which tags and lengths are in the fewest octets; see ``elements``."""


def read_integer(data: bytes, element: Element, *, format_: str, field: str) -> int:
    """Read the content of an INTEGER or ENUMERATED, which is in two's complement.

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
