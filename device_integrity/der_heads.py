"""Reads the tag and the length of an ASN.1 element (ITU-T X.690, 8.1.2 and 8.1.3)."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from device_integrity.errors import DerMalformed

__all__ = ["Encoding", "Head", "Tag", "TagClass", "Universal", "read_head"]

_CONSTRUCTED: Final = 0x20
_TAG_FOLLOWS: Final = 0x1F
_INDEFINITE: Final = 0x80
_MAX_TAG_OCTETS: Final = 4
_MAX_LENGTH_OCTETS: Final = 4
_MORE: Final = 0x80


class TagClass(IntEnum):
    """The class of a tag, X.690 8.1.2.2."""

    UNIVERSAL = 0
    APPLICATION = 1
    CONTEXT = 2
    PRIVATE = 3


class Universal(IntEnum):
    """The universal tag numbers that the reader knows, X.680 8.4."""

    END_OF_CONTENTS = 0
    BOOLEAN = 1
    INTEGER = 2
    BIT_STRING = 3
    OCTET_STRING = 4
    NULL = 5
    OBJECT_IDENTIFIER = 6
    ENUMERATED = 10
    UTF8_STRING = 12
    SEQUENCE = 16
    SET = 17
    PRINTABLE_STRING = 19
    IA5_STRING = 22
    UTC_TIME = 23
    GENERALIZED_TIME = 24


class Encoding(Enum):
    """The encoding rules of X.690 that a reader demands."""

    DER = "DER"
    """Definite lengths in the fewest octets."""
    BER = "BER"
    """Also indefinite lengths, long forms of short lengths, and strings in pieces."""


_UNIVERSAL_NUMBERS: Final = frozenset(map(int, Universal))


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: its class and number."""

    tag_class: TagClass
    number: int

    def __str__(self) -> str:
        """Returns the tag as text, such as ``SEQUENCE`` or ``[701]``."""
        if self.tag_class is TagClass.UNIVERSAL and self.number in _UNIVERSAL_NUMBERS:
            return Universal(self.number).name
        if self.tag_class is TagClass.CONTEXT:
            return f"[{self.number}]"
        return f"[{self.tag_class.name} {self.number}]"


class Head(NamedTuple):
    """The tag and length of an element, and the position at which its content begins."""

    tag: Tag
    constructed: bool
    start: int
    length: int | None
    """``None`` for an indefinite length."""


def read_head(data: bytes, position: int, end: int, encoding: Encoding) -> Head:
    """Reads the tag and the length of the element at ``position``.

    Args:
        data: The bytes.
        position: The position of the element.
        end: The end of the enclosing element, or of the data.
        encoding: The accepted encoding.

    Raises:
        DerMalformed: The element is cut off, reaches beyond ``end``, or is not in the encoding.
    """
    first = data[position] if position < end else -1
    if position + 1 < end and first & _TAG_FOLLOWS != _TAG_FOLLOWS:
        tag, constructed, cursor = _LOW_TAGS[first], bool(first & _CONSTRUCTED), position + 1
    else:
        tag, constructed, cursor = _tag(data, position, end)
    octet, cursor = _octet(data, cursor, end), cursor + 1
    if octet == _INDEFINITE:
        if encoding is Encoding.DER or not constructed:
            raise DerMalformed(f"the length of {tag} is indefinite")
        return Head(tag, constructed, cursor, None)
    length = octet
    if octet & _MORE:
        count = octet & ~_MORE
        if count > _MAX_LENGTH_OCTETS or cursor + count > end:
            raise DerMalformed(f"the length of {tag} takes {count} octets, too many or more than are left")
        length = int.from_bytes(data[cursor : cursor + count], "big")
        if encoding is Encoding.DER and (length < _MORE or data[cursor] == 0):
            raise DerMalformed(f"the length of {tag} is not in the fewest octets")
        cursor += count
    if length > end - cursor:
        raise DerMalformed(f"{tag} has {length} octets, {end - cursor} are left")
    if first & ~_CONSTRUCTED == 0:
        raise DerMalformed("end-of-contents outside an indefinite length")
    return Head(tag, constructed, cursor, length)


_LOW_TAGS: Final = tuple(Tag(TagClass(first >> 6), first & _TAG_FOLLOWS) for first in range(256))
"""The tag of every first octet; the entries for high tag numbers are not used."""


def _tag(data: bytes, position: int, end: int) -> tuple[Tag, bool, int]:
    first = _octet(data, position, end)
    position += 1
    number = first & _TAG_FOLLOWS
    if number == _TAG_FOLLOWS:
        number = 0
        for count in range(_MAX_TAG_OCTETS):
            octet = _octet(data, position, end)
            position += 1
            if count == 0 and octet == _MORE:
                raise DerMalformed("a tag number is not in the fewest octets")
            number = number << 7 | octet & ~_MORE
            if not octet & _MORE:
                break
        else:
            raise DerMalformed(f"a tag number takes more than {_MAX_TAG_OCTETS} octets")
        if number < _TAG_FOLLOWS:
            raise DerMalformed("a tag number is not in the fewest octets")
    return Tag(TagClass(first >> 6), number), bool(first & _CONSTRUCTED), position


def _octet(data: bytes, position: int, end: int) -> int:
    if position >= end:
        raise DerMalformed("the element is cut off")
    return data[position]
