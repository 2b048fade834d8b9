"""Reads and writes dataclasses whose fields name their ASN.1 types, in DER with implicit tags.

A dataclass stands for a SEQUENCE or a CHOICE. Each field is ``Annotated[type, Tagged(number, kind)]``; a
field with the default ``None`` is OPTIONAL. The schema is the dataclasses, and this module knows none::

    class DateTimeBlock:
        year: Annotated[int, Tagged(0, Integer(0, 9999))]
        month: Annotated[int | None, Tagged(1, Integer(1, 12))] = None

The reader requires the structure of the schema:
tags in order, each once, mandatory fields present, primitive or constructed as their type demands. It accepts
values outside their range, because one wrong number in a passport does not make its image unusable;
``range_errors`` names them. Elements after the known fields of an extensible type are ignored and counted.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar, get_args, get_type_hints

from formats.der import encode, encode_integer
from matcher.errors import RecordInvalid, TrustedImageRefused, record_malformed
from matcher.records.der import Element, der_elements, read_der, read_integer

CONTEXT: Final = 0x80
"""Class bits of a context tag."""
CONSTRUCTED: Final = 0x20
"""Bit of a tag whose element consists of elements."""
_UNIVERSAL_OCTETS: Final = 0x04
_TRUE: Final = 0xFF
MOST_EXTENSIONS: Final = 64
"""More unknown elements than this behind the known fields of one SEQUENCE are refused."""
MOST_ITEMS: Final = 256
"""Limit of a SEQUENCE OF that states no other."""

_UNIVERSAL_SEQUENCE: Final = 0x30
_BASE: Final = CONTEXT | 0
_EXTENSION: Final = CONTEXT | CONSTRUCTED | 1

_T = TypeVar("_T")
_Type = TypeVar("_Type")


@dataclass(slots=True, eq=False)
class Reader:
    """The bytes that are read.

    Attributes:
        format: The format that they claim, for errors.
        ignored: The number of extensions that were ignored in them.
    """

    data: bytes
    format: str
    ignored: int = 0

    def children(self, parent: Element, *, most: int, field: str) -> Iterator[Element]:
        """Yield the elements in ``parent``; see ``der.der_elements``."""
        return der_elements(self.data, parent.start, parent.end, format_=self.format, most=most, field=field)

    def only(self, parent: Element, *, field: str) -> Element:
        """Return the one element in ``parent``.

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
        """Return the refusal of a record whose structure is wrong."""
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
        """Return the value of ``element``.

        Raises:
            TrustedImageRefused: RECORD_MALFORMED: the element does not have the type.
        """

    @abstractmethod
    def write(self, value: _T) -> bytes:
        """Return the content of the element for ``value``.

        Raises:
            RecordInvalid: The type does not hold the value.
        """

    def range_errors(self, value: _T, field: str) -> Iterator[str]:
        """Yield the parts of ``value`` that are outside their range: the field in words, and the value."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Tagged:
    """The context tag and the type of a field.

    Attributes:
        number: Number of the tag, 0..30.
    """

    number: int
    kind: Kind[Any]

    @property
    def tag(self) -> int:
        """The tag as one byte."""
        return CONTEXT | (CONSTRUCTED if self.kind.constructed else 0) | self.number


@dataclass(frozen=True, eq=False)
class Integer(Kind[int]):
    """INTEGER (low..high); a ``high`` of None stands for MAX."""

    low: int
    high: int | None

    def read(self, reader: Reader, element: Element, field: str) -> int:
        """See ``Kind.read``."""
        return read_integer(reader.data, element, format_=reader.format, field=field)

    def write(self, value: int) -> bytes:
        """See ``Kind.write``."""
        return encode_integer(value)

    def range_errors(self, value: int, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        if value < self.low or (self.high is not None and value > self.high):
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


class Base(Kind[_T | None]):
    """CHOICE of a known alternative [0] and an extension block [1]. An extension block is read as None."""

    constructed = True

    def __init__(self, inner: Kind[_T], *, extensible: bool = True) -> None:
        """Set the type of alternative [0]. If ``extensible`` is false, alternative [1] is not accepted."""
        self.inner, self.extensible = inner, extensible
        self._tag = _BASE | (CONSTRUCTED if inner.constructed else 0)

    def read(self, reader: Reader, element: Element, field: str) -> _T | None:
        """See ``Kind.read``."""
        chosen = reader.only(element, field=field)
        if chosen.tag == self._tag:
            return self.inner.read(reader, chosen, field)
        if self.extensible and chosen.tag == _EXTENSION:
            reader.ignored += 1
            return None
        raise reader.malformed(f"the {field} has no alternative {chosen.tag:X}", field, element.start)

    def write(self, value: _T | None) -> bytes:
        """See ``Kind.write``."""
        if value is not None:
            return encode(self._tag, self.inner.write(value))
        if not self.extensible:
            raise RecordInvalid("a choice without a value cannot be written")
        return encode(_EXTENSION, b"")

    def range_errors(self, value: _T | None, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        if value is not None:
            yield from self.inner.range_errors(value, field)


class ExtensibleCode(Kind[int]):
    """A code in the form of the ICAO profile: CHOICE of an extension block [1] that begins with a code [0].

    A code as alternative [0] of the CHOICE is read too, although the profile excludes it.
    """

    constructed = True

    def __init__(self, codes: type[IntEnum]) -> None:
        """``codes`` is the enumeration."""
        self._code = Enumerated(codes)

    def read(self, reader: Reader, element: Element, field: str) -> int:
        """See ``Kind.read``."""
        chosen = reader.only(element, field=field)
        if chosen.tag == _BASE:
            return self._code.read(reader, chosen, field)
        if chosen.tag != _EXTENSION:
            raise reader.malformed(f"the {field} has no alternative {chosen.tag:X}", field, element.start)
        inner = reader.children(chosen, most=1 + MOST_EXTENSIONS, field=field)
        fallback = next(inner, None)
        if fallback is None or fallback.tag != _BASE:
            raise reader.malformed(f"the {field} has no fallback", field, chosen.start)
        for extra in inner:
            if extra.tag & ~CONSTRUCTED == _BASE:
                raise reader.malformed(f"the {field} has two fallbacks", field, extra.start)
            reader.ignored += 1
        return self._code.read(reader, fallback, field)

    def write(self, value: int) -> bytes:
        """See ``Kind.write``."""
        return encode(_EXTENSION, encode(_BASE, self._code.write(value)))

    def range_errors(self, value: int, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        return self._code.range_errors(value, field)


@dataclass(frozen=True, eq=False)
class SequenceOf(Kind[tuple[_T, ...]]):
    """SEQUENCE OF at most so many items."""

    constructed = True
    item: Kind[_T]
    most: int = MOST_ITEMS

    def read(self, reader: Reader, element: Element, field: str) -> tuple[_T, ...]:
        """See ``Kind.read``."""
        return tuple(
            [self._one(reader, item, field) for item in reader.children(element, most=self.most, field=field)]
        )

    def _one(self, reader: Reader, item: Element, field: str) -> _T:
        if item.tag != self.item.universal:
            raise reader.malformed(f"the {field} holds a data object {item.tag:X}", field, item.start)
        return self.item.read(reader, item, field)

    def write(self, value: tuple[_T, ...]) -> bytes:
        """See ``Kind.write``."""
        if len(value) > self.most:
            raise RecordInvalid(f"a field holds {len(value)} items; at most {self.most} are written")
        return b"".join(encode(self.item.universal, self.item.write(item)) for item in value)

    def range_errors(self, value: tuple[_T, ...], field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        for item in value:
            yield from self.item.range_errors(item, field)


class _OfFields(Kind[_T], Generic[_T, _Type]):
    """The fields of a dataclass, which its value has."""

    constructed = True

    def __init__(self, type_: type[_Type]) -> None:
        self.type = type_
        self._known = _components(type_)

    def range_errors(self, value: _T, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        for one in self._known:
            part = getattr(value, one.name, None)
            if part is not None:
                yield from one.kind.range_errors(part, one.words)


class Sequence(_OfFields[_T, _T]):
    """SEQUENCE of the fields of a dataclass."""

    universal = _UNIVERSAL_SEQUENCE

    def __init__(self, type_: type[_T], *, extensible: bool = True) -> None:
        """If ``extensible`` is false, the SEQUENCE contains only the fields of ``type_``."""
        super().__init__(type_)
        self.extensible = extensible
        self._places = {one.tag: place for place, one in enumerate(self._known)}

    def read(self, reader: Reader, element: Element, field: str) -> _T:
        """See ``Kind.read``."""
        known, places = self._known, self._places
        found: dict[str, object] = {}
        position = extensions = 0
        for child in reader.children(element, most=len(known) + MOST_EXTENSIONS, field=field):
            place = places.get(child.tag)
            if place is not None and place >= position:
                one = known[place]
                found[one.name] = one.kind.read(reader, child, one.words)
                position = place + 1
                continue
            if place is not None:
                what = f"the {known[place].words} is repeated, or out of order"
                raise reader.malformed(what, known[place].words, child.start)
            if child.tag ^ CONSTRUCTED in places:
                words = known[places[child.tag ^ CONSTRUCTED]].words
                raise reader.malformed(f"the {words} has another type", words, child.start)
            if not self.extensible:
                raise reader.malformed(f"the {field} holds a data object {child.tag:X}", field, child.start)
            extensions += 1
            position = len(known)
        missing = next((one for one in known if one.mandatory and one.name not in found), None)
        if missing is not None:
            what = f"the {field} has no {missing.words}"
            raise reader.malformed(what, missing.words, element.start)
        reader.ignored += extensions
        return self.type(**found)

    def write(self, value: _T) -> bytes:
        """See ``Kind.write``."""
        return b"".join(
            encode(one.tag, one.kind.write(part))
            for one in self._known
            if (part := getattr(value, one.name)) is not None or one.mandatory
        )


class Alternatives(_OfFields[_T | None, _T]):
    """CHOICE among the fields of a dataclass, all with the default None; exactly one of them is set.

    The value is None if the alternative is itself read as None, such as an extension block; see ``Base``.
    """

    def read(self, reader: Reader, element: Element, field: str) -> _T | None:
        """See ``Kind.read``."""
        chosen = reader.only(element, field=field)
        for one in self._known:
            if one.tag == chosen.tag:
                value = one.kind.read(reader, chosen, one.words)
                return None if value is None else self.type(**{one.name: value})
        raise reader.malformed(f"the {field} has no alternative {chosen.tag:X}", field, element.start)

    def write(self, value: _T | None) -> bytes:
        """See ``Kind.write``."""
        given = [(one, part) for one in self._known if (part := getattr(value, one.name, None)) is not None]
        if len(given) != 1:
            raise RecordInvalid(f"{self.type.__name__} has {len(given)} values; it is a choice of one")
        ((one, part),) = given
        return encode(one.tag, one.kind.write(part))


def range_errors(kind: Kind[_T], value: _T) -> tuple[str, ...]:
    """Return a description of each part of ``value`` that is outside the range of its type in ``kind``."""
    return tuple(kind.range_errors(value, "value"))


@dataclass(frozen=True, slots=True)
class _Component:
    """A field of a dataclass, with its type."""

    name: str
    words: str
    tag: int
    kind: Kind[Any]
    mandatory: bool


def _components(type_: type[object]) -> tuple[_Component, ...]:
    hints = get_type_hints(type_, include_extras=True)
    found = []
    for field in dataclasses.fields(type_):  # type: ignore[arg-type]  # a dataclass, always
        (tagged,) = (one for one in get_args(hints[field.name]) if isinstance(one, Tagged))
        found.append(
            _Component(
                name=field.name,
                words=field.name.replace("_", " "),
                tag=tagged.tag,
                kind=tagged.kind,
                mandatory=field.default is dataclasses.MISSING,
            )
        )
    return tuple(found)
