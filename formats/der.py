"""A small bounded reader and writer of ASN.1 in DER, and in BER for those that write it (ITU-T X.690).

It reads evidence of devices and the records in documents: Android's KeyDescription with its high tag numbers
and its occasional BER booleans, Apple's extensions, Apple's receipts with indefinite lengths, a passport's
data groups. ``read_head`` reads one element in place, ``read`` returns elements with their content and a few
value types; the caller interprets them. Every limit is tested before memory is allocated: bytes, depth,
elements at one level, octets of a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from formats.errors import DerMalformed

MAX_BYTES: Final = 64 * 1024
"""Maximum number of bytes; evidence of a device is smaller."""
MAX_DEPTH: Final = 16
"""Maximum nesting; a certificate has about 8 levels."""
MAX_ELEMENTS: Final = 1024
"""Maximum number of elements within one element."""

INDEFINITE: Final = -1
"""The end of an element whose length is indefinite."""

_CONSTRUCTED: Final = 0x20
_TAG_FOLLOWS: Final = 0x1F
_INDEFINITE_LENGTH: Final = 0x80
_MORE: Final = 0x80
_MAX_TAG_OCTETS: Final = 4
_MAX_LENGTH_OCTETS: Final = 4
_MAX_INTEGER_OCTETS: Final = 64
_MAX_ARC_OCTETS: Final = 9
_MAX_ARCS: Final = 32
_DER_TRUE: Final = 0xFF


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
    TLV = "BER-TLV"
    """The data objects of documents, ISO/IEC 7816-4, 5.2.2: definite lengths, and tags, in any form."""


_UNIVERSAL_NUMBERS: Final = frozenset(map(int, Universal))


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: its class and number."""

    tag_class: TagClass
    number: int

    @classmethod
    def of(cls, octets: int) -> "Tag":
        """Return the tag whose octets are a number, as in ``Head``."""
        if octets <= 0xFF:
            return cls(TagClass(octets >> 6), octets & _TAG_FOLLOWS)
        encoded = octets.to_bytes(_octets(octets), "big")
        number = 0
        for octet in encoded[1:]:
            number = number << 7 | octet & ~_MORE
        return cls(TagClass(encoded[0] >> 6), number)

    def __str__(self) -> str:
        """Return the tag as text, such as ``SEQUENCE`` or ``[701]``."""
        if self.tag_class is TagClass.UNIVERSAL and self.number in _UNIVERSAL_NUMBERS:
            return Universal(self.number).name
        if self.tag_class is TagClass.CONTEXT:
            return f"[{self.number}]"
        return f"[{self.tag_class.name} {self.number}]"


class Head(NamedTuple):
    """The tag and the place of an element in the bytes from which it was read.

    Attributes:
        tag: The octets of the tag as one number, such as 0x7F61.
        start: Offset of the content.
        end: Offset after the content; ``INDEFINITE`` if the length is.
    """

    tag: int
    start: int
    end: int


def read_head(data: bytes, position: int, end: int, encoding: Encoding) -> Head:
    """Read the tag and the length of the element at ``position`` (X.690, 8.1.2 and 8.1.3).

    Args:
        position: Offset of the element.
        end: Offset after the enclosing element, or after the data.

    Raises:
        DerMalformed: The element is cut off, reaches beyond ``end``, or is not in the encoding.
    """
    start = position + 2
    if start <= end:
        # Most elements: a tag of one octet and a length of one, which are the shortest.
        tag, length = data[position], data[position + 1]
        if tag & _TAG_FOLLOWS != _TAG_FOLLOWS and length < _MORE and start + length <= end:
            return Head(tag, start, start + length)
    tag, cursor = _read_tag(data, position, end, encoding)
    if cursor >= end:
        raise _cut_off("length", cursor)
    length, cursor = data[cursor], cursor + 1
    if length == _INDEFINITE_LENGTH:
        first = tag >> 8 * (_octets(tag) - 1)
        if encoding is not Encoding.BER or not first & _CONSTRUCTED:
            what = f"the length of {Tag.of(tag)} is indefinite"
            raise DerMalformed(what, field="length", position=cursor - 1)
        return Head(tag, cursor, INDEFINITE)
    if length & _MORE:
        length, cursor = _read_long_length(data, cursor, end, encoding, tag)
    if length > end - cursor:
        raise DerMalformed(
            f"{Tag.of(tag)} ({tag:X}) declares {length} bytes, and {end - cursor} are left: the data are cut "
            "off, or the length is wrong",
            field=f"length of {tag:X}",
            position=position,
        )
    return Head(tag, cursor, cursor + length)


