"""ASN.1 types that consist of others: choices, codes with a fallback, sequences. See ``asn1``."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeVar, get_args, get_type_hints

from formats.der import encode
from matcher.errors import RecordInvalid
from matcher.records.asn1 import CONSTRUCTED, CONTEXT, Enumerated, Kind, Reader, Tagged
from matcher.records.der import Element

__all__ = [
    "MOST_EXTENSIONS",
    "MOST_ITEMS",
    "Alternatives",
    "Base",
    "ExtensibleCode",
    "Sequence",
    "SequenceOf",
    "range_errors",
]

MOST_EXTENSIONS: Final = 64
"""More unknown elements than this behind the known fields of one SEQUENCE are refused."""
MOST_ITEMS: Final = 256
"""Limit of a SEQUENCE OF that states no other."""

_UNIVERSAL_SEQUENCE: Final = 0x30
_BASE: Final = CONTEXT | 0
_EXTENSION: Final = CONTEXT | CONSTRUCTED | 1

_T = TypeVar("_T")


class Base(Kind[_T | None]):
    """CHOICE of a known alternative [0] and an extension block [1]. An extension block is read as None."""

    constructed = True

    def __init__(self, inner: Kind[_T], *, extensible: bool = True) -> None:
        """Sets the type of alternative [0]. If ``extensible`` is false, alternative [1] is not accepted."""
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


class SequenceOf(Kind[tuple[_T, ...]]):
    """SEQUENCE OF."""

    constructed = True

    def __init__(self, item: Kind[_T], *, most: int = MOST_ITEMS) -> None:
        """Takes the kind of the items, and ``most``, the maximum number of items."""
        self.item, self._most = item, most

    def read(self, reader: Reader, element: Element, field: str) -> tuple[_T, ...]:
        """See ``Kind.read``."""
        return tuple(
            [
                self._one(reader, item, field)
                for item in reader.children(element, most=self._most, field=field)
            ]
        )

    def _one(self, reader: Reader, item: Element, field: str) -> _T:
        if item.tag != self.item.universal:
            raise reader.malformed(f"the {field} holds a data object {item.tag:X}", field, item.start)
        return self.item.read(reader, item, field)

    def write(self, value: tuple[_T, ...]) -> bytes:
        """See ``Kind.write``."""
        if len(value) > self._most:
            raise RecordInvalid(f"a field holds {len(value)} items; at most {self._most} are written")
        return b"".join(encode(self.item.universal, self.item.write(item)) for item in value)

    def range_errors(self, value: tuple[_T, ...], field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        for item in value:
            yield from self.item.range_errors(item, field)


class Sequence(Kind[_T]):
    """SEQUENCE of the fields of a dataclass."""

    constructed = True
    universal = _UNIVERSAL_SEQUENCE

    def __init__(self, type_: type[_T], *, extensible: bool = True) -> None:
        """If ``extensible`` is false, the SEQUENCE contains only the fields of ``type_``."""
        self.type, self.extensible = type_, extensible
        self._known = _components(type_)
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

    def range_errors(self, value: _T, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        for one in self._known:
            part = getattr(value, one.name)
            if part is not None:
                yield from one.kind.range_errors(part, one.words)


class Alternatives(Kind[_T | None]):
    """CHOICE among the fields of a dataclass; exactly one of them is set.

    The value is None if the alternative is itself read as None, such as an extension block; see ``Base``.
    """

    constructed = True

    def __init__(self, type_: type[_T]) -> None:
        """``type_`` is the dataclass; all its fields have the default None."""
        self.type = type_
        self._known = _components(type_)

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

    def range_errors(self, value: _T | None, field: str) -> Iterator[str]:
        """See ``Kind.range_errors``."""
        for one in self._known:
            part = getattr(value, one.name, None)
            if part is not None:
                yield from one.kind.range_errors(part, one.words)


def range_errors(kind: Kind[_T], value: _T) -> tuple[str, ...]:
    """Returns a description of each part of ``value`` that is outside the range of its type in ``kind``."""
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
