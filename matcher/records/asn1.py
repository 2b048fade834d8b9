"""Reads and writes dataclasses whose fields name their ASN.1 types, in DER with implicit tags.

A dataclass stands for a SEQUENCE or a CHOICE. Each field is ``Annotated[type, Tagged(number, kind)]``; a
field with the default ``None`` is OPTIONAL. The schema is the dataclasses, and this module knows none::

    class DateTimeBlock:
        year: Annotated[int, Tagged(0, Integer(0, 9999))]
        month: Annotated[int | None, Tagged(1, Integer(1, 12))] = None

``asn1_structures`` has the types that consist of others. The reader requires the structure of the schema:
tags in order, each once, mandatory fields present, primitive or constructed as their type demands. It accepts
values outside their range, because one wrong number in a passport does not make its image unusable;
``range_errors`` names them. Elements after the known fields of an extensible type are ignored and counted.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

from formats.der import encode_integer
from matcher.errors import TrustedImageRefused
from matcher.records.der import Element, der_elements, read_der, read_integer
from matcher.records.fields import record_malformed

__all__ = [
    "CONSTRUCTED",
    "CONTEXT",
    "Boolean",
    "Enumerated",
    "Integer",
    "Kind",
    "Octets",
    "Reader",
    "Tagged",
]

CONTEXT: Final = 0x80
"""Class bits of a context tag."""
CONSTRUCTED: Final = 0x20
"""Bit of a tag whose element consists of elements."""
_UNIVERSAL_OCTETS: Final = 0x04
_TRUE: Final = 0xFF

_T = TypeVar("_T")


class Reader:
    """The bytes that are read, and the number of extensions that were ignored in them."""

    def __init__(self, data: bytes, *, format_: str) -> None:
        """Starts with no extension ignored.

        Args:
            data: The bytes.
            format_: The format that they claim, for errors.
        """
        self.data = data
        self.format = format_
        self.ignored = 0

    def children(self, parent: Element, *, most: int, field: str) -> Iterator[Element]:
        """Yields the elements in ``parent``; see ``der.der_elements``."""
        return der_elements(self.data, parent.start, parent.end, format_=self.format, most=most, field=field)

    def only(self, parent: Element, *, field: str) -> Element:
        """Returns the one element in ``parent``.

        Raises:
            TrustedImageRefused: RECORD_MALFORMED: there is none, or more than one.
        """
        if parent.start == parent.end:
            raise self.malformed(f"the {field} is empty", field, parent.start)
        inner = read_der(self.data, parent.start, parent.end, format_=self.format)
        if inner.end != parent.end:
            raise self.malformed(f"the {field} holds more than one data object", field, inner.end)
        return inner

    def malformed(self, what: str, field: str, offset: int) -> TrustedImageRefused:
        """Returns the refusal of a record whose structure is wrong."""
        return record_malformed(self.format, what, field=field, offset=offset)


class Kind(ABC, Generic[_T]):
    """An ASN.1 type.

    Attributes:
        constructed: Whether its encoding consists of elements.
        universal: Its tag as an item of a SEQUENCE OF; 0 if it cannot be one.
    """

    constructed: bool = False
    universal: int = 0

    @abstractmethod
    def read(self, reader: Reader, element: Element, field: str) -> _T:
        """Returns the value of ``element``.

        Raises:
            TrustedImageRefused: RECORD_MALFORMED: the element does not have the type.
        """

    @abstractmethod
    def write(self, value: _T) -> bytes:
        """Returns the content of the element for ``value``.

        Raises:
            RecordInvalid: The type does not hold the value.
        """

    def range_errors(self, value: _T, field: str) -> Iterator[str]:
        """Yields the parts of ``value`` that are outside their range: the field in words, and the value."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Tagged:
    """The context tag and the type of a field.

    Attributes:
        number: Number of the tag, 0..30.
        kind: The type.
    """

    number: int
    kind: Kind[Any]

    @property
    def tag(self) -> int:
        """The tag as one byte."""
        return CONTEXT | (CONSTRUCTED if self.kind.constructed else 0) | self.number


class Integer(Kind[int]):
    """INTEGER (low..high)."""

    def __init__(self, low: int, high: int | None) -> None:
        """A ``high`` of None stands for MAX."""
        self._low, self._high = low, high

    def read(self, reader: Reader, element: Element, field: str) -> int:
        """See ``Kind.read``."""
        return read_integer(reader.data, element, format_=reader.format, field=field)

    def write(self, value: int) -> bytes:
        """See ``Kind.write``."""
        return encode_integer(value)

    def range_errors(self, value: int, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        if value < self._low or (self._high is not None and value > self._high):
            yield f"{field} {value}"


class Enumerated(Kind[int]):
    """ENUMERATED; a code that the enumeration names is read as its member."""

    def __init__(self, codes: type[IntEnum]) -> None:
        """``codes`` is the enumeration."""
        self._codes = codes
        self._members = {int(member): member for member in codes}

    def read(self, reader: Reader, element: Element, field: str) -> int:
        """See ``Kind.read``."""
        code = read_integer(reader.data, element, format_=reader.format, field=field)
        return self._members.get(code, code)

    def write(self, value: int) -> bytes:
        """See ``Kind.write``."""
        return encode_integer(value)

    def range_errors(self, value: int, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        if value not in self._members:
            yield f"{field} {value}"


class Boolean(Kind[bool]):
    """BOOLEAN, which DER encodes as 0x00 or 0xFF."""

    def read(self, reader: Reader, element: Element, field: str) -> bool:
        """See ``Kind.read``."""
        octets = reader.data[element.start : element.end]
        if octets not in {b"\x00", b"\xff"}:
            raise reader.malformed(f"the {field} is no BOOLEAN of DER (00 or FF)", field, element.start)
        return octets[0] == _TRUE

    def write(self, value: bool) -> bytes:
        """See ``Kind.write``."""
        return b"\xff" if value else b"\x00"


class Octets(Kind[bytes]):
    """OCTET STRING."""

    universal = _UNIVERSAL_OCTETS

    def read(self, reader: Reader, element: Element, field: str) -> bytes:
        """See ``Kind.read``."""
        return bytes(reader.data[element.start : element.end])

    def write(self, value: bytes) -> bytes:
        """See ``Kind.write``."""
        return value