def _read_tag(data: bytes, position: int, end: int, encoding: Encoding) -> tuple[int, int]:
    """Return the octets of the tag as a number, and the offset after them."""
    if position >= end:
        raise _cut_off("tag", position)
    tag, cursor = data[position], position + 1
    if tag & _TAG_FOLLOWS != _TAG_FOLLOWS:
        return tag, cursor
    for _ in range(_MAX_TAG_OCTETS):
        if cursor >= end:
            raise _cut_off("tag", cursor)
        tag, cursor = tag << 8 | data[cursor], cursor + 1
        if not tag & _MORE:
            break
    else:
        what = f"a tag number takes more than {_MAX_TAG_OCTETS} octets"
        raise DerMalformed(what, field="tag", position=position)
    first = data[position + 1]
    if encoding is not Encoding.TLV and (first == _MORE or first < _TAG_FOLLOWS):
        raise DerMalformed("a tag number is not in the fewest octets", field="tag", position=position)
    return tag, cursor


def _read_long_length(data: bytes, cursor: int, end: int, encoding: Encoding, tag: int) -> tuple[int, int]:
    """Return the length that the octets at ``cursor`` state, and the offset after them."""
    count = data[cursor - 1] & ~_MORE
    if count > _MAX_LENGTH_OCTETS:
        what = f"the length of {Tag.of(tag)} takes {count} bytes; definite ones of at most 4 are read"
        raise DerMalformed(what, field="length", position=cursor - 1)
    if cursor + count > end:
        raise _cut_off("length", cursor)
    length = int.from_bytes(data[cursor : cursor + count], "big")
    if encoding is Encoding.DER and (length < _MORE or data[cursor] == 0):
        what = f"the length of {Tag.of(tag)} is not in the fewest octets"
        raise DerMalformed(what, field="length", position=cursor - 1 - _octets(tag))
    return length, cursor + count


def _cut_off(field: str, position: int) -> DerMalformed:
    return DerMalformed(f"the element is cut off in its {field}", field=field, position=position)


def shortest_integer(content: bytes) -> int | None:
    """Return the number that the content of an INTEGER or ENUMERATED states in two's complement.

    Returns:
        ``None`` if there is no octet, or are more than it takes, which BER forbids, too.
    """
    if not content or (len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1))):
        return None
    return int.from_bytes(content, "big", signed=True)


def encode_integer(value: int) -> bytes:
    """Return the content of an INTEGER or ENUMERATED."""
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


def encode(tag: int, content: bytes) -> bytes:
    """Return an element with its length in the shortest form.

    Args:
        tag: The octets of the tag as one number, as in ``Head``.
        content: Less than 4 GiB.
    """
    size = len(content)
    length = bytes([size]) if size < _MORE else bytes([_MORE | _octets(size)]) + size.to_bytes(_octets(size))
    return tag.to_bytes(_octets(tag)) + length + content


def _octets(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)


@dataclass(frozen=True, slots=True)
class Boolean:
    """A BOOLEAN and whether its encoding is DER.

    Attributes:
        value: True for every octet except 0.
        canonical: Whether the octet is 0x00 or 0xFF, as DER demands (X.690 11.1).
    """

    value: bool
    canonical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element: a tag and its content.

    Attributes:
        constructed: Whether it consists of other elements.
        content: Its content octets, without those that end an indefinite length.
        encoding: The encoding that was accepted.
        depth: The number of elements that enclose it.
    """

    tag: Tag
    constructed: bool
    content: bytes = field(repr=False)
    encoded: bytes = field(repr=False)
    encoding: Encoding
    depth: int

    def is_universal(self, number: Universal) -> bool:
        """Return whether its tag is the universal one of this number."""
        return self.tag.tag_class is TagClass.UNIVERSAL and self.tag.number == number

    def children(self) -> tuple["Element", ...]:
        """Return the elements that this one consists of.

        Raises:
            DerMalformed: It is primitive, one of them is malformed, or they are too many or too deep.
        """
        return tuple(self.iter_children())

    def iter_children(self) -> Iterator["Element"]:
        """Iterate over the children, and read each one only when the caller requests it.

        Raises:
            DerMalformed: As for ``children``.
        """
        if not self.constructed:
            raise DerMalformed(f"{self.tag} is primitive and holds no elements")
        return _elements(self.content, self.encoding, self.depth + 1)

    def require_tag(self, number: Universal) -> "Element":
        """Return this element if it has the universal tag ``number`` and the form of that type.

        A SEQUENCE and a SET are constructed, all other types primitive. BER allows both forms for a string.

        Raises:
            DerMalformed: It has another tag or form.
        """
        if not self.is_universal(number):
            raise DerMalformed(f"{number.name} expected, {self.tag} found")
        in_pieces = self.encoding is Encoding.BER and number in _STRINGS
        if self.constructed != (number in _COLLECTIONS) and not in_pieces:
            raise DerMalformed(f"{self.tag} is {'constructed' if self.constructed else 'primitive'}")
        return self

    def sequence(self) -> tuple["Element", ...]:
        """Return the elements of a SEQUENCE.

        Raises:
            DerMalformed: It is not a SEQUENCE, or as for ``children``.
        """
        return self.require_tag(Universal.SEQUENCE).children()

    def set_of(self) -> tuple["Element", ...]:
        """Return the elements of a SET in their encoded order, which is not verified.

        Raises:
            DerMalformed: It is not a SET, or as for ``children``.
        """
        return self.require_tag(Universal.SET).children()

    def explicit(self) -> "Element":
        """Return the one element within an explicit tag.

        Raises:
            DerMalformed: It holds no element or several, or a malformed one.
        """
        inner = self.children()
        if len(inner) != 1:
            raise DerMalformed(f"{self.tag} holds {len(inner)} elements, 1 expected")
        return inner[0]

    def boolean(self) -> Boolean:
        """Return a BOOLEAN; octets other than 0x00 and 0xFF are read as in BER, and marked.

        Raises:
            DerMalformed: It is not a BOOLEAN, or not one octet.
        """
        content = self.require_tag(Universal.BOOLEAN).content
        if len(content) != 1:
            raise DerMalformed(f"a BOOLEAN has {len(content)} octets, 1 expected")
        return Boolean(value=content[0] != 0, canonical=content[0] in (0, _DER_TRUE))

    def integer(self) -> int:
        """Return an INTEGER in two's complement, of at most 64 octets.

        Raises:
            DerMalformed: It is not an INTEGER, empty, too long, or not in the fewest octets.
        """
        return _integer(self.require_tag(Universal.INTEGER))

    def enumerated(self) -> int:
        """Return the number of an ENUMERATED.

        Raises:
            DerMalformed: It is not an ENUMERATED, or as for ``integer``.
        """
        return _integer(self.require_tag(Universal.ENUMERATED))

    def octets(self) -> bytes:
        """Return the octets of an OCTET STRING, joined if BER encodes it in pieces.

        Raises:
            DerMalformed: It, or a piece of it, is not an OCTET STRING.
        """
        return _joined(self.require_tag(Universal.OCTET_STRING), Universal.OCTET_STRING)

    def bits(self) -> bytes:
        """Return the octets of a BIT STRING whose bits fill whole octets.

        Raises:
            DerMalformed: It is not a BIT STRING, is in pieces, or has unused bits.
        """
        content = self.require_tag(Universal.BIT_STRING).content
        if self.constructed or not content or content[0] != 0:
            raise DerMalformed("a BIT STRING of whole octets in one piece expected")
        return content[1:]

    def text(self) -> str:
        """Return the text of a UTF8String, PrintableString or IA5String.

        Raises:
            DerMalformed: It is none of these, is in pieces, or is not in its alphabet.
        """
        ascii_only = self.is_universal(Universal.IA5_STRING) or self.is_universal(Universal.PRINTABLE_STRING)
        if not (ascii_only or self.is_universal(Universal.UTF8_STRING)) or self.constructed:
            raise DerMalformed(f"a string in one piece expected, {self.tag} found")
        try:
            return self.content.decode("ascii" if ascii_only else "utf-8")
        except UnicodeDecodeError as error:
            raise DerMalformed(f"{self.tag} is not in its alphabet") from error

    def null(self) -> None:
        """Verify that this is a NULL.

        Raises:
            DerMalformed: It is not a NULL, or has content.
        """
        if self.require_tag(Universal.NULL).content:
            raise DerMalformed("a NULL has content")

    def object_identifier(self) -> str:
        """Return an OBJECT IDENTIFIER in dotted form, of at most 32 arcs.

        Raises:
            DerMalformed: It is not an OBJECT IDENTIFIER, or not well formed.
        """
        return _dotted(self.require_tag(Universal.OBJECT_IDENTIFIER).content)


_COLLECTIONS: Final = frozenset({Universal.SEQUENCE, Universal.SET})
_STRINGS: Final = frozenset({Universal.OCTET_STRING, Universal.BIT_STRING})


def read(data: bytes, *, encoding: Encoding = Encoding.DER, max_bytes: int = MAX_BYTES) -> Element:
    """Read the one element that ``data`` consists of.

    ``data`` is exactly one element of at most ``max_bytes``.

    Raises:
        DerMalformed: ``data`` is longer than ``max_bytes``, or is not exactly one element.
    """
    element, rest = read_prefix(data, encoding=encoding, max_bytes=max_bytes)
    if rest:
        raise DerMalformed(f"{rest} bytes follow the element")
    return element


def read_prefix(
    data: bytes, *, encoding: Encoding = Encoding.DER, max_bytes: int = MAX_BYTES
) -> tuple[Element, int]:
    """Read the element that ``data`` begins with, and return it with the number of bytes after it.

    Raises:
        DerMalformed: ``data`` is longer than ``max_bytes``, empty, or does not begin with an element.
    """
    if len(data) > max_bytes:
        raise DerMalformed(f"the ASN.1 data has {len(data)} bytes; at most {max_bytes} are accepted")
    element = _element(data, 0, len(data), encoding, 0)
    return element, len(data) - len(element.encoded)


def _elements(data: bytes, encoding: Encoding, depth: int) -> Iterator[Element]:
    position, count = 0, 0
    while position < len(data):
        if count == MAX_ELEMENTS:
            raise DerMalformed(f"more than {MAX_ELEMENTS} elements at one level")
        element = _element(data, position, len(data), encoding, depth)
        yield element
        position, count = position + len(element.encoded), count + 1


def _element(data: bytes, position: int, end: int, encoding: Encoding, depth: int) -> Element:
    if depth > MAX_DEPTH:
        raise DerMalformed(f"nested deeper than {MAX_DEPTH} levels")
    head = _head_of_element(data, position, end, encoding)
    if head.end == INDEFINITE:
        content_end = _end_of_contents(data, head.start, end, encoding, depth + 1)
        after = content_end + 2
    else:
        content_end = after = head.end
    return Element(
        tag=_LOW_TAGS[head.tag] if head.tag <= 0xFF else Tag.of(head.tag),
        constructed=bool(data[position] & _CONSTRUCTED),
        content=data[head.start : content_end],
        encoded=data[position:after],
        encoding=encoding,
        depth=depth,
    )


_LOW_TAGS: Final = tuple(Tag.of(first) for first in range(256))
"""The tag of every octet that is a whole tag."""


def _head_of_element(data: bytes, position: int, end: int, encoding: Encoding) -> Head:
    head = read_head(data, position, end, encoding)
    if head.tag & ~_CONSTRUCTED == 0 and head.end != INDEFINITE:
        raise DerMalformed("end-of-contents outside an indefinite length")
    return head


def _end_of_contents(data: bytes, position: int, end: int, encoding: Encoding, depth: int) -> int:
    """Return the position of the end-of-contents octets.

    The content of the element of indefinite length begins at ``position``.
    """
    if depth > MAX_DEPTH:
        raise DerMalformed(f"nested deeper than {MAX_DEPTH} levels")
    for _ in range(MAX_ELEMENTS + 1):
        if data[position : min(position + 2, end)] == b"\0\0":
            return position
        head = _head_of_element(data, position, end, encoding)
        if head.end == INDEFINITE:
            position = _end_of_contents(data, head.start, end, encoding, depth + 1) + 2
        else:
            position = head.end
    raise DerMalformed(f"more than {MAX_ELEMENTS} elements at one level")


def _integer(element: Element) -> int:
    content = element.content
    if not 0 < len(content) <= _MAX_INTEGER_OCTETS:
        raise DerMalformed(f"{element.tag} has {len(content)} octets, 1 to {_MAX_INTEGER_OCTETS} expected")
    value = shortest_integer(content)
    if value is None:
        raise DerMalformed(f"{element.tag} is not in the fewest octets")
    return value


def _joined(element: Element, number: Universal) -> bytes:
    if not element.constructed:
        return element.content
    return b"".join(_joined(piece.require_tag(number), number) for piece in element.children())


def _dotted(content: bytes) -> str:
    arcs: list[int] = []
    arc, octets = 0, 0
    for octet in content:
        if octets == 0 and octet == _MORE:
            raise DerMalformed("an arc is not in the fewest octets")
        arc, octets = arc << 7 | octet & ~_MORE, octets + 1
        if octets > _MAX_ARC_OCTETS or len(arcs) == _MAX_ARCS:
            raise DerMalformed("an OBJECT IDENTIFIER is too long")
        if not octet & _MORE:
            arcs.append(arc)
            arc, octets = 0, 0
    if octets or not arcs:
        raise DerMalformed("an OBJECT IDENTIFIER is cut off")
    root = min(arcs[0] // 40, 2)
    return ".".join(map(str, (root, arcs[0] - 40 * root, *arcs[1:])))
